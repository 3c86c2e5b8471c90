//! One authentication exchange, from its first line to its last, as a server sees it: a small state machine that
//! IMAP, POP3 and SMTP wrap in their own words.

use super::scram::{
    ChannelBindings, ClientFirst, Flag, HASH_BYTES, Proof, ServerFirst, encode_server_final,
};
use super::{
    Bearer, Malformed, Mechanism, Password, XOAUTH2_FAILURE, decode_external, decode_oauthbearer,
    decode_plain, decode_xoauth2, from_base64, oauthbearer_failure, to_base64,
};
use std::mem;

/// The prompts of LOGIN, `Username:` and `Password:`, as clients know them (wire §5.1).
const USERNAME_PROMPT: &str = "VXNlcm5hbWU6";
const PASSWORD_PROMPT: &str = "UGFzc3dvcmQ6";

/// What the peer claims, to be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// XOAUTH2 or OAUTHBEARER.
    Bearer(Bearer),
    /// PLAIN or LOGIN.
    Password(Password),
    /// SCRAM's first message: what salt belongs to the user? Answered by [`Exchange::challenged`].
    Scram(ClientFirst),
    /// SCRAM's proof; if it is one, [`Exchange::accepted`] takes ours.
    Proof(Proof),
    /// EXTERNAL: whatever the connection itself has proved, for this account if one is named.
    External(Option<String>),
}

impl Credentials {
    /// The user name; empty where a token or a certificate alone names its mailbox.
    #[must_use]
    pub fn user(&self) -> &str {
        match self {
            Self::Bearer(bearer) => bearer.user().unwrap_or_default(),
            Self::Password(password) => password.user(),
            Self::Scram(first) => first.user(),
            Self::Proof(proof) => proof.signed().user(),
            Self::External(identity) => identity.as_deref().unwrap_or_default(),
        }
    }
}

/// What a connection offers, as far as an exchange must know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// What this connection can be bound to.
    pub bindings: ChannelBindings,
    /// SCRAM-SHA-256-PLUS was announced: then whoever could bind the channel and does not was lied to (RFC 5802 §6).
    pub plus: bool,
}

/// What the conversation does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this after the protocol's mark (`+ `, `334 `); it is base64 already and may be empty. Then give the peer's
    /// next line to [`Exchange::receive`].
    Challenge(String),
    /// Check this, then call [`Exchange::accepted`] or [`Exchange::refused`].
    Check(Credentials),
    /// The exchange ended well: say so.
    Done,
    /// The exchange is over: answer with the failure line that belongs to it.
    Fail(Failure),
}

/// How an exchange ended without success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The peer sent `*` (RFC 4954 §4, RFC 5034 §4, RFC 9051 §6.2.2).
    Aborted,
    /// Wire §2.3; no JSON was sent.
    Malformed(Malformed),
    /// The check said no.
    Refused(Dummy),
    /// A line came when none was due. A fault of ours, answered like a malformed one.
    OutOfStep,
}

/// The client's answer to the JSON challenge (wire §2.2). IMAP and SMTP treat all alike; POP tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dummy {
    /// The mechanism has no JSON challenge.
    NotAsked,
    /// An empty line, `AQ==` or `*`.
    Usual,
    /// Anything else, such as the whole token again. It is not to be run as a command.
    Unusual,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// Waiting for the one message of XOAUTH2, OAUTHBEARER, PLAIN or EXTERNAL.
    Message,
    LoginUser,
    LoginPassword {
        user: Vec<u8>,
    },
    /// Waiting for the salt of SCRAM's user.
    Salting(Box<ClientFirst>),
    /// Waiting for the proof.
    Proof(Box<(ClientFirst, ServerFirst)>),
    Checking,
    /// The server's signature is out; an empty line ends the exchange.
    Last,
    /// The JSON is out; whatever comes ends the exchange.
    Dummy,
    Over,
}

/// An exchange under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    mechanism: Mechanism,
    state: State,
    offer: Offer,
}

impl Exchange {
    /// Begins with the command line. `initial` is the initial response as written there: base64, or `=` for an empty
    /// one (RFC 4954 §4).
    #[must_use]
    pub fn start(mechanism: Mechanism, initial: Option<&[u8]>) -> (Self, Step) {
        Self::start_bound(mechanism, initial, Offer::default())
    }

    /// The same on a connection that a mechanism may be bound to.
    #[must_use]
    pub fn start_bound(mechanism: Mechanism, initial: Option<&[u8]>, offer: Offer) -> (Self, Step) {
        let state = match mechanism {
            Mechanism::Login => State::LoginUser,
            _ => State::Message,
        };
        let mut exchange = Self {
            mechanism,
            state,
            offer,
        };
        let step = match (initial, mechanism) {
            (Some(b"="), _) => exchange.read(b""),
            (Some(initial), _) => exchange.read(initial),
            (None, Mechanism::Login) => Step::Challenge(USERNAME_PROMPT.into()),
            (None, _) => Step::Challenge(String::new()),
        };
        (exchange, step)
    }

    /// The mechanism chosen.
    #[must_use]
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Whether the JSON of a refusal is out and only the dummy is missing (wire §2.2). Some clients never send it.
    #[must_use]
    pub fn awaits_dummy(&self) -> bool {
        self.state == State::Dummy
    }

    /// Takes the peer's line after a challenge, without its CRLF.
    pub fn receive(&mut self, line: &[u8]) -> Step {
        if self.state == State::Dummy {
            self.state = State::Over;
            let usual = matches!(line, b"" | b"*" | b"AQ==");
            let dummy = if usual { Dummy::Usual } else { Dummy::Unusual };
            return Step::Fail(Failure::Refused(dummy));
        }
        if line == b"*" {
            return self.fail(Failure::Aborted);
        }
        if self.state == State::Last {
            self.state = State::Over;
            // RFC 5802 §5: the client has nothing more to say. `=` is how some say that.
            return match line {
                b"" | b"=" => Step::Done,
                _ => Step::Fail(Malformed::NotScram.into()),
            };
        }
        self.read(line)
    }

    /// The salt, the iterations and our part of the nonce for SCRAM's user, known or not.
    pub fn challenged(&mut self, nonce: &str, salt: &[u8], iterations: u32) -> Step {
        let State::Salting(first) = mem::replace(&mut self.state, State::Over) else {
            return Step::Fail(Failure::OutOfStep);
        };
        match ServerFirst::new(&first, nonce, salt, iterations) {
            Ok(server) => {
                let step = Step::Challenge(to_base64(server.encode()));
                self.state = State::Proof(Box::new((*first, server)));
                step
            }
            Err(malformed) => self.fail(malformed.into()),
        }
    }

    /// The check passed. SCRAM has a last word of the server, `signature`; the client's empty line then ends it.
    pub fn accepted(&mut self, signature: Option<[u8; HASH_BYTES]>) -> Step {
        match (
            mem::replace(&mut self.state, State::Over),
            self.mechanism.is_scram(),
            signature,
        ) {
            (State::Checking, false, _) => Step::Done,
            (State::Checking, true, Some(signature)) => {
                self.state = State::Last;
                Step::Challenge(to_base64(encode_server_final(&signature)))
            }
            _ => Step::Fail(Failure::OutOfStep),
        }
    }

    /// The check did not pass, whatever the cause. Bearer mechanisms first send the JSON (wire §2.2); `issuer` is the
    /// URL of the authorization server, which OAUTHBEARER's JSON names.
    pub fn refused(&mut self, issuer: &str) -> Step {
        if !matches!(self.state, State::Checking | State::Salting(_)) {
            return self.fail(Failure::OutOfStep);
        }
        self.state = State::Dummy;
        match self.mechanism {
            Mechanism::Xoauth2 => Step::Challenge(to_base64(XOAUTH2_FAILURE)),
            Mechanism::OauthBearer => Step::Challenge(to_base64(oauthbearer_failure(issuer))),
            _ => self.fail(Failure::Refused(Dummy::NotAsked)),
        }
    }

    fn read(&mut self, line: &[u8]) -> Step {
        match self.decode(line) {
            Ok(step) => step,
            Err(failure) => self.fail(failure),
        }
    }

    fn decode(&mut self, line: &[u8]) -> Result<Step, Failure> {
        let response = from_base64(line)?;
        let credentials = match mem::replace(&mut self.state, State::Checking) {
            State::Message => self.message(&response)?,
            State::LoginUser => {
                self.state = State::LoginPassword { user: response };
                return Ok(Step::Challenge(PASSWORD_PROMPT.into()));
            }
            State::LoginPassword { user } => login(&user, &response)?,
            State::Proof(sent) => {
                let bindings = &self.offer.bindings;
                Credentials::Proof(Proof::decode(&response, &sent.0, &sent.1, bindings)?)
            }
            State::Salting(_) | State::Checking | State::Last | State::Dummy | State::Over => {
                return Err(Failure::OutOfStep);
            }
        };
        Ok(Step::Check(credentials))
    }

    fn message(&mut self, response: &[u8]) -> Result<Credentials, Malformed> {
        match self.mechanism {
            Mechanism::Xoauth2 => decode_xoauth2(response).map(Credentials::Bearer),
            Mechanism::OauthBearer => {
                decode_oauthbearer(response).map(|message| Credentials::Bearer(message.bearer))
            }
            Mechanism::Plain | Mechanism::Login => {
                decode_plain(response).map(Credentials::Password)
            }
            Mechanism::ScramSha256 | Mechanism::ScramSha256Plus => {
                let first = ClientFirst::decode(response)?;
                self.check_flag(first.flag())?;
                self.state = State::Salting(Box::new(first.clone()));
                Ok(Credentials::Scram(first))
            }
            Mechanism::External => decode_external(response).map(Credentials::External),
        }
    }

    /// RFC 5802 §6: PLUS binds the channel, its sister does not, and nobody who could may be talked out of it.
    fn check_flag(&self, flag: Flag) -> Result<(), Malformed> {
        let plus = self.mechanism == Mechanism::ScramSha256Plus;
        let fits = match flag {
            Flag::Bound(kind) => plus && self.offer.bindings.get(kind).is_some(),
            Flag::Cannot => !plus,
            Flag::ServerCannot => !plus && !self.offer.plus,
        };
        match fits {
            true => Ok(()),
            false => Err(Malformed::ChannelBinding),
        }
    }

    fn fail(&mut self, failure: Failure) -> Step {
        self.state = State::Over;
        Step::Fail(failure)
    }
}

impl From<Malformed> for Failure {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

fn login(user: &[u8], password: &[u8]) -> Result<Credentials, Malformed> {
    let utf8 = |part| std::str::from_utf8(part).map_err(|_| Malformed::NotText);
    Password::new(None, utf8(user)?, utf8(password)?).map(Credentials::Password)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed unwrap is the failed test
    use super::super::{encode_oauthbearer, encode_plain, encode_xoauth2};
    use super::*;
    use crate::sasl::OauthBearer;
    use proptest::prelude::*;

    const ISSUER: &str = "https://id.example.com";
    const JSON: &str = "eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ==";

    fn bearer() -> Bearer {
        Bearer::new(Some("ada@example.com"), "tok").unwrap()
    }

    fn ada() -> Password {
        Password::new(None, "ada", "secret").unwrap()
    }

    #[test]
    fn one_line_and_two_steps_read_alike() {
        let oauth = OauthBearer {
            bearer: bearer(),
            host: None,
            port: None,
        };
        for (mechanism, message, credentials) in [
            (
                Mechanism::Xoauth2,
                encode_xoauth2(&bearer()),
                Credentials::Bearer(bearer()),
            ),
            (
                Mechanism::OauthBearer,
                encode_oauthbearer(&oauth),
                Credentials::Bearer(bearer()),
            ),
            (
                Mechanism::Plain,
                encode_plain(&ada()),
                Credentials::Password(ada()),
            ),
        ] {
            let line = to_base64(message);
            let check = Step::Check(credentials);
            let (mut exchange, step) = Exchange::start(mechanism, Some(line.as_bytes()));
            assert_eq!(step, check);
            assert_eq!(exchange.accepted(None), Step::Done);
            let (mut exchange, step) = Exchange::start(mechanism, None);
            assert_eq!(step, Step::Challenge(String::new()));
            assert_eq!(exchange.receive(line.as_bytes()), check);
            assert_eq!(exchange.accepted(None), Step::Done);
        }
    }

    #[test]
    fn login_prompts_twice_or_once() {
        let check = Step::Check(Credentials::Password(ada()));
        let (mut exchange, step) = Exchange::start(Mechanism::Login, None);
        assert_eq!(step, Step::Challenge("VXNlcm5hbWU6".into()));
        assert_eq!(
            exchange.receive(b"YWRh"),
            Step::Challenge("UGFzc3dvcmQ6".into())
        );
        assert_eq!(exchange.receive(b"c2VjcmV0"), check);
        assert_eq!(
            exchange.refused(ISSUER),
            Step::Fail(Failure::Refused(Dummy::NotAsked))
        );
        let (mut exchange, step) = Exchange::start(Mechanism::Login, Some(b"YWRh"));
        assert_eq!(step, Step::Challenge("UGFzc3dvcmQ6".into()));
        assert_eq!(exchange.receive(b"c2VjcmV0"), check);
    }

    #[test]
    fn a_refused_token_is_explained_and_any_dummy_ends_it() {
        let line = to_base64(encode_xoauth2(&bearer()));
        for (dummy, kind) in [
            (b"".as_slice(), Dummy::Usual),
            (b"*", Dummy::Usual),
            (b"AQ==", Dummy::Usual),
            (line.as_bytes(), Dummy::Unusual),
            (b"QUIT", Dummy::Unusual),
            (b"a1 \xff", Dummy::Unusual),
        ] {
            let (mut exchange, _) = Exchange::start(Mechanism::Xoauth2, Some(line.as_bytes()));
            assert_eq!(exchange.refused(ISSUER), Step::Challenge(JSON.into()));
            assert_eq!(exchange.receive(dummy), Step::Fail(Failure::Refused(kind)));
            assert_eq!(exchange.accepted(None), Step::Fail(Failure::OutOfStep));
        }
    }

    #[test]
    fn oauthbearer_names_the_issuer() {
        let line = to_base64("n,,\x01auth=Bearer t\x01\x01");
        let (mut exchange, _) = Exchange::start(Mechanism::OauthBearer, Some(line.as_bytes()));
        let json = oauthbearer_failure(ISSUER);
        assert_eq!(exchange.refused(ISSUER), Step::Challenge(to_base64(json)));
    }

    #[test]
    fn star_aborts_and_malformed_gets_no_json() {
        for mechanism in Mechanism::ALL {
            let (mut exchange, _) = Exchange::start(mechanism, None);
            assert_eq!(exchange.receive(b"*"), Step::Fail(Failure::Aborted));
            let (mut exchange, _) = Exchange::start(mechanism, None);
            assert_eq!(
                exchange.receive(b"not base64"),
                Step::Fail(Failure::Malformed(Malformed::NotBase64))
            );
            assert_eq!(exchange.refused(ISSUER), Step::Fail(Failure::OutOfStep));
        }
        let (_, step) = Exchange::start(Mechanism::Plain, Some(b"="));
        assert_eq!(step, Step::Fail(Failure::Malformed(Malformed::NotPlain)));
        let twice = to_base64(to_base64(encode_xoauth2(&bearer())));
        let (_, step) = Exchange::start(Mechanism::Xoauth2, Some(twice.as_bytes()));
        assert_eq!(
            step,
            Step::Fail(Failure::Malformed(Malformed::DoubleBase64))
        );
    }

    #[test]
    fn external_says_at_most_for_whom() {
        let check = |who: Option<&str>| Step::Check(Credentials::External(who.map(Into::into)));
        for (initial, who) in [
            (b"=".as_slice(), None),
            (b"", None),
            (b"YWRhQGV4YW1wbGUuY29t", Some("ada@example.com")),
        ] {
            let (mut exchange, step) = Exchange::start(Mechanism::External, Some(initial));
            assert_eq!(step, check(who));
            assert_eq!(exchange.accepted(None), Step::Done);
        }
        let (mut exchange, step) = Exchange::start(Mechanism::External, None);
        assert_eq!(step, Step::Challenge(String::new()));
        assert_eq!(exchange.receive(b""), check(None));
        assert_eq!(
            exchange.refused(ISSUER),
            Step::Fail(Failure::Refused(Dummy::NotAsked))
        );
    }

    fn scram(mechanism: Mechanism, message: &str, offer: Offer) -> (Exchange, Step) {
        Exchange::start_bound(mechanism, Some(to_base64(message).as_bytes()), offer)
    }

    #[test]
    fn scram_goes_back_and_forth_twice() {
        let (mut exchange, step) =
            scram(Mechanism::ScramSha256, "n,,n=ada,r=abc", Offer::default());
        assert!(matches!(&step, Step::Check(Credentials::Scram(first)) if first.user() == "ada"));
        let step = exchange.challenged("def", b"salt", 4096);
        let challenge = to_base64("r=abcdef,s=c2FsdA==,i=4096");
        assert_eq!(step, Step::Challenge(challenge));
        let proof = to_base64([9; 32]);
        let last = to_base64(format!("c=biws,r=abcdef,p={proof}"));
        let step = exchange.receive(last.as_bytes());
        let Step::Check(Credentials::Proof(read)) = step else {
            panic!("{step:?}");
        };
        assert_eq!(read.proof(), &[9; 32]);
        let mut refused = exchange.clone();
        assert_eq!(
            refused.refused(ISSUER),
            Step::Fail(Failure::Refused(Dummy::NotAsked))
        );
        let mut unsigned = exchange.clone();
        assert_eq!(unsigned.accepted(None), Step::Fail(Failure::OutOfStep));
        let signature = to_base64(format!("v={}", to_base64([8; 32])));
        assert_eq!(exchange.accepted(Some([8; 32])), Step::Challenge(signature));
        let mut gives_up = exchange.clone();
        assert_eq!(gives_up.receive(b"*"), Step::Fail(Failure::Aborted));
        let mut goes_on = exchange.clone();
        assert!(matches!(
            goes_on.receive(b"YQ=="),
            Step::Fail(Failure::Malformed(Malformed::NotScram))
        ));
        assert_eq!(exchange.receive(b""), Step::Done);
        assert_eq!(exchange.receive(b""), Step::Fail(Failure::OutOfStep));
    }

    #[test]
    fn the_name_of_the_mechanism_and_the_flag_go_together() {
        let bindings = ChannelBindings {
            exporter: Some([1; 32]),
            server_end_point: None,
        };
        let offer = |plus| Offer {
            bindings: bindings.clone(),
            plus,
        };
        use Mechanism::{ScramSha256 as Plain, ScramSha256Plus as Plus};
        for (mechanism, flag, plus, fits) in [
            (Plain, "n", true, true),
            (Plain, "y", false, true),
            (Plain, "y", true, false),
            (Plain, "p=tls-exporter", true, false),
            (Plus, "p=tls-exporter", true, true),
            (Plus, "p=tls-server-end-point", true, false),
            (Plus, "p=tls-unique", true, false),
            (Plus, "n", true, false),
            (Plus, "y", true, false),
        ] {
            let (_, step) = scram(mechanism, &format!("{flag},,n=ada,r=abc"), offer(plus));
            let failed = Step::Fail(Failure::Malformed(Malformed::ChannelBinding));
            assert_eq!(step != failed, fits, "{mechanism} {flag} {plus}");
        }
    }

    #[test]
    fn nothing_secret_prints() {
        let line = to_base64(encode_plain(&ada()));
        let (_, step) = Exchange::start(Mechanism::Plain, Some(line.as_bytes()));
        assert!(!format!("{step:?}").contains("secret\""));
    }

    proptest! {
        #[test]
        fn anything_may_come(lines: Vec<Vec<u8>>, which in 0..Mechanism::ALL.len()) {
            let (mut exchange, _) = Exchange::start(Mechanism::ALL[which], None);
            for line in &lines {
                match exchange.receive(line) {
                    Step::Check(Credentials::Scram(_)) => {
                        exchange.challenged("nonce", b"salt", 4096);
                    }
                    Step::Check(_) => {
                        exchange.refused(ISSUER);
                    }
                    _ => {}
                }
            }
        }
    }
}
