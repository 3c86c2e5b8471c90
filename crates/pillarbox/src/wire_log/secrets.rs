//! Takes secrets out of lines before they are kept: of each its first four letters stay, so that its owner knows which it is.
//!
//! Passwords, tokens and SASL messages are known by where they stand: behind LOGIN, AUTH, AUTHENTICATE, PASS and APOP, and on
//! every line of an exchange until the reply that ends it. Should a client say them anywhere else, two nets are left: what
//! stands behind `Bearer`, and before sign-in every long word of letters that base64 is made of.

use pillarbox_protocols::sessions::Protocol;

/// Octets of a line that are looked at; longer than any line with a secret (wire §2.1).
pub const LINE_OCTETS_MAX: usize = 20 * 1_024;
/// Letters of a secret that are shown, and the least it has for that.
const SHOWN: usize = 4;
const SHOWN_OF_MIN: usize = 8;
/// Before sign-in words of base64 from this length on are secrets.
const WORD_MIN: usize = 16;
/// Words that say nothing: what a client sends to end an exchange.
const EMPTY: [&[u8]; 4] = [b"", b"*", b"=", b"AQ=="];

/// Where a connection stands, as far as secrets go.
pub struct Secrets {
    protocol: Protocol,
    /// An exchange is under way: its tag on IMAP, nothing elsewhere.
    exchange: Option<Vec<u8>>,
    /// Its messages of the server are half of a proof.
    scram: bool,
    /// The server has just asked for more.
    challenged: bool,
    signed_in: bool,
}

impl Secrets {
    pub fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            exchange: None,
            scram: false,
            challenged: false,
            signed_in: false,
        }
    }

    /// A line of the client as it may be kept.
    pub fn client(&mut self, line: &[u8]) -> Vec<u8> {
        let challenged = std::mem::take(&mut self.challenged);
        let mut words = line.split(|octet| *octet == b' ');
        let (tag, verb) = match self.protocol {
            Protocol::Imap => (
                words.next().unwrap_or_default(),
                words.next().unwrap_or_default(),
            ),
            _ => (&b""[..], words.next().unwrap_or_default()),
        };
        let is = |name: &str| verb.eq_ignore_ascii_case(name.as_bytes());
        // How many words from the beginning are no secret.
        let open = match self.protocol {
            Protocol::Imap if is("LOGIN") => Some(3),
            Protocol::Imap if is("AUTHENTICATE") => Some(3),
            Protocol::Pop3 if is("PASS") => Some(1),
            Protocol::Pop3 if is("APOP") => Some(2),
            Protocol::Pop3 | Protocol::Submission | Protocol::Incoming if is("AUTH") => Some(2),
            _ => None,
        };
        let within = self.exchange.is_some() || challenged && !self.signed_in;
        if let Some(open) = open {
            if !is("PASS") && !is("APOP") && !self.signed_in {
                self.exchange = Some(tag.to_vec());
                let mechanism = words.next().unwrap_or_default().to_ascii_uppercase();
                self.scram = mechanism.starts_with(b"SCRAM");
            }
            return cut_behind(line, open);
        }
        if within {
            return cut(line);
        }
        let line = bearer(line);
        match self.signed_in || self.protocol == Protocol::Incoming {
            true => line,
            false => long_words(&line),
        }
    }

    /// A line of ours as it may be kept.
    pub fn server(&mut self, line: &[u8]) -> Vec<u8> {
        let asks = match self.protocol {
            Protocol::Imap | Protocol::Pop3 => line == b"+" || line.starts_with(b"+ "),
            _ => line.starts_with(b"334"),
        };
        if asks {
            self.challenged = true;
            return match self.scram && self.exchange.is_some() {
                true => cut_behind(line, 1),
                false => line.to_vec(),
            };
        }
        if let Some(tag) = self.exchange.take() {
            let ends = match self.protocol {
                Protocol::Imap => line.split(|octet| *octet == b' ').next() == Some(&tag),
                _ => true,
            };
            if !ends {
                self.exchange = Some(tag);
            } else {
                self.challenged = false;
                let rest = line.get(tag.len()..).unwrap_or_default().trim_ascii_start();
                self.signed_in |= match self.protocol {
                    Protocol::Imap => rest.starts_with(b"OK"),
                    Protocol::Pop3 => false, // what is said after it is known by its verbs
                    _ => rest.starts_with(b"235"),
                };
            }
        }
        bearer(line)
    }
}

/// The line with all that stands behind its first words cut.
fn cut_behind(line: &[u8], open: usize) -> Vec<u8> {
    let words: Vec<&[u8]> = line.splitn(open + 1, |octet| *octet == b' ').collect();
    let words = words.iter().enumerate().map(|(at, word)| match at < open {
        true => word.to_vec(),
        false => cut(word),
    });
    words.collect::<Vec<_>>().join(&b' ')
}

/// The first letters of a secret; of a short one none.
fn cut(secret: &[u8]) -> Vec<u8> {
    if EMPTY.contains(&secret) {
        return secret.to_vec();
    }
    // A quoted string's first letters are behind the quote.
    let shown = SHOWN + usize::from(secret.starts_with(b"\""));
    let mut kept = match secret.len() >= SHOWN_OF_MIN {
        true => secret[..shown].to_vec(),
        false => Vec::new(),
    };
    kept.extend_from_slice("…".as_bytes());
    kept
}

/// The line with the word behind each `Bearer` cut; `=Bearer` too.
fn bearer(line: &[u8]) -> Vec<u8> {
    let mut after = false;
    let words = line.split(|octet| *octet == b' ').map(|word| {
        let secret = std::mem::replace(&mut after, false);
        let name = word.len().saturating_sub(6);
        after = word[name..].eq_ignore_ascii_case(b"bearer");
        match secret && word.len() >= WORD_MIN {
            true => cut(word),
            false => word.to_vec(),
        }
    });
    words.collect::<Vec<_>>().join(&b' ')
}

/// The line with every long word of base64's letters cut, whatever it is.
fn long_words(line: &[u8]) -> Vec<u8> {
    let base64 = |octet: &u8| octet.is_ascii_alphanumeric() || b"+/=".contains(octet);
    let token = |octet: &u8| base64(octet) || b"-_.~".contains(octet);
    let secret = |word: &[u8]| {
        word.len() >= WORD_MIN && word.iter().all(base64)
            || word.len() >= 3 * WORD_MIN && word.iter().all(token)
    };
    let words = line.split(|octet| *octet == b' ').map(|word| {
        let bare = word.strip_prefix(b"\"").unwrap_or(word);
        let bare = bare.strip_suffix(b"\"").unwrap_or(bare);
        match secret(bare) {
            true => cut(word),
            false => word.to_vec(),
        }
    });
    words.collect::<Vec<_>>().join(&b' ')
}
