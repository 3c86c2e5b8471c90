//! Registered clients: secrets, rotation, the audience of those who try one out, the end of a client.

use super::authorization::request;
use super::*;
use crate::{Audience, TesterChange};
use crate::{BasicAuth, Client, ClientKind, IdentityError, NewClient, Secret, Service, TokenError};
use std::time::Duration;
use tokens::redeem;

const WEB: &str = "https://app.example/cb";

fn web() -> NewClient {
    NewClient {
        redirects: vec![WEB.into()],
        ..NewClient::new("Shop", ClientKind::Web)
    }
}

async fn add(house: &House, new: NewClient) -> (Arc<Client>, Secret) {
    let (client, secret) = house.identity.add_client(new, NOW).await.unwrap();
    (client, secret.unwrap_or(Secret::new("")))
}

/// What the token endpoint thinks of a secret: a wrong code is refused later than a wrong secret.
async fn proves(house: &House, id: &str, secret: &Secret, now: Millis) -> bool {
    let basic = BasicAuth {
        id: id.into(),
        secret: secret.clone(),
    };
    let form = params(&[
        ("grant_type", "authorization_code"),
        ("code", "x"),
        ("redirect_uri", WEB),
    ]);
    let error = house
        .identity
        .token(Some(basic), &form, now)
        .await
        .unwrap_err();
    match error.code.name() {
        "invalid_grant" => true,
        "invalid_client" => false,
        other => panic!("{other}"),
    }
}

async fn signed_in(
    house: &House,
    id: &str,
    more: &[(&str, &str)],
    now: Millis,
) -> Result<crate::TokenResponse, TokenError> {
    let mut changes = vec![("client_id", id), ("redirect_uri", WEB)];
    changes.extend(more);
    let asked = house
        .identity
        .authorization_request(&request(&changes), now)
        .await
        .unwrap();
    redeem(house, &asked, &house.ada_signed_in().await, now).await
}

#[tokio::test]
async fn secrets_are_shown_once_kept_as_hashes_and_rotated() {
    let house = House::new().await;
    let (client, secret) = add(&house, web()).await;
    assert!(client.is_confidential() && client.registered == Some(NOW));
    assert!(proves(&house, &client.id, &secret, NOW).await);
    for wrong in ["", "x", &secret.expose()[1..]] {
        assert!(!proves(&house, &client.id, &Secret::new(wrong), NOW).await);
    }
    let rows = house
        .store
        .account(&AccountId("oauth/clients".into()))
        .scan(b"", 100)
        .await
        .unwrap();
    assert!(!rows.is_empty());
    let kept = |text: &str| {
        rows.iter()
            .any(|(_, row)| row.windows(text.len()).any(|part| part == text.as_bytes()))
    };
    assert!(kept("Shop") && !kept(secret.expose()));
    assert!(!format!("{client:?}").contains(secret.expose()));

    let day = Duration::from_secs(24 * 3600);
    let second = house
        .identity
        .rotate_client_secret(&client.id, day, NOW)
        .await
        .unwrap();
    let later = NOW + 24 * HOUR;
    for (secret, now, good) in [
        (&secret, later - 1, true),
        (&secret, later, false),
        (&second, later, true),
    ] {
        assert_eq!(proves(&house, &client.id, secret, now).await, good);
    }
    let third = house
        .identity
        .rotate_client_secret(&client.id, Duration::ZERO, NOW)
        .await
        .unwrap();
    assert!(
        !proves(&house, &client.id, &second, NOW).await,
        "without overlap it ends at once"
    );
    assert!(proves(&house, &client.id, &third, NOW).await);
    assert!(
        !proves(&house, &client.id, &secret, NOW).await,
        "two at most are good"
    );
    let public = NewClient {
        confidential: false,
        redirects: vec!["http://127.0.0.1/".into()],
        ..NewClient::new("P", ClientKind::Native)
    };
    let (public, _) = add(&house, public).await;
    let refused = house
        .identity
        .rotate_client_secret(&public.id, day, NOW)
        .await;
    assert!(matches!(refused, Err(IdentityError::BadClient(_))));
    let unknown = house.identity.rotate_client_secret("web", day, NOW).await;
    assert!(
        matches!(unknown, Err(IdentityError::NoSuch(_))),
        "configured clients are not rows"
    );
}

#[tokio::test]
async fn registered_clients_outlive_a_restart_and_are_listed() {
    let house = House::new().await;
    let (client, secret) = add(&house, web()).await;
    let again = Identity::open(house.store.clone(), config(), counting_random(), NOW)
        .await
        .unwrap();
    let names: Vec<_> = again
        .clients()
        .await
        .unwrap()
        .iter()
        .map(|one| one.name.to_string())
        .collect();
    assert_eq!(names.last().unwrap(), "Shop");
    let house = House {
        identity: again,
        ..house
    };
    assert!(proves(&house, &client.id, &secret, NOW).await);
}

#[tokio::test]
async fn what_cannot_be_registered() {
    let house = House::new().await;
    let bad = [
        NewClient {
            redirects: Vec::new(),
            ..web()
        },
        NewClient {
            confidential: false,
            ..web()
        },
        NewClient {
            name: " ".into(),
            ..web()
        },
        NewClient {
            name: "a\nb".into(),
            ..web()
        },
        NewClient {
            name: "x".repeat(101),
            ..web()
        },
        NewClient {
            redirects: vec!["http://app.example/".into()],
            ..web()
        },
        NewClient {
            redirects: vec![WEB.into(); 21],
            ..web()
        },
        NewClient {
            kind: ClientKind::Device,
            ..web()
        },
        NewClient {
            delegated: crate::Scopes::parse_known("mail"),
            ..web()
        },
        NewClient {
            testers: Some(vec![ADA.into(); 101]),
            ..web()
        },
    ];
    for new in bad {
        let refused = house.identity.add_client(new.clone(), NOW).await;
        assert!(refused.is_err(), "{new:?}");
    }
}

#[tokio::test]
async fn redirects_of_registered_clients_are_exact() {
    let house = House::new().await;
    let (client, _) = add(&house, web()).await;
    for (uri, good) in [
        (WEB, true),
        ("https://app.example/cb2", false),
        ("https://app.example/cb?x", false),
        ("https://evil.example/cb", false),
    ] {
        let asked = request(&[("client_id", &client.id), ("redirect_uri", uri)]);
        assert_eq!(
            house
                .identity
                .authorization_request(&asked, NOW)
                .await
                .is_ok(),
            good,
            "{uri}"
        );
    }
}

#[tokio::test]
async fn programs_that_are_tried_out() {
    let house = House::new().await;
    let (client, secret) = add(
        &house,
        NewClient {
            testers: Some(vec!["Ada@Example.test".into()]),
            ..web()
        },
    )
    .await;
    let secret = secret.expose().to_owned();
    let asked = request(&[
        ("client_id", &client.id),
        ("redirect_uri", WEB),
        ("access_type", "offline"),
    ]);
    let asked = house
        .identity
        .authorization_request(&asked, NOW)
        .await
        .unwrap();
    let bob = house
        .identity
        .web_sign_in(BOB, PASSWORD, NOW)
        .await
        .unwrap();
    let refused = house.identity.approve(&asked, &bob, NOW).await.unwrap();
    assert_eq!(query(&refused, "error").as_deref(), Some("access_denied"));
    assert!(house.identity.not_admitted(&asked, &bob).is_some());

    let ada = house.ada_signed_in().await;
    assert!(house.identity.not_admitted(&asked, &ada).is_none());
    let address = house.identity.approve(&asked, &ada, NOW).await.unwrap();
    let code = query(&address, "code").unwrap();
    let form = params(&[
        ("grant_type", "authorization_code"),
        ("client_id", &client.id),
        ("client_secret", &secret),
        ("code", &code),
        ("redirect_uri", WEB),
        (
            "code_verifier",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        ),
    ]);
    let tokens = house.identity.token(None, &form, NOW).await.unwrap();
    let refresh = tokens.refresh_token.unwrap();
    let form = params(&[
        ("grant_type", "refresh_token"),
        ("client_id", &client.id),
        ("client_secret", &secret),
        ("refresh_token", refresh.expose()),
    ]);
    let week = NOW + 7 * 24 * HOUR;
    assert!(
        house.identity.token(None, &form, week - 1).await.is_ok(),
        "used until the end"
    );
    let over = house.identity.token(None, &form, week).await.unwrap_err();
    assert_eq!(over.code.name(), "invalid_grant");
}

#[tokio::test]
async fn with_a_client_its_grants_end() {
    let house = House::new().await;
    let native = NewClient {
        confidential: false,
        redirects: vec![WEB.into()],
        ..NewClient::new("App", ClientKind::Native)
    };
    let (client, _) = add(&house, native).await;
    let tokens = signed_in(&house, &client.id, &[], NOW).await.unwrap();
    let access = tokens.access_token.expose();
    assert!(
        house
            .identity
            .bearer(ADA, access, Service::Imap, NOW)
            .await
            .is_ok()
    );
    // The sessions of everybody are told at once, not grant by grant behind each commit.
    let (mut told, mut clients) = (house.identity.revocations(), house.identity.ended_clients());
    assert_eq!(
        house.identity.remove_client(&client.id, NOW).await.unwrap(),
        1
    );
    let gone = clients.try_recv().unwrap();
    assert_eq!((&gone.client, gone.left), (&client.id, None));
    let app = format!("the app {} was removed", client.name);
    assert_eq!(*gone.because, *app);
    assert!(told.try_recv().is_err());
    assert!(
        house
            .identity
            .bearer(ADA, access, Service::Imap, NOW)
            .await
            .is_err()
    );
    let refresh = params(&[
        ("grant_type", "refresh_token"),
        ("client_id", &client.id),
        ("refresh_token", tokens.refresh_token.unwrap().expose()),
    ]);
    assert_eq!(
        house
            .identity
            .token(None, &refresh, NOW)
            .await
            .unwrap_err()
            .code
            .name(),
        "invalid_client"
    );
    assert!(matches!(
        house.identity.remove_client(&client.id, NOW).await,
        Err(IdentityError::NoSuch(_))
    ));
    assert!(house.identity.client("desktop").is_some());
}

#[tokio::test]
async fn who_waits_for_approval_gets_nothing() {
    let house = House::new().await;
    let (client, secret) = add(
        &house,
        NewClient {
            status: crate::Status::Waiting,
            ..web()
        },
    )
    .await;
    let asked = request(&[("client_id", &client.id), ("redirect_uri", WEB)]);
    let refused = house
        .identity
        .authorization_request(&asked, NOW)
        .await
        .unwrap_err();
    assert_eq!(
        (refused.code.name(), refused.redirect),
        ("unauthorized_client", None)
    );
    let basic = BasicAuth {
        id: client.id.to_string(),
        secret: secret.clone(),
    };
    let form = params(&[("grant_type", "authorization_code"), ("code", "x")]);
    assert_eq!(
        house
            .identity
            .token(Some(basic), &form, NOW)
            .await
            .unwrap_err()
            .code
            .name(),
        "unauthorized_client"
    );
    house.identity.approve_client(&client.id).await.unwrap();
    assert!(proves(&house, &client.id, &secret, NOW).await);
}

/// A code for the program, and the form that redeems it.
async fn agreed(house: &House, id: &str, secret: &str) -> Vec<(String, String)> {
    let asked = [
        ("client_id", id),
        ("redirect_uri", WEB),
        ("access_type", "offline"),
        ("prompt", "consent"),
    ];
    let code = tokens::code(house, &asked).await;
    let proof = [
        ("client_id", id),
        ("client_secret", secret),
        ("redirect_uri", WEB),
    ];
    tokens::form(&code, &proof)
}

async fn tried_out(house: &House) -> (Arc<Client>, String) {
    let new = NewClient {
        testers: Some(vec![ADA.into()]),
        ..web()
    };
    let (client, secret) = add(house, new).await;
    (client, secret.expose().to_owned())
}

fn change(add: &[&str], remove: &[&str]) -> TesterChange {
    let owned = |all: &[&str]| all.iter().map(ToString::to_string).collect();
    TesterChange {
        add: owned(add),
        remove: owned(remove),
        everybody: false,
    }
}

#[tokio::test]
async fn who_leaves_the_list_leaves_the_program() {
    let house = House::new().await;
    let (client, secret) = tried_out(&house).await;
    let identity = &house.identity;
    let tokens = identity
        .token(None, &agreed(&house, &client.id, &secret).await, NOW)
        .await
        .unwrap();
    // Agreed to, and not yet redeemed.
    let form = agreed(&house, &client.id, &secret).await;

    let swap = change(&["BOB@example.test"], &["Ada@Example.test"]);
    let ended = identity.change_testers(&client.id, &swap, NOW).await;
    assert_eq!(ended.unwrap(), 1);
    let now = identity.client(&client.id).unwrap();
    assert_eq!(now.audience, Audience::Testing(vec![BOB.into()]));
    let access = tokens.access_token.expose();
    let refused = identity.bearer(ADA, access, Service::Imap, NOW).await;
    assert!(refused.unwrap_err().cause.contains("revoked"));
    let late = identity.token(None, &form, NOW).await.unwrap_err();
    assert_eq!(late.code.name(), "invalid_grant");
    let changes = identity.changes(10, NOW + 1).await.unwrap();
    assert_eq!(
        (changes[0].deed, changes[0].detail.as_deref()),
        (
            crate::Deed::AppTestersChanged,
            Some("added: BOB@example.test; removed: Ada@Example.test")
        )
    );
}

#[tokio::test]
async fn who_is_on_the_list_is_said_within_reason() {
    let house = House::new().await;
    let (client, _) = tried_out(&house).await;
    let identity = &house.identity;
    for wrong in [
        change(&[], &[]),
        change(&["nobody@example.test"], &[]),
        change(&[], &[BOB]),
        TesterChange {
            everybody: true,
            ..change(&[BOB], &[])
        },
    ] {
        let refused = identity.change_testers(&client.id, &wrong, NOW).await;
        assert!(
            matches!(refused, Err(IdentityError::BadClient(_))),
            "{wrong:?}"
        );
    }
    let crowd = change(&[BOB; 101], &[]);
    let refused = identity.change_testers(&client.id, &crowd, NOW).await;
    assert!(matches!(refused, Err(IdentityError::TooMany("testers"))));
    let bob = change(&[BOB], &[]);
    let fixed = identity.change_testers("cli", &bob, NOW);
    assert!(matches!(fixed.await, Err(IdentityError::NoSuch(_))));
    // Twice is once, and nobody may be left.
    identity
        .change_testers(&client.id, &change(&[ADA], &[]), NOW)
        .await
        .unwrap();
    identity
        .change_testers(&client.id, &change(&[], &[ADA]), NOW)
        .await
        .unwrap();
    let left = identity.client(&client.id).unwrap();
    assert_eq!(left.audience, Audience::Testing(Vec::new()));
}

#[tokio::test]
async fn when_the_trial_ends_new_refresh_tokens_last() {
    let house = House::new().await;
    let (client, secret) = tried_out(&house).await;
    let identity = &house.identity;
    let before = identity
        .token(None, &agreed(&house, &client.id, &secret).await, NOW)
        .await
        .unwrap();
    let everybody = TesterChange {
        everybody: true,
        ..TesterChange::default()
    };
    let ended = identity.change_testers(&client.id, &everybody, NOW).await;
    assert_eq!(ended.unwrap(), 0);
    let after = identity
        .token(None, &agreed(&house, &client.id, &secret).await, NOW)
        .await
        .unwrap();
    for (tokens, good) in [(before, false), (after, true)] {
        let form = params(&[
            ("grant_type", "refresh_token"),
            ("client_id", &client.id),
            ("client_secret", &secret),
            ("refresh_token", tokens.refresh_token.unwrap().expose()),
        ]);
        let answer = identity.token(None, &form, NOW + 8 * 24 * HOUR).await;
        let told = answer.map_err(|error| error.why.cause);
        assert_eq!(told.is_ok(), good, "{:?}", told.err());
    }
    let bob = change(&[BOB], &[]);
    let again = identity.change_testers(&client.id, &bob, NOW);
    assert!(matches!(again.await, Err(IdentityError::BadClient(_))));
}
