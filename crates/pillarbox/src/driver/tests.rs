//! The driver over real sockets and real TLS, with a small machine in place of a protocol.
#![allow(clippy::unwrap_used, reason = "a failure is the message")]

use super::*;
use crate::tls::{Authority, Served, configs};
use pillarbox_protocols::conversation::Now;
use pillarbox_protocols::sessions::{Protocol, Registry, Seat, Which};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use std::sync::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Nothing here takes longer unless it hangs.
const DEADLINE: Duration = Duration::from_secs(20);

/// Until when `rest` rests, from the beginning.
const RESTED: Duration = Duration::from_secs(1);

/// Answers lines: `job` after a while, `rest` before a moment and after it, `starttls`, `flood` without end, `quit`; anything else in capitals.
struct Talk {
    seat: Seat,
    begun: Duration,
    ends: Option<i64>,
    buffer: Vec<u8>,
    steps: VecDeque<Step<()>>,
    flooding: bool,
    story: Arc<Mutex<Vec<String>>>,
}

impl Talk {
    fn send(&mut self, text: &str) {
        self.steps
            .push_back(Step::Send(Bytes::from(format!("{text}\n"))));
    }

    fn note(&self, text: &str) {
        self.story.lock().unwrap().push(text.into());
    }

    fn line(&mut self, line: &str) {
        match line {
            "job" => self
                .steps
                .push_back(Step::Run(Box::pin(sleep(Duration::from_millis(20))))),
            "rest" => {
                self.send("resting");
                self.steps.push_back(Step::Rest(self.begun + RESTED));
                self.send("rested");
            }
            "quick" => self.steps.push_back(Step::Run(Box::pin(async {}))),
            "starttls" => {
                self.send("go");
                self.steps.push_back(Step::UpgradeTls);
            }
            "flood" => self.flooding = true,
            "quit" => {
                self.send("bye");
                self.steps.push_back(Step::Close);
            }
            "panic" => panic!("a bug"),
            other => self.send(&other.to_uppercase()),
        }
    }
}

impl Conversation for Talk {
    type Answer = ();

    fn advance(&mut self, now: Now) -> Step<()> {
        if let Some(step) = self.steps.pop_front() {
            return step;
        }
        if self.flooding {
            return Step::Send(Bytes::from(vec![b'x'; 32 * 1_024]));
        }
        if self.ends.is_some_and(|ends| now.wall >= ends) {
            self.ends = None;
            self.send("expired");
            self.steps.push_back(Step::Close);
            return self.advance(now);
        }
        Step::Read(Until {
            mono: self.begun + Duration::from_secs(1_800),
            wall: self.ends,
        })
    }

    fn receive(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return self.note("left");
        }
        self.buffer.extend_from_slice(bytes);
        while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            self.line(String::from_utf8_lossy(&line).trim_end());
        }
    }

    fn answer(&mut self, (): (), _: Now) {
        self.send("done");
    }

    fn hear(&mut self, news: News) {
        if matches!(news, News::Ended(_)) {
            self.send("revoked");
            self.steps.push_back(Step::Close);
        }
    }

    fn secured(&mut self) {
        self.note("secured");
    }

    fn seat(&mut self) -> &mut Seat {
        &mut self.seat
    }
}

struct Stage {
    driver: Driver,
    registry: Registry,
    story: Arc<Mutex<Vec<String>>>,
    roots: Arc<ClientConfig>,
    _folder: tempfile::TempDir,
}

impl Stage {
    fn new(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_make(folder.path()).unwrap();
        let served = Served::new(authority.issue(&["localhost".into()]).unwrap());
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(authority.certificate_file()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let roots = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let driver = Driver {
            clock: Clock::new(),
            tls: configs(&served).unwrap().mail,
            bound_to: None,
            asks: false,
            limits,
        };
        Self {
            driver,
            registry: Registry::default(),
            story: Arc::default(),
            roots: Arc::new(roots),
            _folder: folder,
        }
    }

    /// Starts a conversation on a fresh connection; the client's socket, and the driver's task.
    async fn open(&self, tls_at_once: bool) -> (TcpStream, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (socket, peer) = listener.accept().await.unwrap();
        let now = self.driver.clock.now();
        let talk = Talk {
            seat: self
                .registry
                .connect(Protocol::Imap, peer.ip(), "t", now.wall),
            begun: now.mono,
            ends: Some(now.wall + 3_600_000),
            buffer: Vec::new(),
            steps: VecDeque::new(),
            flooding: false,
            story: self.story.clone(),
        };
        let driver = self.driver.clone();
        let task = tokio::spawn(async move {
            let wire = if tls_at_once {
                driver.handshake(socket).await.unwrap()
            } else {
                Wire::Plain(socket)
            };
            driver.drive(talk, wire).await;
        });
        (client, task)
    }

    async fn secure(
        &self,
        socket: TcpStream,
    ) -> BufReader<tokio_rustls::client::TlsStream<TcpStream>> {
        let name = ServerName::try_from("localhost").unwrap();
        BufReader::new(
            tokio_rustls::TlsConnector::from(self.roots.clone())
                .connect(name, socket)
                .await
                .unwrap(),
        )
    }

    fn story(&self) -> Vec<String> {
        self.story.lock().unwrap().clone()
    }
}

async fn line(stream: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> String {
    let mut line = String::new();
    timeout(DEADLINE, stream.read_line(&mut line))
        .await
        .unwrap()
        .unwrap();
    line.trim_end().to_owned()
}

#[tokio::test]
async fn talks_and_closes_with_tls_farewell() {
    let stage = Stage::new(Limits::default());
    let (socket, task) = stage.open(true).await;
    let mut client = stage.secure(socket).await;
    client
        .write_all(b"hello\njob\nquick\nthere\nquit\n")
        .await
        .unwrap();
    let mut all = String::new();
    // Without close_notify this is an error, not an end.
    timeout(DEADLINE, client.read_to_string(&mut all))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(all, "HELLO\nTHERE\nbye\n");
    drop(client);
    timeout(DEADLINE, task).await.unwrap().unwrap();
    assert!(stage.registry.list().is_empty());
}

#[tokio::test]
async fn upgrades_and_goes_on() {
    let stage = Stage::new(Limits::default());
    let (mut socket, _task) = stage.open(false).await;
    socket.write_all(b"plain\nstarttls\n").await.unwrap();
    let mut seen = [0; 9];
    timeout(DEADLINE, socket.read_exact(&mut seen))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&seen, b"PLAIN\ngo\n");
    let mut client = stage.secure(socket).await;
    client.write_all(b"secret\n").await.unwrap();
    assert_eq!(line(&mut client).await, "SECRET");
    assert_eq!(stage.story(), ["secured"]);
}

#[tokio::test]
async fn a_moved_clock_ends_a_waiting_session() {
    let stage = Stage::new(Limits::default());
    let (socket, _task) = stage.open(true).await;
    let mut client = stage.secure(socket).await;
    client.write_all(b"here\n").await.unwrap();
    assert_eq!(line(&mut client).await, "HERE");
    stage.driver.clock.advance(Duration::from_secs(3_601));
    assert_eq!(line(&mut client).await, "expired");
    assert_eq!(line(&mut client).await, "");
}

#[tokio::test]
async fn revocation_reaches_a_waiting_session() {
    let stage = Stage::new(Limits::default());
    let (socket, _task) = stage.open(true).await;
    let mut client = stage.secure(socket).await;
    client.write_all(b"here\n").await.unwrap();
    assert_eq!(line(&mut client).await, "HERE");
    let which = Which::Session("t".into());
    assert_eq!(stage.registry.end(&which, "by hand"), 1);
    assert_eq!(line(&mut client).await, "revoked");
}

#[tokio::test]
async fn rests_until_the_moment_and_hears_nothing_meanwhile() {
    let stage = Stage::new(Limits::default());
    let begun = stage.driver.clock.now().mono;
    let (socket, task) = stage.open(true).await;
    let mut client = stage.secure(socket).await;
    client.write_all(b"rest\nhere\n").await.unwrap();
    assert_eq!(line(&mut client).await, "resting");
    let early = stage.driver.clock.now().mono;
    let which = Which::Session("t".into());
    stage.registry.end(&which, "by hand");
    assert_eq!(line(&mut client).await, "rested");
    assert!(
        early < begun + RESTED,
        "what was said before went out before"
    );
    assert!(stage.driver.clock.now().mono >= begun + RESTED);
    for told in ["HERE", "revoked", ""] {
        assert_eq!(line(&mut client).await, told);
    }
    drop(client);
    timeout(DEADLINE, task).await.unwrap().unwrap();
}

#[tokio::test]
async fn who_leaves_while_it_rests_is_let_go() {
    let stage = Stage::new(Limits::default());
    let (socket, task) = stage.open(true).await;
    let mut client = stage.secure(socket).await;
    client.write_all(b"rest\n").await.unwrap();
    assert_eq!(line(&mut client).await, "resting");
    drop(client);
    timeout(DEADLINE, task).await.unwrap().unwrap();
    assert_eq!(stage.story(), ["left"]);
}

#[tokio::test]
async fn who_does_not_read_is_let_go() {
    let limits = Limits {
        write_grace: Duration::from_millis(200),
        write_octets_per_second_min: u64::MAX,
        linger: Duration::from_millis(50),
        ..Limits::default()
    };
    let stage = Stage::new(limits);
    let (mut client, task) = stage.open(false).await;
    client.write_all(b"flood\n").await.unwrap();
    // The machine floods for ever; only the driver can end it, and it does although the client neither reads nor leaves.
    timeout(DEADLINE, task).await.unwrap().unwrap();
    assert_eq!(stage.story(), ["left"]);
}

#[tokio::test]
async fn a_vanished_peer_is_an_end_like_any_other() {
    let stage = Stage::new(Limits::default());
    let (socket, task) = stage.open(true).await;
    let client = stage.secure(socket).await;
    drop(client); // no close_notify; and the machine asks for more
    timeout(DEADLINE, task).await.unwrap().unwrap();
    assert_eq!(stage.story(), ["left"]);
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_ended() {
    let stage = Stage::new(Limits {
        handshake: Duration::from_millis(100),
        ..Limits::default()
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _silent = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (socket, _) = listener.accept().await.unwrap();
    let ended = timeout(DEADLINE, stage.driver.handshake(socket))
        .await
        .unwrap();
    assert_eq!(ended.err().unwrap().kind(), io::ErrorKind::TimedOut);
}

#[test]
fn the_outbox_is_written_in_order_whatever_the_socket_takes() {
    let mut outbox = Outbox::default();
    let texts: [&'static [u8]; 4] = [b"one", b"", b"two!", b"three"];
    texts
        .into_iter()
        .for_each(|text| outbox.push(Bytes::from_static(text)));
    let mut written = Vec::new();
    while outbox.has_remaining() {
        let mut slices = [IoSlice::new(&[]); 2];
        let count = outbox.chunks_vectored(&mut slices);
        let offered: Vec<u8> = slices[..count]
            .iter()
            .flat_map(|slice| slice.to_vec())
            .collect();
        let taken = offered.len().min(5);
        written.extend_from_slice(&offered[..taken]);
        outbox.advance(taken);
    }
    assert_eq!(written, b"onetwo!three");
}

#[test]
fn what_a_waiting_connection_holds_is_small() {
    let stage = Stage::new(Limits::default());
    let registry = Registry::default();
    let talk = Talk {
        seat: registry.connect(Protocol::Imap, [127, 0, 0, 1].into(), "t", 0),
        begun: Duration::ZERO,
        ends: None,
        buffer: Vec::new(),
        steps: VecDeque::new(),
        flooding: false,
        story: Arc::default(),
    };
    let conversation = size_of_val(&talk);
    let future = stage.driver.drive(talk, Wire::Gone);
    let ours = size_of_val(&future) - conversation;
    assert!(ours < 1_536, "the driver's own future has {ours} octets");
}
