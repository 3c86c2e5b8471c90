//! Every way to sign in makes its network known, where guesses of others then slow nobody down.

use super::certificates::{certificate, registered_in};
use super::*;
use crate::{AppLimits, Mint, RefusalKind, Service};
use std::net::IpAddr;

async fn guarded() -> House {
    let config = IdentityConfig {
        slow_down: true,
        ..config()
    };
    House::with(config).await
}

const CAFE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 9));

/// Somebody at the same network guesses at many accounts, until it has to wait.
pub(super) async fn guess_at_others(house: &House, from: IpAddr) {
    let identity = house.identity.from_peer(from);
    for number in 0..60 {
        let user = format!("nobody{number}@example.test");
        let _ = identity.web_sign_in(&user, "wrong password", NOW).await;
    }
    let bob = identity.web_sign_in(BOB, PASSWORD, NOW).await;
    assert_eq!(bob.unwrap_err().kind, RefusalKind::TooManyAttempts);
}

/// Ada's password is looked at there.
pub(super) async fn ada_is_known(house: &House, from: IpAddr) {
    let found = house.identity.from_peer(from);
    let found = found.web_sign_in(ADA, PASSWORD, NOW).await;
    assert!(found.is_ok(), "{found:?}");
}

#[tokio::test]
async fn by_a_token() {
    let house = guarded().await;
    let token = house.mint(Mint::default()).await;
    let here = house.identity.from_peer(CAFE);
    here.bearer(ADA, &token, Service::Imap, NOW).await.unwrap();
    guess_at_others(&house, CAFE).await;
    ada_is_known(&house, CAFE).await;
}

#[tokio::test]
async fn not_by_one_that_was_refused() {
    let house = guarded().await;
    let here = house.identity.from_peer(CAFE);
    assert!(here.bearer(ADA, "x", Service::Imap, NOW).await.is_err());
    assert!(here.web_sign_in(ADA, "wrong password", NOW).await.is_err());
    guess_at_others(&house, CAFE).await;
    let found = here.web_sign_in(ADA, PASSWORD, NOW).await;
    assert_eq!(found.unwrap_err().kind, RefusalKind::TooManyAttempts);
}

#[tokio::test]
async fn by_a_client_certificate() {
    let house = registered_in(guarded().await, AppLimits::default()).await;
    let here = house.identity.from_peer(CAFE);
    let shown = certificate();
    let found = here.certificate(&shown, ADA, Service::Imap, NOW);
    found.await.unwrap();
    guess_at_others(&house, CAFE).await;
    ada_is_known(&house, CAFE).await;
}

#[tokio::test]
async fn by_a_mail_password_and_by_an_alias() {
    let house = guarded().await;
    let made = house.identity.add_app_password(&house.ada, "x", NOW).await;
    let letters = made.unwrap().1;
    let alias = "lovelace@example.test";
    house.store.add_alias(alias, &house.ada).await.unwrap();
    let here = house.identity.from_peer(CAFE);
    let app = here.password(alias, letters.expose(), Service::Imap, NOW);
    app.await.unwrap();
    guess_at_others(&house, CAFE).await;
    ada_is_known(&house, CAFE).await;
    assert!(here.web_sign_in(alias, PASSWORD, NOW).await.is_ok());
}
