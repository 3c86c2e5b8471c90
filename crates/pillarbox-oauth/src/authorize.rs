//! The authorization endpoint (RFC 6749 §4.1, RFC 7636, RFC 9207, OpenID Connect Core §3.1.2, and RFC 9700 throughout).

use crate::client::{Client, ClientKind, Status};
use crate::consent;
use crate::grant_type::GrantType;
use crate::hint::Hinted;
use crate::opaque::{self, Kind as Text};
use crate::pushed::Pulled;
use crate::rows::{self, CodeRow, Kind};
use crate::server::{AuthorizationError, AuthorizationRequest, ErrorCode, Prompt, TokenError};
use crate::token::{OFFLINE_ACCESS, read_scopes};
use crate::{Act, Deed, Identity, IdentityError, Principal, Result, Scopes};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use pillarbox_store::mail::{Millis, Rows};
use std::sync::Arc;
use url::Url;

/// Life of a code, in milliseconds: long enough to copy it from a page by hand (wire §7.2), bound by PKCE meanwhile.
pub(crate) const CODE_MS: Millis = 10 * 60 * 1000;
/// Most codes of one account on their way; the oldest go.
const CODES_MAX: usize = 100;
/// Longest `state` and `nonce`, in bytes: they are stored or come back in an address.
const STATE_BYTES_MAX: usize = 2048;
/// Longest redirect URI, in bytes.
const REDIRECT_BYTES_MAX: usize = 2048;
/// The end of copy and paste (wire §7.2).
const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";

/// What is said of people a program that is tried out is not meant for.
pub(crate) const NOT_ON_THE_LIST: &str =
    "This program is being tried out, and the person is not on its list.";

/// Most parameters of a request. Whoever reads them for us must show one more at least, if there is one.
pub const REQUEST_PARAMS_MAX: usize = 64;

/// Why parameters are not looked at.
#[derive(Debug)]
pub(crate) enum BadParams<'a> {
    /// This one is there twice.
    Twice(&'a str),
    TooMany,
}

impl BadParams<'_> {
    pub(crate) const TOO_MANY: &'static str = "there are too many parameters";
}

/// Parameters of a request, each at most once (RFC 6749 §3.1); empty ones count as absent.
pub(crate) struct Params<'a>(&'a [(String, String)]);

impl<'a> Params<'a> {
    /// `resource` may be there twice (RFC 8707 §2).
    pub(crate) fn new(all: &'a [(String, String)]) -> Result<Self, BadParams<'a>> {
        if all.len() > REQUEST_PARAMS_MAX {
            return Err(BadParams::TooMany);
        }
        for (index, (name, _)) in all.iter().enumerate() {
            let twice = all[..index].iter().any(|(other, _)| other == name);
            if twice && name != "resource" {
                return Err(BadParams::Twice(name));
            }
        }
        Ok(Self(all))
    }

    /// All values of a parameter that may be there several times.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let values = self.0.iter().filter(move |(other, _)| other == name);
        values.map(|(_, value)| value.as_str())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        let found = self.0.iter().find(|(other, _)| other == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }
}

impl Identity {
    /// Checks the parameters of the authorization endpoint.
    ///
    /// # Errors
    /// [`AuthorizationError`]: for a page as long as client and redirect URI are in doubt, then for the client.
    pub async fn authorization_request(
        &self,
        params: &[(String, String)],
        now: Millis,
    ) -> Result<AuthorizationRequest, AuthorizationError> {
        let request = self.check_request(params, now).await?;
        if request.client.always_pushes() && request.pushed.is_none() {
            let text = "the program registered to push its requests beforehand";
            return Err(self.refuse(&request, ErrorCode::InvalidRequest, text));
        }
        Ok(request)
    }

    /// The same for one that may be on its way to be pushed.
    pub(crate) async fn check_request(
        &self,
        params: &[(String, String)],
        now: Millis,
    ) -> Result<AuthorizationRequest, AuthorizationError> {
        let page = |code, text: &str| AuthorizationError::page(code, text);
        let mut params = Params::new(params).map_err(|bad| {
            let text = match bad {
                BadParams::Twice(name) => format!("the parameter {name:?} is there twice"),
                BadParams::TooMany => BadParams::TOO_MANY.into(),
            };
            page(ErrorCode::InvalidRequest, &text)
        })?;
        let pushed = self.pulled(&params, now).await.map_err(|fault| {
            tracing::error!(%fault, "authorization endpoint");
            page(ErrorCode::ServerError, "the server failed")
        })?;
        // What was pushed replaces all else (RFC 9126 §4); it was pushed as a whole, so it names a thing once.
        if let Pulled::Request { params: all, .. } = &pushed {
            params = Params(all);
        }
        let id = params
            .get("client_id")
            .ok_or_else(|| page(ErrorCode::InvalidRequest, "client_id is missing"))?;
        self.know_clients().await.map_err(|fault| {
            tracing::error!(%fault, "authorization endpoint");
            page(ErrorCode::ServerError, "the server failed")
        })?;
        let client = self.client(id).ok_or_else(|| AuthorizationError {
            client: Some(id.into()),
            ..page(
                ErrorCode::InvalidClient,
                "no program is registered under this client_id",
            )
        })?;
        let page = |code, text: &str| AuthorizationError {
            app: Some(Arc::clone(&client.name)),
            client: Some(Arc::clone(&client.id)),
            ..page(code, text)
        };
        let gone = match &pushed {
            Pulled::Nothing | Pulled::Request { .. } => None,
            Pulled::Over => {
                Some("this request was answered already, or has waited for more than 10 minutes")
            }
            Pulled::Anothers => Some("another program made this request"),
        };
        let refusal = match (client.kind, client.status) {
            (ClientKind::Device, _) => Some("this program signs in with a code on another device"),
            (ClientKind::Service, _) => Some("this program acts without a person"),
            (_, Status::Waiting) => Some("the administrator has not approved this program yet"),
            _ if !client.may_use(GrantType::AuthorizationCode) => {
                Some("this program is not registered for authorization codes")
            }
            (ClientKind::Native | ClientKind::Web, Status::Active) => None,
        };
        if let Some(text) = refusal {
            return Err(page(ErrorCode::UnauthorizedClient, text));
        }
        let redirect_uri =
            check_redirect(&client, params.get("redirect_uri")).map_err(|text| match gone {
                Some(gone) => page(ErrorCode::InvalidRequestUri, gone),
                None => page(ErrorCode::InvalidRequest, text),
            })?;
        let state = params.get("state");
        if state.is_some_and(|state| state.len() > STATE_BYTES_MAX) {
            return Err(page(ErrorCode::InvalidRequest, "state is too long"));
        }
        let hinted = self.hinted(&client, &params).await.map_err(|fault| {
            tracing::error!(%fault, "authorization endpoint");
            page(ErrorCode::ServerError, "the server failed")
        })?;
        let request = AuthorizationRequest {
            client: Arc::clone(&client),
            redirect_uri,
            scopes: Scopes::default(),
            state: state.map(str::to_owned),
            nonce: None,
            challenge: None,
            key: None,
            offline: false,
            prompt: Prompt::default(),
            login_hint: None,
            hinted,
            max_age: None,
            include_granted: false,
            pushed: match &pushed {
                Pulled::Request { key, .. } => Some(key.clone()),
                _ => None,
            },
        };
        // From here on client and address are known good, and the program learns what is wrong (RFC 6749 §4.1.2.1).
        if let Some(text) = gone {
            return Err(self.refuse(&request, ErrorCode::InvalidRequestUri, text));
        }
        check_wishes(request.clone(), &params)
            .and_then(|checked| match self.check_resource(&params) {
                Ok(()) => Ok(checked),
                Err(error) => Err((error.code, error.description)),
            })
            .map_err(|(code, description)| self.refuse(&request, code, &description))
    }

    async fn hinted(&self, client: &Client, params: &Params<'_>) -> Result<Option<Hinted>> {
        let Some(token) = params.get("id_token_hint") else {
            return Ok(None);
        };
        let keys = self.inner.keys.ring().await?;
        let issuer = &self.inner.config.issuer;
        Ok(Some(Hinted::read(&keys, token, issuer, &client.id)))
    }

    /// Refuses a resource (RFC 8707 §2) that the tokens asked for are not good at: they are for the mail host, by whatever name
    /// of it, or the issuer.
    pub(crate) fn check_resource(&self, params: &Params<'_>) -> Result<(), TokenError> {
        let config = &self.inner.config;
        check_resources(params, |resource| {
            let host = resource.split_once("://").filter(|(scheme, _)| {
                matches!(
                    *scheme,
                    "https" | "imap" | "imaps" | "pop3" | "pop3s" | "smtp" | "smtps"
                )
            });
            resource == config.issuer || host.is_some_and(|(_, host)| host == config.host)
        })
    }

    /// The same for tokens for administration: they are for the issuer, or their audience by its name.
    pub(crate) fn check_administrated(&self, params: &Params<'_>) -> Result<(), TokenError> {
        let own = [&self.inner.config.issuer, &self.administration_audience()];
        check_resources(params, |resource| own.iter().any(|own| *own == resource))
    }

    /// An error that goes back to the client.
    pub fn refuse(
        &self,
        request: &AuthorizationRequest,
        code: ErrorCode,
        description: &str,
    ) -> AuthorizationError {
        let description = &crate::server::plain(description);
        let members = [("error", code.name()), ("error_description", description)];
        AuthorizationError {
            code,
            description: description.into(),
            app: Some(Arc::clone(&request.client.name)),
            client: Some(Arc::clone(&request.client.id)),
            redirect: Some(self.redirect(request, &members)),
            stranger: request.leads_to_a_stranger(),
        }
    }

    /// The error if the program is being tried out and the person is not on its list.
    pub fn not_admitted(
        &self,
        request: &AuthorizationRequest,
        person: &Principal,
    ) -> Option<AuthorizationError> {
        let admitted = request.client.admits(&person.address);
        (!admitted).then(|| self.refuse(request, ErrorCode::AccessDenied, NOT_ON_THE_LIST))
    }

    /// The person allowed it on a page: where to send the browser, with `code`, `state` and `iss` (RFC 9207).
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn approve(
        &self,
        request: &AuthorizationRequest,
        person: &Principal,
        now: Millis,
    ) -> Result<String> {
        self.give_code(request, person, true, now).await
    }

    /// The same without a page, where [none is needed](Self::needs_consent).
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn approve_unasked(
        &self,
        request: &AuthorizationRequest,
        person: &Principal,
        now: Millis,
    ) -> Result<String> {
        self.give_code(request, person, false, now).await
    }

    async fn give_code(
        &self,
        request: &AuthorizationRequest,
        person: &Principal,
        shown: bool,
        now: Millis,
    ) -> Result<String> {
        if let Some(error) = self.not_admitted(request, person) {
            return Ok(error.redirect.unwrap_or_default());
        }
        let text = opaque::new(Text::Code, &person.account, &self.inner.random);
        let key = code_key(text.expose());
        let row = CodeRow {
            client: request.client.id.to_string(),
            redirect_uri: request.redirect_uri.clone(),
            scope: request.scopes.to_string(),
            challenge: request.challenge.clone(),
            key: request.key.clone(),
            nonce: request.nonce.clone(),
            auth_time: person.signed_in(),
            refresh: request.offline && shown,
            approved: now,
            ends: now.saturating_add(CODE_MS),
            used: None,
        };
        let (asked, unused) = (request.clone(), self.inner.config.refresh_unused);
        let add = move |rows: &mut Rows| {
            let grants = rows.scan(&Kind::Grant.all());
            let values = grants.into_iter().map(|(_, value)| value);
            let held = consent::held(values, &row.client, unused, now)?;
            let row = CodeRow {
                scope: asked.with(&held).to_string(),
                refresh: row.refresh || asked.lacks_refresh(&held),
                ..row.clone()
            };
            drop_codes(rows, now)?;
            rows::write(rows, &key, &row)?;
            Ok::<_, IdentityError>(row.scope)
        };
        let (codes, grants) = (Kind::Code.all(), Kind::Grant.all());
        let account = self.inner.store.account(&person.account);
        let scope = account.update(&[&codes, &grants], add).await?;
        if let Some(key) = &request.pushed {
            self.pushed_is_over(key.clone()).await?;
        }
        let act = Act::new(Deed::Granted, now).app(Arc::clone(&request.client.name));
        self.record(&person.account, act.detail(scope));
        Ok(self.redirect(request, &[("code", text.expose())]))
    }

    /// The person, if anybody is signed in, does not: where to send the browser, with `error=access_denied`.
    pub fn deny(
        &self,
        request: &AuthorizationRequest,
        person: Option<&Principal>,
        now: Millis,
    ) -> String {
        if let Some(person) = person {
            let act = Act::new(Deed::Denied, now).app(Arc::clone(&request.client.name));
            self.record(&person.account, act.detail(request.scopes.to_string()));
        }
        let description = "The person did not allow it.";
        self.redirect(
            request,
            &[
                ("error", ErrorCode::AccessDenied.name()),
                ("error_description", description),
            ],
        )
    }

    fn redirect(&self, request: &AuthorizationRequest, members: &[(&str, &str)]) -> String {
        // It was parsed before; should it not be now, the browser gets no answer rather than a wrong one.
        let Ok(mut address) = Url::parse(&request.redirect_uri) else {
            return String::new();
        };
        {
            let mut query = address.query_pairs_mut();
            query.extend_pairs(members);
            if let Some(state) = &request.state {
                query.append_pair("state", state);
            }
            query.append_pair("iss", &self.inner.config.issuer);
        }
        address.into()
    }
}

fn check_resources(params: &Params<'_>, known: impl Fn(&str) -> bool) -> Result<(), TokenError> {
    match params
        .all("resource")
        .find(|resource| !known(resource.trim_end_matches('/')))
    {
        None => Ok(()),
        Some(other) => {
            let text = format!("resource {other:?} is not here");
            Err(TokenError::new(ErrorCode::InvalidTarget, text))
        }
    }
}

/// The redirect URI in normal form, if the client may use it.
pub(crate) fn check_redirect(client: &Client, uri: Option<&str>) -> Result<String, &'static str> {
    let uri = uri.ok_or("redirect_uri is missing")?;
    if uri == OUT_OF_BAND {
        return Err(
            "copying a code by hand (urn:ietf:wg:oauth:2.0:oob) is no longer offered; use a loopback address",
        );
    }
    let plain = uri.len() <= REDIRECT_BYTES_MAX
        && uri
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let parsed = plain
        .then(|| Url::parse(uri).ok())
        .flatten()
        .ok_or("redirect_uri is not an address")?;
    if !client.may_redirect_to(&parsed, uri) {
        return Err("redirect_uri is not one of the addresses registered for this program");
    }
    Ok(parsed.into())
}

/// Everything that is the client's to hear about.
fn check_wishes(
    mut request: AuthorizationRequest,
    params: &Params<'_>,
) -> Result<AuthorizationRequest, (ErrorCode, String)> {
    let invalid = |text: &str| (ErrorCode::InvalidRequest, text.to_owned());
    match params.get("response_type") {
        Some("code") => {}
        None => return Err(invalid("response_type is missing")),
        Some(other) => {
            let text = format!("response_type {other:?} is not offered, only code");
            return Err((ErrorCode::UnsupportedResponseType, text));
        }
    }
    if params
        .get("response_mode")
        .is_some_and(|mode| mode != "query")
    {
        return Err(invalid("response_mode is not offered, only query"));
    }
    for (name, code) in [
        ("request", ErrorCode::RequestNotSupported),
        ("request_uri", ErrorCode::RequestUriNotSupported),
    ] {
        if params.get(name).is_some() {
            return Err((code, format!("{name} is not offered")));
        }
    }
    let mut offline = match params.get("access_type") {
        None | Some("online") => false,
        Some("offline") => true,
        Some(_) => return Err(invalid("access_type is online or offline")),
    };
    let scope = params.get("scope").unwrap_or_default();
    request.scopes = read_scopes(scope).map_err(|error| (error.code, error.description))?;
    offline |= scope.split(' ').any(|word| word == OFFLINE_ACCESS);
    if !request.client.may_ask_for(request.scopes) {
        let text = "the program registered for less than this scope";
        return Err((ErrorCode::InvalidScope, text.into()));
    }
    request.offline = offline || request.client.kind == ClientKind::Native;
    request.challenge = check_challenge(&request.client, params).map_err(invalid)?;
    request.key = match params.get("dpop_jkt") {
        Some(key) if !crate::dpop::is_thumbprint(key) => {
            return Err(invalid("dpop_jkt is not the thumbprint of a key"));
        }
        key => key.map(str::to_owned),
    };
    request.prompt = check_prompt(params.get("prompt").unwrap_or_default()).map_err(invalid)?;
    request.nonce = params.get("nonce").map(str::to_owned);
    if request
        .nonce
        .as_ref()
        .is_some_and(|nonce| nonce.len() > STATE_BYTES_MAX)
    {
        return Err(invalid("nonce is too long"));
    }
    request.max_age = match params.get("max_age").map(str::parse::<u32>) {
        None => None,
        Some(Ok(seconds)) => Some(Millis::from(seconds) * 1000),
        Some(Err(_)) => return Err(invalid("max_age is a number of seconds")),
    };
    request.include_granted = match params.get("include_granted_scopes") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(invalid("include_granted_scopes is true or false")),
    };
    request.login_hint = params
        .get("login_hint")
        .filter(|hint| hint.len() <= 320)
        .map(str::to_owned);
    Ok(request)
}

/// RFC 7636 §4.3. `plain` protects against nobody who can read the request.
fn check_challenge(client: &Client, params: &Params<'_>) -> Result<Option<String>, &'static str> {
    let Some(challenge) = params.get("code_challenge") else {
        if params.get("code_challenge_method").is_some() {
            return Err("code_challenge is missing");
        }
        return match client.is_confidential() {
            true => Ok(None),
            false => Err("code_challenge is missing: programs without a secret need PKCE"),
        };
    };
    if params.get("code_challenge_method") != Some("S256") {
        return Err("code_challenge_method must be S256");
    }
    match BASE64.decode(challenge) {
        Ok(hash) if hash.len() == 32 => Ok(Some(challenge.into())),
        _ => Err("code_challenge is not the base64url of a SHA-256 hash"),
    }
}

fn check_prompt(text: &str) -> Result<Prompt, &'static str> {
    let mut prompt = Prompt::default();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match word {
            "none" => prompt.none = true,
            "login" => prompt.login = true,
            "consent" => prompt.consent = true,
            "select_account" => prompt.select_account = true,
            _ => return Err("prompt is none, login, consent or select_account"),
        }
    }
    if prompt.none && (prompt.login || prompt.consent || prompt.select_account) {
        return Err("prompt none goes with no other");
    }
    Ok(prompt)
}

pub(crate) fn code_key(code: &str) -> Vec<u8> {
    Kind::Code.key(BASE64.encode(opaque::hash(code)))
}

/// Drops codes that ended, and the oldest beyond the bound.
fn drop_codes(rows: &mut Rows, now: Millis) -> Result<()> {
    let mut others = Vec::new();
    for (key, value) in rows.scan(&Kind::Code.all()) {
        let row: CodeRow = rows::decode(&value)?;
        if row.ends <= now {
            rows.delete(&key);
        } else {
            others.push((row.ends, key));
        }
    }
    others.sort();
    let surplus = (others.len() + 1).saturating_sub(CODES_MAX);
    for (_, key) in &others[..surplus] {
        rows.delete(key);
    }
    Ok(())
}
