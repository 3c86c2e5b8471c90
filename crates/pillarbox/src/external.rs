//! Asks external OpenID providers over HTTP: what is asked and what the answers mean is the identity floor's business. Here
//! are the bounds: TLS always and verified, no redirects, no proxies, a few seconds, so many bytes.

use crate::at_rest;
use crate::config::Config;
use crate::config::external::ExternalProvider;
use crate::failure::Failure;
use pillarbox_oauth::{
    EXTERNAL_DOCUMENT_BYTES_MAX, External, ExternalAnswer, ExternalRequest, Fetch, Fetching,
    Secret, Shows,
};
use pillarbox_store::mail::Naming;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use rustls::{ClientConfig, RootCertStore, version};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use rustls_platform_verifier::BuilderVerifierExt;
use std::collections::HashMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use url::{Url, form_urlencoded};

/// Time to connect, TLS included.
const CONNECT: Duration = Duration::from_secs(3);
/// Time for everything: somebody waits for it.
const WHOLE: Duration = Duration::from_secs(6);
/// Connections kept open to one provider.
const IDLE_CONNECTIONS: usize = 4;
/// Longest secret, in bytes.
const SECRET_BYTES_MAX: u64 = 4 * 1024;

/// The configured providers, with their secrets and whom to trust; None if there are none.
pub fn open(config: &Config, naming: Naming) -> Result<Option<External>, Failure> {
    if config.external.is_empty() {
        return Ok(None);
    }
    let (mut providers, mut clients) = (Vec::new(), HashMap::new());
    for one in &config.external {
        let at = |why: String| Failure::could_not(format!("[oauth.external.{}] {why}", one.name));
        let provider = provider(one, config).map_err(at)?;
        clients.insert(
            Arc::clone(&provider.name),
            client(&one.ca_file, WHOLE).map_err(at)?,
        );
        providers.push(provider);
    }
    let external = External {
        providers,
        domains: vec![config.domain.clone()],
        naming,
        fetch: Arc::new(Web(clients)),
    };
    let checked = external.check(&config.issuer());
    checked.map_err(|why| Failure::could_not(format!("oauth.external: {why}")))?;
    Ok(Some(external))
}

fn provider(
    one: &ExternalProvider,
    config: &Config,
) -> Result<pillarbox_oauth::ExternalProvider, String> {
    let or = |text: &str, other: String| match text {
        "" => other,
        text => text.to_owned(),
    };
    let host = Url::parse(&one.issuer).ok();
    let host = host.and_then(|url| url.host_str().map(str::to_owned));
    let secret_file = &one.client_secret_file;
    let has_secret = !secret_file.as_os_str().is_empty();
    Ok(pillarbox_oauth::ExternalProvider {
        name: one.name.as_str().into(),
        label: or(&one.label, host.unwrap_or_default()).into(),
        issuer: one.issuer.clone(),
        client_id: one.client_id.clone(),
        client_secret: has_secret.then(|| secret(secret_file)).transpose()?,
        account_claim: one.account_claim.clone(),
        scope: one.scopes.join(" "),
        audience: or(&one.audience, config.issuer()),
        mail_scope: Some(one.mail_scope.clone()).filter(|scope| !scope.is_empty()),
        create: one.create,
        introspection: one.introspection,
    })
}

fn secret(path: &Path) -> Result<Secret, String> {
    let cannot = |why: String| format!("client-secret-file {}: {why}", path.display());
    let size = std::fs::metadata(path).map_err(|error| cannot(error.to_string()))?;
    if size.len() > SECRET_BYTES_MAX {
        return Err(cannot("longer than a secret is".into()));
    }
    at_rest::check_key_file(path).map_err(|failure| failure.text)?;
    let text = std::fs::read_to_string(path).map_err(|error| cannot(error.to_string()))?;
    match text.trim() {
        "" => Err(cannot("it is empty".into())),
        secret => Ok(Secret::new(secret)),
    }
}

fn client(ca_file: &Path, whole: Duration) -> Result<Client, String> {
    Client::builder()
        .tls_backend_preconfigured(trust(ca_file)?)
        .https_only(true)
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT)
        .timeout(whole)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .user_agent(concat!("Pillarbox/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| in_words(&error))
}

/// The authorities of a file, or those the system trusts.
fn trust(ca_file: &Path) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(|error| error.to_string())?;
    if ca_file.as_os_str().is_empty() {
        let builder = builder.with_platform_verifier().map_err(|error| {
            format!("the system's certificate authorities cannot be read ({error}); on Debian they are the package ca-certificates")
        })?;
        return Ok(builder.with_no_client_auth());
    }
    let cannot = |why: String| format!("ca-file {}: {why}", ca_file.display());
    let found =
        CertificateDer::pem_file_iter(ca_file).map_err(|error| cannot(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in found {
        let certificate = certificate.map_err(|error| cannot(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| cannot(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(cannot("it holds no certificate".into()));
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// A client for each provider: each has its own authorities.
struct Web(HashMap<Arc<str>, Client>);

impl Fetch for Web {
    fn fetch(&self, request: ExternalRequest) -> Fetching<'_> {
        Box::pin(async move {
            let client = self.0.get(&request.provider);
            let client = client.ok_or("there is no such provider")?;
            let host = request.address.host_str().unwrap_or_default().to_owned();
            let answer = ask(client, request).await;
            answer.map_err(|why| format!("{host} {why}"))
        })
    }
}

async fn ask(client: &Client, request: ExternalRequest) -> Result<ExternalAnswer, String> {
    let ask = match request.form {
        None => client.get(request.address),
        Some(form) => client
            .post(request.address)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.expose().to_owned()),
    };
    let ask = ask.header(ACCEPT, "application/json");
    let ask = match request.shows {
        Shows::Nothing => ask,
        Shows::Token(token) => ask.bearer_auth(token.expose()),
        // RFC 6749 §2.3.1: both are encoded like form fields first.
        Shows::Client(id, secret) => ask.basic_auth(encoded(&id), Some(encoded(secret.expose()))),
    };
    let answer = ask.send().await;
    let answer = answer.map_err(|error| format!("cannot be reached: {}", in_words(&error)))?;
    let status = answer.status();
    if status.is_redirection() {
        return Err("answers with a redirect, and those are not followed".into());
    }
    if status.is_server_error() {
        return Err(format!("answers with status {}", status.as_u16()));
    }
    Ok(ExternalAnswer {
        good: status.is_success(),
        document: read(answer).await?,
    })
}

async fn read(mut answer: Response) -> Result<Vec<u8>, String> {
    let mut document = Vec::new();
    loop {
        let piece = answer.chunk().await;
        let piece = piece.map_err(|error| format!("breaks off: {}", in_words(&error)))?;
        let Some(piece) = piece else {
            return Ok(document);
        };
        if document.len() + piece.len() > EXTERNAL_DOCUMENT_BYTES_MAX {
            return Err(format!(
                "answers with more than {EXTERNAL_DOCUMENT_BYTES_MAX} bytes"
            ));
        }
        document.extend_from_slice(&piece);
    }
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The innermost cause is the one that helps.
fn in_words(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    let mut cause: &dyn Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failure is the message")]
mod tests {
    use super::*;
    use crate::tls::{Authority, Served, configs};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    const PATIENCE: Duration = Duration::from_millis(800);

    /// A server over TLS that answers each path in its own bad way; its port.
    async fn server(authority: &Authority) -> u16 {
        let served = Served::new(authority.issue(&["localhost".into()]).unwrap());
        let acceptor = TlsAcceptor::from(configs(&served).unwrap().mail);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut wire = acceptor.accept(socket).await?;
                    let (mut head, mut byte) = (Vec::new(), [0]);
                    while !head.ends_with(b"\r\n\r\n") {
                        wire.read_exact(&mut byte).await?;
                        head.push(byte[0]);
                    }
                    let head = String::from_utf8(head).unwrap_or_default();
                    wire.write_all(answer(&head, port).as_bytes()).await?;
                    if head.contains("/slow") {
                        std::future::pending::<()>().await;
                    }
                    wire.shutdown().await
                });
            }
        });
        port
    }

    fn answer(head: &str, port: u16) -> String {
        let with = |status: &str, more: &str, body: &str| {
            let length = body.len();
            format!(
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{more}Connection: close\r\n\r\n{body}"
            )
        };
        match head.split(' ').nth(1).unwrap_or_default() {
            "/good" => with("200 OK", "", "{}"),
            "/echo" => {
                let shown = head.lines().find(|line| line.starts_with("authorization:"));
                with("200 OK", "", shown.unwrap_or_default())
            }
            "/error" => with("400 Bad Request", "", "{\"error\":\"x\"}"),
            "/broken" => with("503 Service Unavailable", "", "{}"),
            "/away" => {
                let to = format!("Location: https://localhost:{port}/good\r\n");
                with("302 Found", &to, "{}")
            }
            "/large" => with("200 OK", "", &"x".repeat(EXTERNAL_DOCUMENT_BYTES_MAX + 1)),
            "/short" => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}".into(),
            _ => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".into(),
        }
    }

    fn request(address: &str, shows: Shows) -> ExternalRequest {
        ExternalRequest {
            provider: "corp".into(),
            address: Url::parse(address).unwrap(),
            form: None,
            shows,
        }
    }

    #[tokio::test]
    async fn only_a_whole_answer_from_the_right_place_in_time_counts() {
        let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let authority = Authority::open_or_make(ours.path()).unwrap();
        let stranger = Authority::open_or_make(theirs.path()).unwrap();
        let port = server(&authority).await;
        let web = |authority: &Authority| {
            let client = client(&authority.certificate_file(), PATIENCE).unwrap();
            Web(HashMap::from([("corp".into(), client)]))
        };
        let (good, other) = (web(&authority), web(&stranger));
        let at = |path: &str| format!("https://localhost:{port}{path}");
        let ask =
            async |web: &Web, address: &str| web.fetch(request(address, Shows::Nothing)).await;
        let answer = ask(&good, &at("/good")).await.unwrap();
        assert_eq!((answer.good, &*answer.document), (true, &b"{}"[..]));
        let answer = ask(&good, &at("/error")).await.unwrap();
        assert_eq!((answer.good, answer.document.len()), (false, 13));
        for (path, want) in [
            ("/broken", "localhost answers with status 503"),
            ("/away", "localhost answers with a redirect"),
            ("/large", "localhost answers with more than 262144 bytes"),
            ("/short", "localhost breaks off"),
            ("/slow", "localhost breaks off: no answer in time"),
        ] {
            let why = ask(&good, &at(path)).await.unwrap_err();
            assert!(why.starts_with(want), "{path}: {why}");
        }
        let plain = format!("http://localhost:{port}/good");
        let nobody = "https://localhost:1/good";
        for (web, address) in [(&other, &*at("/good")), (&good, &plain), (&good, nobody)] {
            let why = ask(web, address).await.unwrap_err();
            assert!(
                why.starts_with("localhost cannot be reached"),
                "{address}: {why}"
            );
        }
    }

    #[tokio::test]
    async fn ids_and_secrets_are_shown_as_the_standard_says() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_make(folder.path()).unwrap();
        let port = server(&authority).await;
        let client = client(&authority.certificate_file(), PATIENCE).unwrap();
        let web = Web(HashMap::from([("corp".into(), client)]));
        let address = format!("https://localhost:{port}/echo");
        let shows = Shows::Client("a:b".into(), Secret::new("c d&"));
        let answer = web.fetch(request(&address, shows)).await.unwrap();
        // base64 of a%3Ab:c+d%26
        assert_eq!(answer.document, b"authorization: Basic YSUzQWI6YytkJTI2");
        let shows = Shows::Token(Secret::new("t0ken"));
        let answer = web.fetch(request(&address, shows)).await.unwrap();
        assert_eq!(answer.document, b"authorization: Bearer t0ken");
    }
}
