//! What a TLS connection can be bound to, for SCRAM-SHA-256-PLUS: keying material of the connection (RFC 9266) and a hash of
//! the certificate shown (RFC 5929 §4).
//!
//! tls-unique is not here: TLS 1.3 has none, and the library does not give it for TLS 1.2.

use aws_lc_rs::digest::{Algorithm, SHA256, SHA384, SHA512, digest};
use pillarbox_wire::sasl::scram::ChannelBindings;
use rustls::{ProtocolVersion, ServerConnection};
use std::sync::Arc;

/// RFC 9266 §2.
const LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// The signature algorithms whose hash is known to be a single one (RFC 5929 §4.1), as the content of their OBJECT
/// IDENTIFIER. MD5 and SHA-1 count as SHA-256.
const ALGORITHMS: [(&[u8], &Algorithm); 9] = [
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04", &SHA256), // md5WithRSAEncryption
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", &SHA256), // sha1WithRSAEncryption
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", &SHA256), // sha256WithRSAEncryption
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c", &SHA384), // sha384WithRSAEncryption
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d", &SHA512), // sha512WithRSAEncryption
    (b"\x2a\x86\x48\xce\x3d\x04\x01", &SHA256),         // ecdsa-with-SHA1
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x02", &SHA256),     // ecdsa-with-SHA256
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x03", &SHA384),     // ecdsa-with-SHA384
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x04", &SHA512),     // ecdsa-with-SHA512
];

/// The bindings of a connection whose handshake is done.
pub fn of(connection: &ServerConnection, server_end_point: Option<Arc<[u8]>>) -> ChannelBindings {
    // In TLS 1.2 it is unique only with an extended master secret (RFC 9266 §3), which cannot be asked for here.
    let is_unique = connection.protocol_version() == Some(ProtocolVersion::TLSv1_3);
    let exporter = || {
        connection
            .export_keying_material([0; 32], LABEL, Some(b""))
            .ok()
    };
    ChannelBindings {
        exporter: is_unique.then(exporter).flatten(),
        server_end_point,
    }
}

/// tls-server-end-point of a certificate in DER; None if its signature has no hash of its own (RFC 5929 §4.1).
pub fn server_end_point(certificate: &[u8]) -> Option<Arc<[u8]>> {
    // Certificate ::= SEQUENCE { tbsCertificate SEQUENCE, signatureAlgorithm SEQUENCE { OBJECT IDENTIFIER, .. }, .. }
    let (fields, _) = element(certificate, 0x30)?;
    let (_, after) = element(fields, 0x30)?;
    let (algorithm, _) = element(after, 0x30)?;
    let (name, _) = element(algorithm, 0x06)?;
    let (_, hash) = ALGORITHMS.iter().find(|(known, _)| *known == name)?;
    Some(digest(hash, certificate).as_ref().into())
}

/// The content of one DER element, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        short @ ..0x80 => (usize::from(short), rest),
        long => {
            let count = usize::from(long & 0x7f);
            if !(1..=4).contains(&count) {
                return None;
            }
            let (bytes, rest) = rest.split_at_checked(count)?;
            let length = bytes.iter().fold(0, |sum, &b| sum << 8 | usize::from(b));
            (length, rest)
        }
    };
    (first == tag).then_some(())?;
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed unwrap is the failed test
    use super::*;

    fn made(algorithm: &'static rcgen::SignatureAlgorithm) -> Vec<u8> {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let params = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_hash_is_that_of_the_signature() {
        let p256 = made(&rcgen::PKCS_ECDSA_P256_SHA256);
        let hash = server_end_point(&p256).unwrap();
        assert_eq!(&*hash, digest(&SHA256, &p256).as_ref());
        let p384 = made(&rcgen::PKCS_ECDSA_P384_SHA384);
        let hash = server_end_point(&p384).unwrap();
        assert_eq!(&*hash, digest(&SHA384, &p384).as_ref());
        assert_eq!(server_end_point(&made(&rcgen::PKCS_ED25519)), None);
        for cut in 0..64 {
            assert_eq!(server_end_point(&p256[..cut]), None);
        }
    }
}
