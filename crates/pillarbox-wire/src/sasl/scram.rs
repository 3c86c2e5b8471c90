//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677): the four messages, as either side reads and writes them.
//!
//! Grammar only. Salts, nonces, proofs and signatures are given by the caller: hashing belongs to the oauth floor, and so
//! does SASLprep of names and passwords. What a channel is bound to (RFC 5929, RFC 9266) is given too, as bytes.

use super::{Malformed, USER_BYTES_MAX, text};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::sync::Arc;

/// Longest nonce, ours appended to theirs, in bytes. Clients in the field draw 18 to 64.
pub const NONCE_BYTES_MAX: usize = 512;
/// Longest salt a client takes, in bytes.
pub const SALT_BYTES_MAX: usize = 256;
/// Fewest iterations (RFC 7677 §4).
pub const ITERATIONS_MIN: u32 = 4096;
/// Most iterations a client computes for a server it does not know yet.
pub const ITERATIONS_MAX: u32 = 10_000_000;
/// A proof or a signature: one SHA-256, in bytes.
pub const HASH_BYTES: usize = 32;
/// Longest channel binding data with its header, in bytes: a name, and a hash of at most 64.
const BINDING_BYTES_MAX: usize = USER_BYTES_MAX * 3 + 128;

/// What a channel can be bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BindingType {
    /// Keying material exported from the connection (RFC 9266).
    TlsExporter,
    /// A hash of the server's certificate (RFC 5929 §4).
    TlsServerEndPoint,
}

impl BindingType {
    /// The registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TlsExporter => "tls-exporter",
            Self::TlsServerEndPoint => "tls-server-end-point",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::TlsExporter, Self::TlsServerEndPoint]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// What this connection can be bound to; nothing without TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelBindings {
    /// RFC 9266; TLS 1.3 only, where it is unique without further conditions.
    pub exporter: Option<[u8; 32]>,
    /// RFC 5929 §4: the hash of the certificate that the server showed.
    pub server_end_point: Option<Arc<[u8]>>,
}

impl ChannelBindings {
    /// Whether there is nothing to bind to, and so no PLUS to offer.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.exporter.is_none() && self.server_end_point.is_none()
    }

    /// The bytes of one type.
    #[must_use]
    pub fn get(&self, kind: BindingType) -> Option<&[u8]> {
        match kind {
            BindingType::TlsExporter => self.exporter.as_ref().map(<[u8; 32]>::as_slice),
            BindingType::TlsServerEndPoint => self.server_end_point.as_deref(),
        }
    }
}

/// What the client says of channel binding, `gs2-cbind-flag` (RFC 5802 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// `n`: it cannot.
    Cannot,
    /// `y`: it could, and believes that the server cannot.
    ServerCannot,
    /// `p=`: it does.
    Bound(BindingType),
}

/// `client-first-message = gs2-header client-first-message-bare` (RFC 5802 §7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFirst {
    flag: Flag,
    act_as: Option<String>,
    user: String,
    nonce: String,
    message: String,
    /// Where the bare message begins.
    bare: usize,
}

impl ClientFirst {
    /// The message of a client.
    ///
    /// # Errors
    /// [`Malformed::NoUser`], [`Malformed::NotText`], [`Malformed::TooLong`], [`Malformed::NotScram`] for a nonce that
    /// cannot be one.
    pub fn new(
        flag: Flag,
        act_as: Option<&str>,
        user: &str,
        nonce: &str,
    ) -> Result<Self, Malformed> {
        let flag = match flag {
            Flag::Cannot => "n".into(),
            Flag::ServerCannot => "y".into(),
            Flag::Bound(kind) => format!("p={}", kind.name()),
        };
        let act_as = act_as.map_or(String::new(), |name| format!("a={}", escape(name)));
        let message = format!("{flag},{act_as},n={},r={nonce}", escape(user));
        Self::decode(message.as_bytes())
    }

    /// Reads the message, after base64.
    ///
    /// # Errors
    /// [`Malformed`], by what is wrong; [`Malformed::ChannelBinding`] for a type that is not known here.
    pub fn decode(message: &[u8]) -> Result<Self, Malformed> {
        let message = text(message, 3 * USER_BYTES_MAX * 2 + NONCE_BYTES_MAX)?;
        let mut parts = message.splitn(3, ',');
        let (Some(flag), Some(act_as), Some(bare)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(Malformed::NotScram);
        };
        let flag = match flag.split_once('=') {
            None if flag == "n" => Flag::Cannot,
            None if flag == "y" => Flag::ServerCannot,
            Some(("p", kind)) => {
                Flag::Bound(BindingType::parse(kind).ok_or(Malformed::ChannelBinding)?)
            }
            _ => return Err(Malformed::BadGs2Header),
        };
        let act_as = match act_as {
            "" => None,
            name => {
                let name = name.strip_prefix("a=").ok_or(Malformed::BadGs2Header)?;
                Some(unescape(name)?)
            }
        };
        // `m=` would stand first: an extension we must understand, and there is none (RFC 5802 §5.1).
        let mut fields = bare.split(',');
        let user = field(fields.next(), "n=")?;
        let nonce = nonce(field(fields.next(), "r=")?)?;
        check_extensions(fields)?;
        Ok(Self {
            flag,
            act_as,
            user: unescape(user)?,
            nonce: nonce.to_owned(),
            bare: message.len() - bare.len(),
            message: message.to_owned(),
        })
    }

    /// The message, before base64.
    #[must_use]
    pub fn encode(&self) -> &str {
        &self.message
    }

    /// What it says of channel binding.
    #[must_use]
    pub fn flag(&self) -> Flag {
        self.flag
    }

    /// The identity to act as, if the client named one.
    #[must_use]
    pub fn act_as(&self) -> Option<&str> {
        self.act_as.as_deref()
    }

    /// Whose secret it will prove.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// `client-first-message-bare`, the first part of what is signed.
    #[must_use]
    pub fn bare(&self) -> &str {
        &self.message[self.bare..]
    }

    /// `cbind-input`: the GS2 header, and the channel's bytes if it is bound.
    fn binding_input(&self, bindings: &ChannelBindings) -> Result<Vec<u8>, Malformed> {
        let mut input = self.message.as_bytes()[..self.bare].to_vec();
        if let Flag::Bound(kind) = self.flag {
            input.extend(bindings.get(kind).ok_or(Malformed::ChannelBinding)?);
        }
        Ok(input)
    }
}

/// `server-first-message = nonce "," salt "," iteration-count` (RFC 5802 §7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFirst {
    nonce: String,
    salt: Vec<u8>,
    iterations: u32,
    message: String,
}

impl ServerFirst {
    /// The answer to a client's first message; `nonce` is the server's part, to be appended to the client's.
    ///
    /// # Errors
    /// [`Malformed::NotScram`] for a nonce that cannot be one, [`Malformed::TooLong`].
    pub fn new(
        first: &ClientFirst,
        nonce: &str,
        salt: &[u8],
        iterations: u32,
    ) -> Result<Self, Malformed> {
        let salt = STANDARD.encode(salt);
        let client = &first.nonce;
        Self::decode(format!("r={client}{nonce},s={salt},i={iterations}").as_bytes())
    }

    /// Reads the message, after base64.
    ///
    /// # Errors
    /// [`Malformed::NotScram`], also for too few or too many iterations; [`Malformed::TooLong`].
    pub fn decode(message: &[u8]) -> Result<Self, Malformed> {
        let message = text(message, NONCE_BYTES_MAX + SALT_BYTES_MAX * 2 + 128)?;
        let mut fields = message.split(',');
        let nonce = nonce(field(fields.next(), "r=")?)?.to_owned();
        let salt = bytes(field(fields.next(), "s=")?, SALT_BYTES_MAX)?;
        let iterations = field(fields.next(), "i=")?;
        let iterations: u32 = iterations.parse().map_err(|_| Malformed::NotScram)?;
        check_extensions(fields)?;
        if salt.is_empty() || !(ITERATIONS_MIN..=ITERATIONS_MAX).contains(&iterations) {
            return Err(Malformed::NotScram);
        }
        Ok(Self {
            nonce,
            salt,
            iterations,
            message: message.to_owned(),
        })
    }

    /// The message, before base64; the second part of what is signed.
    #[must_use]
    pub fn encode(&self) -> &str {
        &self.message
    }

    /// The salt of the password.
    #[must_use]
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// How often to hash it.
    #[must_use]
    pub fn iterations(&self) -> u32 {
        self.iterations
    }
}

/// Everything of an exchange that is signed: `AuthMessage` (RFC 5802 §3), and who it is for.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed {
    user: String,
    act_as: Option<String>,
    message: String,
    /// Where `client-final-message-without-proof` begins.
    last: usize,
}

impl Signed {
    /// What a client signs after the server's first message.
    ///
    /// # Errors
    /// [`Malformed::NotScram`] if the server's nonce does not begin with ours and go on, [`Malformed::ChannelBinding`]
    /// if there is nothing to bind to.
    pub fn new(
        first: &ClientFirst,
        server: &ServerFirst,
        bindings: &ChannelBindings,
    ) -> Result<Self, Malformed> {
        let theirs = server.nonce.strip_prefix(&first.nonce);
        if theirs.is_none_or(str::is_empty) {
            return Err(Malformed::NotScram);
        }
        let binding = STANDARD.encode(first.binding_input(bindings)?);
        let last = format!("c={binding},r={}", server.nonce);
        Ok(Self::join(first, server, &last))
    }

    fn join(first: &ClientFirst, server: &ServerFirst, last: &str) -> Self {
        let before = format!("{},{},", first.bare(), server.encode());
        Self {
            user: first.user.clone(),
            act_as: first.act_as.clone(),
            last: before.len(),
            message: before + last,
        }
    }

    /// The bytes that proof and signature are computed over.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whose secret is proved.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The identity to act as, if the client named one.
    #[must_use]
    pub fn act_as(&self) -> Option<&str> {
        self.act_as.as_deref()
    }

    /// The client's last message with its proof, before base64.
    #[must_use]
    pub fn encode(&self, proof: &[u8; HASH_BYTES]) -> String {
        format!(
            "{},p={}",
            &self.message[self.last..],
            STANDARD.encode(proof)
        )
    }
}

/// A proof is as good as the password while the exchange lasts.
impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signed({:?})", self.user)
    }
}

/// A client's proof, to be checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Proof {
    signed: Signed,
    proof: [u8; HASH_BYTES],
}

impl Proof {
    /// Reads `client-final-message` (RFC 5802 §7), after base64, and compares nonce and channel binding.
    ///
    /// # Errors
    /// [`Malformed::BindingDiffers`] if the client spoke over another channel than we hear it on, or met a changed
    /// offer; [`Malformed::NotScram`] for anything else.
    pub fn decode(
        message: &[u8],
        first: &ClientFirst,
        server: &ServerFirst,
        bindings: &ChannelBindings,
    ) -> Result<Self, Malformed> {
        let message = text(message, BINDING_BYTES_MAX * 2 + NONCE_BYTES_MAX + 128)?;
        let (last, proof) = message.rsplit_once(",p=").ok_or(Malformed::NotScram)?;
        let proof = hash(proof)?;
        let mut fields = last.split(',');
        let binding = bytes(field(fields.next(), "c=")?, BINDING_BYTES_MAX)?;
        if field(fields.next(), "r=")? != server.nonce {
            return Err(Malformed::NotScram);
        }
        check_extensions(fields)?;
        if binding != first.binding_input(bindings)? {
            return Err(Malformed::BindingDiffers);
        }
        let signed = Signed::join(first, server, last);
        Ok(Self { signed, proof })
    }

    /// What was signed, and for whom.
    #[must_use]
    pub fn signed(&self) -> &Signed {
        &self.signed
    }

    /// `ClientProof`.
    #[must_use]
    pub fn proof(&self) -> &[u8; HASH_BYTES] {
        &self.proof
    }
}

/// A proof is as good as the password while the exchange lasts.
impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proof({:?})", self.signed.user)
    }
}

/// `server-final-message` of a server that knows the secret.
#[must_use]
pub fn encode_server_final(signature: &[u8; HASH_BYTES]) -> String {
    format!("v={}", STANDARD.encode(signature))
}

/// Reads `server-final-message`, after base64: the signature a client must compare with its own.
///
/// # Errors
/// [`Malformed::NotScram`], also for `e=`, a refusal.
pub fn decode_server_final(message: &[u8]) -> Result<[u8; HASH_BYTES], Malformed> {
    let message = text(message, 1024)?;
    let mut fields = message.split(',');
    let signature = hash(field(fields.next(), "v=")?)?;
    check_extensions(fields)?;
    Ok(signature)
}

/// `saslname`: `,` and `=` are written `=2C` and `=3D`.
fn escape(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

fn unescape(name: &str) -> Result<String, Malformed> {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('=') {
        out.push_str(before);
        let (letter, after) = match (after.strip_prefix("2C"), after.strip_prefix("3D")) {
            (Some(after), _) => (',', after),
            (_, Some(after)) => ('=', after),
            _ => return Err(Malformed::NotScram),
        };
        out.push(letter);
        rest = after;
    }
    out.push_str(rest);
    match out.len() {
        0 => Err(Malformed::NoUser),
        length if length > USER_BYTES_MAX => Err(Malformed::TooLong),
        _ => Ok(out),
    }
}

fn field<'a>(field: Option<&'a str>, name: &str) -> Result<&'a str, Malformed> {
    field
        .and_then(|field| field.strip_prefix(name))
        .ok_or(Malformed::NotScram)
}

/// `printable = %x21-2B / %x2D-7E`; commas have already split it.
fn nonce(nonce: &str) -> Result<&str, Malformed> {
    if nonce.len() > NONCE_BYTES_MAX {
        return Err(Malformed::TooLong);
    }
    match !nonce.is_empty() && nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(nonce),
        false => Err(Malformed::NotScram),
    }
}

/// `extensions = attr-val *("," attr-val)`: unknown ones are ignored (RFC 5802 §7), as long as they are that.
fn check_extensions<'a>(mut fields: impl Iterator<Item = &'a str>) -> Result<(), Malformed> {
    let legal = |field: &str| match field.as_bytes() {
        [letter, b'=', _, ..] => letter.is_ascii_alphabetic() && *letter != b'm',
        _ => false,
    };
    match fields.all(legal) {
        true => Ok(()),
        false => Err(Malformed::NotScram),
    }
}

fn bytes(base64: &str, bytes_max: usize) -> Result<Vec<u8>, Malformed> {
    if base64.len() > bytes_max * 4 / 3 + 4 {
        return Err(Malformed::TooLong);
    }
    STANDARD.decode(base64).map_err(|_| Malformed::NotScram)
}

fn hash(base64: &str) -> Result<[u8; HASH_BYTES], Malformed> {
    let bytes = bytes(base64, HASH_BYTES).map_err(|_| Malformed::NotScram)?;
    bytes.try_into().map_err(|_| Malformed::NotScram)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed unwrap is the failed test
    use super::*;
    use proptest::prelude::*;

    /// The messages of RFC 7677 §3.
    const FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    const SERVER: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const LAST: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

    fn nothing() -> ChannelBindings {
        ChannelBindings::default()
    }

    fn end_point() -> ChannelBindings {
        ChannelBindings {
            exporter: None,
            server_end_point: Some([7; 32].into()),
        }
    }

    #[test]
    fn the_example_of_rfc_7677_from_both_sides() {
        let first = ClientFirst::new(Flag::Cannot, None, "user", "rOprNGfwEbeRWgbNEkqO").unwrap();
        assert_eq!(first.encode(), FIRST);
        assert_eq!(ClientFirst::decode(FIRST.as_bytes()).unwrap(), first);
        assert_eq!(first.bare(), &FIRST[3..]);
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let server =
            ServerFirst::new(&first, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", &salt, 4096).unwrap();
        assert_eq!(server.encode(), SERVER);
        assert_eq!((server.salt(), server.iterations()), (&*salt, 4096));
        let proof = Proof::decode(LAST.as_bytes(), &first, &server, &nothing()).unwrap();
        let signed = Signed::new(&first, &server, &nothing()).unwrap();
        assert_eq!(*proof.signed(), signed);
        assert_eq!(signed.encode(proof.proof()), LAST);
        let (last, _) = LAST.rsplit_once(",p=").unwrap();
        assert_eq!(signed.message(), format!("{},{SERVER},{last}", &FIRST[3..]));
        let end = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        let signature = decode_server_final(end).unwrap();
        assert_eq!(encode_server_final(&signature).as_bytes(), end);
        assert!(decode_server_final(b"e=invalid-proof").is_err());
    }

    #[test]
    fn names_are_escaped_and_kept_apart() {
        let first = ClientFirst::new(Flag::ServerCannot, Some("b=b"), "a,a=ä", "x").unwrap();
        assert_eq!(first.encode(), "y,a=b=3Db,n=a=2Ca=3Dä,r=x");
        assert_eq!((first.user(), first.act_as()), ("a,a=ä", Some("b=b")));
        for bad in ["n,,n=a=2c,r=x", "n,,n=a=,r=x", "n,,n=a==3D,r=x"] {
            assert_eq!(
                ClientFirst::decode(bad.as_bytes()),
                Err(Malformed::NotScram),
                "{bad}"
            );
        }
    }

    #[test]
    fn what_is_not_a_first_message() {
        for (bad, why) in [
            ("", Malformed::NotScram),
            ("n,", Malformed::NotScram),
            ("x,,n=a,r=x", Malformed::BadGs2Header),
            ("n,b=c,n=a,r=x", Malformed::BadGs2Header),
            ("p=tls-unique,,n=a,r=x", Malformed::ChannelBinding),
            ("n,,n=,r=x", Malformed::NoUser),
            ("n,,n=a,r=", Malformed::NotScram),
            ("n,,n=a", Malformed::NotScram),
            ("n,,m=1,n=a,r=x", Malformed::NotScram),
            ("n,,n=a,r=x,", Malformed::NotScram),
            ("n,,n=a,r=x y", Malformed::NotScram),
            ("n,,n=a\0,r=x", Malformed::NotText),
        ] {
            assert_eq!(ClientFirst::decode(bad.as_bytes()), Err(why), "{bad}");
        }
        assert!(ClientFirst::decode(b"n,,n=a,r=x,t=some").is_ok());
        let long = format!("n,,n={},r=x", "a".repeat(USER_BYTES_MAX + 1));
        assert_eq!(
            ClientFirst::decode(long.as_bytes()),
            Err(Malformed::TooLong)
        );
    }

    #[test]
    fn a_channel_is_bound_or_the_exchange_fails() {
        let flag = Flag::Bound(BindingType::TlsServerEndPoint);
        let first = ClientFirst::new(flag, None, "ada", "c").unwrap();
        let server = ServerFirst::new(&first, "s", b"salt", 4096).unwrap();
        let signed = Signed::new(&first, &server, &end_point()).unwrap();
        let last = signed.encode(&[1; 32]);
        let read = |bindings: &_| Proof::decode(last.as_bytes(), &first, &server, bindings);
        assert_eq!(*read(&end_point()).unwrap().signed(), signed);
        let other = ChannelBindings {
            exporter: None,
            server_end_point: Some([8; 32].into()),
        };
        assert_eq!(read(&other), Err(Malformed::BindingDiffers));
        assert_eq!(read(&nothing()), Err(Malformed::ChannelBinding));
        assert_eq!(
            Signed::new(&first, &server, &nothing()),
            Err(Malformed::ChannelBinding)
        );
        // Whoever changes the header on its way is found out by the echo.
        let unbound = ClientFirst::new(Flag::Cannot, None, "ada", "c").unwrap();
        let changed = Proof::decode(last.as_bytes(), &unbound, &server, &end_point());
        assert_eq!(changed, Err(Malformed::BindingDiffers));
    }

    #[test]
    fn a_last_message_must_fit_the_first() {
        let first = ClientFirst::decode(FIRST.as_bytes()).unwrap();
        let server = ServerFirst::decode(SERVER.as_bytes()).unwrap();
        let (_, proof) = LAST.rsplit_once(",p=").unwrap();
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        for bad in [
            format!("c=biws,r={nonce}x,p={proof}"),
            format!("c=biws,r=rOprNGfwEbeRWgbNEkqO,p={proof}"),
            format!("c=biws,r={nonce}"),
            format!("c=biws,r={nonce},p=AAAA"),
            format!("c=biws,r={nonce},p={proof},x=y"),
            format!("c=biws,r={nonce},m=1,p={proof}"),
            format!("r={nonce},c=biws,p={proof}"),
            format!("c=biw,r={nonce},p={proof}"),
        ] {
            let read = Proof::decode(bad.as_bytes(), &first, &server, &nothing());
            assert_eq!(read, Err(Malformed::NotScram), "{bad}");
        }
        // A server that repeats our nonce alone, or another one, is not the one that answered us.
        for bad in ["r=rOprNGfwEbeRWgbNEkqO,s=AAAA,i=4096", "r=x,s=AAAA,i=4096"] {
            let server = ServerFirst::decode(bad.as_bytes()).unwrap();
            assert_eq!(
                Signed::new(&first, &server, &nothing()),
                Err(Malformed::NotScram)
            );
        }
        for bad in [
            "r=x,s=,i=4096",
            "r=x,s=AAAA,i=4095",
            "r=x,s=AAAA,i=99999999",
        ] {
            assert_eq!(
                ServerFirst::decode(bad.as_bytes()),
                Err(Malformed::NotScram)
            );
        }
    }

    #[test]
    fn nothing_secret_prints() {
        let first = ClientFirst::decode(FIRST.as_bytes()).unwrap();
        let server = ServerFirst::decode(SERVER.as_bytes()).unwrap();
        let proof = Proof::decode(LAST.as_bytes(), &first, &server, &nothing()).unwrap();
        assert_eq!(format!("{proof:?}"), "Proof(\"user\")");
        assert_eq!(format!("{:?}", proof.signed()), "Signed(\"user\")");
    }

    proptest! {
        #[test]
        fn any_name_comes_back(user in "[^\\x00-\\x1f\\x7f]{1,60}", act_as in "[^\\x00-\\x1f\\x7f]{1,60}", nonce in "[!-+\\--~]{1,40}") {
            let first = ClientFirst::new(Flag::Cannot, Some(&act_as), &user, &nonce).unwrap();
            prop_assert_eq!(first.user(), user);
            prop_assert_eq!(first.act_as(), Some(&*act_as));
            prop_assert_eq!(ClientFirst::decode(first.encode().as_bytes()).unwrap(), first);
        }

        #[test]
        fn anything_may_be_read(message: Vec<u8>) {
            let first = ClientFirst::decode(FIRST.as_bytes()).unwrap();
            let server = ServerFirst::decode(SERVER.as_bytes()).unwrap();
            let _ = ClientFirst::decode(&message);
            let _ = ServerFirst::decode(&message);
            let _ = Proof::decode(&message, &first, &server, &nothing());
            let _ = decode_server_final(&message);
        }
    }
}
