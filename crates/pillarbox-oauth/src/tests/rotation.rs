//! Keys come and go: announced, signing, replaced, deleted; by schedule, by hand, at once; on two nodes over one store.

use super::*;
use crate::{KeyChange, KeyState, Mint, Rotate, Service};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::Value;
use std::time::Duration;

const DAY: Millis = 24 * HOUR;

fn kid(token: &str) -> String {
    let header = BASE64.decode(token.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

async fn published(identity: &Identity, now: Millis) -> Vec<String> {
    let keys = identity.jwks(now).await.unwrap().keys;
    let kid = |key: &Value| key["kid"].as_str().unwrap().to_owned();
    keys.iter().map(kid).collect()
}

async fn token_at(house: &House, now: Millis) -> String {
    let minted = house.identity.mint(&house.ada, Mint::default(), now).await;
    minted.unwrap().access_token.expose().to_owned()
}

async fn opens(identity: &Identity, token: &str, now: Millis) -> bool {
    let found = identity.bearer(ADA, token, Service::Imap, now).await;
    found.is_ok()
}

async fn states(house: &House, now: Millis) -> Vec<(&'static str, KeyState)> {
    let keys = house.identity.server_keys(now).await.unwrap();
    keys.iter().map(|key| (key.algorithm, key.state)).collect()
}

#[tokio::test]
async fn keys_are_replaced_every_ninety_days_and_announced_before() {
    use KeyState::{Announced, Marking, Replaced, Signing};
    let house = House::new().await;
    let identity = &house.identity;
    let first = token_at(&house, NOW).await;
    assert!(
        identity
            .keep_keys(NOW + 89 * DAY - 1)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(published(identity, NOW).await.len(), 2);

    let announced = identity.keep_keys(NOW + 89 * DAY).await.unwrap();
    let begins = NOW + 90 * DAY;
    let made =
        |change: &KeyChange| matches!(change, KeyChange::Made(_, _, signs) if *signs == begins);
    assert!(
        announced.len() == 2 && announced.iter().all(made),
        "{announced:?}"
    );
    assert!(
        identity.keep_keys(NOW + 89 * DAY).await.unwrap().is_empty(),
        "once"
    );
    // Everybody can have them a day before anything is signed with them.
    assert_eq!(published(identity, begins - DAY).await.len(), 4);
    let before = token_at(&house, begins - 1).await;
    assert_eq!(kid(&before), kid(&first));
    assert_eq!(
        states(&house, begins - 1).await,
        [
            ("EdDSA", Announced),
            ("EdDSA", Signing),
            ("RS256", Announced),
            ("RS256", Signing),
            ("HS256", Marking)
        ]
    );

    let after = token_at(&house, begins).await;
    assert_ne!(kid(&after), kid(&first), "the new one signs");
    assert_eq!(states(&house, begins).await[1], ("EdDSA", Replaced));
    let first_shown = &identity.jwks(begins).await.unwrap().keys[..2];
    assert!(
        first_shown.iter().any(|key| key["kid"] == kid(&after)),
        "those that sign come first"
    );
    // What the old one signed is good until it ends, and so is the key.
    assert!(opens(identity, &before, begins + HOUR - 2_000).await);
    identity.keep_keys(begins + HOUR).await.unwrap();
    assert!(published(identity, begins).await.contains(&kid(&before)));
    let deleted = identity
        .keep_keys(begins + HOUR + 11 * MINUTE)
        .await
        .unwrap();
    assert_eq!(deleted.len(), 2, "{deleted:?}");
    assert!(!published(identity, begins).await.contains(&kid(&before)));
    let fresh = token_at(&house, begins + DAY).await;
    assert!(opens(identity, &fresh, begins + DAY).await);
}

#[tokio::test]
async fn id_tokens_follow_the_same_schedule() {
    let house = House::new().await;
    let sign = async |now| {
        let ring = house.identity.inner.keys.ring().await.unwrap();
        kid(&ring.sign_id(&Value::Null, now).unwrap())
    };
    house.identity.keep_keys(NOW + 89 * DAY).await.unwrap();
    let (before, after) = (sign(NOW + 90 * DAY - 1).await, sign(NOW + 90 * DAY).await);
    assert_ne!(before, after);
    let known = published(&house.identity, NOW).await;
    assert!(known.contains(&before) && known.contains(&after));
}

#[tokio::test]
async fn a_server_that_was_off_announces_first_all_the_same() {
    let house = House::new().await;
    let late = NOW + 400 * DAY;
    let changes = house.identity.keep_keys(late).await.unwrap();
    let soonest =
        |change: &KeyChange| matches!(change, KeyChange::Made(_, _, signs) if *signs == late + DAY);
    assert!(
        changes.len() == 2 && changes.iter().all(soonest),
        "{changes:?}"
    );
    let token = token_at(&house, late).await;
    assert!(opens(&house.identity, &token, late).await);
    let keys = house.identity.server_keys(late).await.unwrap();
    assert!(keys.iter().any(|key| key.is_overdue(late)), "it shows");
}

#[tokio::test]
async fn a_key_stays_for_the_longest_that_it_signed() {
    let house = House::new().await;
    let mint = Mint {
        lifetime: Some(Duration::from_secs(30 * 24 * 3600)),
        ..Mint::default()
    };
    let long = house.mint(mint).await;
    let rotated = house
        .identity
        .rotate_keys(Rotate::Announced, NOW)
        .await
        .unwrap();
    assert_eq!(rotated.len(), 2);
    let again = house
        .identity
        .rotate_keys(Rotate::Announced, NOW + HOUR)
        .await;
    assert!(again.unwrap().is_empty(), "announced already");
    house.identity.keep_keys(NOW + 20 * DAY).await.unwrap();
    assert!(opens(&house.identity, &long, NOW + 20 * DAY).await);
    house.identity.keep_keys(NOW + 32 * DAY).await.unwrap();
    assert_eq!(published(&house.identity, NOW).await.len(), 2);
}

#[tokio::test]
async fn a_longer_life_in_the_configuration_is_noted_for_old_keys() {
    let house = House::new().await;
    let week = IdentityConfig {
        token_lifetime: Duration::from_secs(7 * 24 * 3600),
        ..config()
    };
    let open = async |config| {
        let random = counting_random();
        Identity::open(house.store.clone(), config, random, NOW)
            .await
            .unwrap()
    };
    let identity = open(week).await;
    let minted = identity
        .mint(&house.ada, Mint::default(), NOW)
        .await
        .unwrap();
    // Back to an hour: what was signed is good for its week.
    let identity = open(config()).await;
    identity.rotate_keys(Rotate::Announced, NOW).await.unwrap();
    identity.keep_keys(NOW + 6 * DAY).await.unwrap();
    assert!(opens(&identity, minted.access_token.expose(), NOW + 6 * DAY).await);
}

#[tokio::test]
async fn a_leaked_key_is_withdrawn_at_once_on_every_node() {
    let house = House::new().await;
    let here = &house.identity;
    let there = Identity::open(house.store.clone(), config(), counting_random(), NOW)
        .await
        .unwrap();
    let minted = Mint {
        refresh: true,
        client: Some("desktop".into()),
        ..Mint::default()
    };
    let minted = here.mint(&house.ada, minted, NOW).await.unwrap();
    let old = minted.access_token.expose();
    assert!(opens(here, old, NOW).await && opens(&there, old, NOW).await);
    let (mut told_here, mut told_there) = (here.keys_withdrawn(), there.keys_withdrawn());
    here.rotate_keys(Rotate::Announced, NOW).await.unwrap();
    there.keep_keys(NOW).await.unwrap();
    assert!(!told_here.has_changed().unwrap(), "that was nothing sudden");
    let announced = published(here, NOW).await;

    here.rotate_keys(Rotate::AtOnce, NOW).await.unwrap();
    assert!(!opens(here, old, NOW).await && !opens(&there, old, NOW).await);
    assert!(told_here.has_changed().unwrap() && told_there.has_changed().unwrap());
    told_here.mark_unchanged();
    told_there.mark_unchanged();
    let now = published(&there, NOW).await;
    assert_eq!(now.len(), 2);
    assert!(
        now.iter().all(|kid| !announced.contains(kid)),
        "who knows one may know the others"
    );
    // Refresh tokens and app passwords are no signatures: programs go on by themselves.
    let form = params(&[
        ("grant_type", "refresh_token"),
        ("client_id", "desktop"),
        ("refresh_token", minted.refresh_token.unwrap().expose()),
    ]);
    let fresh = there.token(None, &form, NOW).await.unwrap();
    assert!(opens(here, fresh.access_token.expose(), NOW).await);
    assert!(!told_here.has_changed().unwrap());
}

#[tokio::test]
async fn two_nodes_make_one_key_between_them() {
    let house = House::new().await;
    let other: Random = {
        let counting = counting_random();
        Arc::new(move |out: &mut [u8]| {
            counting(out);
            out.iter_mut().for_each(|byte| *byte = !*byte);
        })
    };
    let there = Identity::open(house.store.clone(), config(), other, NOW)
        .await
        .unwrap();
    let when = NOW + 89 * DAY;
    let (here, there) = tokio::join!(house.identity.keep_keys(when), there.keep_keys(when));
    assert_eq!(here.unwrap().len() + there.unwrap().len(), 2);
    assert_eq!(published(&house.identity, when).await.len(), 4);
}

#[tokio::test]
async fn a_header_of_ours_with_another_keys_signature_is_forged() {
    let house = House::new().await;
    let old = token_at(&house, NOW).await;
    house
        .identity
        .rotate_keys(Rotate::Announced, NOW)
        .await
        .unwrap();
    let later = NOW + DAY;
    let new = token_at(&house, later).await;
    let (header, _) = old.split_once('.').unwrap();
    let (_, rest) = new.split_once('.').unwrap();
    let mixed = format!("{header}.{rest}");
    let refused = house
        .identity
        .bearer(ADA, &mixed, Service::Imap, later)
        .await;
    assert_eq!(refused.unwrap_err().cause, "the token's signature is wrong");
}

#[tokio::test]
async fn a_clock_that_was_set_back_still_signs() {
    let house = House::new().await;
    house
        .identity
        .rotate_keys(Rotate::AtOnce, NOW)
        .await
        .unwrap();
    let earlier = NOW - 10 * DAY;
    let token = token_at(&house, earlier).await;
    assert!(opens(&house.identity, &token, earlier).await);
}
