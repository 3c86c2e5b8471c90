//! Bearer tokens, passwords, app passwords, web sessions: who gets in, and the cause when not.

use super::*;
use crate::{Credential, IdentityError, Mint, Passwords, Refusal, RefusalKind, Service};
use pillarbox_store::mail::PopWindow;
use std::net::IpAddr;
use std::time::Duration;

async fn cause(house: &House, user: &str, token: &str, now: Millis) -> String {
    let refusal = house
        .identity
        .bearer(user, token, Service::Imap, now)
        .await
        .unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Invalid);
    refusal.cause
}

#[tokio::test]
async fn a_token_opens_its_own_mailbox_until_it_ends() {
    let house = House::new().await;
    let token = house.token().await;
    for service in [Service::Imap, Service::Pop3, Service::Submission] {
        let who = house
            .identity
            .bearer("ADA@example.TEST", &token, service, NOW)
            .await
            .unwrap();
        assert_eq!(who.account(), &house.ada);
        assert_eq!(&**who.address(), ADA);
        assert_eq!(who.until(), Some(NOW + HOUR));
        assert_eq!(who.app().map(|app| &**app), Some("Pillarbox command line"));
        assert!(matches!(
            who.credential(),
            Credential::Grant { token: Some(_), .. }
        ));
    }
    assert!(
        house
            .identity
            .bearer(ADA, &token, Service::Imap, NOW + HOUR - 1)
            .await
            .is_ok()
    );
    assert_eq!(
        cause(&house, ADA, &token, NOW + HOUR).await,
        "the token expired just now"
    );
    assert_eq!(
        cause(&house, ADA, &token, NOW + HOUR + 3 * MINUTE).await,
        "the token expired 3 minutes ago"
    );
}

#[tokio::test]
async fn a_token_opens_no_other_mailbox() {
    let house = House::new().await;
    let token = house.token().await;
    assert_eq!(
        cause(&house, BOB, &token, NOW).await,
        "the token belongs to ada@example.test"
    );
    assert_eq!(
        cause(&house, "nobody@example.test", &token, NOW).await,
        "the token belongs to ada@example.test"
    );
    house
        .store
        .add_alias("ada.l@example.test", &house.ada)
        .await
        .unwrap();
    assert!(
        house
            .identity
            .bearer("Ada.L@example.test", &token, Service::Imap, NOW)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn broken_tokens_are_made_on_purpose() {
    let house = House::new().await;
    let expired = house
        .mint(Mint {
            expired: true,
            ..Mint::default()
        })
        .await;
    assert_eq!(
        cause(&house, ADA, &expired, NOW).await,
        "the token expired 1 minute ago"
    );
    let revoked = house
        .mint(Mint {
            revoked: true,
            ..Mint::default()
        })
        .await;
    assert_eq!(
        cause(&house, ADA, &revoked, NOW + HOUR / 2).await,
        "the grant was revoked 30 minutes ago"
    );
    let weak = house
        .mint(Mint {
            scope: Some("openid email".into()),
            ..Mint::default()
        })
        .await;
    assert_eq!(
        cause(&house, ADA, &weak, NOW).await,
        "scope \"openid email\" is not enough for IMAP"
    );
    let alias = house
        .mint(Mint {
            scope: Some("mail".into()),
            ..Mint::default()
        })
        .await;
    assert!(
        house
            .identity
            .bearer(ADA, &alias, Service::Imap, NOW)
            .await
            .is_ok()
    );
    let short = Mint {
        lifetime: Some(Duration::from_secs(60)),
        ..Mint::default()
    };
    let short = house.identity.mint(&house.ada, short, NOW).await.unwrap();
    assert_eq!(short.expires, NOW + MINUTE);
    let unknown = Mint {
        client: Some("nothing".into()),
        ..Mint::default()
    };
    assert!(matches!(
        house.identity.mint(&house.ada, unknown, NOW).await,
        Err(IdentityError::NoSuch("client"))
    ));
}

#[tokio::test]
async fn the_end_of_a_grant_is_noticed_at_once_and_told() {
    let house = House::new().await;
    let mut told = house.identity.revocations();
    let minted = house
        .identity
        .mint(&house.ada, Mint::default(), NOW)
        .await
        .unwrap();
    let other = house.token().await;
    let token = minted.access_token.expose();
    let who = house
        .identity
        .bearer(ADA, token, Service::Imap, NOW)
        .await
        .unwrap();
    house
        .identity
        .revoke_grant(&house.ada, &minted.grant, NOW)
        .await
        .unwrap();
    assert_eq!(
        cause(&house, ADA, token, NOW).await,
        "the grant was revoked just now"
    );
    let gone = told.recv().await.unwrap();
    assert_eq!(gone.account, house.ada);
    assert!(who.credential().is_covered_by(&gone.credential.unwrap()));
    assert!(gone.because.ends_with("was revoked"), "{}", gone.because);
    assert!(
        house
            .identity
            .bearer(ADA, &other, Service::Imap, NOW)
            .await
            .is_ok(),
        "other grants stay"
    );
    let unknown = house
        .identity
        .revoke_grant(&house.ada, "nothing", NOW)
        .await;
    assert!(matches!(unknown, Err(IdentityError::NoSuch("grant"))));
}

/// Another process of the same store changes rows without telling this floor: the version does.
#[tokio::test]
async fn what_is_cached_follows_the_account() {
    let house = House::new().await;
    let random = counting_random();
    let elsewhere = Identity::open(house.store.clone(), config(), random, NOW)
        .await
        .unwrap();
    let minted = house
        .identity
        .mint(&house.ada, Mint::default(), NOW)
        .await
        .unwrap();
    let token = minted.access_token.expose();
    assert!(
        house
            .identity
            .bearer(ADA, token, Service::Imap, NOW)
            .await
            .is_ok()
    );
    elsewhere
        .revoke_grant(&house.ada, &minted.grant, NOW)
        .await
        .unwrap();
    assert_eq!(
        cause(&house, ADA, token, NOW).await,
        "the grant was revoked just now"
    );
}

#[tokio::test]
async fn suspension_and_services_switched_off() {
    let house = House::new().await;
    let token = house.token().await;
    let account = house.store.account(&house.ada);
    let mut settings = account.settings().await.unwrap();
    settings.imap_enabled = false;
    settings.pop_window = PopWindow::Disabled;
    account.set_settings(settings).await.unwrap();
    for service in [Service::Imap, Service::Pop3] {
        let refusal = house
            .identity
            .bearer(ADA, &token, service, NOW)
            .await
            .unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::ServiceOff);
    }
    assert!(
        house
            .identity
            .bearer(ADA, &token, Service::Submission, NOW)
            .await
            .is_ok()
    );
    let session = house
        .identity
        .open_session(&house.ada_signed_in().await, NOW)
        .await
        .unwrap();
    let mut told = house.identity.revocations();
    house
        .identity
        .set_suspended(&house.ada, true)
        .await
        .unwrap();
    let gone = told.recv().await.unwrap();
    assert_eq!((gone.account, gone.credential), (house.ada.clone(), None));
    assert_eq!(&*gone.because, "the account was suspended");
    assert_eq!(
        cause(&house, ADA, &token, NOW).await,
        "the account ada@example.test is suspended"
    );
    assert!(
        house
            .identity
            .web_sign_in(ADA, PASSWORD, NOW)
            .await
            .is_err()
    );
    assert!(house.identity.session(session.expose(), NOW).await.is_err());
    house
        .identity
        .set_suspended(&house.ada, false)
        .await
        .unwrap();
    assert!(
        house
            .identity
            .bearer(ADA, &token, Service::Submission, NOW)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_new_password_ends_everything_the_old_one_gave() {
    let house = House::new().await;
    let token = house.token().await;
    let (_, letters) = house
        .identity
        .add_app_password(&house.ada, "mutt", NOW)
        .await
        .unwrap();
    let session = house
        .identity
        .open_session(&house.ada_signed_in().await, NOW)
        .await
        .unwrap();
    house
        .identity
        .set_password(&house.ada, "another one", NOW)
        .await
        .unwrap();
    assert_eq!(
        cause(&house, ADA, &token, NOW).await,
        "the grant was revoked just now"
    );
    assert!(
        house
            .identity
            .password(ADA, letters.expose(), Service::Imap, NOW)
            .await
            .is_err()
    );
    assert!(house.identity.session(session.expose(), NOW).await.is_err());
    assert!(
        house
            .identity
            .web_sign_in(ADA, PASSWORD, NOW)
            .await
            .is_err()
    );
    assert!(
        house
            .identity
            .web_sign_in(ADA, "another one", NOW)
            .await
            .is_ok()
    );
    for bad in ["short", &"x".repeat(1025)] {
        let refused = house.identity.set_password(&house.ada, bad, NOW).await;
        assert!(matches!(refused, Err(IdentityError::BadPassword(_))));
    }
}

#[tokio::test]
async fn app_passwords_are_sixteen_letters_shown_once() {
    let house = House::new().await;
    let (id, letters) = house
        .identity
        .add_app_password(&house.ada, "mutt", NOW)
        .await
        .unwrap();
    let letters = letters.expose();
    assert!(
        letters.len() == 16 && letters.bytes().all(|byte| byte.is_ascii_lowercase()),
        "{letters}"
    );
    let spaced = format!(
        "{} {} {} {}",
        &letters[..4],
        &letters[4..8],
        &letters[8..12],
        &letters[12..]
    );
    let who = house
        .identity
        .password(ADA, &spaced, Service::Pop3, NOW)
        .await
        .unwrap();
    assert_eq!(who.credential(), &Credential::AppPassword(id.clone()));
    assert_eq!(who.app().map(|app| &**app), Some("mutt"));
    assert_eq!(who.until(), None);
    let kind = |found: Result<Principal, Refusal>| found.unwrap_err().kind;
    assert_eq!(
        kind(
            house
                .identity
                .password(BOB, letters, Service::Imap, NOW)
                .await
        ),
        RefusalKind::Invalid
    );
    let nobody = house
        .identity
        .password("nobody@example.test", letters, Service::Imap, NOW)
        .await;
    assert_eq!(kind(nobody), RefusalKind::Invalid);
    // No oracle: the right account password is told the same as any other text of its form (wire §2.5).
    for wrong in [PASSWORD, "something else"] {
        let found = house
            .identity
            .password(ADA, wrong, Service::Imap, NOW)
            .await;
        assert_eq!(kind(found), RefusalKind::AppPasswordRequired);
        let found = house
            .identity
            .password("nobody@example.test", wrong, Service::Imap, NOW)
            .await;
        assert_eq!(kind(found), RefusalKind::AppPasswordRequired);
    }
    let listed = house.identity.list_app_passwords(&house.ada).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((&*listed[0].name, listed[0].created), ("mutt", NOW));
    let mut told = house.identity.revocations();
    house
        .identity
        .revoke_app_password(&house.ada, &id)
        .await
        .unwrap();
    let gone = told.recv().await.unwrap();
    assert_eq!(gone.credential, Some(Credential::AppPassword(id.clone())));
    assert_eq!(&*gone.because, "the app password “mutt” was revoked");
    assert_eq!(
        kind(
            house
                .identity
                .password(ADA, letters, Service::Imap, NOW)
                .await
        ),
        RefusalKind::Invalid
    );
    assert!(
        house
            .identity
            .revoke_app_password(&house.ada, &id)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn account_passwords_where_they_are_allowed() {
    let house = House::with(IdentityConfig {
        passwords: Passwords::Account,
        ..config()
    })
    .await;
    let who = house
        .identity
        .password(ADA, PASSWORD, Service::Imap, NOW)
        .await
        .unwrap();
    assert_eq!(who.credential(), &Credential::Password);
    let wrong = house
        .identity
        .password(ADA, "wrong wrong", Service::Imap, NOW)
        .await
        .unwrap_err();
    assert_eq!(
        (wrong.kind, &*wrong.cause),
        (RefusalKind::Invalid, "the password is wrong")
    );
    let (_, letters) = house
        .identity
        .add_app_password(&house.ada, "mutt", NOW)
        .await
        .unwrap();
    assert!(
        house
            .identity
            .password(ADA, letters.expose(), Service::Imap, NOW)
            .await
            .is_ok()
    );
    let house = House::with(IdentityConfig {
        passwords: Passwords::Never,
        ..config()
    })
    .await;
    assert!(
        house
            .identity
            .password(ADA, PASSWORD, Service::Imap, NOW)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn guesses_are_slowed_down_for_their_own_peer_only() {
    let house = House::with(IdentityConfig {
        slow_down: true,
        ..config()
    })
    .await;
    let (guesser, owner) = (IpAddr::from([192, 0, 2, 7]), IpAddr::from([192, 0, 2, 8]));
    let guesser = house.identity.from_peer(guesser);
    for _ in 0..5 {
        let found = guesser.web_sign_in(ADA, "guess guess", NOW).await;
        assert_eq!(found.unwrap_err().kind, RefusalKind::Invalid);
    }
    let found = guesser.web_sign_in(ADA, PASSWORD, NOW).await;
    assert_eq!(found.unwrap_err().kind, RefusalKind::TooManyAttempts);
    assert!(
        house
            .identity
            .from_peer(owner)
            .web_sign_in(ADA, PASSWORD, NOW)
            .await
            .is_ok()
    );
    assert!(guesser.web_sign_in(ADA, PASSWORD, NOW + 1000).await.is_ok());
}

#[tokio::test]
async fn web_sessions_begin_and_end() {
    let house = House::new().await;
    let person = house.ada_signed_in().await;
    let cookie = house.identity.open_session(&person, NOW).await.unwrap();
    let who = house.identity.session(cookie.expose(), NOW).await.unwrap();
    assert_eq!(who.account(), &house.ada);
    assert!(
        house
            .identity
            .session(cookie.expose(), NOW + crate::SESSION_MS)
            .await
            .is_err()
    );
    for made_up in ["", "s~~", "s~cDA~AAAA", "c~cDA~AAAA", &"s~".repeat(5000)] {
        assert!(
            house.identity.session(made_up, NOW).await.is_err(),
            "{made_up}"
        );
        house.identity.close_session(made_up).await.unwrap();
    }
    house.identity.close_session(cookie.expose()).await.unwrap();
    assert!(house.identity.session(cookie.expose(), NOW).await.is_err());
    let first = house.identity.open_session(&person, NOW).await.unwrap();
    for later in 1..=50 {
        house
            .identity
            .open_session(&person, NOW + later)
            .await
            .unwrap();
    }
    assert!(
        house
            .identity
            .session(first.expose(), NOW + 51)
            .await
            .is_err(),
        "bounded"
    );
}

#[tokio::test]
async fn nothing_secret_is_stored_or_printed() {
    let house = House::new().await;
    let (_, letters) = house
        .identity
        .add_app_password(&house.ada, "mutt", NOW)
        .await
        .unwrap();
    let refresh = Mint {
        refresh: true,
        ..Mint::default()
    };
    let minted = house.identity.mint(&house.ada, refresh, NOW).await.unwrap();
    let refresh = minted.refresh_token.clone().unwrap();
    let cookie = house
        .identity
        .open_session(&house.ada_signed_in().await, NOW)
        .await
        .unwrap();
    let rows = house
        .store
        .account(&house.ada)
        .scan(b"o", 1000)
        .await
        .unwrap();
    assert!(rows.len() >= 4);
    for (key, value) in rows {
        let row = format!(
            "{}{}",
            String::from_utf8_lossy(&key),
            String::from_utf8_lossy(&value)
        );
        for secret in [
            PASSWORD,
            letters.expose(),
            refresh.expose(),
            cookie.expose(),
        ] {
            assert!(!row.contains(secret), "{row}");
        }
    }
    assert!(!format!("{minted:?}").contains(refresh.expose()));
    assert!(!format!("{:?}", Client::development()).contains("pillarbox"));
}

#[tokio::test]
async fn keys_outlive_a_restart() {
    let house = House::new().await;
    let token = house.token().await;
    let again = Identity::open(house.store.clone(), config(), counting_random(), NOW)
        .await
        .unwrap();
    assert!(again.bearer(ADA, &token, Service::Imap, NOW).await.is_ok());
    let (theirs, ours) = (
        again.jwks(NOW).await.unwrap(),
        house.identity.jwks(NOW).await.unwrap(),
    );
    assert_eq!(theirs.keys, ours.keys);
}

/// Not a test of truth: `cargo test -p pillarbox-oauth -- --ignored --nocapture cost` prints what a sign-in costs.
#[tokio::test]
#[ignore = "a measurement"]
#[allow(clippy::disallowed_methods, reason = "it measures")]
async fn cost_of_bearer() {
    for slow_down in [false, true, false, true] {
        let config = IdentityConfig {
            slow_down,
            ..config()
        };
        let house = House::with(config).await;
        let identity = house.identity.from_peer(IpAddr::from([192, 0, 2, 7]));
        let token = house.token().await;
        for _ in 0..3 {
            let begun = std::time::Instant::now();
            for _ in 0..5000 {
                let found = identity.bearer(ADA, &token, Service::Imap, NOW).await;
                found.unwrap();
            }
            let each = begun.elapsed() / 5000;
            eprintln!("bearer: {each:?} each, networks noted: {slow_down}");
        }
    }
}

#[tokio::test]
async fn guesses_at_the_web_password_slow_no_mail_program() {
    let house = House::with(IdentityConfig {
        slow_down: true,
        ..config()
    })
    .await;
    let made = house.identity.add_app_password(&house.ada, "x", NOW).await;
    let letters = made.unwrap().1;
    let guess = async |peer: [u8; 4], user: &str| {
        let identity = house.identity.from_peer(peer.into());
        identity
            .web_sign_in(user, "wrong password", NOW)
            .await
            .unwrap_err()
            .kind
    };
    for number in 0..100 {
        guess([198, 51, 100, number], ADA).await;
        guess([198, 51, 101, number], "nobody@example.test").await;
    }
    let here = [192, 0, 2, 1];
    assert_eq!(guess(here, ADA).await, RefusalKind::TooManyAttempts);
    assert_eq!(
        guess(here, "nobody@example.test").await,
        RefusalKind::TooManyAttempts,
        "the same for nobody"
    );
    assert_eq!(guess(here, BOB).await, RefusalKind::Invalid);
    let phone = house.identity.from_peer(here.into());
    let app = phone.password(ADA, letters.expose(), Service::Imap, NOW);
    assert!(app.await.is_ok());
    // Where Ada reads her mail she signs in on the web too.
    assert!(phone.web_sign_in(ADA, PASSWORD, NOW).await.is_ok());
    // A program that offers a password as a token before it tries PLAIN is no attacker.
    for _ in 0..100 {
        let offered = phone.bearer(ADA, PASSWORD, Service::Imap, NOW).await;
        assert_eq!(offered.unwrap_err().kind, RefusalKind::Invalid);
    }
    let app = phone.password(ADA, letters.expose(), Service::Imap, NOW);
    assert!(app.await.is_ok());
}
