//! The registry with real principals: revocation against sign-ins that are under way, and the limit of connections.
#![allow(clippy::unwrap_used)] // a failed unwrap is the failed test

mod player;

use pillarbox_oauth::{Mint, Principal, Service};
use pillarbox_protocols::sessions::{End, Protocol, TooMany, Which};
use player::World;

async fn principal(world: &World, name: &str) -> Principal {
    let account = world.account(name).unwrap();
    let minted = world
        .identity
        .mint(&account, Mint::default(), world.now().wall)
        .await
        .unwrap();
    let token = minted.access_token.expose();
    let user = format!("{name}@example.com");
    world
        .identity
        .bearer(&user, token, Service::Imap, world.now().wall)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_credential_revoked_while_it_is_checked_ends_the_session_it_opens() {
    let world = World::new().await;
    let (ada, bob) = (
        principal(&world, "ada").await,
        principal(&world, "bob").await,
    );
    let mut seat = world.seat(Protocol::Imap, 1);
    seat.checking();
    world.registry.end(&Which::Credential(
        ada.account().clone(),
        ada.credential().clone(),
    ));
    seat.sign_in(&ada, i64::MAX, None).unwrap();
    assert_eq!(seat.ended(), Some(End::Revoked));

    let mut other = world.seat(Protocol::Imap, 2);
    other.checking();
    world.registry.end(&Which::Account(ada.account().clone()));
    other.sign_in(&bob, i64::MAX, None).unwrap();
    assert_eq!(other.ended(), None, "somebody else's revocation");
}

#[tokio::test]
async fn what_was_revoked_before_the_check_is_the_checks_business() {
    let world = World::new().await;
    let ada = principal(&world, "ada").await;
    let mut seat = world.seat(Protocol::Imap, 1);
    world.registry.end(&Which::Account(ada.account().clone()));
    seat.checking();
    seat.sign_in(&ada, i64::MAX, None).unwrap();
    assert_eq!(seat.ended(), None);
}

#[tokio::test]
async fn a_check_that_outlasts_the_memory_of_revocations_is_not_trusted() {
    let world = World::new().await;
    let ada = principal(&world, "ada").await;
    let mut seat = world.seat(Protocol::Imap, 1);
    seat.checking();
    for number in 0..1_001 {
        world
            .registry
            .end(&Which::Session(format!("none-{number}")));
    }
    seat.sign_in(&ada, i64::MAX, None).unwrap();
    assert_eq!(seat.ended(), Some(End::Revoked));
}

#[tokio::test]
async fn the_limit_counts_one_accounts_sessions_of_one_protocol() {
    let world = World::new().await;
    let (ada, bob) = (
        principal(&world, "ada").await,
        principal(&world, "bob").await,
    );
    let mut first = world.seat(Protocol::Imap, 1);
    let mut second = world.seat(Protocol::Imap, 2);
    let mut pop = world.seat(Protocol::Pop3, 3);
    first.sign_in(&ada, i64::MAX, Some(1)).unwrap();
    assert_eq!(second.sign_in(&ada, i64::MAX, Some(1)), Err(TooMany));
    pop.sign_in(&ada, i64::MAX, Some(1)).unwrap();
    second.sign_in(&bob, i64::MAX, Some(1)).unwrap();
    drop(first);
    world
        .seat(Protocol::Imap, 4)
        .sign_in(&ada, i64::MAX, Some(1))
        .unwrap();
}
