//! Client certificates in TLS: asked for, never demanded, and taken from anybody who holds the key (for EXTERNAL).
//!
//! Whom a certificate is for is decided at sign-in, by its key, with the clock of the server. So nothing is refused here that
//! a mail program shows for other reasons, and no authority is named to it. What the handshake does prove is that the client
//! holds the private key: both signatures, of TLS 1.2 and 1.3, are checked.

use pillarbox_oauth::ClientCertificate;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, ServerConnection, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};
use std::sync::Arc;

/// Takes any certificate whose key the client proves to hold.
#[derive(Debug)]
pub struct AnyKey(WebPkiSupportedAlgorithms);

impl AnyKey {
    /// With the signatures of this provider.
    pub fn new(provider: &CryptoProvider) -> Arc<Self> {
        Arc::new(Self(provider.signature_verification_algorithms))
    }
}

impl ClientCertVerifier for AnyKey {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// No hints: a client shows what it was told to show.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

/// The certificate of a connection whose handshake is done, if one was shown that can be read.
pub fn of(connection: &ServerConnection) -> Option<Arc<ClientCertificate>> {
    let shown = connection.peer_certificates()?.first()?;
    ClientCertificate::from_der(shown).map(Arc::new)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed unwrap is the failed test
    use super::*;
    use crate::tls;
    use rustls::client::ResolvesClientCert;
    use rustls::sign::CertifiedKey;
    use rustls::{ClientConfig, ClientConnection, RootCertStore, version};
    use rustls_pki_types::PrivateKeyDer;

    /// A client that shows a certificate whatever its key is.
    #[derive(Debug)]
    struct Shows(Arc<CertifiedKey>);

    impl ResolvesClientCert for Shows {
        fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
            Some(self.0.clone())
        }

        fn has_certs(&self) -> bool {
            true
        }
    }

    fn pair(name: &str) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let params = rcgen::CertificateParams::new(vec![name.into()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        (certificate.der().clone(), key)
    }

    /// What the server knows of a client that shows `certificate` and signs with `key`, if the handshake succeeds.
    fn shake(
        version: &'static rustls::SupportedProtocolVersion,
        certificate: &CertificateDer<'static>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Option<Arc<ClientCertificate>>, Error> {
        let folder = tempfile::tempdir().unwrap();
        let authority = tls::Authority::open_or_make(folder.path()).unwrap();
        let issued = authority.issue(&["localhost".into()]).unwrap();
        let configs = tls::configs(&tls::Served::new(issued)).unwrap();
        let mut server = ServerConnection::new(configs.asking).unwrap();

        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = provider.key_provider.load_private_key(key).unwrap();
        let shown = CertifiedKey::new(vec![certificate.clone()], key);
        let pem = std::fs::read(authority.certificate_file()).unwrap();
        let mut roots = RootCertStore::empty();
        use rustls_pki_types::pem::PemObject;
        roots
            .add(CertificateDer::from_pem_slice(&pem).unwrap())
            .unwrap();
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_cert_resolver(Arc::new(Shows(Arc::new(shown))));
        let name = "localhost".try_into().unwrap();
        let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            let mut flight = Vec::new();
            client.write_tls(&mut flight).unwrap();
            server.read_tls(&mut &flight[..]).unwrap();
            server.process_new_packets()?;
            let mut flight = Vec::new();
            server.write_tls(&mut flight).unwrap();
            client.read_tls(&mut &flight[..]).unwrap();
            client.process_new_packets()?;
        }
        Ok(of(&server))
    }

    #[test]
    fn a_certificate_counts_only_with_its_key() {
        let ((ada, key), (_, thief)) = (pair("ada"), pair("thief"));
        for version in [&version::TLS12, &version::TLS13] {
            let known = shake(version, &ada, key.clone_key()).unwrap();
            assert_eq!(known.as_deref(), ClientCertificate::from_der(&ada).as_ref());
            assert!(known.is_some());
            let stolen = shake(version, &ada, thief.clone_key());
            assert!(
                matches!(stolen, Err(Error::InvalidCertificate(_))),
                "{stolen:?}"
            );
        }
    }
}
