//! What a development server tells of expired tokens when its clock is moved.

use super::*;
use crate::{Mint, Rotate};
use std::time::Duration;

async fn house() -> House {
    House::with(IdentityConfig {
        remember_issued: true,
        ..config()
    })
    .await
}

#[tokio::test]
async fn tokens_that_were_good_until_then_are_counted() {
    let house = house().await;
    let minute = Mint {
        lifetime: Some(Duration::from_secs(60)),
        ..Mint::default()
    };
    house.token().await;
    house.mint(minute).await;
    for over in [
        Mint {
            expired: true,
            ..Mint::default()
        },
        Mint {
            revoked: true,
            ..Mint::default()
        },
    ] {
        house.mint(over).await;
    }
    let counted = async |from, to| house.identity.expired_between(from, to).await;
    assert_eq!(counted(NOW, NOW + MINUTE - 1).await, 0);
    assert_eq!(counted(NOW, NOW + MINUTE).await, 1);
    assert_eq!(counted(NOW + MINUTE, NOW + HOUR).await, 1, "each once");
    assert_eq!(counted(NOW, NOW + HOUR).await, 2);
    assert_eq!(counted(NOW + HOUR, NOW + 24 * HOUR).await, 0);
}

#[tokio::test]
async fn what_was_withdrawn_did_not_expire() {
    let house = house().await;
    let counted = async || house.identity.expired_between(NOW, NOW + HOUR).await;
    let minted = house.identity.mint(&house.ada, Mint::default(), NOW).await;
    house.token().await;
    assert_eq!(counted().await, 2);
    let grant = minted.unwrap().grant;
    let ended = house.identity.revoke_grant(&house.ada, &grant, NOW).await;
    ended.unwrap();
    assert_eq!(counted().await, 1);
    house
        .identity
        .rotate_keys(Rotate::AtOnce, NOW)
        .await
        .unwrap();
    assert_eq!(counted().await, 0, "its key is gone");
    house.token().await;
    assert_eq!(counted().await, 1);
}

#[tokio::test]
async fn a_real_server_remembers_no_tokens() {
    let house = House::new().await;
    house.token().await;
    assert_eq!(house.identity.expired_between(NOW, NOW + HOUR).await, 0);
}
