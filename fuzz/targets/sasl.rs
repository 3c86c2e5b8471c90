//! A client's side of every SASL exchange: no order of lines panics, no refused credential is ever accepted, and credentials that
//! were read come back from what we would send.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pillarbox_fuzz::choice;
use pillarbox_wire::sasl::{
    Credentials, Exchange, Mechanism, Step, decode_oauthbearer, decode_plain, decode_xoauth2,
    encode_oauthbearer, encode_plain, encode_xoauth2, to_base64,
};

/// More steps than any mechanism has.
const STEPS_MAX: usize = 6;

fuzz_target!(|data: &[u8]| {
    let Some((how, bytes)) = choice(data) else {
        return;
    };
    messages(bytes);
    let mechanism = Mechanism::ALL[how % Mechanism::ALL.len()];
    // As lines, and with the base64 already right, so that what lies below it is reached.
    let lines: Vec<Vec<u8>> = bytes.split(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
    let encoded: Vec<Vec<u8>> = lines.iter().map(|l| to_base64(l).into_bytes()).collect();
    for lines in [lines, encoded] {
        exchange(mechanism, how & 4 == 4, how & 8 == 8, &lines);
    }
});

fn exchange(mechanism: Mechanism, initial: bool, accept: bool, lines: &[Vec<u8>]) {
    let mut lines = lines.iter();
    let first = if initial { lines.next() } else { None };
    let (mut exchange, mut step) = Exchange::start(mechanism, first.map(Vec::as_slice));
    let mut checks = 0;
    for steps in 0.. {
        assert!(steps <= STEPS_MAX, "an exchange ends");
        step = match step {
            Step::Challenge(text) => {
                assert!(text.bytes().all(|b| b.is_ascii_graphic()));
                match lines.next() {
                    Some(line) => exchange.receive(line),
                    None => return,
                }
            }
            Step::Check(credentials) => {
                checks += 1;
                kind(mechanism, &credentials);
                assert!(!format!("{credentials:?}").is_empty());
                match accept {
                    true if matches!(credentials, Credentials::Scram(_)) => {
                        checks -= 1;
                        exchange.challenged("nonce", b"salt", 4096)
                    }
                    true => exchange.accepted(Some([0; 32])),
                    false => exchange.refused("https://id.example.test"),
                }
            }
            Step::Done => {
                assert!(accept && checks == 1);
                return;
            }
            Step::Fail(_) => {
                assert!(
                    matches!(exchange.accepted(None), Step::Fail(_)),
                    "over is over"
                );
                return;
            }
        };
    }
}

fn kind(mechanism: Mechanism, credentials: &Credentials) {
    assert_eq!(
        mechanism.is_bearer(),
        matches!(credentials, Credentials::Bearer(_))
    );
}

fn messages(bytes: &[u8]) {
    if let Ok(bearer) = decode_xoauth2(bytes) {
        assert_eq!(decode_xoauth2(&encode_xoauth2(&bearer)), Ok(bearer));
    }
    if let Ok(message) = decode_oauthbearer(bytes) {
        assert_eq!(
            decode_oauthbearer(&encode_oauthbearer(&message)),
            Ok(message)
        );
    }
    if let Ok(password) = decode_plain(bytes) {
        assert_eq!(decode_plain(&encode_plain(&password)), Ok(password));
    }
}
