//! Tokens and documents of providers, as anybody might write them.
#![allow(clippy::unwrap_used)] // a failed unwrap is a finding

use super::documents::{Metadata, ProviderKeys};
use super::jwt::Jwt;
use super::token::{check_access, opens};
use super::{
    ExternalAnswer, ExternalProvider, ExternalRequest, Fetch, Fetching, Known, Provider, SKEW_S,
};
use crate::Service;
use crate::fuzz::{JWKS, NOW, NOW_S, Token, at_once, choice, line, seconds};
use serde_json::Value;
use std::collections::HashSet;
use std::sync::{Arc, LazyLock};
use tokio::sync::Semaphore;

const PROVIDER: &str = "https://id.example.test";
const AUDIENCE: &str = "https://mail.example.test";
const NONCE: &str = "n-0S6_WzA2Mj";
const METADATA: &str = r#"{"issuer":"https://id.example.test","authorization_endpoint":"https://id.example.test/a",
"token_endpoint":"https://id.example.test/t","jwks_uri":"https://id.example.test/k"}"#;

/// Answers at once with what the provider publishes.
struct Published;

impl Fetch for Published {
    fn fetch(&self, request: ExternalRequest) -> Fetching<'_> {
        let document = match request.address.path() {
            "/k" => JWKS,
            _ => METADATA,
        };
        let document = document.into();
        Box::pin(async {
            Ok(ExternalAnswer {
                good: true,
                document,
            })
        })
    }
}

fn config() -> ExternalProvider {
    ExternalProvider {
        name: "id".into(),
        label: "ID".into(),
        issuer: PROVIDER.into(),
        client_id: "pillarbox".into(),
        client_secret: None,
        account_claim: "email".into(),
        scope: "openid email".into(),
        audience: AUDIENCE.into(),
        mail_scope: None,
        create: false,
        introspection: false,
    }
}

/// A token shown as an id token, and as an access token: as one of them at most it may be let in, and only with what RFC 9068 §4
/// and OpenID Connect Core §3.1.3.7 want.
pub(crate) fn token(data: &[u8]) -> bool {
    static PROVIDER_OF_ALL: LazyLock<Provider> = LazyLock::new(|| Provider {
        config: config(),
        fetch: Arc::new(Published),
        fetches: Semaphore::new(1),
        known: Known::default(),
    });
    let provider = &*PROVIDER_OF_ALL;
    let Some((how, rest)) = choice(data) else {
        return false;
    };
    let Some(token) = Token::new(how, rest) else {
        return false;
    };
    let Some(jwt) = Jwt::read(&token.text) else {
        return false;
    };
    let _ = (jwt.alleged_issuer(), jwt.type_in_words());
    let is_access_token = jwt.is_access_token();
    let mut let_in = false;
    let id_token = at_once(provider.open_id_token(&token.text, NONCE, NOW));
    if id_token.is_ok() {
        let (header, claims) = token.was_signed();
        let typ = header.get("typ").and_then(Value::as_str);
        assert!(
            typ.is_none_or(|typ| typ.eq_ignore_ascii_case("jwt")),
            "{header}"
        );
        assert_eq!(
            (&claims["iss"], &claims["nonce"]),
            (&PROVIDER.into(), &NONCE.into())
        );
        assert!(has(&claims["aud"], "pillarbox"), "{claims}");
        assert!(seconds(&claims, "exp").unwrap() > NOW_S - SKEW_S);
        assert!(seconds(&claims, "iat").unwrap() <= NOW_S + SKEW_S);
        let_in = true;
    }
    if !is_access_token {
        return let_in;
    }
    assert!(!let_in, "both an id token and an access token");
    let Ok(claims) = at_once(provider.open_access_token(jwt, NOW)) else {
        return false;
    };
    let (header, said) = token.was_signed();
    assert!(
        header["typ"]
            .as_str()
            .unwrap()
            .to_ascii_lowercase()
            .ends_with("at+jwt")
    );
    assert_eq!(said["iss"], PROVIDER);
    let Ok(ends) = check_access(provider, &claims, NOW) else {
        return false;
    };
    assert!(
        ends > NOW && seconds(&said, "exp") == Some(ends / 1000),
        "{said}"
    );
    assert!(
        has(&said["aud"], AUDIENCE) && said.get("cnf").is_none(),
        "{said}"
    );
    assert!(
        seconds(&said, "nbf").is_none_or(|begins| begins <= NOW_S + SKEW_S),
        "{said}"
    );
    opens(provider, &claims, Service::Imap).is_ok_and(|_| {
        assert!(
            said["scope"].as_str().unwrap().contains(['m', 'p']),
            "{said}"
        );
        true
    })
}

/// Whether an audience, one text or a list, has a member.
fn has(audience: &Value, wanted: &str) -> bool {
    audience == wanted
        || audience
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one == wanted))
}

/// The two documents of a provider, one a line.
pub(crate) fn documents(data: &[u8]) -> bool {
    let (metadata, keys) = line(data);
    let metadata = serde_json::from_slice::<Value>(metadata).ok();
    let metadata = metadata.and_then(|document| Metadata::read(&document, &config()).ok());
    if let Some(metadata) = &metadata {
        let required = [&metadata.authorization, &metadata.token, &metadata.jwks];
        for address in required
            .into_iter()
            .chain(&metadata.userinfo)
            .chain(&metadata.introspection)
        {
            assert_eq!(
                url::Url::parse(address).unwrap().scheme(),
                "https",
                "{address}"
            );
        }
    }
    let Ok(document) = serde_json::from_slice::<Value>(keys) else {
        return false;
    };
    let Ok(keys) = ProviderKeys::read(&document, "ID") else {
        return false;
    };
    let mut names = HashSet::new();
    for key in keys.all() {
        assert!(
            key.kid.as_ref().is_none_or(|kid| names.insert(kid)),
            "{:?} twice",
            key.kid
        );
        assert!(!key.fits("", &[]), "{key:?}");
    }
    metadata.is_some() && !keys.all().is_empty()
}
