//! The words of the authorization server: requests, answers, errors, discovery.

use crate::hint::Hinted;
use crate::{
    Client, Identity, IdentityError, Registration, Scope, Scopes, Secret, Why, client_auth,
    is_loopback,
};
use pillarbox_store::mail::Millis;
use serde::Serialize;
use std::sync::Arc;
use url::Url;

/// Error codes of RFC 6749 §4.1.2.1 and §5.2, RFC 8628 §3.5, RFC 8707 §2, RFC 7591 §3.2.2, RFC 9449 §5, OpenID Connect Core §3.1.2.6 and RFC 6750 §3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each is the code of its name
pub enum ErrorCode {
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    UnauthorizedClient,
    UnsupportedGrantType,
    UnsupportedResponseType,
    InvalidScope,
    AccessDenied,
    ServerError,
    TemporarilyUnavailable,
    LoginRequired,
    ConsentRequired,
    InteractionRequired,
    RequestNotSupported,
    RequestUriNotSupported,
    InvalidRequestUri,
    InvalidToken,
    InsufficientScope,
    AuthorizationPending,
    SlowDown,
    ExpiredToken,
    InvalidTarget,
    InvalidRedirectUri,
    InvalidClientMetadata,
    InvalidDpopProof,
}

impl ErrorCode {
    /// As it goes over the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::AccessDenied => "access_denied",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::InteractionRequired => "interaction_required",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::InvalidRequestUri => "invalid_request_uri",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::ExpiredToken => "expired_token",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidRedirectUri => "invalid_redirect_uri",
            Self::InvalidClientMetadata => "invalid_client_metadata",
            Self::InvalidDpopProof => "invalid_dpop_proof",
        }
    }
}

/// What the client wants the person to be asked (OpenID Connect Core §3.1.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// Ask nothing: fail instead.
    pub none: bool,
    /// Ask for the password again.
    pub login: bool,
    /// Ask for consent again.
    pub consent: bool,
    /// Ask which account.
    pub select_account: bool,
}

/// A checked authorization request. Only this crate makes one.
#[derive(Clone, Debug)]
pub struct AuthorizationRequest {
    pub(crate) client: Arc<Client>,
    pub(crate) redirect_uri: String,
    pub(crate) scopes: Scopes,
    pub(crate) state: Option<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) challenge: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) offline: bool,
    pub(crate) prompt: Prompt,
    pub(crate) login_hint: Option<String>,
    pub(crate) hinted: Option<Hinted>,
    pub(crate) max_age: Option<Millis>,
    pub(crate) include_granted: bool,
    /// The row it was pushed to, if it was.
    pub(crate) pushed: Option<Vec<u8>>,
}

impl AuthorizationRequest {
    /// Who asks.
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }
    /// For what.
    pub fn scopes(&self) -> Scopes {
        self.scopes
    }
    /// Where the browser goes next.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }
    /// What to ask the person.
    pub fn prompt(&self) -> Prompt {
        self.prompt
    }
    /// Whether the answer goes to another site that nobody here has looked at. Whoever can register could otherwise send
    /// people on from our address to wherever they like, whatever those people answer (RFC 9700 §4.11.2).
    pub fn leads_to_a_stranger(&self) -> bool {
        let elsewhere = |url: &Url| matches!(url.scheme(), "http" | "https") && !is_loopback(url);
        !self.client.is_vetted() && Url::parse(&self.redirect_uri).is_ok_and(|url| elsewhere(&url))
    }
    /// Whose account the client expects.
    pub fn login_hint(&self) -> Option<&str> {
        let hinted = match &self.hinted {
            Some(Hinted::Account { email, .. }) => email.as_deref(),
            _ => None,
        };
        hinted.or(self.login_hint.as_deref())
    }
    /// Whether it may go on by itself (asks for a refresh token).
    pub fn offline(&self) -> bool {
        self.offline
    }
}

/// An authorization request that cannot go on.
#[derive(Clone, Debug)]
pub struct AuthorizationError {
    /// The code.
    pub code: ErrorCode,
    /// What is wrong, in words.
    pub description: String,
    /// The program's name, if it is known.
    pub app: Option<Arc<str>>,
    /// The program's id, as it was named.
    pub client: Option<Arc<str>>,
    /// Where to send the browser with it; None: only a page may say it (RFC 6749 §4.1.2.1).
    pub redirect: Option<String>,
    /// That address is a stranger's: only the person may go there ([`AuthorizationRequest::leads_to_a_stranger`]).
    pub stranger: bool,
}

impl AuthorizationError {
    pub(crate) fn page(code: ErrorCode, description: impl Into<String>) -> Self {
        Self {
            code,
            description: description.into(),
            app: None,
            client: None,
            redirect: None,
            stranger: false,
        }
    }
}

/// Client credentials in the Authorization header (RFC 6749 §2.3.1), decoded.
#[derive(Clone, Debug)]
pub struct BasicAuth {
    /// `client_id`.
    pub id: String,
    /// `client_secret`.
    pub secret: Secret,
}

/// A refusal of the token, revocation or user info endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenError {
    /// The code.
    #[serde(rename = "error", serialize_with = "as_name")]
    pub code: ErrorCode,
    /// For people.
    #[serde(rename = "error_description")]
    pub description: String,
    /// For the owner of the server.
    #[serde(skip)]
    pub why: Why,
}

fn as_name<S: serde::Serializer>(code: &ErrorCode, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(code.name())
}

impl TokenError {
    /// With what the program is told; letters that the wire does not take are replaced.
    pub fn new(code: ErrorCode, description: impl AsRef<str>) -> Self {
        Self {
            code,
            description: plain(description.as_ref()),
            why: Why::default(),
        }
    }
}

/// Longest description, in characters: it may quote what was sent.
const DESCRIPTION_CHARS_MAX: usize = 200;

/// A description in the characters RFC 6749 §5.2 allows.
pub(crate) fn plain(description: &str) -> String {
    let legal = |letter| match letter {
        '"' => '\'',
        ' '..='~' if letter != '\\' => letter,
        _ => '?',
    };
    description
        .chars()
        .take(DESCRIPTION_CHARS_MAX)
        .map(legal)
        .collect()
}

/// The token endpoint's answer (RFC 6749 §5.1). Serializes to what is sent.
#[derive(Clone, Debug, Serialize)]
pub struct TokenResponse {
    /// The bearer token.
    pub access_token: Secret,
    /// Its life in seconds.
    pub expires_in: u64,
    /// If one is issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Secret>,
    /// What was granted.
    pub scope: String,
    /// `Bearer`, or `DPoP` if it is bound to a key.
    pub token_type: &'static str,
    /// If `openid` was granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<Secret>,
}

/// The user info endpoint's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UserInfo {
    /// The account's id.
    pub sub: String,
    /// Its address, with scope `email`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// True whenever there is an address: it is ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
    /// What the person signs in with, their address, with scope `profile`: accounts have no other name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred_username: Option<String>,
}

/// A set of public keys (RFC 7517 §5).
#[derive(Clone, Debug, Serialize)]
pub struct Jwks {
    /// The keys.
    pub keys: Vec<serde_json::Value>,
}

/// Both discovery documents: RFC 8414 and OpenID Connect Discovery share their members (wire §7.1).
#[derive(Clone, Debug, Default, Serialize)]
#[allow(missing_docs)] // each is the member of its name
pub struct Metadata {
    pub issuer: String,
    pub authorization_endpoint: String,
    pub device_authorization_endpoint: String,
    pub token_endpoint: String,
    pub userinfo_endpoint: String,
    pub introspection_endpoint: String,
    pub pushed_authorization_request_endpoint: String,
    pub revocation_endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration_endpoint: Option<String>,
    pub jwks_uri: String,
    pub response_types_supported: &'static [&'static str],
    pub response_modes_supported: &'static [&'static str],
    pub grant_types_supported: &'static [&'static str],
    pub subject_types_supported: &'static [&'static str],
    pub id_token_signing_alg_values_supported: &'static [&'static str],
    pub scopes_supported: [&'static str; 8],
    pub token_endpoint_auth_methods_supported: &'static [&'static str],
    pub token_endpoint_auth_signing_alg_values_supported: &'static [&'static str],
    pub revocation_endpoint_auth_methods_supported: &'static [&'static str],
    pub revocation_endpoint_auth_signing_alg_values_supported: &'static [&'static str],
    pub introspection_endpoint_auth_methods_supported: &'static [&'static str],
    pub introspection_endpoint_auth_signing_alg_values_supported: &'static [&'static str],
    pub claims_supported: &'static [&'static str],
    pub code_challenge_methods_supported: &'static [&'static str],
    pub prompt_values_supported: &'static [&'static str],
    pub dpop_signing_alg_values_supported: &'static [&'static str],
    pub authorization_response_iss_parameter_supported: bool,
    /// Absent would mean true (OpenID Connect Discovery §3). References of `/par` are good all the same (RFC 9126 §5).
    pub request_uri_parameter_supported: bool,
    pub request_parameter_supported: bool,
    pub claims_parameter_supported: bool,
}

impl Identity {
    /// The public keys: RSA keys of id tokens, Ed25519 keys of access tokens; first those that sign now. Others may keep
    /// them for [`JWKS_KEPT_S`](crate::JWKS_KEPT_S).
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn jwks(&self, now: Millis) -> Result<Jwks, IdentityError> {
        let keys = self.inner.keys.ring().await?.public(now)?;
        Ok(Jwks { keys })
    }

    /// Both discovery documents. Only what is offered is listed.
    pub fn metadata(&self) -> Metadata {
        let issuer = &self.inner.config.issuer;
        let at = |path: &str| format!("{issuer}{path}");
        Metadata {
            issuer: issuer.clone(),
            authorization_endpoint: at("/o/oauth2/v2/auth"),
            device_authorization_endpoint: at("/device/authorize"),
            token_endpoint: at("/token"),
            userinfo_endpoint: at("/v1/userinfo"),
            introspection_endpoint: at("/introspect"),
            pushed_authorization_request_endpoint: at("/par"),
            revocation_endpoint: at("/revoke"),
            registration_endpoint: (self.registration() != Registration::Off)
                .then(|| at("/register")),
            jwks_uri: at("/oauth2/v3/certs"),
            response_types_supported: &["code"],
            response_modes_supported: &["query"],
            grant_types_supported: &[
                "authorization_code",
                "refresh_token",
                "urn:ietf:params:oauth:grant-type:device_code",
                "urn:ietf:params:oauth:grant-type:jwt-bearer",
                "client_credentials",
            ],
            subject_types_supported: &["public"],
            id_token_signing_alg_values_supported: &["RS256"],
            scopes_supported: Scope::OF_PEOPLE.map(Scope::name),
            token_endpoint_auth_methods_supported: client_auth::METHODS_AND_NONE,
            token_endpoint_auth_signing_alg_values_supported: client_auth::ALGORITHMS,
            revocation_endpoint_auth_methods_supported: client_auth::METHODS_AND_NONE,
            revocation_endpoint_auth_signing_alg_values_supported: client_auth::ALGORITHMS,
            introspection_endpoint_auth_methods_supported: client_auth::METHODS,
            introspection_endpoint_auth_signing_alg_values_supported: client_auth::ALGORITHMS,
            claims_supported: &[
                "iss",
                "sub",
                "aud",
                "azp",
                "exp",
                "auth_time",
                "iat",
                "email",
                "email_verified",
                "preferred_username",
                "nonce",
                "at_hash",
            ],
            code_challenge_methods_supported: &["S256"],
            prompt_values_supported: &["none", "login", "consent", "select_account"],
            dpop_signing_alg_values_supported: crate::dpop::ALGORITHMS,
            authorization_response_iss_parameter_supported: true,
            request_uri_parameter_supported: false,
            request_parameter_supported: false,
            claims_parameter_supported: false,
        }
    }
}
