//! The audit trail: what it remembers, for how long, and what it costs.
use super::{ADA, BOB, HOUR, House, MINUTE, NOW, PASSWORD};
use crate::{ACTIVITY_MAX, ACTIVITY_MS, Act, Activity, Credential, Deed, IdentityError, Service};
use pillarbox_store::mail::AccountId;
use std::net::IpAddr;

fn sign_in(at: i64, app: &str) -> Act {
    Act {
        service: Some(Service::Imap),
        method: Some("XOAUTH2".into()),
        credential: Some(Credential::AppPassword(app.into())),
        ..Act::new(Deed::SignedIn, at).app(app)
    }
}

async fn trail(house: &House, account: &AccountId) -> Vec<Activity> {
    house
        .identity
        .activity(account, 2_000, NOW + HOUR)
        .await
        .unwrap()
}

#[tokio::test]
async fn what_happens_is_in_the_trail_before_and_after_it_is_written() {
    let house = House::new().await;
    let peer = IpAddr::from([192, 0, 2, 7]);
    let identity = house.identity.from_peer(peer);
    identity.write_activity().await;
    identity.web_sign_in(ADA, PASSWORD, NOW + 1).await.unwrap();
    identity
        .web_sign_in(&ADA.to_uppercase(), "not it", NOW + 2)
        .await
        .unwrap_err();
    let (id, _) = identity
        .add_app_password(&house.ada, "Phone", NOW + 3)
        .await
        .unwrap();
    for _ in 0..2 {
        let entries = trail(&house, &house.ada).await;
        let seen: Vec<_> = entries
            .iter()
            .map(|entry| (entry.deed, entry.detail.as_deref(), entry.peer))
            .take(3)
            .collect();
        assert_eq!(
            seen,
            [
                (Deed::AppPasswordMade, None, Some(peer)),
                (Deed::Refused, Some("the password is wrong"), Some(peer)),
                (Deed::SignedIn, None, Some(peer)),
            ]
        );
        identity.write_activity().await;
    }
    assert_eq!(identity.write_activity().await, 0, "nothing waits any more");
    let bobs = trail(&house, &house.bob).await;
    assert!(bobs.iter().all(|entry| entry.deed == Deed::PasswordChanged));
    identity.record(&house.ada, sign_in(NOW + 4, &id));
    for _ in 0..2 {
        let uses = identity.last_uses(&house.ada).await.unwrap();
        assert_eq!(uses.app_password(&id).unwrap().at, NOW + 4);
        assert_eq!(uses.grant(&id), None);
        identity.write_activity().await;
    }
}

#[tokio::test]
async fn writing_is_one_commit_an_account() {
    let house = House::new().await;
    house.identity.write_activity().await;
    let versions = [&house.ada, &house.bob].map(|id| house.store.account(id).watch());
    let before = versions.each_ref().map(|version| *version.borrow());
    for number in 0..50 {
        house
            .identity
            .record(&house.ada, sign_in(NOW, &number.to_string()));
    }
    house
        .identity
        .record_for("nobody@example.test", sign_in(NOW, "x"));
    house
        .identity
        .record_for("not an address", sign_in(NOW, "x"));
    assert_eq!(house.identity.write_activity().await, 1);
    let after = versions.each_ref().map(|version| *version.borrow());
    assert_eq!(after, [before[0] + 1, before[1]]);
    let mine = trail(&house, &house.ada).await;
    assert_eq!(mine.iter().filter(|entry| entry.app.is_some()).count(), 50);
}

#[tokio::test]
async fn repetitions_are_counted_within_an_hour_also_when_written_apart() {
    let house = House::new().await;
    for minute in 0..90 {
        house.identity.record(
            &house.ada,
            sign_in(NOW - 2 * HOUR + minute * MINUTE, "phone"),
        );
        if minute % 7 == 0 {
            house.identity.write_activity().await;
        }
    }
    house.identity.write_activity().await;
    let entries = trail(&house, &house.ada).await;
    let sign_ins = || entries.iter().filter(|entry| entry.deed == Deed::SignedIn);
    assert_eq!(sign_ins().map(|entry| entry.times).sum::<u64>(), 90);
    assert_eq!(sign_ins().count(), 2);
    assert!(sign_ins().all(|entry| entry.at - entry.first < HOUR));
}

#[tokio::test]
async fn the_newest_thousand_of_ninety_days_are_kept() {
    let house = House::new().await;
    let old = NOW - ACTIVITY_MS + MINUTE;
    house.identity.record(&house.ada, sign_in(old, "old"));
    house.identity.write_activity().await;
    assert!(
        trail(&house, &house.ada)
            .await
            .iter()
            .all(|entry| entry.app.as_deref() != Some("old")),
        "an hour later it is too old"
    );
    for number in 0..i64::from(ACTIVITY_MAX) + 30 {
        house
            .identity
            .record(&house.ada, sign_in(NOW + number, &number.to_string()));
        if number % 60 == 0 {
            house.identity.write_activity().await;
        }
    }
    house.identity.write_activity().await;
    let entries = trail(&house, &house.ada).await;
    assert_eq!(entries.len(), usize::from(ACTIVITY_MAX));
    assert_eq!(entries[0].app.as_deref(), Some("1029"));
    assert_eq!(entries[999].app.as_deref(), Some("30"));
    // The next day's writing removes what is too old, not only hides it.
    let later = NOW + ACTIVITY_MS + 2 * HOUR;
    house.identity.record(&house.ada, sign_in(later, "new"));
    house.identity.write_activity().await;
    let rows = house.store.account(&house.ada).scan(b"ov", 2_000).await;
    assert_eq!(rows.unwrap().len(), 1);
}

#[tokio::test]
async fn a_guesser_cannot_fill_the_memory() {
    let house = House::new().await;
    for number in 0..30_000 {
        let act = Act::new(Deed::Refused, NOW).detail(number.to_string());
        house.identity.record(&house.ada, act.clone());
        house
            .identity
            .record_for(&format!("{number}@example.test"), act);
    }
    house.identity.write_activity().await;
    assert!(trail(&house, &house.ada).await.len() <= 102);
    let long = Act::new(Deed::Refused, NOW + 1).detail("ä".repeat(100_000));
    house.identity.record(&house.bob, long);
    let entry = &trail(&house, &house.bob).await[0];
    assert_eq!(entry.detail.as_deref().unwrap().chars().count(), 200);
}

#[tokio::test]
async fn administrators_are_made_and_unmade() {
    let House {
        identity, ada, bob, ..
    } = House::new().await;
    assert!(!identity.is_administrator(&ada).await.unwrap());
    identity.set_administrator(&ada, true, NOW).await.unwrap();
    assert!(identity.is_administrator(&ada).await.unwrap());
    assert!(!identity.is_administrator(&bob).await.unwrap());
    identity.set_administrator(&ada, false, NOW).await.unwrap();
    assert!(!identity.is_administrator(&ada).await.unwrap());
    let nobody = AccountId("nobody".into());
    assert!(
        identity
            .set_administrator(&nobody, true, NOW)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn an_invitation_is_good_once_for_a_week_and_until_the_next() {
    let House { identity, ada, .. } = House::new().await;
    let is_none = |found: Result<_, IdentityError>| matches!(found, Err(IdentityError::NoSuch(_)));
    let first = identity.invite(&ada, NOW).await.unwrap();
    let second = identity.invite(&ada, NOW).await.unwrap();
    assert!(is_none(identity.invited(first.expose(), NOW).await));
    let (account, address) = identity.invited(second.expose(), NOW).await.unwrap();
    assert_eq!((account, &*address), (ada.clone(), ADA));
    let week = crate::INVITE_MS;
    assert!(is_none(identity.invited(second.expose(), NOW + week).await));
    for forged in ["", "i~", "i~YWRh~x", &second.expose().replacen('i', "s", 1)] {
        assert!(is_none(identity.invited(forged, NOW).await), "{forged}");
    }
    let short = identity.accept_invite(second.expose(), "short", NOW).await;
    assert!(matches!(short, Err(IdentityError::BadPassword(_))));
    let accept = identity.accept_invite(second.expose(), "a new pass phrase", NOW);
    accept.await.unwrap();
    identity
        .web_sign_in(ADA, "a new pass phrase", NOW)
        .await
        .unwrap();
    identity.web_sign_in(BOB, PASSWORD, NOW).await.unwrap();
    let again = identity
        .accept_invite(second.expose(), "another pass phrase", NOW)
        .await;
    assert!(matches!(again, Err(IdentityError::NoSuch(_))));
}
