//! What a provider publishes: its metadata (OpenID Connect Discovery §3) and its keys (RFC 7517). Read strictly where we
//! rely on it, and passing over what is not for us: encryption keys, algorithms we do not check.

use super::jwt::Header;
use super::{Done, ExternalProvider, No, is_https};
use crate::assertion::{VerifyKey, read_jwk};
use serde_json::Value;
use std::collections::HashMap;

/// Most keys of one provider.
const KEYS_MAX: usize = 100;

/// What is used of a provider's metadata.
#[derive(Clone, Debug)]
pub(super) struct Metadata {
    pub authorization: String,
    pub token: String,
    pub jwks: String,
    pub userinfo: Option<String>,
    pub introspection: Option<String>,
    /// Whether it names itself in its answers (RFC 9207 §3).
    pub names_itself: bool,
    /// Whether we say who we are beside the form (`client_secret_basic`), or in it.
    pub basic: bool,
}

impl Metadata {
    /// Where it is published (OpenID Connect Discovery §4.1).
    pub(super) fn address(issuer: &str) -> String {
        let issuer = issuer.trim_end_matches('/');
        format!("{issuer}/.well-known/openid-configuration")
    }

    pub(super) fn read(document: &Value, provider: &ExternalProvider) -> Done<Self> {
        let label = &provider.label;
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        if text("issuer") != Some(&provider.issuer) {
            let other = text("issuer").unwrap_or("nobody");
            let cause = format!("{label}: its metadata is that of {other:?}");
            return Err(No::new(super::WhyNot::Unreachable, cause));
        }
        let endpoint = |name: &str| match text(name) {
            Some(address) if is_https(address) => Ok(Some(address.to_owned())),
            Some(_) => Err(broken(label, name, "is not an https:// address")),
            None => Ok(None),
        };
        let required =
            |name: &str| endpoint(name)?.ok_or_else(|| broken(label, name, "is missing"));
        let methods = document.get("token_endpoint_auth_methods_supported");
        let methods = methods.and_then(Value::as_array);
        Ok(Self {
            authorization: required("authorization_endpoint")?,
            token: required("token_endpoint")?,
            jwks: required("jwks_uri")?,
            userinfo: endpoint("userinfo_endpoint")?,
            introspection: endpoint("introspection_endpoint")?,
            names_itself: document.get("authorization_response_iss_parameter_supported")
                == Some(&Value::Bool(true)),
            // Without a list it is basic (OpenID Connect Discovery §3).
            basic: methods.is_none_or(|all| all.iter().any(|one| one == "client_secret_basic")),
        })
    }
}

fn broken(label: &str, name: &str, what: &str) -> No {
    No::new(
        super::WhyNot::Unreachable,
        format!("{label}: {name} in its metadata {what}"),
    )
}

/// The keys a provider signs with. Each has one algorithm, its own, whatever a token says.
#[derive(Clone, Debug, Default)]
pub(super) struct ProviderKeys(Vec<VerifyKey>);

impl ProviderKeys {
    pub(super) fn read(document: &Value, label: &str) -> Done<Self> {
        let Some(all) = document.get("keys").and_then(Value::as_array) else {
            let cause = format!("{label}: what it publishes as its keys is no set of keys");
            return Err(No::new(super::WhyNot::Unreachable, cause));
        };
        let signs = |jwk: &&Value| {
            let for_signing = jwk.get("use").is_none_or(|usage| usage == "sig");
            let operations = jwk.get("key_ops").and_then(Value::as_array);
            for_signing && operations.is_none_or(|all| all.iter().any(|one| one == "verify"))
        };
        let usable = all.iter().take(KEYS_MAX).filter(signs);
        let mut keys: Vec<VerifyKey> = usable.filter_map(|jwk| read_jwk(jwk).ok()).collect();
        // A name for two keys names neither: which one a token means would be the token's choice.
        let mut names: HashMap<String, usize> = HashMap::new();
        for kid in keys.iter().filter_map(|key| key.kid.clone()) {
            *names.entry(kid).or_default() += 1;
        }
        keys.retain(|key| {
            key.kid
                .as_ref()
                .is_none_or(|kid| names.get(kid) == Some(&1))
        });
        Ok(Self(keys))
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn all(&self) -> &[VerifyKey] {
        &self.0
    }

    /// The key a token names. Without a name it is the only one there is, if so (OpenID Connect Core §10.1).
    pub(super) fn find(&self, header: &Header) -> Option<&VerifyKey> {
        match (&header.kid, &self.0[..]) {
            (Some(kid), keys) => keys.iter().find(|key| key.kid.as_ref() == Some(kid)),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }
}
