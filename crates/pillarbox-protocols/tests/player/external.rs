//! The certificates of scripts about EXTERNAL. Both are good in 2026.

use pillarbox_oauth::ClientCertificate;
use pillarbox_protocols::conversation::Channel;
use std::sync::Arc;

/// What `given ada registers her certificate` registers.
pub fn ada() -> ClientCertificate {
    read(include_str!("ada.pem"))
}

/// What a connection shows: the first two Ada's certificate, the third one that nobody registered, all others none.
pub fn shown(number: usize) -> Channel {
    let certificate = match number {
        1 | 2 => Some(ada()),
        3 => Some(read(include_str!("other.pem"))),
        _ => None,
    };
    Channel {
        certificate: certificate.map(Arc::new),
        ..Channel::default()
    }
}

fn read(pem: &str) -> ClientCertificate {
    ClientCertificate::from_pem(pem).unwrap()
}
