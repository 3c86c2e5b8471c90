//! The registry with real principals: revocation against sign-ins that are under way, and the limit of connections.
#![allow(clippy::unwrap_used)] // a failed unwrap is the failed test

mod player;

use pillarbox_oauth::{MAIL_SCOPE, Mint, Principal, Scopes, Service};
use pillarbox_protocols::sessions::{End, Protocol, TooMany, Which};
use player::World;
use std::sync::Arc;

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
    let whole = ada.credential().whole();
    let which = Which::Credential(ada.account().clone(), whole);
    world.registry.end(&which, "its grant ended");
    let every = Which::Account(ada.account().clone());
    world.registry.end(&every, "a later cause");
    seat.sign_in(&ada, i64::MAX, None).unwrap();
    assert_eq!(
        seat.ended(),
        Some(End::Revoked("its grant ended".into())),
        "what came first"
    );

    let mut other = world.seat(Protocol::Imap, 2);
    other.checking();
    let which = Which::Account(ada.account().clone());
    world.registry.end(&which, "by a test");
    other.sign_in(&bob, i64::MAX, None).unwrap();
    assert_eq!(other.ended(), None, "somebody else's revocation");
}

#[tokio::test]
async fn what_was_revoked_before_the_check_is_the_checks_business() {
    let world = World::new().await;
    let ada = principal(&world, "ada").await;
    let mut seat = world.seat(Protocol::Imap, 1);
    let which = Which::Account(ada.account().clone());
    world.registry.end(&which, "by a test");
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
            .end(&Which::Session(format!("none-{number}")), "by a test");
    }
    seat.sign_in(&ada, i64::MAX, None).unwrap();
    let Some(End::Revoked(because)) = seat.ended() else {
        panic!("not told");
    };
    assert!(because.contains("too much was revoked"), "{because}");
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

/// Sessions on the stage of the tests below.
const SESSIONS: usize = 10_000;
/// Two apps, each with half of all sessions; a person's sessions of one app rest on one grant.
const APPS: [&str; 2] = ["cli", "desktop"];
const PEOPLE: usize = 250;

struct Crowd {
    world: World,
    seats: Vec<pillarbox_protocols::sessions::Seat>,
    /// By person and app.
    who: Vec<[Principal; 2]>,
}

/// Ten thousand live sessions of 250 people in two apps, 20 a grant.
async fn crowd() -> Crowd {
    let world = World::new().await;
    let now = world.now().wall;
    let (mut seats, mut who) = (Vec::new(), Vec::new());
    for person in 0..PEOPLE {
        let user = format!("person{person}@example.com");
        let naming = pillarbox_store::mail::Naming::Plain;
        let made = world.identity.create_person(&user, None, naming, now);
        let account = made.await.unwrap();
        let mut theirs = Vec::new();
        for client in APPS {
            let mint = Mint {
                client: Some(client.into()),
                ..Mint::default()
            };
            let minted = world.identity.mint(&account, mint, now).await.unwrap();
            let token = minted.access_token.expose();
            let checked = world.identity.bearer(&user, token, Service::Imap, now);
            theirs.push(checked.await.unwrap());
        }
        for number in 0..SESSIONS / PEOPLE {
            let mut seat = world.seat(Protocol::Imap, seats.len());
            seat.sign_in(&theirs[number % 2], i64::MAX, None).unwrap();
            seats.push(seat);
        }
        who.push(theirs.try_into().unwrap());
    }
    Crowd { world, seats, who }
}

impl Crowd {
    /// How many were told of a revocation, and how many had to be looked at for that.
    fn end(&self, which: &Which) -> (usize, u64) {
        let registry = &self.world.registry;
        let before = registry.looked_at();
        let told = registry.end(which, "by a test");
        (told, registry.looked_at() - before)
    }

    fn over(&self) -> usize {
        let over = self.seats.iter().filter(|seat| seat.ended().is_some());
        over.count()
    }
}

#[tokio::test]
async fn a_revocation_among_ten_thousand_looks_at_its_own_sessions_only() {
    let mut crowd = crowd().await;
    assert_eq!(crowd.world.registry.list().len(), SESSIONS);
    let [cli, desktop] = crowd.who[7].clone();
    let account = cli.account().clone();
    let grant = Which::Credential(account.clone(), cli.credential().whole());
    assert_eq!(crowd.end(&grant), (20, 20));
    let token = Which::Credential(account.clone(), desktop.credential().clone());
    assert_eq!(crowd.end(&token), (20, 20));
    let other = crowd.who[8][0].account().clone();
    let elsewhere = Which::Credential(other.clone(), cli.credential().whole());
    assert_eq!(
        crowd.end(&elsewhere),
        (0, 0),
        "another account's grant of that id"
    );
    assert_eq!(crowd.end(&Which::Account(other)), (40, 40));
    assert_eq!(crowd.over(), 80);
    assert_eq!(crowd.end(&Which::Session("t-0".into())), (1, 1));
    assert_eq!(crowd.end(&Which::Session("none".into())), (0, 0));
    let half = SESSIONS / 2;
    assert_eq!(
        crowd.end(&Which::Client("desktop".into())),
        (half, half as u64)
    );
    // Those who have left are not looked at again.
    crowd.seats.retain(|seat| seat.ended().is_none());
    let left = crowd.seats.len();
    assert_eq!(crowd.end(&Which::Client("desktop".into())), (0, 0));
    let mail = Scopes::parse_known(MAIL_SCOPE);
    let enough = Which::Beyond("cli".into(), mail);
    assert_eq!(
        crowd.end(&enough),
        (0, left as u64),
        "they opened with these"
    );
    assert_eq!(crowd.end(&Which::Client("cli".into())), (left, left as u64));
    crowd.seats.clear();
    for which in [
        Which::Client("cli".into()),
        Which::Account(account),
        Which::SignedIn,
    ] {
        assert_eq!(crowd.end(&which), (0, 0));
    }
}

#[tokio::test]
async fn one_grant_may_have_all_of_them() {
    let world = World::new().await;
    let ada = principal(&world, "ada").await;
    let mut seats = Vec::new();
    for number in 0..SESSIONS {
        let mut seat = world.seat(Protocol::Imap, number);
        seat.sign_in(&ada, i64::MAX, Some(SESSIONS)).unwrap();
        seats.push(seat);
    }
    let mut more = world.seat(Protocol::Imap, SESSIONS);
    assert_eq!(more.sign_in(&ada, i64::MAX, Some(SESSIONS)), Err(TooMany));
    let grant = Which::Credential(ada.account().clone(), ada.credential().whole());
    let because: Arc<str> = "by a test".into();
    let told = world.registry.end(&grant, Arc::clone(&because));
    assert_eq!(
        (told, world.registry.looked_at()),
        (SESSIONS, SESSIONS as u64)
    );
    let one_text = |seat: &pillarbox_protocols::sessions::Seat| match seat.ended() {
        Some(End::Revoked(told)) => Arc::ptr_eq(&told, &because),
        _ => false,
    };
    assert!(seats.iter().all(one_text), "a text for each session");
    drop(seats);
    more.sign_in(&ada, i64::MAX, Some(1)).unwrap();
}

#[tokio::test]
async fn an_app_that_ends_while_its_token_is_checked_ends_the_session() {
    let world = World::new().await;
    let ada = principal(&world, "ada").await;
    for (which, ended) in [
        (Which::Client("cli".into()), true),
        (Which::Beyond("cli".into(), Scopes::default()), true),
        (Which::Beyond("cli".into(), ada.scopes()), false),
    ] {
        let mut seat = world.seat(Protocol::Imap, 1);
        seat.checking();
        world.registry.end(&which, "by a test");
        seat.sign_in(&ada, i64::MAX, None).unwrap();
        assert_eq!(
            seat.ended(),
            ended.then(|| End::Revoked("by a test".into())),
            "{which:?}"
        );
    }
    let _seat = world.seat(Protocol::Imap, 1);
    assert_eq!(world.registry.session("t-1").unwrap().token, "t-1");
    assert!(world.registry.session("t-2").is_none());
}
