//! Which grants are for which clients: by what they are, and by what they registered for (RFC 7591 §2).

use super::authorization::request;
use super::*;
use crate::{BasicAuth, Registration, Secret};
use serde_json::json;

const CODE: &str = "authorization_code";
const REFRESH: &str = "refresh_token";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const CREDENTIALS: &str = "client_credentials";
const ALL: [&str; 4] = [CODE, REFRESH, DEVICE, CREDENTIALS];

/// What the token endpoint says to a form that holds all a grant could want, and nothing that is good.
async fn told(house: &House, id: &str, secret: Option<&str>, grant: &str) -> &'static str {
    let form = params(&[
        ("grant_type", grant),
        ("code", "x"),
        ("redirect_uri", "http://127.0.0.1/"),
        ("refresh_token", "x"),
        ("device_code", "x"),
    ]);
    let basic = BasicAuth {
        id: id.into(),
        secret: Secret::new(secret.unwrap_or_default()),
    };
    let (basic, form) = match secret {
        Some(_) => (Some(basic), form),
        None => (None, [form, params(&[("client_id", id)])].concat()),
    };
    let answer = house.identity.token(basic, &form, NOW).await;
    answer.unwrap_err().code.name()
}

async fn device(house: &House, id: &str) -> &'static str {
    let form = params(&[("client_id", id), ("scope", "mail")]);
    let answer = house.identity.device_code(None, &form, NOW).await;
    answer.map_or_else(|error| error.code.name(), |_| "ok")
}

async fn register(house: &House, grants: &[&str]) -> serde_json::Value {
    let mut wanted = json!({"token_endpoint_auth_method": "none", "application_type": "native"});
    if !grants.is_empty() {
        wanted["grant_types"] = json!(grants);
    }
    if grants.is_empty() || grants.contains(&CODE) {
        wanted["redirect_uris"] = json!(["http://127.0.0.1/"]);
    }
    let wanted = wanted.to_string();
    let told = house.identity.register(wanted.as_bytes(), NOW).await;
    told.unwrap()
}

#[tokio::test]
async fn each_kind_of_client_has_its_grants() {
    let house = House::new().await;
    for (id, secret, own) in [
        ("desktop", None, &[CODE, REFRESH, DEVICE][..]),
        ("web", Some("pillarbox"), &[CODE, REFRESH]),
        ("tv", None, &[REFRESH, DEVICE]),
    ] {
        for grant in ALL {
            let expected = match own.contains(&grant) {
                true => "invalid_grant",
                false => "unauthorized_client",
            };
            let told = told(&house, id, secret, grant).await;
            assert_eq!(told, expected, "{id} {grant}");
        }
    }
    let new = crate::NewClient {
        delegated: crate::Scopes::default().with(crate::Scope::Admin),
        ..crate::NewClient::new("Robot", crate::ClientKind::Service)
    };
    let (service, secret) = house.identity.add_client(new, NOW).await.unwrap();
    let secret = secret.unwrap();
    for grant in [CODE, REFRESH, DEVICE] {
        let told = told(&house, &service.id, Some(secret.expose()), grant).await;
        assert_eq!(told, "unauthorized_client", "{grant}");
    }
}

#[tokio::test]
async fn who_registered_for_some_grants_gets_no_other() {
    let house = House::with(IdentityConfig {
        registration: Registration::Open,
        ..config()
    })
    .await;
    for (wanted, kept) in [
        // RFC 7591 §2: authorization_code is what is meant where nothing is said.
        (&[][..], &[CODE, REFRESH][..]),
        (&[CODE], &[CODE, REFRESH]),
        (&[CODE, REFRESH], &[CODE, REFRESH]),
        (&[CODE, DEVICE], &[CODE, REFRESH, DEVICE]),
        (&[DEVICE], &[REFRESH, DEVICE]),
    ] {
        let registered = register(&house, wanted).await;
        assert_eq!(registered["grant_types"], json!(kept), "it is told so");
        let id = registered["client_id"].as_str().unwrap();
        for grant in ALL {
            let expected = match kept.contains(&grant) {
                true => "invalid_grant",
                false => "unauthorized_client",
            };
            let told = told(&house, id, None, grant).await;
            assert_eq!(told, expected, "{wanted:?} {grant}");
        }
        let may = |grant| match kept.contains(&grant) {
            true => "ok",
            false => "unauthorized_client",
        };
        assert_eq!(device(&house, id).await, may(DEVICE), "{wanted:?}");
        let form = request(&[("client_id", id), ("redirect_uri", "http://127.0.0.1/")]);
        let asked = house.identity.authorization_request(&form, NOW).await;
        let asked = asked.map_or_else(|error| error.code.name(), |_| "ok");
        assert_eq!(asked, may(CODE), "{wanted:?}");
        let pushed = house.identity.push_request(None, &form, NOW).await;
        let pushed = pushed.map_or_else(|error| error.code.name(), |_| "ok");
        assert_eq!(pushed, may(CODE), "{wanted:?}");
    }
}

#[tokio::test]
async fn who_registers_for_less_loses_what_it_began() {
    let house = House::with(IdentityConfig {
        registration: Registration::Open,
        ..config()
    })
    .await;
    let registered = register(&house, &[CODE, DEVICE]).await;
    let text = |name: &str| registered[name].as_str().unwrap();
    let id = text("client_id");
    let form = params(&[("client_id", id), ("scope", "mail")]);
    let begun = house.identity.device_code(None, &form, NOW).await.unwrap();
    let less = json!({
        "client_id": id,
        "redirect_uris": ["http://127.0.0.1/"],
        "token_endpoint_auth_method": "none",
        "grant_types": [CODE],
    });
    let (less, token) = (less.to_string(), text("registration_access_token"));
    let identity = &house.identity;
    let changed = identity.register_anew(id, token, less.as_bytes(), NOW);
    assert_eq!(
        changed.await.unwrap()["grant_types"],
        json!([CODE, REFRESH])
    );
    let form = params(&[
        ("grant_type", DEVICE),
        ("client_id", id),
        ("device_code", begun.device_code.expose()),
    ]);
    let refused = identity.token(None, &form, NOW).await.unwrap_err();
    assert_eq!(refused.code.name(), "unauthorized_client");
    assert_eq!(device(&house, id).await, "unauthorized_client");
}
