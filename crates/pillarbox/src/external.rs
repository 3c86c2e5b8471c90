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
            client(&one.ca_file).map_err(at)?,
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

fn client(ca_file: &Path) -> Result<Client, String> {
    Client::builder()
        .tls_backend_preconfigured(trust(ca_file)?)
        .https_only(true)
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT)
        .timeout(WHOLE)
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
