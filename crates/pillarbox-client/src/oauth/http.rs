//! One request, one answer, over the library's own TLS: no redirects, no cookies, no second try. A refresh token must not
//! be sent twice, so nothing here repeats what may have been received.

use super::{Error, clean};
use crate::{Limits, Secret, Server, Tls};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use std::time::Duration;
use url::{Host, Url};

/// Most of an answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// Longest time for one request, connecting included.
const WITHIN: Duration = Duration::from_secs(30);
/// Who we say we are.
const OUR_NAME: &str = concat!("pillarbox-client/", env!("CARGO_PKG_VERSION"));

/// What a server said.
pub(super) struct Answer {
    host: String,
    pub(super) status: StatusCode,
    body: Bytes,
}

/// What a request carries.
pub(super) enum Load<'a> {
    Nothing,
    Bearer(&'a Secret),
    Form(&'a [(&'a str, &'a str)]),
}

/// The error answer of RFC 6749 §5.2.
#[derive(serde::Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    error_description: String,
}

pub(super) async fn ask(url: &Url, tls: &Tls, load: Load<'_>) -> Result<Answer, Error> {
    let host = url.host_str().unwrap_or_default().to_owned();
    let asked = tokio::time::timeout(WITHIN, exchange(url, tls, load)).await;
    let (status, body) = asked
        .unwrap_or(Err(crate::Error::Timeout("an answer was due")))
        .map_err(|cause| Error::Unreachable {
            host: host.clone(),
            cause: Box::new(cause),
        })?;
    Ok(Answer { host, status, body })
}

async fn exchange(
    url: &Url,
    tls: &Tls,
    load: Load<'_>,
) -> Result<(StatusCode, Bytes), crate::Error> {
    let name = match url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => address.to_string(),
        None => return Err(crate::Error::Setting("an address without a host")),
    };
    let port = url.port_or_known_default().unwrap_or(443);
    let limits = Limits {
        connect: WITHIN,
        ..Limits::default()
    };
    let server = Server::new(name, port, tls.clone()).with_limits(limits);
    let stream = TokioIo::new(server.open().await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream)
        .await
        .map_err(broken)?;
    let connection = Running(tokio::spawn(async {
        // What breaks here breaks the request, which says so.
        let _ = connection.await;
    }));
    let response = sender.send_request(request(url, load)?).await;
    let response = response.map_err(broken)?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
    let body = body.collect().await.map_err(|cause| {
        match cause.downcast_ref::<http_body_util::LengthLimitError>() {
            Some(_) => crate::Error::TooLong {
                what: "one answer",
                bytes_max: ANSWER_BYTES_MAX,
            },
            None => crate::Error::Io(std::io::Error::other(cause)),
        }
    })?;
    drop(connection);
    Ok((status, body.to_bytes()))
}

/// A task that ends with this.
struct Running(tokio::task::JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn request(url: &Url, load: Load<'_>) -> Result<Request<Full<Bytes>>, crate::Error> {
    let unsendable = |_| crate::Error::Argument("a request with such a text".into());
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let host = match url.port() {
        Some(port) => format!("{}:{port}", url.host_str().unwrap_or_default()),
        None => url.host_str().unwrap_or_default().to_owned(),
    };
    let request = Request::builder()
        .uri(target)
        .header(HOST, host)
        .header(USER_AGENT, OUR_NAME)
        .header(ACCEPT, "application/json");
    let request = match load {
        Load::Nothing => request.body(Full::default()),
        Load::Bearer(token) => {
            let line = HeaderValue::try_from(format!("Bearer {}", token.reveal()));
            let mut line = line.map_err(|e| unsendable(e.into()))?;
            line.set_sensitive(true);
            request.header(AUTHORIZATION, line).body(Full::default())
        }
        Load::Form(fields) => {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            form.extend_pairs(fields);
            request
                .method(Method::POST)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Full::from(form.finish()))
        }
    };
    request.map_err(unsendable)
}

fn broken(cause: hyper::Error) -> crate::Error {
    crate::Error::Io(std::io::Error::other(cause))
}

impl Answer {
    /// The JSON of a good answer; the refusal in a bad one.
    pub(super) fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        if !self.status.is_success() {
            return Err(self.refusal());
        }
        serde_json::from_slice(&self.body).map_err(|cause| Error::Answer {
            what: clean(&format!("the answer is not understood: {cause}")),
            host: self.host,
        })
    }

    /// A bad answer as an error.
    pub(super) fn refusal(self) -> Error {
        let Self { host, status, body } = self;
        let told: Option<Refusal> = serde_json::from_slice(&body).ok();
        let temporary = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        match told {
            Some(told) if !temporary && told.error != "temporarily_unavailable" => Error::Refused {
                code: clean(&told.error),
                description: clean(&told.error_description),
            },
            told if temporary || told.is_some() => Error::Unavailable {
                host,
                what: match told {
                    Some(told) => clean(&told.error_description),
                    None => format!("HTTP status {status}"),
                },
            },
            _ => Error::Answer {
                host,
                what: format!("HTTP status {status}"),
            },
        }
    }
}
