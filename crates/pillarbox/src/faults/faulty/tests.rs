//! The decorator around a small machine in place of a protocol, which remembers what reaches it. With the real protocols
//! and real clients it is tested in `tests/clients/test_faults.py`.
#![allow(clippy::unwrap_used, reason = "a failure is the message")]

use super::*;
use crate::clock::Clock;
use crate::faults::live::Asked;
use crate::journal::{Entry, Format, Journal, Level};
use pillarbox_protocols::conversation::Job;
use pillarbox_protocols::sessions::{Registry, Which};
use pillarbox_wire::sasl::scram::ChannelBindings;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use tokio::sync::watch;

/// Answers every line; asks for more after AUTHENTICATE, AUTH, IDLE, DATA and waiting literals.
struct Script {
    seat: Seat,
    service: Service,
    heard: Arc<Mutex<Vec<u8>>>,
    line: Vec<u8>,
    /// The next line is asked for, and ends what it belongs to if it is this.
    until: Option<&'static [u8]>,
    out: VecDeque<Bytes>,
    left: bool,
    bound: bool,
}

impl Script {
    fn line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
        if let Some(end) = self.until.take() {
            if !end.is_empty() && line.trim_ascii_end() != end {
                self.until = Some(end);
                return;
            }
            return self.out.push_back("done\r\n".into());
        }
        let upper = text.to_uppercase();
        let go_on = match self.service {
            Service::Smtp if upper == "DATA" => Some((".", "354 go\r\n")),
            Service::Smtp if upper.starts_with("AUTH") => Some(("", "334 \r\n")),
            Service::Imap if upper.contains("AUTHENTICATE") && !upper.ends_with('=') => {
                Some(("", "+ \r\n"))
            }
            Service::Imap if upper.ends_with("IDLE") => Some(("DONE", "+ idling\r\n")),
            Service::Imap if upper.ends_with('}') && !upper.ends_with("+}") => {
                return self.out.push_back("+ go ahead\r\n".into());
            }
            Service::Pop if upper.starts_with("AUTH") => Some(("", "+ \r\n")),
            _ => None,
        };
        match go_on {
            Some((until, said)) => {
                self.until = Some(until.as_bytes());
                self.out.push_back(said.into());
            }
            None => self.out.push_back(format!("did {text}\r\n").into()),
        }
    }
}

impl Conversation for Script {
    type Answer = ();

    fn advance(&mut self, now: Now) -> Step<()> {
        match self.out.pop_front() {
            Some(bytes) => Step::Send(bytes),
            None if self.left => Step::Close,
            None => Step::Read(Until {
                mono: now.mono + Duration::from_secs(1_800),
                wall: None,
            }),
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.left |= bytes.is_empty();
        self.heard.lock().unwrap().extend_from_slice(bytes);
        for byte in bytes {
            self.line.push(*byte);
            if *byte == b'\n' {
                self.line();
            }
        }
    }

    fn answer(&mut self, (): (), _: Now) {}

    fn hear(&mut self, news: News) {
        assert!(matches!(news, News::Ended(End::Revoked(_))), "{news:?}");
        self.out.push_back("expired\r\n".into());
        self.left = true;
    }

    fn bind(&mut self, channel: Channel) {
        self.bound = !channel.bindings.is_empty();
    }

    fn seat(&mut self) -> &mut Seat {
        &mut self.seat
    }
}

/// A connection with faults.
struct Stage {
    faulty: Faulty<Script>,
    faults: Faults,
    journal: Journal,
    registry: Registry,
    heard: Arc<Mutex<Vec<u8>>>,
    now: Now,
    said: Vec<u8>,
    /// Pieces that were written one by one.
    pieces: usize,
    closed: bool,
    _alive: watch::Sender<bool>,
}

impl Stage {
    fn new(protocol: Protocol, faults_wanted: &[&str]) -> Self {
        let clock = Clock::new();
        let journal = Journal::new(clock.clone(), Format::Text, Level::Error);
        let registry = Registry::default();
        let (alive, stopping) = watch::channel(false);
        let seat = registry.connect(protocol, [127, 0, 0, 1].into(), "t", 0);
        let issuer = "https://localhost".to_owned();
        let faults = Faults::new(clock, journal.clone(), registry.clone(), issuer, stopping);
        let heard = Arc::default();
        let script = Script {
            seat,
            service: protocol.into(),
            heard: Arc::clone(&heard),
            line: Vec::new(),
            until: None,
            out: VecDeque::new(),
            left: false,
            bound: false,
        };
        let now = Now {
            wall: 0,
            mono: Duration::ZERO,
        };
        let peer = [127, 0, 0, 1].into();
        let stage = Self {
            faulty: Faulty::new(script, faults.clone(), protocol, true, peer, now),
            faults,
            journal,
            registry,
            heard,
            now,
            said: Vec::new(),
            pieces: 0,
            closed: false,
            _alive: alive,
        };
        faults_wanted.iter().for_each(|wanted| stage.set(wanted));
        stage
    }

    fn set(&self, wanted: &str) {
        let words: Vec<_> = wanted.split(' ').map(str::to_owned).collect();
        let asked = Asked {
            target: words[0].clone(),
            kind: words[1].clone(),
            value: words.get(2).cloned(),
            times: None,
            account: None,
            probability: None,
            after: None,
        };
        self.faults.set(asked).unwrap();
    }

    /// Does what the machine wants until it reads; what it would wait for.
    async fn go_on(&mut self) -> Option<Until> {
        while !self.closed {
            match self.faulty.advance(self.now) {
                Step::Send(bytes) => {
                    self.pieces += 1;
                    self.said.extend_from_slice(&bytes);
                }
                Step::Run(job) => {
                    let answer = job.await;
                    self.faulty.answer(answer, self.now);
                }
                Step::UpgradeTls => self.faulty.secured(),
                Step::Read(until) => return Some(until),
                Step::Rest(until) => self.now.mono = until,
                Step::Close => self.closed = true,
            }
        }
        None
    }

    async fn send(&mut self, text: &str) -> String {
        self.go_on().await;
        self.faulty.receive(text.as_bytes());
        self.go_on().await;
        self.take()
    }

    fn take(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.said)).unwrap()
    }

    fn heard(&self) -> String {
        String::from_utf8(self.heard.lock().unwrap().clone()).unwrap()
    }
}

const IMAP: &str = "a NOOP\r\nb LOGIN {3}\r\nada {4+}\r\nb FE\r\nc AUTHENTICATE PLAIN\r\nd FETCH\r\ne IDLE\r\nDONE\r\n\
                    f APPEND x {9+}\r\ng FETCH\r\n\r\n\r\n\r\nUID\r\nh {}\r\ni UID FETCH 1 x\r\n\u{e9} FETCH\r\n";
const SMTP: &str = "EHLO x\r\nAUTH PLAIN\r\nQUIT\r\nMAIL FROM:<>\r\nBDAT 6\r\nDATA\r\nRSET\r\nDATA\r\nDATA\r\n..\r\n.\r\nQUIT\r\n";
const POP: &str =
    "USER ada\r\nPASS DELE 1\r\nAUTH PLAIN\r\nRETR 1\r\nRETR 1\r\nnothing\nhere\r\nQUIT\r\n";

#[tokio::test]
async fn without_faults_it_is_not_there() {
    for (protocol, stream) in [
        (Protocol::Imap, IMAP),
        (Protocol::Submission, SMTP),
        (Protocol::Pop3, POP),
    ] {
        let mut first = None;
        for piece in (1..40).chain([1_000]) {
            let mut stage = Stage::new(protocol, &[]);
            stage.go_on().await;
            for octets in stream.as_bytes().chunks(piece) {
                stage.faulty.receive(octets);
                stage.go_on().await;
            }
            stage.faulty.receive(&[]);
            stage.go_on().await;
            assert!(stage.closed);
            assert_eq!(stage.heard(), stream, "in pieces of {piece}");
            let said = stage.take();
            assert_eq!(
                *first.get_or_insert(said.clone()),
                said,
                "in pieces of {piece}"
            );
        }
    }
}

#[tokio::test]
async fn half_a_line_at_the_end_is_handed_on() {
    let mut stage = Stage::new(Protocol::Imap, &["imap.noop drop"]);
    stage.send("a NO").await;
    stage.faulty.receive(&[]);
    stage.go_on().await;
    assert!(stage.closed);
    assert_eq!(stage.heard(), "a NO");
}

#[tokio::test]
async fn a_refused_command_is_never_heard_of_and_keeps_its_place() {
    let mut stage = Stage::new(Protocol::Imap, &["imap.fetch overquota"]);
    let said = stage
        .send("a NOOP\r\nb UID FETCH 1 FLAGS\r\nc NOOP\r\n")
        .await;
    assert_eq!(
        said,
        "did a NOOP\r\nb NO [OVERQUOTA] Account exceeded command or bandwidth limits.\r\ndid c NOOP\r\n"
    );
    assert_eq!(stage.heard(), "a NOOP\r\nc NOOP\r\n");
    let events = stage.journal.session("t").unwrap();
    let told = events.iter().any(|event| {
        let Entry::Mail(event) = event else {
            return false;
        };
        matches!(&event.what, events::What::Fault { fault, told: Some(told) }
            if fault == "imap.fetch overquota" && told.starts_with("NO [OVERQUOTA]"))
    });
    assert!(told, "{events:?}");
}

/// `user=ada`, a blank token.
const BLOB: &str = "dXNlcj1hZGEBYXV0aD1CZWFyZXIgeAEB";

#[tokio::test]
async fn an_exchange_under_way_is_given_up_without_a_word() {
    for (protocol, fault, begin, dummy, told) in [
        (
            Protocol::Imap,
            "imap.login refuse",
            "a AUTHENTICATE XOAUTH2\r\n",
            "b NOOP\r\n",
            "a NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)\r\n",
        ),
        (
            Protocol::Pop3,
            "pop.login refuse",
            "AUTH XOAUTH2\r\n",
            "*\r\n",
            "-ERR [AUTH] Invalid credentials.\r\n",
        ),
        (
            Protocol::Pop3,
            "pop.login refuse",
            "AUTH XOAUTH2\r\n",
            "QUIT\r\n",
            "-ERR bad command\r\n",
        ),
        (
            Protocol::Submission,
            "smtp.login too-many-connections",
            "AUTH XOAUTH2\r\n",
            "\r\n",
            "454 4.7.0 Too many login attempts, please try again later. t - pillarbox\r\n",
        ),
    ] {
        let mut stage = Stage::new(protocol, &[fault]);
        stage.send(begin).await;
        let challenge = stage.send(&format!("{BLOB}\r\n")).await;
        assert!(challenge.contains("eyJzdGF0dXMi"), "{challenge}");
        assert_eq!(stage.send(dummy).await, told);
        assert_eq!(stage.heard(), format!("{begin}*\r\n"));
        // And the next line is a command again.
        assert!(stage.send("x y\r\n").await.starts_with("did x y"));
    }
}

#[tokio::test]
async fn scram_is_refused_by_name_also_when_bound() {
    use base64::Engine;
    let message = "p=tls-exporter,,n=ada,r=abcdefgh";
    let first = base64::engine::general_purpose::STANDARD.encode(message);
    let mut stage = Stage::new(Protocol::Imap, &["imap.login refuse"]);
    stage.faulty.bind(Channel {
        bindings: ChannelBindings {
            exporter: Some([0; 32]),
            server_end_point: None,
        },
        certificate: None,
    });
    assert!(
        stage.faulty.real.bound,
        "the real conversation knows it too"
    );
    let said = stage
        .send(&format!("a AUTHENTICATE SCRAM-SHA-256-PLUS {first}\r\n"))
        .await;
    assert!(said.starts_with("a NO [AUTHENTICATIONFAILED]"), "{said}");
    assert_eq!(stage.heard(), "");
}

#[tokio::test]
async fn who_never_sends_the_dummy_is_told_after_ten_seconds() {
    let mut stage = Stage::new(Protocol::Imap, &["imap.login refuse"]);
    stage
        .send(&format!("a AUTHENTICATE XOAUTH2 {BLOB}\r\n"))
        .await;
    let until = stage.go_on().await.unwrap();
    assert_eq!(until.mono, SILENCE_BEFORE_DUMMY);
    stage.now.mono = until.mono;
    stage.go_on().await;
    assert!(stage.take().starts_with("a NO [AUTHENTICATIONFAILED]"));
    assert!(stage.closed);
    assert_eq!(stage.heard(), "");
}

#[tokio::test]
async fn a_session_expires_when_it_should() {
    let mut stage = Stage::new(Protocol::Imap, &["imap.idle expired 5s"]);
    stage.send("a IDLE\r\n").await;
    let until = stage.go_on().await.unwrap();
    assert_eq!(until.mono, Duration::from_secs(5));
    stage.now.mono = until.mono;
    stage.go_on().await;
    assert_eq!(stage.take(), "expired\r\n");
    assert!(stage.closed);
    let mut stage = Stage::new(Protocol::Pop3, &["pop.stat expired 5s"]);
    assert_eq!(stage.send("STAT\r\n").await, "did STAT\r\n");
    stage.now.mono = Duration::from_secs(5);
    assert_eq!(stage.send("NOOP\r\nQUIT\r\n").await.as_bytes(), POP_EXPIRED);
    assert!(stage.closed);
    assert_eq!(stage.heard(), "STAT\r\n");
    assert_eq!(ends(&stage), ["the fault “expired”, on purpose"]);
    let mut stage = Stage::new(Protocol::Submission, &["smtp.noop drop"]);
    stage.send("NOOP\r\n").await;
    assert_eq!(ends(&stage), ["a fault, on purpose"]);
}

/// Why the session ended, as the owner is told.
fn ends(stage: &Stage) -> Vec<String> {
    let events = stage.journal.session("t").unwrap_or_default();
    let reasons = events.iter().filter_map(|event| match event {
        Entry::Mail(event) => match &event.what {
            events::What::Closed { reason } => Some(reason.to_string()),
            _ => None,
        },
        Entry::Endpoint(..) => None,
    });
    reasons.collect()
}

#[tokio::test]
async fn a_session_that_ends_sees_what_was_sent_already() {
    let mut stage = Stage::new(Protocol::Pop3, &["pop.noop refuse"]);
    stage.go_on().await;
    stage.faulty.receive(b"STAT\r\nNOOP\r\nQUIT\r\n");
    let which = Which::Session("t".into());
    stage.registry.end(&which, "by hand");
    stage.go_on().await;
    assert_eq!(stage.take(), "did STAT\r\ndid NOOP\r\ndid QUIT\r\n");
    assert_eq!(stage.send("NOOP\r\n").await, "did NOOP\r\n");
}

#[tokio::test]
async fn answers_are_cut_slowed_or_left_out() {
    let mut stage = Stage::new(Protocol::Pop3, &["pop.retr half"]);
    assert_eq!(stage.send("RETR 1\r\nQUIT\r\n").await, "did RE");
    assert!(stage.closed);
    assert_eq!(stage.heard(), "RETR 1\r\n");
    let mut stage = Stage::new(Protocol::Pop3, &["pop.retr drop"]);
    assert_eq!(stage.send("RETR 1\r\n").await, "");
    assert!(stage.closed);
    let mut stage = Stage::new(Protocol::Pop3, &["pop.retr throttle 60"]);
    let begun = std::time::Instant::now();
    assert_eq!(
        stage.send("RETR 1\r\nNOOP\r\n").await,
        "did RETR 1\r\ndid NOOP\r\n"
    );
    assert_eq!(
        stage.pieces, 3,
        "two pieces of six octets, and NOOP at full speed"
    );
    assert!(begun.elapsed() >= Duration::from_millis(200));
    let mut stage = Stage::new(Protocol::Pop3, &["pop.retr delay 30ms"]);
    let begun = std::time::Instant::now();
    assert_eq!(stage.send("RETR 1\r\n").await, "did RETR 1\r\n");
    assert!(begun.elapsed() >= Duration::from_millis(30));
}

#[tokio::test]
async fn the_end_of_a_message_can_go_wrong_by_itself() {
    for (fault, text, last, heard, closed) in [
        // The answer is lost, the message is not.
        (
            "smtp.message half",
            "x\r\n",
            "don",
            "DATA\r\nx\r\n.\r\n",
            true,
        ),
        ("smtp.message drop", "x\r\n", "", "DATA\r\nx\r\n", true),
        (
            "smtp.message delay 10ms",
            "x\r\n",
            "done\r\n",
            "DATA\r\nx\r\n.\r\n",
            false,
        ),
        // What the real conversation gets is no message.
        (
            "smtp.message refuse",
            "x\r\n",
            "451 4.3.0 Temporary System Problem. Try again later t - pillarbox\r\n",
            "DATA\r\n\r\nx\r\n.\r\n",
            false,
        ),
    ] {
        let mut stage = Stage::new(Protocol::Submission, &[fault]);
        assert_eq!(stage.send("DATA\r\n").await, "354 go\r\n", "{fault}");
        assert_eq!(stage.send(text).await, "");
        assert_eq!(stage.send(".\r\n").await, last, "{fault}");
        assert_eq!(
            (stage.heard().as_str(), stage.closed),
            (heard, closed),
            "{fault}"
        );
        if !closed {
            assert_eq!(
                stage.send("MESSAGE\r\n").await,
                "did MESSAGE\r\n",
                "no command"
            );
        }
    }
    let mut stage = Stage::new(Protocol::Submission, &["smtp.message refuse"]);
    let said = stage.send("BDAT 2\r\nx\nBDAT 2 LAST\r\ny\nNOOP\r\n").await;
    assert!(
        said.contains("451 4.3.0 ") && said.ends_with("did NOOP\r\n"),
        "{said}"
    );
    assert!(
        stage.heard().ends_with("RSET\r\nNOOP\r\n"),
        "{}",
        stage.heard()
    );
}

#[tokio::test]
async fn a_greeting_can_go_wrong() {
    let mut stage = Stage::new(Protocol::Submission, &["smtp.connect refuse"]);
    stage.go_on().await;
    let said = stage.take();
    assert_eq!(
        said,
        "421 4.3.0 Temporary System Problem. Try again later t - pillarbox\r\n"
    );
    assert!(stage.closed);
    let mut stage = Stage::new(
        Protocol::Imap,
        &["imap.connect throttle 9", "imap.noop refuse"],
    );
    assert!(
        stage.send("a NOOP\r\n").await.starts_with("a NO "),
        "it lives on"
    );
}

/// What is not released within this waits for its hour.
const AT_ONCE: Duration = Duration::from_secs(60);

impl Stage {
    /// Goes on until it waits for a fault.
    fn held(&mut self) -> Job<Answer<()>> {
        loop {
            match self.faulty.advance(self.now) {
                Step::Send(bytes) => self.said.extend_from_slice(&bytes),
                Step::Run(mut job) => {
                    assert!(is_waiting(&mut job));
                    return job;
                }
                _ => panic!("nothing holds it"),
            }
        }
    }

    /// Goes on when the fault is over, which must be now.
    async fn released(&mut self, job: Job<Answer<()>>) {
        let answer = tokio::time::timeout(AT_ONCE, job).await.unwrap();
        self.faulty.answer(answer, self.now);
        let rest = tokio::time::timeout(AT_ONCE, self.go_on()).await;
        rest.unwrap();
    }
}

fn is_waiting(job: &mut Job<Answer<()>>) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    job.as_mut().poll(&mut context).is_pending()
}

#[tokio::test]
async fn what_is_cleared_releases_what_it_holds() {
    for which in [None, Some("1"), Some("imap.noop")] {
        let mut stage = Stage::new(
            Protocol::Imap,
            &["imap.noop delay 1h", "imap.fetch drop", "imap.list drop"],
        );
        stage.go_on().await;
        stage.faulty.receive(b"a NOOP\r\n");
        let mut job = stage.held();
        for other in ["imap.fetch", "3"] {
            stage.faults.clear(Some(other)).unwrap();
            assert!(is_waiting(&mut job), "{other} was cleared");
        }
        stage.faults.clear(which).unwrap();
        stage.released(job).await;
        assert_eq!(stage.take(), "did a NOOP\r\n", "{which:?}");
    }
}

#[tokio::test]
async fn what_takes_its_place_releases_it_too() {
    let mut stage = Stage::new(Protocol::Imap, &["imap.connect delay 1h"]);
    let job = stage.held();
    stage.set("imap.connect delay 2h");
    stage.released(job).await;
}

#[tokio::test]
async fn a_slow_answer_comes_at_once_when_that_is_cleared() {
    let mut stage = Stage::new(Protocol::Imap, &["imap.list drop"]);
    stage.go_on().await;
    stage.set("imap.noop throttle 1");
    let name = "x".repeat(10_000);
    stage
        .faulty
        .receive(format!("a NOOP {name}\r\n").as_bytes());
    let mut job = stage.held();
    assert_eq!(stage.take(), "d", "one octet a second");
    stage.faults.clear(Some("imap.list")).unwrap();
    assert!(is_waiting(&mut job), "another was cleared");
    stage.faults.clear(None).unwrap();
    stage.released(job).await;
    assert_eq!(stage.take(), format!("id a NOOP {name}\r\n"));
}

#[tokio::test]
async fn a_session_whose_fault_was_cleared_does_not_expire() {
    let mut stage = Stage::new(Protocol::Imap, &["imap.noop expired 1h"]);
    stage.send("a NOOP\r\n").await;
    stage.faults.clear(None).unwrap();
    stage.now.mono += Duration::from_secs(3_601);
    stage.go_on().await;
    assert!(!stage.closed);
    assert_eq!(stage.take(), "");
}
