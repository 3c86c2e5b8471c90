//! Certificates and the TLS configuration. A private authority for development and small networks, files from elsewhere
//! otherwise; what is served can be swapped while listeners run. Certificates fetched by ACME are not here yet.

use crate::binding;
use crate::client_certificates::AnyKey;
use anyhow::{Context, Result, bail};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, SerialNumber,
};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

/// An authority is trusted once by hand, so it lives long.
const AUTHORITY_LIFE: Duration = Duration::from_secs(10 * 365 * 86_400);
/// A server certificate is made anew at every start; some clients refuse those valid for more than 398 days.
const SERVER_LIFE: Duration = Duration::from_secs(90 * 86_400);
/// Both begin in the past, because clocks differ.
const BACKDATED: Duration = Duration::from_secs(86_400);

/// Names a development server answers to (first five minutes, minute 1).
pub const DEVELOPMENT_NAMES: [&str; 7] = [
    "localhost",
    "127.0.0.1",
    "::1",
    "imap.localhost",
    "pop.localhost",
    "smtp.localhost",
    "accounts.localhost",
];

/// A private certificate authority, kept in a folder as `ca.pem` and `ca-key.pem`.
pub struct Authority {
    folder: PathBuf,
    key: KeyPair,
}

impl Authority {
    /// Opens the authority of this folder, or makes one. Two programs doing so at once end up with the same one.
    pub fn open_or_make(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make folder {}", folder.display()))?;
        let (certificate, key) = (folder.join("ca.pem"), folder.join("ca-key.pem"));
        if !certificate.exists() {
            Self::make(folder, &certificate, &key)?;
        }
        let pem =
            fs::read_to_string(&key).with_context(|| format!("cannot read {}", key.display()))?;
        let key = KeyPair::from_pem(&pem)
            .with_context(|| format!("{} holds no private key", key.display()))?;
        Ok(Self {
            folder: folder.to_owned(),
            key,
        })
    }

    /// The authority's certificate: one PEM certificate, to be trusted by clients.
    pub fn certificate_file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// A fresh certificate and key for these names and addresses.
    pub fn issue(&self, names: &[String]) -> Result<CertifiedKey> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        params.subject_alt_names = names
            .iter()
            .map(|name| alternative(name))
            .collect::<Result<_>>()?;
        params.distinguished_name = common_name(names.first().map_or("pillarbox", String::as_str));
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, SERVER_LIFE);
        params.serial_number = Some(serial());
        let issuer = Issuer::new(authority_params(), &self.key);
        let certificate = params.signed_by(&key, &issuer)?;
        let der = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
        certified(vec![certificate.der().clone()], der)
    }

    /// The key is linked into place first and only by one of several makers; the certificate follows from it.
    fn make(folder: &Path, certificate: &Path, key: &Path) -> Result<()> {
        let fresh = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let unique = folder.join(format!("new-{:016x}", crate::random::number()));
        write_private(&unique, fresh.serialize_pem().as_bytes())?;
        let linked = fs::hard_link(&unique, key);
        fs::remove_file(&unique).ok();
        let pem = match linked {
            Ok(()) => fresh.serialize_pem(),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                fs::read_to_string(key)?
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot write {}", key.display()));
            }
        };
        let mut params = authority_params();
        set_validity(&mut params, AUTHORITY_LIFE);
        params.serial_number = Some(serial());
        let made = params.self_signed(&KeyPair::from_pem(&pem)?)?;
        fs::write(&unique, made.pem())
            .with_context(|| format!("cannot write {}", unique.display()))?;
        let linked = fs::hard_link(&unique, certificate);
        fs::remove_file(&unique).ok();
        match linked {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                Err(error).with_context(|| format!("cannot write {}", certificate.display()))
            }
            _ => Ok(()),
        }
    }
}

/// A certificate chain and key from PEM files.
pub fn from_files(certificate: &Path, key: &Path) -> Result<CertifiedKey> {
    let unreadable = |path: &Path| format!("cannot read {}", path.display());
    let chain = CertificateDer::pem_file_iter(certificate)
        .with_context(|| unreadable(certificate))?
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| format!("{} is not PEM", certificate.display()))?;
    if chain.is_empty() {
        bail!("{} holds no certificate", certificate.display());
    }
    let key = PrivateKeyDer::from_pem_file(key).with_context(|| unreadable(key))?;
    certified(chain, key)
}

/// The certificate that is served now; swapped on SIGHUP without touching listeners or connections.
#[derive(Debug)]
pub struct Served(RwLock<Shown>);

#[derive(Clone, Debug)]
struct Shown {
    key: Arc<CertifiedKey>,
    end_point: Option<Arc<[u8]>>,
}

impl Shown {
    fn new(key: CertifiedKey) -> Self {
        let certificate = key.cert.first();
        Self {
            end_point: certificate.and_then(|der| binding::server_end_point(der)),
            key: Arc::new(key),
        }
    }
}

impl Served {
    /// Serves this one from the start.
    pub fn new(key: CertifiedKey) -> Arc<Self> {
        Arc::new(Self(RwLock::new(Shown::new(key))))
    }

    /// Serves another one from the next handshake on.
    pub fn swap(&self, key: CertifiedKey) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Shown::new(key);
    }

    /// What a connection that was just made can be bound to (RFC 5929 §4). One whose handshake a swap overtakes cannot be,
    /// and is told so as a failed sign-in.
    pub fn end_point(&self) -> Option<Arc<[u8]>> {
        self.shown().end_point
    }

    fn shown(&self) -> Shown {
        let shown = self.0.read().unwrap_or_else(PoisonError::into_inner);
        shown.clone()
    }
}

impl ResolvesServerCert for Served {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.shown().key)
    }
}

/// Configurations for the mail services and for the web, which differ in ALPN and in what they ask the client for.
pub struct Configs {
    /// IMAP, POP3, SMTP.
    pub mail: Arc<ServerConfig>,
    /// The same where EXTERNAL is offered: the client is asked for a certificate.
    pub asking: Arc<ServerConfig>,
    /// HTTP/2 and HTTP/1.1.
    pub web: Arc<ServerConfig>,
    /// What both show.
    pub served: Arc<Served>,
}

/// TLS 1.2 and 1.3 (wire §1); tickets shared by all listeners instead of a session cache in memory.
pub fn configs(served: &Arc<Served>) -> Result<Configs> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut mail = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(served.clone());
    mail.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
    mail.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    // Each ticket is a write of its own after the handshake; one is enough for clients that resume.
    mail.send_tls13_tickets = 1;
    let mut asking = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
        .with_client_cert_verifier(AnyKey::new(&provider))
        .with_cert_resolver(served.clone());
    // Tickets of its own: they hold the client's certificate, and those of others hold none.
    asking.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
    asking.session_storage = mail.session_storage.clone();
    asking.send_tls13_tickets = mail.send_tls13_tickets;
    let mut web = mail.clone();
    web.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Configs {
        mail: Arc::new(mail),
        asking: Arc::new(asking),
        web: Arc::new(web),
        served: served.clone(),
    })
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<CertifiedKey> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let key =
        CertifiedKey::from_der(chain, key, &provider).context("certificate and key do not fit")?;
    Ok(key)
}

/// The same names every time, so that the certificate in `ca.pem` and the issuer of later ones agree.
fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name("Pillarbox private authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn alternative(name: &str) -> Result<SanType> {
    Ok(match name.parse::<IpAddr>() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => SanType::DnsName(
            name.try_into()
                .with_context(|| format!("{name} is not a host name"))?,
        ),
    })
}

/// Certificates go by the system's clock, never by the one `clock advance` moves.
fn set_validity(params: &mut CertificateParams, life: Duration) {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let now = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(since.as_secs());
    params.not_before = now - BACKDATED;
    params.not_after = now + life;
}

/// Positive and at most 20 octets (RFC 5280 §4.1.2.2).
fn serial() -> SerialNumber {
    SerialNumber::from(crate::random::number() >> 1 | 1)
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(cannot)?;
    file.write_all(bytes).with_context(cannot)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failure is the message")]
mod tests {
    use super::*;

    #[test]
    fn the_authority_is_made_once_and_issues_for_names_and_addresses() {
        let folder = tempfile::tempdir().unwrap();
        let first = Authority::open_or_make(folder.path()).unwrap();
        let pem = fs::read_to_string(first.certificate_file()).unwrap();
        let again = Authority::open_or_make(folder.path()).unwrap();
        assert_eq!(pem, fs::read_to_string(again.certificate_file()).unwrap());
        assert_eq!(pem.matches("BEGIN CERTIFICATE").count(), 1);
        let names: Vec<String> = DEVELOPMENT_NAMES.map(Into::into).into();
        let issued = again.issue(&names).unwrap();

        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier =
            rustls::client::WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .unwrap();
        for name in DEVELOPMENT_NAMES {
            use rustls::client::danger::ServerCertVerifier;
            let name = rustls_pki_types::ServerName::try_from(name).unwrap();
            let now = rustls_pki_types::UnixTime::now();
            verifier
                .verify_server_cert(&issued.cert[0], &[], &name, &[], now)
                .unwrap();
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
