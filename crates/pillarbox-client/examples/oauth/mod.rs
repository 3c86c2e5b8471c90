//! What the examples share: the servers and the account of the `PILLARBOX_…` variables, and a token source that refreshes
//! (RFC 6749 §6). Against Gmail set the same variables to Google's hosts, and leave `PILLARBOX_CA` unset.

use pillarbox_client::{Ask, BoxError, Credentials, Secret, Server, Tls, TokenSource};
use std::env::var;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Most of an answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// The service whose port this variable holds.
pub fn server(port: &str) -> Result<Server, BoxError> {
    let tls = match var("PILLARBOX_CA") {
        Ok(file) => Tls::trusting(&std::fs::read(file)?)?,
        Err(_) => Tls::system()?,
    };
    Ok(Server::new(
        var("PILLARBOX_HOST")?,
        var(port)?.parse()?,
        tls,
    ))
}

/// Signs in with `PILLARBOX_TOKEN` where it is still good, and refreshes where it is not.
pub fn credentials() -> Result<Credentials, BoxError> {
    Ok(Credentials::bearer(var("PILLARBOX_USER")?, Refresh))
}

struct Refresh;

impl TokenSource for Refresh {
    async fn token(&self, ask: Ask) -> Result<Secret, BoxError> {
        match ask {
            Ask::Token => Ok(Secret::new(var("PILLARBOX_TOKEN")?)),
            Ask::Another => refresh().await,
        }
    }
}

async fn refresh() -> Result<Secret, BoxError> {
    let url = var("PILLARBOX_TOKEN_URL")?;
    let (place, path) = url
        .strip_prefix("https://")
        .and_then(|rest| rest.split_once('/'))
        .ok_or("PILLARBOX_TOKEN_URL is no https address")?;
    let (host, port) = place.split_once(':').unwrap_or((place, "443"));
    let form = [
        ("grant_type", "refresh_token".into()),
        ("refresh_token", var("PILLARBOX_REFRESH_TOKEN")?),
        ("client_id", var("PILLARBOX_CLIENT_ID")?),
        ("client_secret", var("PILLARBOX_CLIENT_SECRET")?),
    ];
    let form = form.map(|(name, value)| format!("{name}={}", escaped(&value)));
    let form = form.join("&");
    let request = format!(
        "POST /{path} HTTP/1.0\r\nHost: {place}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{form}",
        form.len()
    );
    let mut server = server("PILLARBOX_IMAP_PORT")?;
    (server.host, server.port) = (host.into(), port.parse()?);
    let mut stream = server.open().await?;
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    stream
        .take(ANSWER_BYTES_MAX)
        .read_to_end(&mut answer)
        .await?;
    let answer = String::from_utf8(answer)?;
    let (_, json) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    let json: serde_json::Value = serde_json::from_str(json)?;
    let token = json["access_token"].as_str();
    let token = token.ok_or_else(|| format!("no token: {}", json["error"]))?;
    Ok(Secret::new(token))
}

/// `application/x-www-form-urlencoded`
fn escaped(text: &str) -> String {
    let escape = |b: u8| match b {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    };
    text.bytes().map(escape).collect()
}
