//! Which client speaks at the endpoints for programs (RFC 6749 §2.3): by its secret, or by an assertion signed with a key it
//! registered (`private_key_jwt`: RFC 7523 §2.2, OpenID Connect Core §9); public ones by their name alone.
//!
//! Deliberately absent: `client_secret_jwt`, for which secrets would have to be kept readable, and certificates.

use crate::assertion::{Assertion, KeyAlgorithm};
use crate::authorize::Params;
use crate::client::{Client, Status};
use crate::server::{BasicAuth, ErrorCode, TokenError};
use crate::{Identity, Secret};
use pillarbox_store::mail::Millis;
use serde_json::Value;
use std::sync::Arc;

/// `client_assertion_type` (RFC 7523 §2.2).
pub(crate) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How clients with a secret or key prove themselves, as discovery names it.
pub(crate) const METHODS: &[&str] = &[
    "client_secret_post",
    "client_secret_basic",
    "private_key_jwt",
];
/// The same where public clients may speak too.
pub(crate) const METHODS_AND_NONE: &[&str] = &[
    "client_secret_post",
    "client_secret_basic",
    "private_key_jwt",
    "none",
];
/// How assertions may be signed; Ed25519 has two names since RFC 9864 §2.2.
pub(crate) const ALGORITHMS: &[&str] = &[
    KeyAlgorithm::RS256.name(),
    KeyAlgorithm::ES256.name(),
    KeyAlgorithm::EdDSA.name(),
    "Ed25519",
];

type Result<T, E = TokenError> = std::result::Result<T, E>;

/// Whether the form names or proves a client.
pub(crate) fn names_a_client(basic: Option<&BasicAuth>, params: &Params<'_>) -> bool {
    basic.is_some() || params.get("client_id").is_some() || proves_itself(basic, params)
}

/// Whether there are credentials, right or not.
pub(crate) fn proves_itself(basic: Option<&BasicAuth>, params: &Params<'_>) -> bool {
    let sent = |name| params.get(name).is_some();
    basic.is_some() || sent("client_secret") || sent("client_assertion")
}

/// Whether a parameter proves the client: it is kept nowhere.
pub(crate) fn is_proof(name: &str) -> bool {
    matches!(
        name,
        "client_secret" | "client_assertion" | "client_assertion_type"
    )
}

/// One answer for an unknown client and a wrong proof.
fn unknown(cause: &str) -> TokenError {
    let text = "The client is unknown, or its secret or signature is wrong.";
    TokenError::new(ErrorCode::InvalidClient, text).because(cause)
}

const NO_SUCH_CLIENT: &str = "there is no such client";

impl Identity {
    /// Which client speaks. A public client's secret, which some libraries send, proves nothing and is not looked at.
    pub(crate) async fn authenticate(
        &self,
        basic: Option<BasicAuth>,
        params: &Params<'_>,
        now: Millis,
    ) -> Result<Arc<Client>> {
        let posted = params.get("client_secret");
        let assertion = params.get("client_assertion");
        let ways = [basic.is_some(), posted.is_some(), assertion.is_some()];
        if ways.into_iter().filter(|way| *way).count() > 1 {
            let text = "The client proves itself in two ways at once.";
            return Err(TokenError::new(ErrorCode::InvalidRequest, text));
        }
        self.know_clients().await?;
        let client = match assertion {
            Some(text) => self.by_assertion(text, params, now)?,
            None => self.by_secret(basic, params, posted, now)?,
        };
        if client.status != Status::Active {
            let text = "The administrator has not approved this client yet.";
            let error = TokenError::new(ErrorCode::UnauthorizedClient, text);
            return Err(error.of_client(Some(&client.id)));
        }
        Ok(client)
    }

    fn by_secret(
        &self,
        basic: Option<BasicAuth>,
        params: &Params<'_>,
        posted: Option<&str>,
        now: Millis,
    ) -> Result<Arc<Client>> {
        let (header_id, header_secret) = match basic {
            Some(basic) => (Some(basic.id), Some(basic.secret)),
            None => (None, None),
        };
        let id = match (header_id.as_deref(), params.get("client_id")) {
            (Some(header), Some(param)) if header != param => {
                return Err(TokenError::new(
                    ErrorCode::InvalidRequest,
                    "client_id is not the header's.",
                ));
            }
            (Some(id), _) | (None, Some(id)) => id,
            (None, None) => {
                return Err(TokenError::new(
                    ErrorCode::InvalidClient,
                    "client_id is missing.",
                ));
            }
        };
        let client = self.client(id).ok_or_else(|| unknown(NO_SUCH_CLIENT))?;
        if client.is_confidential() {
            let offered = header_secret
                .as_ref()
                .map(Secret::expose)
                .or(posted)
                .ok_or_else(|| unknown("it sent no secret"))?;
            if !client.proves(offered, now) {
                return Err(unknown("its secret is wrong"));
            }
        }
        Ok(client)
    }

    pub(crate) fn by_assertion(
        &self,
        text: &str,
        params: &Params<'_>,
        now: Millis,
    ) -> Result<Arc<Client>> {
        let read = Assertion::read(text);
        let assertion = read.map_err(|text| TokenError::new(ErrorCode::InvalidClient, text))?;
        let client = self.by_read_assertion(&assertion, params, now);
        client.map_err(|error| error.of_client(Some(&assertion.claims.iss)))
    }

    /// RFC 7523 §2.2 and §3: `iss` and `sub` are the client, the audience is us and nobody else, and it is good once.
    fn by_read_assertion(
        &self,
        assertion: &Assertion<'_>,
        params: &Params<'_>,
        now: Millis,
    ) -> Result<Arc<Client>> {
        let refuse = |text: &str| TokenError::new(ErrorCode::InvalidClient, text);
        if params.get("client_assertion_type") != Some(ASSERTION_TYPE) {
            let text = format!("client_assertion_type must be {ASSERTION_TYPE}.");
            return Err(TokenError::new(ErrorCode::InvalidRequest, text));
        }
        let claims = &assertion.claims;
        let named = params.get("client_id").unwrap_or(&claims.iss);
        if claims.sub.as_ref() != Some(&claims.iss) || named != claims.iss {
            return Err(refuse("iss, sub and client_id must be one and the same."));
        }
        let client = self.client(&claims.iss);
        let client = client.ok_or_else(|| unknown(NO_SUCH_CLIENT))?;
        let signer = assertion.signer(&client, now);
        signer.ok_or_else(|| unknown("the signature is not by a key it registered"))?;
        let audience = match &claims.aud {
            Value::Array(all) if all.len() == 1 => all[0].as_str(),
            one => one.as_str(),
        };
        if !audience.is_some_and(|audience| self.is_our_endpoint(audience)) {
            let issuer = &self.inner.config.issuer;
            return Err(refuse(&format!("aud must be {issuer}, and nothing else.")));
        }
        let kept = claims.check_time(now).map_err(refuse)?;
        let jti = claims.jti.as_deref();
        let jti = jti.ok_or_else(|| refuse("jti is missing."))?;
        self.first_time(&client, jti, kept, (now, ErrorCode::InvalidClient))?;
        Ok(client)
    }

    /// The issuer, which newer rules want alone (RFC 9126 §2, OpenID Connect Core §9), or one of the endpoints, as programs
    /// have long written.
    fn is_our_endpoint(&self, audience: &str) -> bool {
        let issuer = &self.inner.config.issuer;
        let path = audience.strip_prefix(issuer.as_str());
        path.is_some_and(|path| {
            matches!(
                path,
                "" | "/token"
                    | "/o/oauth2/token"
                    | "/par"
                    | "/revoke"
                    | "/introspect"
                    | "/device/code"
                    | "/device/authorize"
            )
        })
    }
}
