//! Whom a program expects: id tokens as hints, good and bad, and addresses.

use super::authorization::request;
use super::tokens::redeem;
use super::*;
use crate::{AuthorizationRequest, Brought, Rotate, SignIn};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

const DAY: Millis = 24 * HOUR;

async fn ask(house: &House, changes: &[(&str, &str)], now: Millis) -> AuthorizationRequest {
    let asked = house
        .identity
        .authorization_request(&request(changes), now)
        .await;
    asked.unwrap()
}

/// Ada's id token for the desktop program, as of `now`.
async fn id_token(house: &House, scope: &str, now: Millis) -> String {
    let asked = ask(house, &[("scope", scope)], now).await;
    let person = house
        .identity
        .web_sign_in(ADA, PASSWORD, now)
        .await
        .unwrap();
    let tokens = redeem(house, &asked, &person, now).await.unwrap();
    tokens.id_token.unwrap().expose().to_owned()
}

async fn bob(house: &House, now: Millis) -> Principal {
    house
        .identity
        .web_sign_in(BOB, PASSWORD, now)
        .await
        .unwrap()
}

/// Whether Ada and Bob are somebody else than the hint names, without `prompt=none` and with it.
async fn others(house: &House, hint: &str, now: Millis) -> [[bool; 2]; 2] {
    let ada = house
        .identity
        .web_sign_in(ADA, PASSWORD, now)
        .await
        .unwrap();
    let bob = bob(house, now).await;
    let mut found = [[false; 2]; 2];
    for (row, prompt) in found.iter_mut().zip(["", "none"]) {
        let asked = ask(house, &[("id_token_hint", hint), ("prompt", prompt)], now).await;
        *row = [asked.is_for_another(&ada), asked.is_for_another(&bob)];
    }
    found
}

const NAMES_ADA: [[bool; 2]; 2] = [[false, true]; 2];
const NAMES_NOBODY: [[bool; 2]; 2] = [[false, false], [true, true]];

#[tokio::test]
async fn an_id_token_names_a_person_as_long_as_its_key_is_known() {
    let house = House::new().await;
    let token = id_token(&house, "openid", NOW).await;
    assert_eq!(others(&house, &token, NOW).await, NAMES_ADA);
    assert_eq!(
        others(&house, &token, NOW + 30 * DAY).await,
        NAMES_ADA,
        "expired"
    );
    let identity = &house.identity;
    identity.rotate_keys(Rotate::Announced, NOW).await.unwrap();
    let later = NOW + DAY + MINUTE;
    let newer = id_token(&house, "openid", later).await;
    let header = |token: &str| token.split('.').next().unwrap().to_owned();
    assert_ne!(header(&token), header(&newer));
    for token in [&token, &newer] {
        assert_eq!(others(&house, token, later).await, NAMES_ADA);
    }
    identity.rotate_keys(Rotate::AtOnce, later).await.unwrap();
    for token in [&token, &newer] {
        assert_eq!(others(&house, token, later).await, NAMES_NOBODY, "deleted");
    }
}

#[tokio::test]
async fn nothing_else_names_anybody() {
    let house = House::new().await;
    let good = id_token(&house, "openid email", NOW).await;
    let [header, claims, signature]: [&str; 3] =
        good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let text = String::from_utf8(BASE64.decode(claims).unwrap()).unwrap();
    let bobs = BASE64.encode(text.replace(&*house.ada.0, &house.bob.0));
    let none = BASE64.encode(r#"{"typ":"JWT","alg":"none"}"#);
    let kid = BASE64.encode(
        String::from_utf8(BASE64.decode(header).unwrap())
            .unwrap()
            .replace("JWT", "at+jwt"),
    );
    let access = house.token().await;
    // Another program's.
    let web = [("client_id", "web"), ("scope", "openid")];
    let person = house.ada_signed_in().await;
    let asked = ask(&house, &web, NOW).await;
    let elsewhere = redeem(&house, &asked, &person, NOW).await.unwrap();
    let elsewhere = elsewhere.id_token.unwrap();
    for bad in [
        "x",
        "..",
        access.as_str(),
        elsewhere.expose(),
        &format!("{header}.{bobs}.{signature}"),
        &format!("{none}.{claims}."),
        &format!("{none}.{bobs}.{signature}"),
        &format!("{kid}.{claims}.{signature}"),
        &format!("{header}.{claims}."),
        &format!("{good}{}", "x".repeat(5000)),
    ] {
        assert_eq!(others(&house, bad, NOW).await, NAMES_NOBODY, "{bad}");
    }
}

#[tokio::test]
async fn the_page_shows_the_address_to_programs_that_know_it() {
    let house = House::new().await;
    for (scope, shown) in [("openid", None), ("openid email", Some(ADA))] {
        let token = id_token(&house, scope, NOW).await;
        let asked = ask(&house, &[("id_token_hint", &token)], NOW).await;
        assert_eq!(asked.login_hint(), shown);
    }
}

#[tokio::test]
async fn who_signs_in_as_somebody_else_is_not_asked_for_ever() {
    let house = House::new().await;
    let token = id_token(&house, "openid", NOW).await;
    let identity = &house.identity;
    let bob = bob(&house, NOW).await;
    let session = identity.open_session(&bob, NOW).await.unwrap();
    let asked = ask(&house, &[("id_token_hint", &token)], NOW).await;
    let mark = identity.signed_in_for(session.expose(), "r", NOW);
    let state = |mark| {
        let brought = Brought {
            session: session.expose(),
            request: "r",
            mark,
        };
        identity.sign_in_for(&asked, &bob, brought, NOW)
    };
    assert_eq!(state(""), SignIn::Wanted);
    assert!(matches!(state(&mark), SignIn::InVain(_)));
}

#[tokio::test]
async fn a_suggestion_is_an_address_an_alias_or_an_id() {
    let house = House::new().await;
    let ada = house.ada_signed_in().await;
    for (hint, other) in [
        (ADA, false),
        ("ADA@Example.Test", false),
        (&*house.ada.0, false),
        ("", false),
        (BOB, true),
        (&*house.bob.0, true),
        ("nobody@example.test", true),
        ("x", true),
    ] {
        let asked = ask(&house, &[("login_hint", hint)], NOW).await;
        let found = house.identity.suggests_another(&asked, &ada).await.unwrap();
        assert_eq!(found.is_some(), other, "{hint}");
    }
}
