//! Programs that register themselves: what they may say, what becomes of it, and what strangers cannot do by it.

use super::authorization::request;
use super::tokens::redeem;
use super::*;
use crate::{BasicAuth, ClientKind, Deed, ErrorCode, Registration, Secret, Status, TokenError};
use serde_json::{Value, json};
use std::net::IpAddr;

const DAY: Millis = 24 * HOUR;
const CB: &str = "https://app.example/cb";

async fn house(registration: Registration) -> House {
    House::with(IdentityConfig {
        registration,
        ..config()
    })
    .await
}

fn web() -> Value {
    json!({"client_name": "Shop", "redirect_uris": [CB]})
}

async fn register(house: &House, metadata: &Value) -> Result<Value, TokenError> {
    let body = metadata.to_string();
    house.identity.register(body.as_bytes(), NOW).await
}

async fn code(house: &House, metadata: &Value) -> &'static str {
    let answer = register(house, metadata).await;
    answer.map_or_else(|error| error.code.name(), |_| "ok")
}

fn text<'a>(told: &'a Value, name: &str) -> &'a str {
    told[name].as_str().unwrap()
}

fn basic(told: &Value) -> Option<BasicAuth> {
    Some(BasicAuth {
        id: text(told, "client_id").into(),
        secret: Secret::new(text(told, "client_secret")),
    })
}

async fn client(house: &House, told: &Value) -> Arc<Client> {
    house.identity.clients().await.unwrap();
    house.identity.client(text(told, "client_id")).unwrap()
}

/// Ada lets it in.
async fn used(house: &House, told: &Value, now: Millis) {
    let changes = [
        ("client_id", text(told, "client_id")),
        ("redirect_uri", CB),
        ("code_challenge", ""),
        ("code_challenge_method", ""),
    ];
    let changes = request(&changes);
    let asked = house.identity.authorization_request(&changes, now).await;
    let left = house
        .identity
        .approve(&asked.unwrap(), &house.ada_signed_in().await, now)
        .await;
    let code = query(&left.unwrap(), "code").unwrap();
    let form = params(&[
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CB),
    ]);
    house.identity.token(basic(told), &form, now).await.unwrap();
}

#[tokio::test]
async fn who_registers_to_prove_and_push_always_is_held_to_it() {
    let house = house(Registration::Open).await;
    let (dpop, push) = (
        "dpop_bound_access_tokens",
        "require_pushed_authorization_requests",
    );
    let mut wanted =
        json!({"client_name": "Page", "redirect_uris": [CB], "token_endpoint_auth_method": "none"});
    let plain = register(&house, &wanted).await.unwrap();
    assert!(plain.get(dpop).is_none() && plain.get(push).is_none());
    (wanted[dpop], wanted[push]) = (json!(true), json!(true));
    let told = register(&house, &wanted).await.unwrap();
    assert_eq!((&told[dpop], &told[push]), (&json!(true), &json!(true)));
    let (id, token) = (
        text(&told, "client_id"),
        text(&told, "registration_access_token"),
    );
    let identity = &house.identity;
    let form = request(&[("client_id", id), ("redirect_uri", CB)]);

    let refused = identity
        .authorization_request(&form, NOW)
        .await
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidRequest);
    let told = query(&refused.redirect.unwrap(), "error");
    assert_eq!(told.as_deref(), Some("invalid_request"));
    let pushed = identity.push_request(None, &form, NOW).await.unwrap();
    let carried = params(&[("client_id", id), ("request_uri", &pushed.request_uri)]);
    let asked = identity.authorization_request(&carried, NOW).await.unwrap();
    let left = identity
        .approve(&asked, &house.ada_signed_in().await, NOW)
        .await;
    let code = query(&left.unwrap(), "code").unwrap();
    let form = tokens::form(&code, &[("client_id", id), ("redirect_uri", CB)]);
    let bare = identity.token(None, &form, NOW).await.unwrap_err();
    assert_eq!(bare.code, ErrorCode::InvalidDpopProof);
    let tokens = dpop::Holder::new().token(&house, &form).await.unwrap();
    assert_eq!(tokens.token_type, "DPoP", "and nothing was spent");

    // It may think better of it.
    wanted["client_id"] = json!(id);
    (wanted[dpop], wanted[push]) = (json!(false), json!(null));
    let changed = identity
        .register_anew(id, token, wanted.to_string().as_bytes(), NOW)
        .await
        .unwrap();
    assert!(changed.get(dpop).is_none() && changed.get(push).is_none());
    identity.clients().await.unwrap();
    let client = identity.client(id).unwrap();
    assert!(!client.always_proves() && !client.always_pushes());
}

#[tokio::test]
async fn its_own_secret_is_its_own_at_once() {
    let house = house(Registration::Open).await;
    let told = register(&house, &web()).await.unwrap();
    let (id, token) = (
        text(&told, "client_id"),
        text(&told, "registration_access_token"),
    );
    let change = |secret: &Value| {
        let change = json!({"client_id": id, "client_secret": secret, "client_name": "Shop 2", "redirect_uris": [CB]});
        change.to_string()
    };
    let anew = async |secret: &Value| {
        let body = change(secret);
        let answer = house
            .identity
            .register_anew(id, token, body.as_bytes(), NOW);
        answer
            .await
            .map_or_else(|error| error.code.name(), |_| "ok")
    };
    // Nothing else was asked of this server in between (RFC 7592 §2.2).
    assert_eq!(anew(&told["client_secret"]).await, "ok");
    assert_eq!(anew(&json!("another")).await, "invalid_request");
}

#[tokio::test]
async fn it_registers_reads_changes_and_leaves() {
    let house = house(Registration::Open).await;
    let told = register(&house, &web()).await.unwrap();
    assert_eq!(told["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(
        told["grant_types"],
        json!(["authorization_code", "refresh_token"])
    );
    assert_eq!(told["client_id_issued_at"], NOW / 1000);
    assert_eq!(told["client_secret_expires_at"], 0);
    let (id, token) = (
        text(&told, "client_id"),
        text(&told, "registration_access_token"),
    );
    let uri = format!("https://localhost:1443/register/{id}");
    assert_eq!(told["registration_client_uri"], uri);
    used(&house, &told, NOW).await;

    let read = house.identity.own_registration(id, token).await.unwrap();
    assert!(read.get("client_secret").is_none(), "it was shown once");
    assert_eq!(
        (&read["redirect_uris"], &read["client_name"]),
        (&json!([CB]), &json!("Shop"))
    );

    let change = json!({"client_id": id, "client_secret": told["client_secret"], "client_name": "Shop 2",
        "redirect_uris": [CB, "https://app.example/other"], "scope": "openid mail"});
    let body = change.to_string();
    let changed = house
        .identity
        .register_anew(id, token, body.as_bytes(), NOW)
        .await
        .unwrap();
    assert_eq!(
        (&changed["client_name"], &changed["scope"]),
        (&json!("Shop 2"), &json!("openid https://mail.google.com/"))
    );
    assert_eq!(client(&house, &told).await.redirects.len(), 2);

    for wrong in ["", "x", id, &token[1..]] {
        for error in [
            house
                .identity
                .own_registration(id, wrong)
                .await
                .unwrap_err(),
            house
                .identity
                .register_anew(id, wrong, body.as_bytes(), NOW)
                .await
                .unwrap_err(),
            house.identity.unregister(id, wrong, NOW).await.unwrap_err(),
        ] {
            assert_eq!(error.code, ErrorCode::InvalidToken);
        }
    }
    let other = register(
        &house,
        &json!({"client_name": "Other", "redirect_uris": [CB]}),
    )
    .await
    .unwrap();
    let other = text(&other, "registration_access_token");
    assert!(
        house.identity.own_registration(id, other).await.is_err(),
        "another's"
    );
    assert!(house.identity.own_registration("web", token).await.is_err());

    house.identity.unregister(id, token, NOW).await.unwrap();
    let trail = house.identity.changes(10, NOW).await.unwrap();
    let trail: Vec<_> = trail.iter().map(|one| one.deed).collect();
    for deed in [Deed::AppRegistered, Deed::AppChanged, Deed::AppRemoved] {
        assert!(trail.contains(&deed), "{trail:?}");
    }
    assert!(house.identity.own_registration(id, token).await.is_err());
    let grants = house.identity.grants(&house.ada).await.unwrap();
    assert!(
        grants.iter().all(|grant| grant.revoked.is_some()),
        "what people allowed it ended"
    );
}

#[tokio::test]
async fn what_is_kept_opens_nothing() {
    let house = house(Registration::Open).await;
    let told = register(&house, &web()).await.unwrap();
    let rows = house.store.account(&AccountId("oauth/clients".into()));
    let rows = rows.scan(b"", 100).await.unwrap();
    for secret in ["client_secret", "registration_access_token"] {
        let secret = text(&told, secret).as_bytes();
        let found = rows
            .iter()
            .any(|(_, row)| row.windows(secret.len()).any(|part| part == secret));
        assert!(!found);
    }
}

#[tokio::test]
async fn kinds_of_programs() {
    let house = house(Registration::Open).await;
    for (metadata, kind, secret) in [
        (web(), ClientKind::Web, true),
        (
            json!({"redirect_uris": [CB], "token_endpoint_auth_method": "client_secret_post"}),
            ClientKind::Web,
            true,
        ),
        (
            json!({"redirect_uris": ["com.example.app:/cb"], "token_endpoint_auth_method": "none"}),
            ClientKind::Native,
            false,
        ),
        (
            json!({"redirect_uris": ["http://127.0.0.1/cb"], "application_type": "native"}),
            ClientKind::Native,
            true,
        ),
        (
            json!({"redirect_uris": [CB], "application_type": "web", "token_endpoint_auth_method": "none"}),
            ClientKind::Native,
            false,
        ),
        (
            json!({"grant_types": ["urn:ietf:params:oauth:grant-type:device_code"], "token_endpoint_auth_method": "none"}),
            ClientKind::Device,
            false,
        ),
    ] {
        let told = register(&house, &metadata).await.unwrap();
        let client = client(&house, &told).await;
        assert_eq!(
            (client.kind, client.has_secret()),
            (kind, secret),
            "{metadata}"
        );
        assert_eq!(told.get("client_secret").is_some(), secret);
        assert!(!client.is_vetted() && client.status == Status::Active);
    }
}

#[tokio::test]
async fn a_name_made_of_an_address_is_a_name() {
    let house = house(Registration::Open).await;
    let long = format!("https://{}.{}.example/cb", "a".repeat(40), "b".repeat(40));
    for (uri, name) in [
        (CB, "app.example"),
        (&long, "Unnamed program"),
        ("com.example.app://\"Mail\"/cb", "Unnamed program"),
        ("com.example.app:///cb", "Unnamed program"),
        ("com.example.app://~/cb", "Unnamed program"),
    ] {
        let metadata = json!({"redirect_uris": [uri], "token_endpoint_auth_method": "none"});
        let told = register(&house, &metadata).await.unwrap();
        assert_eq!(text(&told, "client_name"), name, "{uri}");
    }
}

#[tokio::test]
async fn what_is_null_is_not_there() {
    let house = house(Registration::Open).await;
    let mut metadata = web();
    for name in [
        "application_type",
        "grant_types",
        "response_types",
        "scope",
        "jwks",
        "jwks_uri",
        "token_endpoint_auth_method",
    ] {
        metadata[name] = Value::Null;
        assert_eq!(code(&house, &metadata).await, "ok", "{name}");
    }
}

#[tokio::test]
async fn every_refusal() {
    let house = house(Registration::Open).await;
    let (redirect, metadata) = ("invalid_redirect_uri", "invalid_client_metadata");
    let with = |name: &str, value: Value| {
        let mut all = web();
        all[name] = value;
        all
    };
    for uris in [
        json!(null),
        json!([]),
        json!(CB),
        json!([1]),
        json!(["http://app.example/cb"]),
        json!(["https://app.example/cb#x"]),
        json!(["https://*.example/cb"]),
        json!(["https://user@app.example/"]),
        json!(["javascript:alert(1)"]),
        json!(["com.example.app:/cb"]),
        json!([format!("https://app.example/{}", "x".repeat(2100))]),
        json!(vec![CB; 21]),
    ] {
        assert_eq!(
            code(&house, &with("redirect_uris", uris.clone())).await,
            redirect,
            "{uris}"
        );
    }
    for (name, value) in [
        ("client_name", json!("")),
        ("client_name", json!("   ")),
        ("client_name", json!(7)),
        ("client_name", json!("a\u{7}b")),
        ("client_name", json!("a\nb")),
        ("client_name", json!("evil\u{202e}gpj.exe")),
        ("client_name", json!("Pill\u{200b}arbox")),
        ("client_name", json!("Shop” is approved. “Other")),
        ("client_name", json!("<b>Shop</b>")),
        ("client_name", json!("ada@example.test")),
        ("client_name", json!("!!!")),
        ("client_name", json!("x".repeat(61))),
        ("client_name", json!("Web application")),
        ("client_name", json!("pillarbox  COMMAND-line")),
        ("client_name", json!("localhost")),
        ("client_name", json!("Тhunderbird")),
        ("client_name", json!("Thundеrbird")),
        ("client_name", json!("Τhunderbird")),
        ("client_name", json!("Ｔhunderbird")),
        ("client_name", json!("𝐓hunderbird")),
        ("client_name", json!("Thunderbird\u{301}")),
        ("client_name", json!("Web app1ication")),
        ("client_name", json!("Pillarbох command line")),
        ("client_name", json!("Help of Pillarbox")),
        ("client_name", json!("Administrator of localhost")),
        ("token_endpoint_auth_method", json!("client_secret_jwt")),
        ("token_endpoint_auth_method", json!("tls_client_auth")),
        ("token_endpoint_auth_method", json!("private_key_jwt")),
        ("grant_types", json!(["implicit"])),
        ("grant_types", json!(["password"])),
        ("grant_types", json!(["client_credentials"])),
        (
            "grant_types",
            json!(["urn:ietf:params:oauth:grant-type:jwt-bearer"]),
        ),
        ("grant_types", json!([])),
        ("grant_types", json!("authorization_code")),
        (
            "grant_types",
            json!([
                "authorization_code",
                "urn:ietf:params:oauth:grant-type:device_code"
            ]),
        ),
        ("response_types", json!(["token"])),
        ("response_types", json!(["code id_token"])),
        ("application_type", json!("service")),
        ("scope", json!("pillarbox:admin")),
        (
            "scope",
            json!("https://www.googleapis.com/auth/gmail.imap_admin"),
        ),
        ("scope", json!("nonsense")),
        ("jwks_uri", json!("https://app.example/keys")),
        ("jwks", json!({"keys": []})),
        ("id_token_signed_response_alg", json!("none")),
        ("subject_type", json!("pairwise")),
        ("dpop_bound_access_tokens", json!("true")),
        ("require_pushed_authorization_requests", json!(1)),
    ] {
        assert_eq!(
            code(&house, &with(name, value.clone())).await,
            metadata,
            "{name} {value}"
        );
    }
    for body in [
        "",
        "[]",
        "null",
        "{",
        "\"x\"",
        &format!("{{\"x\":\"{}\"}}", "x".repeat(17_000)),
    ] {
        let refused = house.identity.register(body.as_bytes(), NOW).await;
        assert_eq!(refused.unwrap_err().code.name(), metadata);
    }
    // What is not understood is ignored (RFC 7591 §2).
    for (name, value) in [
        ("logo_uri", json!("https://evil.example/logo.png")),
        ("software_statement", json!("x.y.z")),
        ("policy_uri", json!(7)),
        ("client_name#fr", json!("Magasin")),
        ("registered_by", json!("the administrator")),
        ("status", json!("Active")),
        ("introspects", json!(true)),
        ("delegated", json!("mail")),
    ] {
        let told = register(&house, &with(name, value)).await.unwrap();
        assert!(told.get(name).is_none(), "{name}");
    }
}

#[tokio::test]
async fn a_key_in_place_of_a_secret() {
    let house = house(Registration::Open).await;
    let jwks = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]});
    let mut metadata = web();
    metadata["token_endpoint_auth_method"] = json!("private_key_jwt");
    metadata["jwks"] = jwks.clone();
    let told = register(&house, &metadata).await.unwrap();
    assert_eq!((told.get("client_secret"), &told["jwks"]), (None, &jwks));
    let client = client(&house, &told).await;
    assert!(client.is_confidential() && !client.has_secret());
    metadata["jwks"]["keys"][0]["d"] = json!("nWGxne");
    assert_eq!(
        code(&house, &metadata).await,
        "invalid_client_metadata",
        "a private key"
    );
}

#[tokio::test]
async fn off_is_off_and_discovery_says_which() {
    for (registration, endpoint) in [
        (Registration::Off, Value::Null),
        (
            Registration::Approval,
            json!("https://localhost:1443/register"),
        ),
        (Registration::Open, json!("https://localhost:1443/register")),
    ] {
        let house = house(registration).await;
        let metadata = serde_json::to_value(house.identity.metadata()).unwrap();
        assert_eq!(metadata["registration_endpoint"], endpoint);
        if registration == Registration::Off {
            assert_eq!(code(&house, &web()).await, "access_denied");
        }
    }
}

#[tokio::test]
async fn with_approval_it_waits_and_waits_again_when_it_changes() {
    let house = house(Registration::Approval).await;
    let told = register(&house, &web()).await.unwrap();
    let (id, token) = (
        text(&told, "client_id"),
        text(&told, "registration_access_token"),
    );
    let ask = async || {
        let changes = request(&[("client_id", id), ("redirect_uri", CB)]);
        house.identity.authorization_request(&changes, NOW).await
    };
    let refused = ask().await.unwrap_err();
    assert_eq!(
        (refused.code, refused.redirect),
        (ErrorCode::UnauthorizedClient, None)
    );
    assert!(refused.description.contains("not approved"));
    let form = params(&[("grant_type", "refresh_token"), ("refresh_token", "x")]);
    let refused = house
        .identity
        .token(basic(&told), &form, NOW)
        .await
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::UnauthorizedClient);

    house.identity.approve_client(id).await.unwrap();
    assert!(ask().await.is_ok() && client(&house, &told).await.is_vetted());
    let mut change = web();
    change["client_id"] = json!(id);
    let again = |change: &Value| change.to_string();
    house
        .identity
        .register_anew(id, token, again(&change).as_bytes(), NOW)
        .await
        .unwrap();
    assert!(ask().await.is_ok(), "nothing changed");
    change["redirect_uris"] = json!(["https://elsewhere.example/"]);
    house
        .identity
        .register_anew(id, token, again(&change).as_bytes(), NOW)
        .await
        .unwrap();
    assert_eq!(ask().await.unwrap_err().code, ErrorCode::UnauthorizedClient);
    let client = client(&house, &told).await;
    assert!(client.status == Status::Waiting && !client.is_vetted());
}

#[tokio::test]
async fn what_cannot_be_changed() {
    let house = house(Registration::Open).await;
    let told = register(&house, &web()).await.unwrap();
    let (id, token) = (
        text(&told, "client_id"),
        text(&told, "registration_access_token"),
    );
    for (name, value, error) in [
        ("client_id", json!("web"), "invalid_request"),
        ("client_id", Value::Null, "invalid_request"),
        ("client_secret", json!("x"), "invalid_request"),
        ("client_secret", json!(1), "invalid_request"),
        ("registration_access_token", json!(token), "invalid_request"),
        ("client_id_issued_at", json!(1), "invalid_request"),
        (
            "token_endpoint_auth_method",
            json!("none"),
            "invalid_client_metadata",
        ),
        (
            "application_type",
            json!("native"),
            "invalid_client_metadata",
        ),
        (
            "client_name",
            json!("Web application"),
            "invalid_client_metadata",
        ),
        ("redirect_uris", json!([]), "invalid_redirect_uri"),
    ] {
        let mut change = web();
        change["client_id"] = json!(id);
        change[name] = value.clone();
        let refused = house
            .identity
            .register_anew(id, token, change.to_string().as_bytes(), NOW)
            .await;
        assert_eq!(refused.unwrap_err().code.name(), error, "{name} {value}");
    }
    // An approved name is taken for others, not for itself.
    house.identity.approve_client(id).await.unwrap();
    assert_eq!(code(&house, &web()).await, "invalid_client_metadata");
    let mut same = web();
    same["client_id"] = json!(id);
    assert!(
        house
            .identity
            .register_anew(id, token, same.to_string().as_bytes(), NOW)
            .await
            .is_ok()
    );
    assert!(
        client(&house, &told).await.is_vetted(),
        "it is what was approved"
    );
}

#[tokio::test]
async fn a_scope_it_did_not_register_is_refused() {
    let house = house(Registration::Open).await;
    let mut metadata = web();
    metadata["scope"] = json!("openid pillarbox:read");
    let told = register(&house, &metadata).await.unwrap();
    for (scope, good) in [
        ("openid", true),
        ("pillarbox:read openid", true),
        ("mail", false),
        ("openid email", false),
    ] {
        let changes = [
            ("client_id", text(&told, "client_id")),
            ("redirect_uri", CB),
            ("scope", scope),
        ];
        let asked = house
            .identity
            .authorization_request(&request(&changes), NOW)
            .await;
        assert_eq!(asked.is_ok(), good, "{scope}");
        if let Err(error) = asked {
            assert_eq!(error.code, ErrorCode::InvalidScope);
        }
    }
    let device = json!({"grant_types": ["urn:ietf:params:oauth:grant-type:device_code"], "scope": "openid",
        "token_endpoint_auth_method": "none"});
    let told = register(&house, &device).await.unwrap();
    let form = params(&[("client_id", text(&told, "client_id")), ("scope", "mail")]);
    let refused = house
        .identity
        .device_code(None, &form, NOW)
        .await
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidScope);
}

#[tokio::test]
async fn floods_are_bounded_and_push_nobody_out() {
    let peaceful = house(Registration::Open).await;
    let kept = register(&peaceful, &web()).await.unwrap();
    used(&peaceful, &kept, NOW).await;
    // The rest of those that fit, as copies of one: registering them one by one would take long.
    register(&peaceful, &web()).await.unwrap();
    let rows = peaceful.store.account(&AccountId("oauth/clients".into()));
    let unused = rows.scan(b"ol", 10).await.unwrap().into_iter();
    let mut unused =
        unused.filter(|(_, row)| String::from_utf8_lossy(row).contains("\"used\":null"));
    let (_, unused) = unused.next().unwrap();
    let copy = move |rows: &mut pillarbox_store::mail::Rows| {
        for number in 2..500 {
            rows.put(format!("olapp-{number}").as_bytes(), unused.to_vec());
        }
        Ok::<_, crate::IdentityError>(())
    };
    rows.update(&[b"ol"], copy).await.unwrap();
    assert_eq!(code(&peaceful, &web()).await, "temporarily_unavailable");
    // An hour later the oldest that nobody used makes room; who is used stays.
    let body = web().to_string();
    let later = peaceful
        .identity
        .register(body.as_bytes(), NOW + HOUR)
        .await;
    assert!(later.is_ok());
    assert_eq!(client(&peaceful, &kept).await.name.as_ref(), "Shop");

    let config = IdentityConfig {
        registration: Registration::Open,
        slow_down: true,
        ..config()
    };
    let house = House::with(config).await;
    let from = |last: u8| house.identity.from_peer(IpAddr::from([192, 0, 2, last]));
    for _ in 0..10 {
        assert!(from(1).register(body.as_bytes(), NOW).await.is_ok());
    }
    let refused = from(1).register(body.as_bytes(), NOW).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::SlowDown);
    assert!(from(2).register(body.as_bytes(), NOW).await.is_ok());
    assert!(from(1).register(body.as_bytes(), NOW + HOUR).await.is_ok());
    let clients = house.identity.clients().await.unwrap();
    assert!(
        clients
            .iter()
            .any(|one| &*one.registered_by == "itself, from 192.0.2.2")
    );
}

#[tokio::test]
async fn what_nobody_used_is_forgotten() {
    let house = house(Registration::Open).await;
    let name = |name: &str| json!({"client_name": name, "redirect_uris": [CB]});
    let unused = register(&house, &name("Unused")).await.unwrap();
    let in_use = register(&house, &name("In use")).await.unwrap();
    let approved = register(&house, &name("Approved")).await.unwrap();
    used(&house, &in_use, NOW + DAY).await;
    house
        .identity
        .approve_client(text(&approved, "client_id"))
        .await
        .unwrap();
    let forgotten = house
        .identity
        .forget_unused_clients(NOW + 30 * DAY - 1)
        .await;
    assert!(forgotten.unwrap().is_empty());
    let forgotten = house.identity.forget_unused_clients(NOW + 30 * DAY).await;
    assert_eq!(forgotten.unwrap(), ["Unused"]);
    house.identity.clients().await.unwrap();
    assert!(house.identity.client(text(&unused, "client_id")).is_none());
    for kept in [&in_use, &approved] {
        client(&house, kept).await;
    }
}

#[tokio::test]
async fn a_registered_program_signs_in() {
    let house = house(Registration::Open).await;
    let metadata = json!({"client_name": "Desk", "redirect_uris": ["http://127.0.0.1/cb"], "token_endpoint_auth_method": "none"});
    let told = register(&house, &metadata).await.unwrap();
    let changes = [
        ("client_id", text(&told, "client_id")),
        ("redirect_uri", "http://127.0.0.1:5001/cb"),
    ];
    let changes = request(&changes);
    let asked = house
        .identity
        .authorization_request(&changes, NOW)
        .await
        .unwrap();
    let person = house.ada_signed_in().await;
    assert!(
        house
            .identity
            .needs_consent(&asked, &person, NOW)
            .await
            .unwrap()
    );
    let tokens = redeem(&house, &asked, &person, NOW).await.unwrap();
    assert!(tokens.refresh_token.is_some());
}
