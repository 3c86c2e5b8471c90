//! A refused sign-in says the same at the same moment, whoever is asked for, whatever is wrong, and however long it took to find
//! out: on every protocol, by every way in. The clock is the test's own, so the moment is exact.
#![allow(clippy::unwrap_used)] // a failing test shall stop

mod player;

use pillarbox_delivery::{Config, Delivery, Outbox};
use pillarbox_oauth::AppLimits;
use pillarbox_protocols::REFUSED_AFTER;
use pillarbox_protocols::conversation::{Conversation, Now, Step};
use pillarbox_protocols::sessions::Protocol;
use pillarbox_protocols::smtp::Role;
use pillarbox_protocols::{imap, pop3, smtp};
use pillarbox_wire::sasl::scram::{ChannelBindings, ClientFirst, Flag, ServerFirst, Signed};
use pillarbox_wire::sasl::{Mechanism, from_base64};
use player::{Known, World};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

const WRONG: &str = "aaaabbbbccccdddd";
const NOBODY: &str = "nobody@example.com";
const NONCE: &str = "fyko+d2lbbFgONRv9qkxdawL";
const DOORS: [Door; 3] = [Door::Imap, Door::Pop, Door::Smtp];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Imap,
    Pop,
    Smtp,
}

#[derive(Debug, PartialEq, Eq)]
enum Heard {
    /// This long after the client's line, nothing of the answer being out yet.
    Rested(Duration),
    Said(String),
}

/// What somebody tries to sign in with: the lines to send, one after the other has been answered.
struct Claim {
    what: &'static str,
    lines: Vec<String>,
}

fn claim(what: &'static str, line: impl Into<String>) -> Claim {
    let lines = vec![line.into()];
    Claim { what, lines }
}

type Hearing<'a> = Pin<Box<dyn Future<Output = Vec<Heard>> + 'a>>;

/// A conversation whose jobs take `work` by the clock.
trait Spoken {
    fn answer_to<'a>(&'a mut self, line: &'a [u8], now: &'a mut Now, work: Duration)
    -> Hearing<'a>;
}

impl<C: Conversation> Spoken for C {
    fn answer_to<'a>(
        &'a mut self,
        line: &'a [u8],
        now: &'a mut Now,
        work: Duration,
    ) -> Hearing<'a> {
        Box::pin(async move {
            if !line.is_empty() {
                self.receive(line);
            }
            let (begun, mut heard) = (now.mono, Vec::new());
            loop {
                match self.advance(*now) {
                    Step::Run(job) => {
                        let answer = job.await;
                        now.mono += work;
                        self.answer(answer, *now);
                    }
                    Step::Send(bytes) => {
                        heard.push(Heard::Said(String::from_utf8_lossy(&bytes).into()));
                    }
                    Step::Rest(until) => {
                        assert!(until >= now.mono);
                        now.mono = until;
                        heard.push(Heard::Rested(until - begun));
                    }
                    Step::Read(_) | Step::Close => return heard,
                    Step::UpgradeTls => panic!("TLS"),
                }
            }
        })
    }
}

async fn connect(world: &World, door: Door) -> Box<dyn Spoken> {
    let mechanisms = vec![
        Mechanism::Login,
        Mechanism::Plain,
        Mechanism::Xoauth2,
        Mechanism::OauthBearer,
        Mechanism::ScramSha256,
    ];
    let (store, identity) = (world.store.clone(), world.identity.clone());
    let (help_url, issuer) = ("https://mail.example.com/help", "https://a.example.com");
    let (peer, now) = (world.peer(), world.now());
    match door {
        Door::Imap => {
            let context = imap::Context {
                store,
                identity,
                limits: imap::Limits::default(),
                journal: world.journal(),
                product: "Pillarbox".into(),
                vendor: "Pillarbox".into(),
                version: "0.1.0".into(),
                help_url: help_url.into(),
                issuer: issuer.into(),
                mechanisms,
            };
            let seat = world.seat(Protocol::Imap, 1);
            Box::new(imap::Conversation::new(Arc::new(context), seat, peer, now))
        }
        Door::Pop => {
            let context = pop3::Context {
                store,
                identity,
                limits: pop3::Limits::default(),
                journal: world.journal(),
                product: "Pillarbox".into(),
                help_url: help_url.into(),
                issuer: issuer.into(),
                mechanisms,
            };
            let seat = world.seat(Protocol::Pop3, 1);
            Box::new(pop3::Conversation::new(Arc::new(context), seat, peer, now))
        }
        Door::Smtp => {
            let mut config = Config::new("mail.example.com", "Pillarbox");
            config.outbox = Outbox::Refuse;
            let delivery = Delivery::open(store, config, Arc::new(|bytes| bytes.fill(1)), now.wall);
            let context = smtp::Context {
                delivery: delivery.await.unwrap(),
                identity,
                limits: smtp::Limits::default(),
                journal: world.journal(),
                host: "smtp.example.com".into(),
                source: "pillarbox".into(),
                help_url: help_url.into(),
                issuer: issuer.into(),
                mechanisms,
            };
            let (role, context) = (Role::Submission, Arc::new(context));
            let seat = world.seat(role.protocol(), 1);
            Box::new(smtp::Conversation::new(context, role, seat, peer, now))
        }
    }
}

/// A client that tries one claim.
struct Client<'a> {
    world: &'a World,
    conversation: Box<dyn Spoken>,
    now: Now,
    work: Duration,
}

impl<'a> Client<'a> {
    async fn new(world: &'a World, door: Door, work: Duration) -> Self {
        let mut client = Self {
            world,
            conversation: connect(world, door).await,
            now: world.now(),
            work,
        };
        client.say("").await;
        if door == Door::Smtp {
            client.say("EHLO x").await;
        }
        client
    }

    async fn say(&mut self, line: &str) -> Vec<Heard> {
        let known = Known::default();
        let mut bytes = self.world.expand(line, &known).await.unwrap();
        if !bytes.is_empty() {
            bytes.extend_from_slice(b"\r\n");
        }
        let talk = self
            .conversation
            .answer_to(&bytes, &mut self.now, self.work);
        talk.await
    }

    /// All that is heard, to the end of an exchange.
    async fn attempt(&mut self, claim: &Claim) -> Vec<Heard> {
        let mut heard = Vec::new();
        for line in &claim.lines {
            heard.extend(self.say(line).await);
        }
        heard
    }
}

fn auth(door: Door, mechanism: &str) -> String {
    match door {
        Door::Imap => format!("a AUTHENTICATE {mechanism}"),
        Door::Pop | Door::Smtp => format!("AUTH {mechanism}"),
    }
}

/// A name and a password by PLAIN, and by the protocol's own words.
fn by_password(door: Door, what: &'static str, user: &str, letters: &str) -> [Claim; 2] {
    let plain = format!("{} $base64(^@{user}^@{letters})", auth(door, "PLAIN"));
    let lines = match door {
        Door::Imap => vec![format!("a LOGIN {user} {letters}")],
        Door::Pop => vec![format!("USER {user}"), format!("PASS {letters}")],
        Door::Smtp => vec![
            format!("AUTH LOGIN $base64({user})"),
            format!("$base64({letters})"),
        ],
    };
    [claim(what, plain), Claim { what, lines }]
}

/// People with so many app passwords, one who is suspended, one whose app password is over.
async fn people(world: &mut World) -> Vec<(&'static str, String, String)> {
    let mut all = vec![("unknown", NOBODY.to_owned(), WRONG.to_owned())];
    for count in [0, 1, 9, 100] {
        let name = format!("with{count}");
        let given = format!("{name} is new with plain names");
        world.given(&given, &[]).await.unwrap();
        let account = world.account(&name).unwrap();
        for number in 0..count {
            let (name, now) = (number.to_string(), world.now().wall);
            let added = world.identity.add_app_password(&account, &name, now).await;
            added.unwrap();
        }
        all.push(("wrong", format!("{name}@example.com"), WRONG.into()));
    }
    let bob = world.account("bob").unwrap();
    let limits = AppLimits {
        until: Some(world.now().wall + 1000),
        ..AppLimits::default()
    };
    let (identity, now) = (world.identity.clone(), world.now().wall);
    let over = identity.add_limited_app_password(&bob, "over", limits, now);
    let (_, letters) = over.await.unwrap();
    all.push(("expired", "bob@example.com".into(), letters.expose().into()));
    let given = "eve is new with plain names";
    world.given(given, &[]).await.unwrap();
    let letters = world.expand("$app(eve)", &Known::default()).await.unwrap();
    let letters = String::from_utf8(letters).unwrap();
    all.push(("suspended", "eve@example.com".into(), letters));
    world.given("eve sets suspended on", &[]).await.unwrap();
    world.act("+2s", &mut |_| {}).await.unwrap();
    all
}

/// Everyone hears the same at the same moment, though each check takes another time.
async fn all_alike(world: &World, door: Door, claims: &[Claim]) -> Vec<Heard> {
    let mut first: Option<Vec<Heard>> = None;
    for (index, claim) in claims.iter().enumerate() {
        let work = Duration::from_millis(2 * index as u64);
        assert!(work <= REFUSED_AFTER);
        let heard = Client::new(world, door, work).await.attempt(claim).await;
        match &first {
            None => first = Some(heard),
            Some(first) => assert_eq!(&heard, first, "{door:?}, {}", claim.what),
        }
    }
    first.unwrap()
}

fn is_refusal(door: Door, text: &str) -> bool {
    match door {
        Door::Imap => text.starts_with("a NO "),
        Door::Pop => text.starts_with("-ERR "),
        Door::Smtp => text.starts_with("535"),
    }
}

#[tokio::test]
async fn passwords() {
    let mut world = World::new().await;
    let people = people(&mut world).await;
    for door in DOORS {
        for way in 0..2 {
            let one = |(what, user, letters): &(&'static str, String, String)| {
                by_password(door, what, user, letters).into_iter().nth(way)
            };
            let claims: Vec<_> = people.iter().filter_map(one).collect();
            let heard = all_alike(&world, door, &claims).await;
            let [.., Heard::Rested(rested), Heard::Said(told)] = heard.as_slice() else {
                panic!("{door:?}: {heard:?}");
            };
            assert_eq!(*rested, REFUSED_AFTER, "{door:?}");
            assert!(is_refusal(door, told), "{door:?}: {told}");
        }
    }
}

#[tokio::test]
async fn tokens() {
    let mut world = World::new().await;
    for given in [
        "token old of ada expired",
        "token gone of ada revoked",
        "eve is new with plain names",
        "token hers of eve",
        "eve sets suspended on",
    ] {
        world.given(given, &[]).await.unwrap();
    }
    for door in DOORS {
        let xoauth2 = |what, user: &str, token: &str| {
            claim(
                what,
                format!("{} $xoauth2({user}, {token})", auth(door, "XOAUTH2")),
            )
        };
        let bearer = |what, user: &str, token: &str| {
            let line = format!("$oauthbearer({user}, {token})");
            claim(what, format!("{} {line}", auth(door, "OAUTHBEARER")))
        };
        let made_up = |user: &str| {
            let text = format!("$base64(user={user}^Aauth=Bearer ya29.made-up^A^A)");
            claim("made up", format!("{} {text}", auth(door, "XOAUTH2")))
        };
        let made_up_bearer = |user: &str| {
            let text = format!("$base64(n,a={user},^Aauth=Bearer ya29.made-up^A^A)");
            claim("made up", format!("{} {text}", auth(door, "OAUTHBEARER")))
        };
        let cases = [
            ("expired", "ada@example.com", "old"),
            ("revoked", "ada@example.com", "gone"),
            ("suspended", "eve@example.com", "hers"),
            ("another's", "bob@example.com", "ada"),
            ("unknown", NOBODY, "ada"),
        ];
        let mut by_xoauth2 = vec![made_up(NOBODY), made_up("ada@example.com")];
        by_xoauth2.extend(cases.map(|(what, user, token)| xoauth2(what, user, token)));
        let mut by_bearer = vec![made_up_bearer(NOBODY), made_up_bearer("ada@example.com")];
        by_bearer.extend(cases.map(|(what, user, token)| bearer(what, user, token)));
        for (mut claims, dummy) in [(by_xoauth2, "*"), (by_bearer, "$base64(^A)")] {
            for claim in &mut claims {
                claim.lines.push(dummy.into());
            }
            let heard = all_alike(&world, door, &claims).await;
            // Before the challenge that tells of it, and not again.
            let [Heard::Rested(rested), Heard::Said(error), Heard::Said(told)] = heard.as_slice()
            else {
                panic!("{door:?}: {heard:?}");
            };
            assert_eq!(*rested, REFUSED_AFTER, "{door:?}");
            assert!(error.contains("eyJzdGF0dXMi"), "{door:?}: {error}");
            assert!(is_refusal(door, told), "{door:?}: {told}");
        }
    }
}

/// The last message of a SCRAM exchange, with a proof that fits nothing.
fn wrong_proof(first: &ClientFirst, challenge: &str) -> String {
    let server = challenge.split_whitespace().last().unwrap();
    let server = ServerFirst::decode(&from_base64(server.as_bytes()).unwrap()).unwrap();
    let signed = Signed::new(first, &server, &ChannelBindings::default()).unwrap();
    let last = signed.encode(&[7; 32]);
    format!("$base64({last})")
}

#[tokio::test]
async fn scram() {
    let mut world = World::new().await;
    let people = people(&mut world).await;
    for door in DOORS {
        let mut first_heard = None;
        for (index, (what, user, _)) in people.iter().enumerate() {
            let work = Duration::from_millis(2 * index as u64);
            let mut client = Client::new(&world, door, work).await;
            let (last, challenge) = match *what {
                // With a proof that is right.
                "suspended" => {
                    let line = format!("{} $scram(eve)", auth(door, "SCRAM-SHA-256"));
                    let challenge = client.say(&line).await;
                    let mut known = Known::default();
                    let text = text(&challenge).split_whitespace().last().unwrap();
                    known.0.insert("c".into(), text.into());
                    let last = world.expand("$proof(eve, c)", &known).await.unwrap();
                    (String::from_utf8(last).unwrap(), challenge)
                }
                _ => {
                    let first = ClientFirst::new(Flag::Cannot, None, user, NONCE).unwrap();
                    let line = auth(door, "SCRAM-SHA-256");
                    let line = format!("{line} $base64({})", first.encode());
                    let challenge = client.say(&line).await;
                    (wrong_proof(&first, text(&challenge)), challenge)
                }
            };
            assert_eq!(challenge.len(), 1, "no rest: {challenge:?}");
            let mut heard = client.say(&last).await;
            if heard.len() == 2 {
                heard.extend(client.say("").await);
            }
            assert_eq!(heard[0], Heard::Rested(REFUSED_AFTER), "{door:?}, {what}");
            assert!(heard.len() > 1);
            match &first_heard {
                None => first_heard = Some(heard),
                Some(first) => assert_eq!(&heard, first, "{door:?}, {what}"),
            }
        }
        let first = first_heard.unwrap();
        let Some(Heard::Said(told)) = first.last() else {
            panic!("{first:?}");
        };
        assert!(is_refusal(door, told), "{door:?}: {told}");
    }
}

fn text(heard: &[Heard]) -> &str {
    match heard.last() {
        Some(Heard::Said(text)) => text.trim_end(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn other_causes_rest_as_long() {
    let mut world = World::new().await;
    for given in [
        "off is new with plain names",
        "off sets imap off",
        "off sets pop off",
    ] {
        world.given(given, &[]).await.unwrap();
    }
    for door in DOORS {
        let mut claims = vec![claim(
            "somebody else's",
            format!(
                "{} $base64(ada@example.com^@bob@example.com^@{WRONG})",
                auth(door, "PLAIN")
            ),
        )];
        if door != Door::Smtp {
            let line = format!("{} $plain(off)", auth(door, "PLAIN"));
            claims.push(claim("the service is off", line));
        }
        if door == Door::Imap {
            claims.push(claim("no password at all", r#"a LOGIN ada@example.com """#));
        }
        for claim in &claims {
            let work = Duration::from_millis(3);
            let heard = Client::new(&world, door, work).await.attempt(claim).await;
            let rested = Heard::Rested(REFUSED_AFTER);
            assert!(
                heard.len() == 2 && heard[0] == rested,
                "{door:?}, {}: {heard:?}",
                claim.what
            );
        }
    }
}

#[tokio::test]
async fn a_check_that_lasts_longer_ends_at_a_multiple() {
    let world = World::new().await;
    for door in DOORS {
        let [plain, _] = by_password(door, "unknown", NOBODY, WRONG);
        for (work, rested) in [(20, 20), (21, 40), (79, 80), (81, 100)] {
            let work = Duration::from_millis(work);
            let heard = Client::new(&world, door, work).await.attempt(&plain).await;
            assert_eq!(heard[0], Heard::Rested(Duration::from_millis(rested)));
        }
    }
}

#[tokio::test]
async fn who_is_let_in_never_waits() {
    let world = World::new().await;
    let letters = world.expand("$app(ada)", &Known::default()).await.unwrap();
    let letters = String::from_utf8(letters).unwrap();
    for door in DOORS {
        let mut claims = Vec::from(by_password(door, "right", "ada@example.com", &letters));
        claims.push(claim(
            "right",
            format!("{} $xoauth2(ada)", auth(door, "XOAUTH2")),
        ));
        let line = format!("{} $oauthbearer(ada)", auth(door, "OAUTHBEARER"));
        claims.push(claim("right", line));
        for claim in &claims {
            let work = Duration::from_millis(3);
            let heard = Client::new(&world, door, work).await.attempt(claim).await;
            let rested = |heard: &Heard| matches!(heard, Heard::Rested(_));
            assert!(!heard.iter().any(rested), "{door:?}: {heard:?}");
            let told = text(&heard);
            let welcomes = ["a OK", "+OK", "235"];
            assert!(welcomes.iter().any(|word| told.starts_with(word)), "{told}");
        }
        let mut client = Client::new(&world, door, Duration::from_millis(3)).await;
        let line = format!("{} $scram(ada)", auth(door, "SCRAM-SHA-256"));
        let challenge = client.say(&line).await;
        let mut known = Known::default();
        let server = text(&challenge).split_whitespace().last().unwrap();
        known.0.insert("c".into(), server.into());
        let last = world.expand("$proof(ada, c)", &known).await.unwrap();
        let heard = client.say(&String::from_utf8(last).unwrap()).await;
        assert!(matches!(heard.as_slice(), [Heard::Said(_)]), "{heard:?}");
    }
}
