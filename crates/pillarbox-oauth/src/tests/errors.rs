//! The token endpoint, grant by grant: every error code that it can answer with (RFC 6749 §5.2, RFC 8628 §3.5, RFC 8707 §2), each
//! by the shortest way there. What leads to a grant stands in the files of the grants.

use super::*;
use crate::{ClientKind, NewClient, Scope, Scopes, Status};

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const CODE: &str = "authorization_code";
const REFRESH: &str = "refresh_token";
const CREDENTIALS: &str = "client_credentials";

async fn answer(house: &House, pairs: &[(&str, &str)]) -> &'static str {
    let told = house.identity.token(None, &params(pairs), NOW).await;
    told.map_or_else(|error| error.code.name(), |_| "ok")
}

/// A service account with a secret, and what it may do.
async fn robot(house: &House, delegated: Scopes) -> (String, String) {
    let new = NewClient {
        delegated,
        ..NewClient::new("Robot", ClientKind::Service)
    };
    let (client, secret) = house.identity.add_client(new, NOW).await.unwrap();
    (client.id.to_string(), secret.unwrap().expose().to_owned())
}

#[tokio::test]
async fn every_grant_wants_its_parameters_once() {
    let house = House::new().await;
    let web = [("client_id", "web"), ("client_secret", "pillarbox")];
    let with = |more: &[(&'static str, &'static str)]| [&web[..], more].concat();
    for pairs in [
        with(&[]),
        with(&[("grant_type", "")]),
        with(&[("grant_type", CODE)]),
        with(&[("grant_type", CODE), ("code", "x")]),
        with(&[("grant_type", REFRESH)]),
        with(&[("grant_type", BEARER)]),
        with(&[
            ("grant_type", REFRESH),
            ("refresh_token", "x"),
            ("refresh_token", "y"),
        ]),
        vec![("grant_type", DEVICE), ("client_id", "tv")],
    ] {
        assert_eq!(answer(&house, &pairs).await, "invalid_request", "{pairs:?}");
    }
}

#[tokio::test]
async fn every_grant_wants_its_client() {
    let house = House::new().await;
    for grant in [CODE, REFRESH, DEVICE, CREDENTIALS] {
        for client in [
            &[][..],
            &[("client_id", "nobody")],
            &[("client_id", "web")],
            &[("client_id", "web"), ("client_secret", "wrong")],
        ] {
            let pairs = [&[("grant_type", grant)], client].concat();
            assert_eq!(answer(&house, &pairs).await, "invalid_client", "{pairs:?}");
        }
    }
    let wrong = [
        ("grant_type", BEARER),
        ("assertion", "x"),
        ("client_id", "web"),
        ("client_secret", "wrong"),
    ];
    assert_eq!(answer(&house, &wrong).await, "invalid_client");
}

/// A client that no administrator has approved yet.
pub(crate) async fn waiting(house: &House) -> String {
    let new = NewClient {
        redirects: vec!["http://127.0.0.1/".into()],
        status: Status::Waiting,
        ..NewClient::new("Waits", ClientKind::Native)
    };
    let (client, _) = house.identity.add_client(new, NOW).await.unwrap();
    client.id.to_string()
}

#[tokio::test]
async fn no_grant_is_for_clients_that_wait() {
    let house = House::new().await;
    let id = waiting(&house).await;
    for grant in [CODE, REFRESH, DEVICE, CREDENTIALS] {
        let pairs = [("grant_type", grant), ("client_id", id.as_str())];
        assert_eq!(
            answer(&house, &pairs).await,
            "unauthorized_client",
            "{grant}"
        );
    }
}

#[tokio::test]
async fn made_up_codes_and_tokens_are_no_grants() {
    let house = House::new().await;
    for pairs in [
        &[
            ("grant_type", CODE),
            ("client_id", "desktop"),
            ("code", "x"),
            ("redirect_uri", "http://127.0.0.1/"),
        ][..],
        &[
            ("grant_type", REFRESH),
            ("client_id", "desktop"),
            ("refresh_token", "x"),
        ],
        &[
            ("grant_type", DEVICE),
            ("client_id", "tv"),
            ("device_code", "x"),
        ],
        &[("grant_type", BEARER), ("assertion", "x.y.z")],
    ] {
        assert_eq!(answer(&house, pairs).await, "invalid_grant", "{pairs:?}");
    }
}

#[tokio::test]
async fn clients_that_may_not_and_scopes_that_cannot_be() {
    let house = House::new().await;
    let credentials = |id: &str, secret: &str, scope: &str| {
        let pairs = [
            ("grant_type", CREDENTIALS),
            ("client_id", id),
            ("client_secret", secret),
            ("scope", scope),
        ];
        params(&pairs)
    };
    let admin = Scope::Admin.name();
    let (plain, plain_secret) = robot(&house, Scopes::default().with(Scope::Mail)).await;
    let (id, secret) = robot(&house, Scopes::default().with(Scope::Admin)).await;
    for (form, error) in [
        (
            credentials("web", "pillarbox", admin),
            "unauthorized_client",
        ),
        (
            credentials(&plain, &plain_secret, admin),
            "unauthorized_client",
        ),
        (credentials(&id, &secret, "mail"), "invalid_scope"),
        (credentials(&id, &secret, "nonsense"), "invalid_scope"),
        (credentials(&id, &secret, admin), "ok"),
    ] {
        let told = house.identity.token(None, &form, NOW).await;
        assert_eq!(told.map_or_else(|error| error.code.name(), |_| "ok"), error);
    }
}

#[tokio::test]
async fn other_grants_and_other_resources() {
    let house = House::new().await;
    for grant in [
        "password",
        "implicit",
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "Authorization_code",
    ] {
        let pairs = [("grant_type", grant), ("client_id", "desktop")];
        assert_eq!(
            answer(&house, &pairs).await,
            "unsupported_grant_type",
            "{grant}"
        );
    }
    for grant in [CODE, REFRESH, DEVICE, BEARER] {
        let pairs = [
            ("grant_type", grant),
            ("client_id", "desktop"),
            ("resource", "https://other.example"),
        ];
        assert_eq!(answer(&house, &pairs).await, "invalid_target", "{grant}");
    }
    let (id, secret) = robot(&house, Scopes::default().with(Scope::Admin)).await;
    for (resource, error) in [
        ("https://localhost:1443", "ok"),
        ("https://localhost:1443/admin", "ok"),
        // What is given opens no mailbox.
        ("imaps://localhost", "invalid_target"),
        ("https://other.example/admin", "invalid_target"),
    ] {
        let pairs = [
            ("grant_type", CREDENTIALS),
            ("client_id", &*id),
            ("client_secret", &*secret),
            ("resource", resource),
        ];
        assert_eq!(answer(&house, &pairs).await, error, "{resource}");
    }
}

#[tokio::test]
async fn a_refresh_token_ends_by_lying_unused() {
    const DAY: Millis = 24 * HOUR;
    let house = House::new().await;
    let code = tokens::code(&house, &[]).await;
    let first = house
        .identity
        .token(None, &tokens::form(&code, &[]), NOW)
        .await;
    let first = dpop::refresh("desktop", &first.unwrap());
    let used = NOW + 179 * DAY;
    let second = house.identity.token(None, &first, used).await.unwrap();
    let second = dpop::refresh("desktop", &second);
    let late = house.identity.token(None, &second, used + 180 * DAY).await;
    assert_eq!(late.unwrap_err().code.name(), "invalid_grant");
    let just = house
        .identity
        .token(None, &second, used + 180 * DAY - 1)
        .await;
    assert!(
        just.is_ok(),
        "it is counted from the last use, and a late one ends nothing"
    );
}

#[tokio::test]
async fn every_endpoint_says_when_the_server_fails() {
    let (house, engine) = House::failing().await;
    let identity = &house.identity;
    let (code, token) = (tokens::code(&house, &[]).await, house.token().await);
    let refresh = house.mint_refresh().await;
    engine.goes_blind();
    let name = |error: Option<crate::TokenError>| error.map_or("ok", |error| error.code.name());
    for form in [
        tokens::form(&code, &[]),
        params(&[
            ("grant_type", REFRESH),
            ("client_id", "cli"),
            ("refresh_token", &refresh),
        ]),
    ] {
        let told = identity.token(None, &form, NOW).await;
        assert_eq!(name(told.err()), "server_error", "{form:?}");
    }
    let form = params(&[("client_id", "tv"), ("scope", "mail")]);
    let told = identity.device_code(None, &form, NOW).await;
    assert_eq!(name(told.err()), "server_error");
    let told = identity
        .push_request(None, &authorization::request(&[]), NOW)
        .await;
    assert_eq!(name(told.err()), "server_error");
    let form = params(&[("token", &token)]);
    let told = identity.revoke(None, &form, NOW).await;
    assert_eq!(name(told.err()), "server_error");
    let web = crate::BasicAuth {
        id: "web".into(),
        secret: crate::Secret::new("pillarbox"),
    };
    let form = params(&[("token", &refresh)]);
    let told = identity.introspect(Some(web), &form, NOW).await;
    assert_eq!(name(told.err()), "server_error");
    // Nothing is known of the program, so only a page can say it.
    let reference = "urn:ietf:params:oauth:request_uri:x";
    let form = params(&[("client_id", "desktop"), ("request_uri", reference)]);
    let told = identity
        .authorization_request(&form, NOW)
        .await
        .unwrap_err();
    assert_eq!((told.code.name(), told.redirect), ("server_error", None));
}
