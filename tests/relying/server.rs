//! A development server for a test of its own, HTTPS to it, and a browser that a few lines play.

use oauth2::http::header::{CONTENT_LENGTH, COOKIE, LOCATION, SET_COOKIE};
use oauth2::http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use url::{Url, form_urlencoded};

pub const ADA: &str = "ada@example.test";
pub const MAIL: &str = "https://mail.google.com/";

/// Nothing takes longer unless it hangs.
const DEADLINE: Duration = Duration::from_secs(60);
/// Longest answer taken, in bytes.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// A running `pillarbox dev`; ends with the test.
pub struct Server {
    home: tempfile::TempDir,
    child: Child,
    facts: Value,
    tls: Arc<ClientConfig>,
}

/// The program beside this test: `cargo test --workspace` builds both.
fn program() -> PathBuf {
    if let Some(named) = std::env::var_os("PILLARBOX_PROGRAM") {
        return named.into();
    }
    let own = std::env::current_exe().unwrap();
    let found = own
        .parent()
        .and_then(Path::parent)
        .unwrap()
        .join("pillarbox");
    assert!(found.exists(), "first: cargo build -p pillarbox");
    found
}

impl Server {
    pub fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut child = command(home.path())
            .args(["dev", "--ports", "auto", "--json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let facts: Value =
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("not ready: {line:?}"));
        let pem = std::fs::read(facts["ca"].as_str().unwrap()).unwrap();
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(&pem).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            home,
            child,
            facts,
            tls: Arc::new(tls),
        }
    }

    pub fn fact(&self, name: &str) -> &str {
        self.facts[name].as_str().unwrap()
    }

    pub fn issuer(&self) -> &str {
        self.fact("issuer")
    }

    pub fn address(&self, path: &str) -> String {
        format!("{}{path}", self.issuer())
    }

    /// The program as a command; what it prints.
    pub fn run(&self, words: &[&str]) -> String {
        let done = command(self.home.path())
            .env("PILLARBOX_ADMIN", self.fact("admin"))
            .args(words)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{words:?}: {told}");
        String::from_utf8(done.stdout).unwrap()
    }

    /// One request, one answer, and the connection ends. Redirects are answers.
    pub fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Error> {
        let port = request.uri().port_u16().unwrap_or(443);
        let socket = TcpStream::connect(("localhost", port))?;
        socket.set_read_timeout(Some(DEADLINE))?;
        let name = ServerName::try_from("localhost").map_err(Error::other)?;
        let session = ClientConnection::new(Arc::clone(&self.tls), name).map_err(Error::other)?;
        let mut stream = StreamOwned::new(session, socket);
        stream.write_all(&printed(&request))?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
        parse(&answer).ok_or_else(|| Error::from(ErrorKind::InvalidData))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which its test has noticed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(home: &Path) -> Command {
    let mut command = Command::new(program());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PILLARBOX_")) {
        command.env_remove(name);
    }
    command
        .env("HOME", home)
        .env_remove("XDG_DATA_HOME")
        .env_remove("XDG_RUNTIME_DIR");
    command
}

fn printed(request: &Request<Vec<u8>>) -> Vec<u8> {
    let uri = request.uri();
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let host = uri.authority().map_or("localhost", |host| host.as_str());
    let mut head = format!(
        "{} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n",
        request.method(),
        request.body().len()
    );
    for (name, value) in request
        .headers()
        .iter()
        .filter(|(name, _)| *name != CONTENT_LENGTH)
    {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    [head.as_bytes(), b"\r\n", request.body()].concat()
}

/// Answers of this server say their length, or have none.
fn parse(answer: &[u8]) -> Option<Response<Vec<u8>>> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?;
    let mut response = Response::new(answer[end + 4..].to_vec());
    *response.status_mut() = StatusCode::from_bytes(status.as_bytes()).ok()?;
    for line in lines {
        let (name, value) = line.split_once(": ")?;
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let value = HeaderValue::from_str(value).ok()?;
        response.headers_mut().append(name, value);
    }
    let length = response.headers().get(CONTENT_LENGTH);
    let length: Option<usize> = length.and_then(|length| length.to_str().ok()?.parse().ok());
    (length.is_none_or(|length| length == response.body().len())).then_some(response)
}

/// A browser with one cookie, as Ada uses it.
pub struct Browser<'a> {
    server: &'a Server,
    cookie: Option<HeaderValue>,
}

impl<'a> Browser<'a> {
    pub fn new(server: &'a Server) -> Self {
        Self {
            server,
            cookie: None,
        }
    }

    /// Opens a page, or sends a form, and follows until a page is there or another site begins.
    fn open(&mut self, address: &str, form: Option<&[(&str, &str)]>) -> Page {
        let mut request = Request::builder().uri(address);
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        let body = form.map(|pairs| {
            form_urlencoded::Serializer::new(String::new())
                .extend_pairs(pairs)
                .finish()
        });
        if body.is_some() {
            request = request
                .method(Method::POST)
                .header("content-type", "application/x-www-form-urlencoded");
        }
        let request = request.body(body.unwrap_or_default().into_bytes()).unwrap();
        let answer = self.server.send(request).unwrap();
        if let Some(cookie) = answer.headers().get(SET_COOKIE) {
            let text = cookie.to_str().unwrap().split(';').next().unwrap();
            self.cookie = Some(HeaderValue::from_str(text).unwrap());
        }
        let Some(next) = answer.headers().get(LOCATION) else {
            return Page::Here(String::from_utf8(answer.into_body()).unwrap());
        };
        let next = Url::parse(address)
            .unwrap()
            .join(next.to_str().unwrap())
            .unwrap();
        match next.as_str().starts_with(self.server.issuer()) {
            true => self.open(next.as_str(), None),
            false => Page::Left(next),
        }
    }

    /// Signs in as Ada if that is asked for, and presses Allow; where the browser is sent.
    pub fn allow(&mut self, address: &str, action: &str) -> Option<Url> {
        let mut page = self.open(address, None).here();
        if page.contains("name=\"password\"") {
            let then = field(&page, "then");
            let form = [
                ("address", ADA),
                ("password", "pillarbox"),
                ("then", then.as_str()),
            ];
            page = self
                .open(&self.server.address("/signin"), Some(&form))
                .here();
        }
        let (then, account) = (field(&page, "then"), field(&page, "account"));
        let form = [
            ("then", then.as_str()),
            ("account", account.as_str()),
            ("answer", "allow"),
        ];
        match self.open(&self.server.address(action), Some(&form)) {
            Page::Left(address) => Some(address),
            Page::Here(_) => None,
        }
    }

    /// The same for a device: types the code.
    pub fn allow_device(&mut self, code: &str) {
        let address = self
            .server
            .address(&format!("/device/consent?user_code={code}"));
        self.allow(&address, "/device/consent");
    }

    /// Presses Cancel for a device.
    pub fn refuse_device(&mut self, code: &str) {
        let then = format!("user_code={code}");
        let form = [("then", then.as_str()), ("answer", "cancel")];
        self.open(&self.server.address("/device/consent"), Some(&form));
    }
}

enum Page {
    Here(String),
    Left(Url),
}

impl Page {
    fn here(self) -> String {
        match self {
            Self::Here(page) => page,
            Self::Left(address) => panic!("sent to {address}"),
        }
    }
}

/// The value of a hidden field.
fn field(page: &str, name: &str) -> String {
    let begin = format!("name=\"{name}\" value=\"");
    let (_, rest) = page
        .split_once(&begin)
        .unwrap_or_else(|| panic!("no {name} in {page}"));
    let value = rest.split('"').next().unwrap();
    let value = value
        .replace("&#38;", "&")
        .replace("&#37;", "%")
        .replace("&#43;", "+");
    value
        .replace("&amp;", "&")
        .replace("&#61;", "=")
        .replace("&#x2F;", "/")
        .replace("&#47;", "/")
}

/// A value of an address's query.
pub fn query(address: &Url, name: &str) -> Option<String> {
    let mut pairs = address.query_pairs();
    pairs
        .find(|(other, _)| other == name)
        .map(|(_, value)| value.into_owned())
}
