//! What administrators and their programs do: registering, the tokens of the API, and what the trails say of it.

use super::*;
use crate::{
    Act, BasicAuth, ClientField, ClientKind, Deed, ErrorCode, NewClient, Scopes, VerifyKey,
};
use std::time::Duration;

fn service(delegated: &str) -> NewClient {
    NewClient {
        delegated: Scopes::parse_known(delegated),
        ..NewClient::new("Panel", ClientKind::Service)
    }
}

fn details(entries: &[crate::Activity]) -> Vec<(Deed, Option<&str>, Option<&str>)> {
    entries
        .iter()
        .map(|entry| (entry.deed, entry.app.as_deref(), entry.detail.as_deref()))
        .collect()
}

#[tokio::test]
async fn a_service_account_gets_what_it_needs_and_no_more() {
    let house = House::new().await;
    let mail = house.identity.enrol(service("mail"), NOW).await.unwrap();
    assert!(mail.secret.is_none(), "its key is enough");
    let file = mail.key_file.unwrap();
    assert_eq!(file["client_email"], *mail.client.id);
    assert_eq!(file["token_uri"], "https://localhost:1443/token");
    assert!(file.get("client_secret").is_none());
    assert!(
        file["private_key"]
            .as_str()
            .unwrap()
            .starts_with("-----BEGIN PRIVATE KEY-----")
    );
    assert_eq!(
        mail.client.keys()[0].kid.as_deref(),
        file["private_key_id"].as_str()
    );

    let jwk = r#"{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let own = NewClient {
        keys: VerifyKey::read_all(jwk).unwrap(),
        ..service("pillarbox:admin")
    };
    let own = house.identity.enrol(own, NOW).await.unwrap();
    assert!(own.key_file.is_none() && own.secret.is_some());

    let native = NewClient {
        redirects: vec!["http://127.0.0.1/".into()],
        ..NewClient::new("Desktop", ClientKind::Native)
    };
    let native = house.identity.enrol(native, NOW).await.unwrap();
    assert!(native.secret.is_none() && native.key_file.is_none());
}

#[test]
fn what_is_wrong_is_said_of_its_field() {
    let web = |redirects: &[&str]| NewClient {
        redirects: redirects.iter().map(ToString::to_string).collect(),
        ..NewClient::new("Shop", ClientKind::Web)
    };
    let field = |new: NewClient| new.fault().map(|(field, _)| field);
    assert_eq!(field(web(&["https://shop.example/cb"])), None);
    assert_eq!(field(web(&[])), Some(ClientField::Redirects));
    assert_eq!(
        field(web(&["http://shop.example/"])),
        Some(ClientField::Redirects)
    );
    let nameless = NewClient {
        name: " ".into(),
        ..web(&["https://shop.example/cb"])
    };
    assert_eq!(field(nameless), Some(ClientField::Name));
    let crowd = NewClient {
        testers: Some(vec![ADA.into(); 101]),
        ..web(&["https://shop.example/cb"])
    };
    assert_eq!(field(crowd), Some(ClientField::Testers));
}

#[tokio::test]
async fn a_token_administrates_or_its_holder_hears_why_not() {
    let house = House::new().await;
    let made = house.identity.enrol(service("pillarbox:admin"), NOW);
    let made = made.await.unwrap();
    let basic = BasicAuth {
        id: made.client.id.to_string(),
        secret: made.secret.unwrap(),
    };
    let form = [("grant_type".to_owned(), "client_credentials".to_owned())];
    let token = house.identity.token(Some(basic), &form, NOW).await.unwrap();
    let token = token.access_token.expose();
    let client = house.identity.administration(token, NOW).await.unwrap();
    assert_eq!(client.id, made.client.id);
    let mail = house.token().await;
    for (token, at, code, cause) in [
        (token, NOW + HOUR, ErrorCode::InvalidToken, "expired"),
        ("x.y.z", NOW, ErrorCode::InvalidToken, "not one of"),
        (&mail, NOW, ErrorCode::InsufficientScope, "audience"),
        (&mail, NOW + HOUR, ErrorCode::InvalidToken, "audience"),
    ] {
        let refused = house.identity.administration(token, at).await.unwrap_err();
        assert_eq!(refused.error.code, code, "{}", refused.cause);
        assert!(refused.cause.contains(cause), "{}", refused.cause);
    }
}

#[tokio::test]
async fn trails_say_who_did_it() {
    let house = House::new().await;
    let panel = house.identity.acting("by Panel (app-x)");
    panel.invite(&house.ada, NOW).await.unwrap();
    panel
        .set_administrator(&house.ada, true, NOW + 1)
        .await
        .unwrap();
    let long = Act::new(Deed::Changed, NOW + 2).detail("x".repeat(300));
    panel.record(&house.ada, long);
    let new = NewClient {
        redirects: vec!["https://shop.example/cb".into()],
        ..NewClient::new("Shop", ClientKind::Web)
    };
    let shop = panel.enrol(new, NOW).await.unwrap().client;
    let rotated = panel.rotate_client_secret(&shop.id, Duration::ZERO, NOW + 1);
    rotated.await.unwrap();
    panel.remove_client(&shop.id, NOW + 2).await.unwrap();
    // The same before it is written and after.
    for _ in 0..2 {
        let of_ada = house
            .identity
            .activity(&house.ada, 10, NOW + 3)
            .await
            .unwrap();
        let of_ada = details(&of_ada);
        assert!(of_ada[0].2.unwrap().ends_with("x, by Panel (app-x)"));
        assert_eq!(
            of_ada[1..3],
            [
                (
                    Deed::Changed,
                    None,
                    Some("became an administrator of this server, by Panel (app-x)")
                ),
                (Deed::Invited, None, Some("by Panel (app-x)")),
            ]
        );
        let changes = house.identity.changes(10, NOW + 3).await.unwrap();
        let registered = format!("as {}, by Panel (app-x)", shop.id);
        let by = Some("by Panel (app-x)");
        assert_eq!(
            details(&changes),
            [
                (Deed::AppRemoved, Some("Shop"), by),
                (Deed::AppSecretRotated, Some("Shop"), by),
                (Deed::AppRegistered, Some("Shop"), Some(&*registered)),
            ]
        );
        house.identity.write_activity().await;
    }
}

#[tokio::test]
async fn many_changes_at_once_are_all_kept() {
    let house = House::new().await;
    for number in 0..500 {
        let act = Act::new(Deed::AccountRemoved, NOW + number);
        house.identity.record_change(act);
    }
    house.identity.write_activity().await;
    let all = house.identity.changes(1_000, NOW + HOUR).await.unwrap();
    assert_eq!(all.len(), 500);
}
