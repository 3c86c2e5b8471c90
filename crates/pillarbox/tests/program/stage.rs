//! A program under test, in a home of its own.

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Nothing takes longer unless it hangs; generous, because the machine may be busy with other tests.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A home folder, and the program with nothing of ours in its environment.
pub struct Home(tempfile::TempDir);

impl Home {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pillarbox"));
        let ours = std::env::vars()
            .map(|(name, _)| name)
            .filter(|name| name.starts_with("PILLARBOX_"));
        for name in ours {
            command.env_remove(name);
        }
        command
            .env("HOME", self.path())
            .env_remove("XDG_DATA_HOME")
            .env_remove("XDG_RUNTIME_DIR");
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        finish(self.program(arguments), "")
    }

    /// Starts `dev --json` with more arguments, and waits until it is ready.
    pub fn dev(&self, arguments: &[&str]) -> Server {
        let mut all = vec!["dev", "--json"];
        all.extend(arguments);
        let mut command = self.program(&all);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = lines(child.stderr.take().unwrap());
        let out = lines(child.stdout.take().unwrap());
        let Ok(first) = out.recv_timeout(DEADLINE) else {
            let _ = child.kill();
            panic!("not ready: {}", log.iter().collect::<Vec<_>>().join("\n"));
        };
        Server {
            child,
            facts: serde_json::from_str(&first).unwrap(),
            log,
        }
    }
}

/// Runs a command to its end with this on standard input.
pub fn finish(mut command: Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let id = child.id();
    let (done, output) = mpsc::channel();
    std::thread::spawn(move || done.send(child.wait_with_output()));
    match output.recv_timeout(DEADLINE) {
        Ok(output) => output.unwrap(),
        Err(_) => {
            signal(id, "KILL");
            panic!("the program did not end");
        }
    }
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Sends a signal to the process with this id.
pub fn signal(id: u32, name: &str) {
    assert!(
        Command::new("kill")
            .arg(format!("-{name}"))
            .arg(id.to_string())
            .status()
            .unwrap()
            .success()
    );
}

/// The lines of a stream, as they come.
pub fn lines(stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (line, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for text in BufReader::new(stream).lines().map_while(Result::ok) {
            if line.send(text).is_err() {
                return;
            }
        }
    });
    lines
}

/// Waits for a child, at most until the deadline.
pub fn wait(child: &mut Child) -> std::process::ExitStatus {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < end, "the program did not end");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A running development server.
pub struct Server {
    pub child: Child,
    pub facts: Value,
    pub log: mpsc::Receiver<String>,
}

impl Server {
    pub fn text(&self, fact: &str) -> String {
        self.facts[fact].as_str().unwrap().to_owned()
    }

    pub fn port(&self, service: &str) -> u16 {
        u16::try_from(self.facts[format!("{service}_port")].as_u64().unwrap()).unwrap()
    }

    /// A command that finds this server by the variables.
    pub fn run(&self, home: &Home, arguments: &[&str], input: &str) -> Output {
        let mut command = home.program(arguments);
        command.env("PILLARBOX_ADMIN", self.text("admin"));
        finish(command, input)
    }

    /// The same, which must succeed; its only line.
    pub fn ask(&self, home: &Home, arguments: &[&str]) -> String {
        let output = self.run(home, arguments, "");
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            stderr(&output)
        );
        stdout(&output).trim_end().to_owned()
    }

    /// The next log line that contains this.
    pub fn logged(&self, wanted: &str) -> String {
        let end = Instant::now() + DEADLINE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.log.recv_timeout(left) {
                Ok(line) if line.contains(wanted) => return line,
                Ok(_) => {}
                Err(_) => panic!("the log never said {wanted:?}"),
            }
        }
    }

    /// A TLS connection that trusts the private CA and nothing else.
    pub fn tls(&self, service: &str) -> Tls {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(PathBuf::from(self.text("ca"))).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let socket = TcpStream::connect(("localhost", self.port(service))).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        Tls(BufReader::new(StreamOwned::new(connection, socket)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client that sends and reads lines.
pub struct Tls(BufReader<StreamOwned<ClientConnection, TcpStream>>);

impl Tls {
    pub fn say(&mut self, line: &str) {
        self.0
            .get_mut()
            .write_all(format!("{line}\r\n").as_bytes())
            .unwrap();
    }

    /// The next line; empty at the end, which must be TLS's own.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Reads up to the line that begins so.
    pub fn until(&mut self, start: &str) -> String {
        loop {
            let line = self.line();
            assert!(!line.is_empty(), "closed before {start}");
            if line.starts_with(start) {
                return line;
            }
        }
    }

    /// IMAP with XOAUTH2; the tagged answer.
    pub fn xoauth2(&mut self, user: &str, token: &str) -> String {
        use base64::Engine;
        let blob = format!("user={user}\x01auth=Bearer {token}\x01\x01");
        let blob = base64::engine::general_purpose::STANDARD.encode(blob);
        self.say(&format!("a AUTHENTICATE XOAUTH2 {blob}"));
        loop {
            let line = self.line();
            assert!(!line.is_empty(), "closed while signing in");
            if line.starts_with("+ ") {
                self.say("");
            }
            if line.starts_with("a ") {
                return line;
            }
        }
    }
}
