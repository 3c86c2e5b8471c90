//! Client certificates: where the TLS library reads one too, its key is the key that opens the account, and the dates are days that
//! exist.
#![no_main]

use aws_lc_rs::digest::{SHA256, digest};
use libfuzzer_sys::fuzz_target;
use pillarbox_fuzz::choice;
use pillarbox_oauth::ClientCertificate;
use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;

fuzz_target!(|data: &[u8]| {
    let Some((how, bytes)) = choice(data) else {
        return;
    };
    if how % 2 == 1 {
        let _ = ClientCertificate::from_pem(&String::from_utf8_lossy(bytes));
        return;
    }
    let Some(read) = ClientCertificate::from_der(bytes) else {
        return;
    };
    assert!(!read.is_current(read.not_after() + 1));
    let der = CertificateDer::from(bytes);
    let Ok(theirs) = EndEntityCert::try_from(&der) else {
        return;
    };
    let key = digest(&SHA256, &theirs.subject_public_key_info());
    let hex: String = key
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(**read.key(), *hex, "two keys of one certificate");
});
