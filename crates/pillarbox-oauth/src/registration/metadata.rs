//! Reads what a program says of itself (RFC 7591 §2, OpenID Connect Registration §2). What is not understood is ignored, as §2
//! wants; what is understood and cannot be is refused, so that nobody believes it was taken.

use super::{Result, invalid, names};
use crate::assertion::VerifyKey;
use crate::client::ClientKind;
use crate::clients::{REDIRECTS_MAX, new_redirect};
use crate::server::{ErrorCode, TokenError};
use crate::token::read_scopes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

const CODE: &str = "authorization_code";
const REFRESH: &str = "refresh_token";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Longest name of a stranger, in characters: it stands in a heading.
const NAME_CHARS_MAX: usize = 60;

/// `token_endpoint_auth_method`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Method {
    None,
    ClientSecretBasic,
    ClientSecretPost,
    PrivateKeyJwt,
}

impl Method {
    pub(crate) fn has_secret(self) -> bool {
        matches!(self, Self::ClientSecretBasic | Self::ClientSecretPost)
    }
}

/// What is to be registered, checked as far as it can be without the other clients.
pub(super) struct Wanted {
    pub name: String,
    pub kind: ClientKind,
    pub method: Method,
    pub redirects: Vec<String>,
    pub grant_types: Vec<String>,
    /// As scopes go over the wire.
    pub scope: Option<String>,
    pub keys: Vec<VerifyKey>,
    pub jwks: Option<Value>,
    /// `dpop_bound_access_tokens` (RFC 9449 §5.2).
    pub proves: bool,
    /// `require_pushed_authorization_requests` (RFC 9126 §6).
    pub pushes: bool,
}

impl Wanted {
    pub(super) fn read(metadata: &Value) -> Result<Self> {
        let method = read_method(metadata)?;
        let grants = list(metadata, "grant_types")?.unwrap_or_else(|| vec![CODE]);
        if let Some(other) = grants.iter().find(|one| !is_for_strangers(one)) {
            return Err(invalid(format!(
                "grant_types: {other} is not for programs that register themselves."
            )));
        }
        let (code, device) = (grants.contains(&CODE), grants.contains(&DEVICE));
        let kind = read_kind(metadata, method, code, device)?;
        if let Some(other) = list(metadata, "response_types")?
            .and_then(|types| types.into_iter().find(|one| *one != "code"))
        {
            return Err(invalid(format!(
                "response_types: {other} is not offered, only code."
            )));
        }
        let redirects = read_redirects(metadata, kind)?;
        let (keys, jwks) = read_keys(metadata, method)?;
        for (name, only) in [
            ("id_token_signed_response_alg", "RS256"),
            ("subject_type", "public"),
        ] {
            if text(metadata, name)?.is_some_and(|value| value != only) {
                return Err(invalid(format!("{name} can be {only} only.")));
            }
        }
        let scope = text(metadata, "scope")?.filter(|scope| !scope.is_empty());
        let scope = scope.map(read_scopes).transpose();
        let scope = scope.map_err(|error| invalid(error.description))?;
        Ok(Self {
            name: read_name(metadata, &redirects)?,
            kind,
            method,
            redirects,
            grant_types: [(code, CODE), (code || device, REFRESH), (device, DEVICE)]
                .into_iter()
                .filter(|(on, _)| *on)
                .map(|(_, name)| name.to_owned())
                .collect(),
            scope: scope.map(|scopes| scopes.to_string()),
            keys,
            jwks,
            proves: flag(metadata, "dpop_bound_access_tokens")?,
            pushes: flag(metadata, "require_pushed_authorization_requests")?,
        })
    }
}

fn is_for_strangers(grant: &str) -> bool {
    matches!(grant, CODE | REFRESH | DEVICE)
}

fn read_method(metadata: &Value) -> Result<Method> {
    match text(metadata, "token_endpoint_auth_method")? {
        // RFC 7591 §2.
        None | Some("client_secret_basic") => Ok(Method::ClientSecretBasic),
        Some("client_secret_post") => Ok(Method::ClientSecretPost),
        Some("private_key_jwt") => Ok(Method::PrivateKeyJwt),
        Some("none") => Ok(Method::None),
        Some(other) => Err(invalid(format!(
            "token_endpoint_auth_method: {other} is not offered."
        ))),
    }
}

/// A program that keeps a secret runs on a server, unless it says otherwise; one that keeps none does not.
fn read_kind(metadata: &Value, method: Method, code: bool, device: bool) -> Result<ClientKind> {
    let native = match text(metadata, "application_type")? {
        None => method == Method::None,
        Some("native") => true,
        // A page in a browser calls itself web and keeps no secret: to us it is native, and its addresses are https.
        Some("web") => method == Method::None,
        Some(other) => {
            return Err(invalid(format!(
                "application_type: {other} is neither web nor native."
            )));
        }
    };
    match (code, device) {
        (true, true) if !native => Err(invalid(
            "grant_types: device_code is for devices and native programs.",
        )),
        (true, _) if native => Ok(ClientKind::Native),
        (true, _) => Ok(ClientKind::Web),
        (false, true) => Ok(ClientKind::Device),
        (false, false) => Err(invalid(
            "grant_types: authorization_code or device_code is needed.",
        )),
    }
}

fn read_redirects(metadata: &Value, kind: ClientKind) -> Result<Vec<String>> {
    let refuse = |text: String| TokenError::new(ErrorCode::InvalidRedirectUri, text);
    let all = list(metadata, "redirect_uris").map_err(|error| refuse(error.description))?;
    let all = all.unwrap_or_default();
    match (kind == ClientKind::Device, all.len()) {
        (true, 0) => return Ok(Vec::new()),
        (true, _) => {
            let text = "A device has no redirect addresses: no browser comes back to it.";
            return Err(refuse(text.into()));
        }
        (false, 0) => return Err(refuse("redirect_uris is missing.".into())),
        (false, count) if count > REDIRECTS_MAX => {
            return Err(refuse(format!("More than {REDIRECTS_MAX} redirect_uris.")));
        }
        (false, _) => {}
    }
    for one in &all {
        new_redirect(kind, one).map_err(|why| refuse(format!("redirect_uris: {one}: {why}.")))?;
    }
    Ok(all.into_iter().map(str::to_owned).collect())
}

fn read_keys(metadata: &Value, method: Method) -> Result<(Vec<VerifyKey>, Option<Value>)> {
    if there(metadata, "jwks_uri").is_some() {
        return Err(invalid(
            "jwks_uri is not offered: keys are not fetched from addresses. Send jwks.",
        ));
    }
    match (there(metadata, "jwks"), method) {
        (Some(jwks), Method::PrivateKeyJwt) => {
            let keys = VerifyKey::read_all(&jwks.to_string());
            let keys = keys.map_err(|fault| invalid(format!("jwks: {fault}.")))?;
            Ok((keys, Some(jwks.clone())))
        }
        (None, Method::PrivateKeyJwt) => Err(invalid("private_key_jwt needs jwks.")),
        // Keys that nothing asks for would only look as if they were.
        (Some(_), _) => Err(invalid("jwks is for private_key_jwt.")),
        (None, _) => Ok((Vec::new(), None)),
    }
}

/// The name; without one, where the browser goes. Nothing that would look like our own words around it.
fn read_name(metadata: &Value, redirects: &[String]) -> Result<String> {
    let Some(name) = text(metadata, "client_name")? else {
        let host = redirects.first().and_then(|one| url::Url::parse(one).ok());
        let host = host.and_then(|url| url.host_str().map(str::to_owned));
        // Schemes of their own have hosts of any letters, and the rules for names are for these too.
        let shown =
            |host: &String| host.contains(char::is_alphanumeric) && check_name(host).is_ok();
        let host = host.filter(shown);
        return Ok(host.unwrap_or_else(|| "Unnamed program".into()));
    };
    let name = name.trim();
    check_name(name)?;
    Ok(name.to_owned())
}

fn check_name(name: &str) -> Result<()> {
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(invalid(format!(
            "client_name has at most {NAME_CHARS_MAX} characters."
        )));
    }
    if name.contains(['"', '“', '”', '„', '‟', '«', '»', '<', '>', '@']) {
        return Err(invalid("client_name has a letter that names do not need."));
    }
    names::check(name)
}

/// A member. One that is null is not there (RFC 7592 §2.2).
fn there<'a>(metadata: &'a Value, name: &str) -> Option<&'a Value> {
    metadata.get(name).filter(|value| !value.is_null())
}

fn text<'a>(metadata: &'a Value, name: &str) -> Result<Option<&'a str>> {
    match there(metadata, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(invalid(format!("{name} is not a text."))),
    }
}

fn flag(metadata: &Value, name: &str) -> Result<bool> {
    match metadata.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(on)) => Ok(*on),
        Some(_) => Err(invalid(format!("{name} is neither true nor false."))),
    }
}

fn list<'a>(metadata: &'a Value, name: &str) -> Result<Option<Vec<&'a str>>> {
    let wrong = || invalid(format!("{name} is not a list of texts."));
    match there(metadata, name) {
        None => Ok(None),
        Some(Value::Array(all)) => {
            let texts = all.iter().map(|one| one.as_str().ok_or_else(wrong));
            texts.collect::<Result<Vec<_>>>().map(Some)
        }
        Some(_) => Err(wrong()),
    }
}
