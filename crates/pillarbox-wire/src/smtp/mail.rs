//! MAIL FROM and RCPT TO with their parameters (RFC 5321 §4.1.1.2, §4.1.1.3, §4.1.1.11).

use super::address::split_path;
use super::{Address, BadAddress, CommandError, ForwardPath, ReversePath};
use std::fmt;

/// Digits of SIZE (RFC 1870 §3: `1*20DIGIT`).
const SIZE_DIGITS_MAX: usize = 20;

/// `MAIL FROM:` and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailFrom {
    /// Who to send reports to.
    pub sender: ReversePath,
    /// The size the client expects, in bytes (RFC 1870). 20 digits may say more than fits; then it is the largest number.
    pub size: Option<u64>,
    /// Whether the text is 8-bit (RFC 6152).
    pub body: Option<Body>,
    /// Addresses and header fields may be UTF-8 (RFC 6531).
    pub smtputf8: bool,
    /// Who submitted the message first, according to the client (RFC 4954 §5).
    pub auth: Option<AuthParam>,
}

/// BODY= of RFC 6152 §2. BINARYMIME is not offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// `7BIT`
    SevenBit,
    /// `8BITMIME`
    EightBitMime,
}

/// AUTH= of RFC 4954 §5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthParam {
    /// `<>`: not known.
    Unknown,
    /// The submitter.
    Submitter(Address),
}

/// `RCPT TO:` and what it says. No parameter is offered yet; they would be fields here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RcptTo {
    /// One recipient. It may be UTF-8: the conversation knows whether SMTPUTF8 was given.
    pub recipient: ForwardPath,
}

impl MailFrom {
    /// A MAIL without parameters.
    #[must_use]
    pub fn new(sender: ReversePath) -> Self {
        Self {
            sender,
            size: None,
            body: None,
            smtputf8: false,
            auth: None,
        }
    }

    /// Reads what follows `MAIL `.
    pub(super) fn parse(arguments: &str) -> Result<Self, CommandError> {
        let (inner, rest) = path(arguments, "FROM:").ok_or(CommandError::PathSyntax)?;
        let sender = ReversePath::parse(inner)
            .map_err(|why| CommandError::BadSender(inner.to_owned(), why))?;
        let mut mail = Self::new(sender);
        for parameter in parameters(rest)? {
            mail.keep(parameter)?;
        }
        let ascii = mail.sender.address().is_none_or(Address::is_ascii);
        match ascii || mail.smtputf8 {
            true => Ok(mail),
            false => Err(CommandError::NeedsSmtpUtf8), // RFC 6531 §3.5
        }
    }

    fn keep(&mut self, parameter: Parameter<'_>) -> Result<(), CommandError> {
        let Parameter { keyword, value } = parameter;
        let bad = || CommandError::BadParameter(keyword.to_ascii_uppercase());
        let repeated = match (keyword.to_ascii_uppercase().as_str(), value) {
            ("SIZE", Some(value)) => self.size.replace(size(value).ok_or_else(bad)?).is_some(),
            ("BODY", Some(value)) => self.body.replace(body(value)?).is_some(),
            ("SMTPUTF8", None) => std::mem::replace(&mut self.smtputf8, true),
            ("AUTH", Some(value)) => self.auth.replace(auth(value).map_err(|_| bad())?).is_some(),
            ("SIZE" | "BODY" | "SMTPUTF8" | "AUTH", _) => return Err(bad()),
            (unknown, _) => return Err(CommandError::UnknownParameter(unknown.to_owned())),
        };
        match repeated {
            true => Err(bad()),
            false => Ok(()),
        }
    }
}

/// Prints what follows `MAIL `.
impl fmt::Display for MailFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FROM:{}", self.sender)?;
        if let Some(size) = self.size {
            write!(f, " SIZE={size}")?;
        }
        match self.body {
            Some(Body::SevenBit) => f.write_str(" BODY=7BIT")?,
            Some(Body::EightBitMime) => f.write_str(" BODY=8BITMIME")?,
            None => {}
        }
        if self.smtputf8 {
            f.write_str(" SMTPUTF8")?;
        }
        match &self.auth {
            Some(AuthParam::Unknown) => f.write_str(" AUTH=<>"),
            Some(AuthParam::Submitter(who)) => write!(f, " AUTH={}", to_xtext(&who.to_string())),
            None => Ok(()),
        }
    }
}

impl RcptTo {
    /// Reads what follows `RCPT `.
    pub(super) fn parse(arguments: &str) -> Result<Self, CommandError> {
        let (inner, rest) = path(arguments, "TO:").ok_or(CommandError::PathSyntax)?;
        let recipient = ForwardPath::parse(inner)
            .map_err(|why| CommandError::BadRecipient(inner.to_owned(), why))?;
        match parameters(rest)?.first() {
            None => Ok(Self { recipient }),
            Some(unknown) => Err(CommandError::UnknownParameter(
                unknown.keyword.to_ascii_uppercase(),
            )),
        }
    }
}

/// Prints what follows `RCPT `.
impl fmt::Display for RcptTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TO:{}", self.recipient)
    }
}

/// `FROM:<path> parameters`. Blanks after the colon are an error by the RFC and common in the field.
fn path<'a>(arguments: &'a str, label: &str) -> Option<(&'a str, &'a str)> {
    let (found, rest) = arguments.split_at_checked(label.len())?;
    let (inner, rest) = split_path(rest.trim_start_matches(' '))?;
    let fits = found.eq_ignore_ascii_case(label) && (rest.is_empty() || rest.starts_with(' '));
    fits.then_some((inner, rest))
}

struct Parameter<'a> {
    keyword: &'a str,
    value: Option<&'a str>,
}

/// `esmtp-param = esmtp-keyword ["=" esmtp-value]`
fn parameters(text: &str) -> Result<Vec<Parameter<'_>>, CommandError> {
    let words = text.split(' ').filter(|word| !word.is_empty());
    words.map(parameter).collect()
}

fn parameter(word: &str) -> Result<Parameter<'_>, CommandError> {
    let (keyword, value) = match word.split_once('=') {
        Some((keyword, value)) => (keyword, Some(value)),
        None => (word, None),
    };
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    let fits = keyword.bytes().all(legal)
        && !keyword.is_empty()
        && !keyword.starts_with('-')
        && value.is_none_or(|value| !value.is_empty());
    match fits {
        true => Ok(Parameter { keyword, value }),
        false => Err(CommandError::PathSyntax),
    }
}

fn size(digits: &str) -> Option<u64> {
    let fits = digits.len() <= SIZE_DIGITS_MAX && digits.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| digits.parse().unwrap_or(u64::MAX))
}

fn body(value: &str) -> Result<Body, CommandError> {
    match value.to_ascii_uppercase().as_str() {
        "7BIT" => Ok(Body::SevenBit),
        "8BITMIME" => Ok(Body::EightBitMime),
        _ => Err(CommandError::UnknownParameter("BODY".into())),
    }
}

fn auth(value: &str) -> Result<AuthParam, BadAddress> {
    match value {
        "<>" => Ok(AuthParam::Unknown),
        value => {
            let text = from_xtext(value).ok_or(BadAddress::Local)?;
            Address::parse(&text).map(AuthParam::Submitter)
        }
    }
}

/// `xtext = *( xchar / hexchar )`, `hexchar = "+" 2(%x30-39 / %x41-46)` (RFC 3461 §4).
fn from_xtext(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => hex_digit(bytes.next()?)? << 4 | hex_digit(bytes.next()?)?,
            b'=' => return None,
            byte => byte,
        });
    }
    String::from_utf8(out).ok()
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

fn to_xtext(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'+' | b'=' | ..=b' ' | 127.. => out.push_str(&format!("+{byte:02X}")),
            byte => out.push(char::from(byte)),
        }
    }
    out
}
