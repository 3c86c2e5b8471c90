//! Where a server is, whom to trust there, and how much it may send.

use crate::Error;
use crate::link::{Dial, Opening, Stream};
use rustls::ClientConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use rustls_platform_verifier::BuilderVerifierExt;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// One service of one server.
#[derive(Clone, Debug)]
pub struct Server {
    /// A name or an address; the certificate must be for it.
    pub host: String,
    /// 993 for IMAP, 465 or 587 for SMTP.
    pub port: u16,
    /// Whom to trust.
    pub tls: Tls,
    /// How much it may send, and how long it may take.
    pub limits: Limits,
}

/// Bounds on what a server controls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest line of SMTP, in bytes. RFC 5321 §4.5.3.1.5 has 512; help addresses are longer.
    pub line_bytes_max: usize,
    /// Longest IMAP reply with its literals, in bytes: more than the largest message that is read whole. Gmail takes in 35 MB.
    pub reply_bytes_max: usize,
    /// All replies to one IMAP command together, in bytes; fetch many large messages by several commands.
    pub answer_bytes_max: usize,
    /// Events kept for [`imap::Session::wait`](crate::imap::Session::wait); what comes after them is
    /// [`Event::Missed`](crate::imap::Event::Missed).
    pub events_max: usize,
    /// Longest time to connect, TLS included.
    pub connect: Duration,
    /// Longest silence when an answer is due (RFC 5321 §4.5.3.2: 5 minutes).
    pub silence: Duration,
    /// Longest silence after a message was sent by SMTP (RFC 5321 §4.5.3.2.6: 10 minutes).
    pub delivery: Duration,
    /// IDLE is begun again this often. RFC 2177 §3 wants less than 29 minutes; Gmail hangs up after about 10, and so do
    /// routers on the way.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line_bytes_max: 4096,
            reply_bytes_max: 64 * 1024 * 1024,
            answer_bytes_max: 256 * 1024 * 1024,
            events_max: 10_000,
            connect: Duration::from_secs(30),
            silence: Duration::from_secs(5 * 60),
            delivery: Duration::from_secs(10 * 60),
            idle: Duration::from_secs(9 * 60),
        }
    }
}

/// Whom to trust: authorities whose certificates are accepted. Certificates are always checked. Cheap to clone.
#[derive(Clone)]
pub struct Tls(Arc<ClientConfig>);

impl Server {
    /// With the default [`Limits`].
    pub fn new(host: impl Into<String>, port: u16, tls: Tls) -> Self {
        Self {
            host: host.into(),
            port,
            tls,
            limits: Limits::default(),
        }
    }

    /// A TLS connection on which nothing has been said: for what this library does not do.
    ///
    /// # Errors
    /// [`Error::Connect`], [`Error::Io`], [`Error::Tls`], [`Error::Timeout`].
    pub async fn open(&self) -> Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<>, Error> {
        self.secure(self.plain().await?).await
    }

    /// Host and port, for people.
    fn named(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// The same with these limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

impl Tls {
    /// Trusts whom the operating system trusts. Reads its certificates: make one and clone it.
    ///
    /// # Errors
    /// [`Error::Tls`] if the system names no authority (in a container: install `ca-certificates`).
    pub fn system() -> Result<Self, Error> {
        let config = versions()?.with_platform_verifier()?;
        Ok(Self(Arc::new(config.with_no_client_auth())))
    }

    /// Trusts the authorities in this PEM text, and no others.
    ///
    /// # Errors
    /// [`Error::Setting`] if there is none in it, [`Error::Tls`] if one is malformed.
    pub fn trusting(pem: &[u8]) -> Result<Self, Error> {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| Error::Setting("malformed PEM"))?;
            roots.add(certificate)?;
        }
        if roots.is_empty() {
            return Err(Error::Setting("no certificate in the PEM text"));
        }
        let config = versions()?.with_root_certificates(roots);
        Ok(Self(Arc::new(config.with_no_client_auth())))
    }
}

/// TLS 1.2 and 1.3 over the one crypto library, whatever the process has installed.
fn versions() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?)
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Dial for Server {
    fn plain(&self) -> Opening<'_> {
        Box::pin(async {
            let connect = TcpStream::connect((self.host.as_str(), self.port));
            let late = |_| io::Error::new(io::ErrorKind::TimedOut, "nobody answers");
            let connected = timeout(self.limits.connect, connect).await;
            let stream = connected.map_err(late).and_then(|connected| connected);
            let stream = stream.map_err(|cause| Error::Connect {
                address: self.named(),
                cause,
            })?;
            // Commands are small and waited for.
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }

    fn secure(&self, stream: Box<dyn Stream>) -> Opening<'_> {
        Box::pin(async {
            let name = ServerName::try_from(self.host.clone())
                .map_err(|_| Error::Setting("the host is neither a name nor an address"))?;
            let handshake = TlsConnector::from(Arc::clone(&self.tls.0)).connect(name, stream);
            let done = timeout(self.limits.connect, handshake).await;
            let stream = done.map_err(|_| Error::Timeout("TLS was to begin"))?;
            Ok(Box::new(stream.map_err(tls_or_io)?) as Box<dyn Stream>)
        })
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn address(&self) -> (&str, u16) {
        (&self.host, self.port)
    }
}

/// A certificate that is not trusted stays untrusted, however often one tries; a broken connection does not.
fn tls_or_io(error: io::Error) -> Error {
    match error
        .get_ref()
        .and_then(|e| e.downcast_ref::<rustls::Error>())
    {
        Some(tls) => Error::Tls(tls.clone()),
        None => Error::Io(error),
    }
}
