//! Sign-in in the browser of this computer: authorization code with PKCE (RFC 7636), which comes back to a loopback port
//! (RFC 8252 §7.3). The listener lives as long as the sign-in and answers nobody but the browser that carries its state.

use super::page::Ending;
use super::{App, Error, Issuer, Tokens, Wish, clean, random_text};
use crate::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use url::{Url, form_urlencoded};

/// Bytes of randomness in state and verifier: 256 bits, 43 characters (RFC 7636 §4.1).
const RANDOM_BYTES: usize = 32;
/// Longest request of a browser that is read, in bytes: our own address with a code, and its cookies of localhost.
const REQUEST_BYTES_MAX: usize = 32 * 1024;
/// Longest time for one request, reading and answering.
const REQUEST_WITHIN: Duration = Duration::from_secs(20);
/// Connections at once: browsers open a few on suspicion.
const CONNECTIONS_MAX: usize = 16;
/// How long a person may take.
const PERSON_WITHIN: Duration = Duration::from_secs(10 * 60);
/// How long the last page may take to reach the browser.
const LAST_PAGE_WITHIN: Duration = Duration::from_secs(5);

/// A sign-in that waits for the browser.
#[derive(Debug)]
pub struct InBrowser {
    issuer: Issuer,
    app: App,
    listener: TcpListener,
    redirect: String,
    state: String,
    verifier: Secret,
    address: Url,
    within: Duration,
}

/// A browser that came back, and how to show it a page.
struct Visit {
    answer: Vec<(String, String)>,
    page: oneshot::Sender<Ending>,
}

impl Issuer {
    /// Begins a sign-in: listens on a free port of 127.0.0.1 for the browser to come back to.
    ///
    /// # Errors
    /// [`Error::Unsupported`], [`Error::Listen`].
    pub async fn in_browser(&self, app: &App, wish: &Wish) -> Result<InBrowser, Error> {
        let endpoint = self.authorization_endpoint()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.map_err(Error::Listen)?;
        let port = listener.local_addr().map_err(Error::Listen)?.port();
        let redirect = format!("http://127.0.0.1:{port}/");
        let state = random_text(RANDOM_BYTES)?;
        let verifier = random_text(RANDOM_BYTES)?;
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
        let mut address = endpoint.clone();
        address.query_pairs_mut().extend_pairs([
            ("client_id", app.id.as_str()),
            ("redirect_uri", &redirect),
            ("response_type", "code"),
            ("scope", &self.scope(wish)),
            ("state", &state),
            ("code_challenge", &URL_SAFE_NO_PAD.encode(digest)),
            ("code_challenge_method", "S256"),
            // Google gives a refresh token only if asked like this.
            ("access_type", "offline"),
            ("prompt", "consent"),
        ]);
        if let Some(hint) = &wish.address {
            address.query_pairs_mut().append_pair("login_hint", hint);
        }
        Ok(InBrowser {
            issuer: self.clone(),
            app: app.clone(),
            listener,
            redirect,
            state,
            verifier: Secret::new(verifier),
            address,
            within: PERSON_WITHIN,
        })
    }
}

impl InBrowser {
    /// Where the person's browser has to go. It holds no secret that opens anything by itself.
    #[must_use]
    pub fn address(&self) -> &Url {
        &self.address
    }

    /// Waits at most this long for the person; 10 minutes unless said.
    #[must_use]
    pub fn within(mut self, time: Duration) -> Self {
        self.within = time;
        self
    }

    /// Waits until the browser comes back, gets the tokens, and lets the browser say how it ended.
    ///
    /// # Errors
    /// [`Error::Refused`] with `access_denied` if the person said no; [`Error::TimedOut`]; what the token endpoint says.
    pub async fn finish(self) -> Result<Tokens, Error> {
        let (visits, mut arriving) = mpsc::channel(CONNECTIONS_MAX);
        let mut connections = JoinSet::new();
        let end = Instant::now() + self.within;
        loop {
            tokio::select! {
                () = sleep_until(end) => return Err(Error::TimedOut),
                accepted = self.listener.accept(), if connections.len() < CONNECTIONS_MAX => {
                    // One connection that fails is not the browser's last.
                    if let Ok((stream, _)) = accepted {
                        let serve = serve(stream, self.redirect.clone(), visits.clone());
                        connections.spawn(timeout(REQUEST_WITHIN, serve));
                    }
                }
                Some(_) = connections.join_next() => {}
                Some(Visit { answer, page }) = arriving.recv() => {
                    let Some(code) = self.read(&answer) else {
                        // A browser that is gone needs no page.
                        let _ = page.send(Ending::Stray);
                        continue;
                    };
                    let tokens = match code {
                        Ok(code) => self.redeem(&code).await,
                        Err(error) => Err(error),
                    };
                    let _ = page.send(ending(&tokens));
                    let rest = async { while connections.join_next().await.is_some() {} };
                    let _ = timeout(LAST_PAGE_WITHIN, rest).await;
                    return tokens;
                }
            }
        }
    }

    /// The code in the browser's address, or the refusal; `None` if it is not the answer to our question.
    fn read(&self, answer: &[(String, String)]) -> Option<Result<String, Error>> {
        let get = |name: &str| {
            let mut found = answer.iter().filter(|(n, _)| n == name).map(|(_, v)| v);
            // A parameter that is there twice means nothing (RFC 6749 §3.1).
            found.next().filter(|_| found.next().is_none())
        };
        if get("state") != Some(&self.state) {
            return None;
        }
        let metadata = &self.issuer.metadata;
        let from_another = match get("iss") {
            Some(iss) => *iss != metadata.issuer,
            None => metadata.authorization_response_iss_parameter_supported,
        };
        if from_another {
            // RFC 9207 §2.4: neither the code nor the error is worth anything.
            return Some(Err(Error::Refused {
                code: "invalid_response".into(),
                description: "the answer came from another issuer".into(),
            }));
        }
        if let Some(code) = get("error") {
            let description = get("error_description").map_or("", String::as_str);
            return Some(Err(Error::Refused {
                code: clean(code),
                description: clean(description),
            }));
        }
        get("code").map(|code| Ok(code.clone()))
    }

    async fn redeem(&self, code: &str) -> Result<Tokens, Error> {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect),
            ("code_verifier", self.verifier.reveal()),
        ];
        self.issuer.token(&self.app, &fields).await
    }
}

fn ending(tokens: &Result<Tokens, Error>) -> Ending {
    match tokens {
        Ok(_) => Ending::Done,
        Err(Error::Refused { code, .. }) if code == "access_denied" => Ending::Denied,
        Err(_) => Ending::Failed,
    }
}

/// Reads one request and answers it.
async fn serve(mut stream: TcpStream, redirect: String, visits: mpsc::Sender<Visit>) {
    let Some(head) = read_head(&mut stream).await else {
        return;
    };
    let answer = match target(&head, &redirect) {
        None => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".into(),
        Some(answer) => {
            let (page, shown) = oneshot::channel();
            if visits.send(Visit { answer, page }).await.is_err() {
                return;
            }
            let Ok(ending) = shown.await else { return };
            let page = ending.page();
            format!(
                "HTTP/1.1 {}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
                 Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; \
                 form-action 'none'; frame-ancestors 'none'\r\nReferrer-Policy: no-referrer\r\n\
                 X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n{page}",
                ending.status(),
                page.len()
            )
        }
    };
    // A browser that left does not want it.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// A request up to its blank line; `None` if it is too long or does not come.
async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = stream.read(&mut piece).await.ok().filter(|n| *n > 0)?;
        head.extend_from_slice(&piece[..count]);
        if head.len() > REQUEST_BYTES_MAX {
            return None;
        }
    }
    String::from_utf8(head).ok()
}

/// The parameters of a request for the redirect address. Other paths (icons), other methods and other hosts (a name that
/// was made to lead here) are none of it.
fn target(head: &str, redirect: &str) -> Option<Vec<(String, String)>> {
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let host = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim())
    })?;
    let (path, query) = target.split_once('?')?;
    let ours = method == "GET" && path == "/" && format!("http://{host}/") == redirect;
    ours.then(|| {
        form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect()
    })
}
