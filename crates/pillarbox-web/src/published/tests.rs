//! Every outcome of the comparison, without a wire.
#![allow(clippy::unwrap_used)] // a failed unwrap is the failed test

use super::*;
use crate::control::LookingUp;

const HOST: &str = "mail.example.org";
const WEB: &str = "web.example.org";

/// Answers what it was told; to everything else, that there is nothing.
#[derive(Default)]
struct Zone(Vec<(&'static str, RecordKind, Answer)>);

impl Zone {
    fn with(mut self, name: &'static str, kind: RecordKind, found: Vec<Found>) -> Self {
        self.0.push((name, kind, Ok(found)));
        self
    }
    fn failing(mut self, name: &'static str, kind: RecordKind) -> Self {
        self.0.push((name, kind, Err("It fails.".into())));
        self
    }
}

impl Control for Zone {
    fn look_up(&self, questions: Vec<Question>) -> LookingUp<'_> {
        let answer = |asked: &Question| {
            let mut known = self.0.iter();
            let found = known.find(|(name, kind, _)| *name == asked.name && *kind == asked.kind);
            found.map_or(Ok(Vec::new()), |(.., answer)| answer.clone())
        };
        let answers = questions.iter().map(answer).collect();
        Box::pin(async { Ok(answers) })
    }
}

fn mail() -> MailServices {
    MailServices {
        host: HOST.into(),
        imap: Some(993),
        smtps: Some(465),
        submission: Some(587),
        ..MailServices::default()
    }
}

async fn one(zone: Zone, kind: &str) -> Checked {
    let all = check("example.org", &mail(), WEB, &zone).await;
    let mut found = all.records.into_iter();
    found.find(|one| one.record.kind == kind).unwrap()
}

fn text(text: &str) -> Found {
    Found::Text(text.into())
}

fn to(preference: u16, host: &str) -> Found {
    let host = host.into();
    Found::Exchange { preference, host }
}

fn at(port: u16, host: &str) -> Found {
    Found::Service {
        priority: 7,
        weight: 8,
        port,
        host: host.into(),
    }
}

fn ip(text: &str) -> Found {
    Found::Address(text.parse().unwrap())
}

#[tokio::test]
async fn everything_is_there_or_nothing_is() {
    let services = [
        ("_imaps._tcp.example.org", 993),
        ("_submissions._tcp.example.org", 465),
        ("_submission._tcp.example.org", 587),
    ];
    let mut zone = Zone::default()
        .with(HOST, RecordKind::A, vec![ip("192.0.2.7")])
        .with(
            "example.org",
            RecordKind::Mx,
            vec![to(20, "Mail.Example.ORG")],
        )
        .with(
            "example.org",
            RecordKind::Txt,
            vec![text("other"), text("V=spf1  MX -all")],
        )
        .with(
            "autoconfig.example.org",
            RecordKind::Cname,
            vec![Found::Alias("WEB.example.org".into())],
        )
        .with(
            "autodiscover.example.org",
            RecordKind::Aaaa,
            vec![ip("2001:db8::1")],
        )
        .with(WEB, RecordKind::A, vec![ip("192.0.2.8")])
        .with(WEB, RecordKind::Aaaa, vec![ip("2001:db8::1")]);
    for (name, port) in services {
        zone = zone.with(name, RecordKind::Srv, vec![at(port, "mail.example.org.")]);
    }
    let all = check("Example.ORG", &mail(), WEB, &zone).await;
    assert_eq!(all.not_asked, None);
    for one in &all.records {
        let closed = one.record.name.starts_with("_pop3s");
        let standing = if closed {
            Standing::NotNeeded
        } else {
            Standing::Published
        };
        assert_eq!(one.standing, standing, "{one:?}");
    }
    assert_eq!(all.records[0].found, ["192.0.2.7"]);

    let all = check("example.org", &mail(), WEB, &Zone::default()).await;
    assert_eq!(all.count(Standing::Missing), 8, "{all:?}");
    assert_eq!(all.count(Standing::NotNeeded), 1);
}

#[tokio::test]
async fn the_mail_host_needs_addresses_of_its_own() {
    let none = one(Zone::default(), "A").await;
    assert_eq!(none.standing, Standing::Missing);
    assert!(none.note.contains("no address"), "{none:?}");
    let zone = Zone::default()
        .with(
            HOST,
            RecordKind::Cname,
            vec![Found::Alias("other.example".into())],
        )
        .with(HOST, RecordKind::A, vec![ip("192.0.2.7")]);
    let alias = one(zone, "A").await;
    assert_eq!(alias.standing, Standing::Different);
    assert!(alias.note.contains("alias of other.example"), "{alias:?}");
    let half = Zone::default().failing(HOST, RecordKind::Aaaa).with(
        HOST,
        RecordKind::A,
        vec![ip("192.0.2.7")],
    );
    assert_eq!(one(half, "A").await.standing, Standing::Published);
    let silent = one(Zone::default().failing(HOST, RecordKind::A), "A").await;
    assert_eq!(
        (silent.standing, &*silent.note),
        (Standing::Unknown, "It fails.")
    );
}

#[tokio::test]
async fn where_mail_goes() {
    for (found, standing, words) in [
        (vec![to(5, HOST), to(10, HOST)], Standing::Published, ""),
        (
            vec![to(5, HOST), to(10, "other.example")],
            Standing::Published,
            "what that takes must be brought here",
        ),
        (
            vec![to(5, "other.example"), to(10, HOST)],
            Standing::Published,
            "tried before this server",
        ),
        (
            vec![to(5, "other.example")],
            Standing::Different,
            "goes to other.example",
        ),
        (vec![to(0, "")], Standing::Different, "takes no mail"),
    ] {
        let zone = Zone::default().with("example.org", RecordKind::Mx, found);
        let mx = one(zone, "MX").await;
        assert_eq!(mx.standing, standing, "{mx:?}");
        assert!(
            mx.note.contains(words) && mx.note.is_empty() == words.is_empty(),
            "{mx:?}"
        );
    }
    let failing = Zone::default().failing("example.org", RecordKind::Mx);
    assert_eq!(one(failing, "MX").await.standing, Standing::Unknown);
}

#[tokio::test]
async fn who_may_send() {
    for (policies, standing, words) in [
        (
            vec!["v=spf1 mx include:elsewhere.example ~all"],
            Standing::Published,
            "lets this server send too",
        ),
        (
            vec!["v=spf1 a:mail.example.org. -all"],
            Standing::Published,
            "lets this server send too",
        ),
        (
            vec!["v=spf1 +mx:example.org -all"],
            Standing::Published,
            "lets this server send too",
        ),
        (
            vec!["v=spf1 ip4:192.0.2.0/29 -all"],
            Standing::Published,
            "lets this server send too",
        ),
        (
            vec!["v=spf1 ip6:2001:db8::/32 -all"],
            Standing::Published,
            "lets this server send too",
        ),
        (
            vec!["v=spf1 ip4:192.0.2.8/29 -all"],
            Standing::Different,
            "Add mx",
        ),
        (
            vec!["v=spf1 ip4:192.0.2.7/x ip6:192.0.2.7 -all"],
            Standing::Different,
            "Add mx",
        ),
        (vec!["v=spf1 -mx ~all"], Standing::Different, "Add mx"),
        (vec!["v=spf1 -all mx"], Standing::Different, "Add mx"),
        (
            vec!["v=spf1 mx:other.example -all"],
            Standing::Different,
            "Add mx",
        ),
        (
            vec!["v=spf1 redirect=_spf.elsewhere.example"],
            Standing::Different,
            "what it includes",
        ),
        (vec!["v=spf1 mx +all"], Standing::Different, "everybody"),
        (
            vec!["v=spf1 mx -all", "v=spf1 -all"],
            Standing::Different,
            "2 SPF records",
        ),
        (vec!["v=spf10 mx -all", "v=DMARC1"], Standing::Missing, ""),
    ] {
        let zone = Zone::default()
            .with(HOST, RecordKind::A, vec![ip("192.0.2.7")])
            .with(HOST, RecordKind::Aaaa, vec![ip("2001:db8::7")])
            .with(
                "example.org",
                RecordKind::Txt,
                policies.iter().map(|one| text(one)).collect(),
            );
        let spf = one(zone, "TXT").await;
        assert_eq!(spf.standing, standing, "{spf:?}");
        assert!(spf.note.contains(words), "{spf:?}");
        assert_eq!(
            spf.found.is_empty(),
            standing == Standing::Missing,
            "{spf:?}"
        );
    }
}

#[tokio::test]
async fn where_services_are() {
    for (name, found, standing, words) in [
        (
            "_imaps",
            vec![at(993, HOST), at(993, "old.example")],
            Standing::Published,
            "also points to old.example, port 993",
        ),
        (
            "_imaps",
            vec![at(143, HOST)],
            Standing::Different,
            "mail.example.org, port 143",
        ),
        (
            "_imaps",
            vec![at(0, "")],
            Standing::Different,
            "no such service",
        ),
        ("_pop3s", vec![at(0, "")], Standing::Published, ""),
        (
            "_pop3s",
            vec![at(995, HOST)],
            Standing::Different,
            "is closed, but",
        ),
    ] {
        let whole: &'static str = if name == "_imaps" {
            "_imaps._tcp.example.org"
        } else {
            "_pop3s._tcp.example.org"
        };
        let zone = Zone::default().with(whole, RecordKind::Srv, found);
        let all = check("example.org", &mail(), WEB, &zone).await;
        let one = all
            .records
            .iter()
            .find(|one| one.record.name.starts_with(name))
            .unwrap();
        assert_eq!(one.standing, standing, "{one:?}");
        assert!(one.note.contains(words), "{one:?}");
    }
}

#[tokio::test]
async fn what_leads_to_the_settings() {
    const NAME: &str = "autoconfig.example.org";
    let alias = |host: &str| vec![Found::Alias(host.into())];
    let web = || Zone::default().with(WEB, RecordKind::A, vec![ip("192.0.2.8")]);
    let other = web().with(NAME, RecordKind::Cname, alias("other.example"));
    let found = one(other, "CNAME").await;
    assert_eq!(
        (found.standing, &*found.found),
        (Standing::Different, &["other.example.".to_owned()][..])
    );
    let same = web()
        .with(NAME, RecordKind::Cname, alias("other.example"))
        .with(NAME, RecordKind::A, vec![ip("192.0.2.8")]);
    assert_eq!(one(same, "CNAME").await.standing, Standing::Published);
    let more = web().with(NAME, RecordKind::A, vec![ip("192.0.2.8"), ip("192.0.2.9")]);
    let more = one(more, "CNAME").await;
    assert_eq!(
        (more.standing, &*more.note),
        (Standing::Different, "It leads to other addresses.")
    );
    for kind in [RecordKind::Cname, RecordKind::A] {
        let silent = one(web().failing(NAME, kind), "CNAME").await;
        assert_eq!(silent.standing, Standing::Unknown);
    }
}

#[tokio::test]
async fn nobody_is_asked_without_a_resolver() {
    let all = check("example.org", &mail(), WEB, &crate::NoControl).await;
    assert!(all.not_asked.unwrap().contains("Not asked"));
    assert!(
        all.records
            .iter()
            .all(|one| one.standing == Standing::NotAsked)
    );
}

#[tokio::test]
async fn foreign_text_is_bounded_and_harmless() {
    let hostile = format!("v=spf1 \u{1b}[2J\u{202e}\r\n<b>{}", "x".repeat(5_000));
    let policies = (0..3_000).map(|_| text(&hostile)).collect();
    let zone = Zone::default()
        .with("example.org", RecordKind::Txt, policies)
        .with(
            "example.org",
            RecordKind::Mx,
            vec![to(1, &"\u{7}y".repeat(5_000))],
        );
    let all = check("example.org", &mail(), WEB, &zone).await;
    for one in &all.records {
        assert!(one.found.len() <= SHOWN_MAX + 1);
        for line in one.found.iter().chain([&one.note]) {
            assert!(line.chars().count() <= NOTE_CHARS_MAX + 1, "{line}");
            assert!(
                !line.chars().any(|c| c.is_control() || c == '\u{202e}'),
                "{line:?}"
            );
        }
    }
    let spf = all
        .records
        .iter()
        .find(|one| one.record.kind == "TXT")
        .unwrap();
    assert_eq!(spf.found[SHOWN_MAX], "and 2995 more");
    assert!(
        spf.found[0].starts_with("\"v=spf1 \u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}<b>xxx")
            && spf.found[0].ends_with('…')
    );
}

#[test]
fn what_is_asked_is_asked_once() {
    let all = records("example.org", &mail(), WEB);
    let asked: Vec<_> = all.iter().flat_map(questions).collect();
    let once: BTreeSet<_> = asked.iter().cloned().collect();
    assert_eq!(
        (asked.len(), once.len()),
        (16, 14),
        "the web host's addresses are asked for once"
    );
    assert!(
        once.iter()
            .all(|one| one.name.is_ascii() && !one.name.ends_with('.'))
    );
}
