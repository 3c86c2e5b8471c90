//! The audit trail: what it remembers, for how long, and what it costs.
use super::{ADA, BOB, HOUR, House, MINUTE, NOW, PASSWORD};
use crate::{
    ACTIVITY_MS, Act, Activity, CHANGES_MAX, Credential, Deed, IdentityError, OTHERS_MAX,
    REFUSALS_FOLDED, REFUSALS_LISTED, REFUSALS_MAX, SIGN_INS_MAX, Service, Sort,
};
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
    trail_at(house, account, NOW + HOUR).await
}

async fn trail_at(house: &House, account: &AccountId, now: i64) -> Vec<Activity> {
    let found = house.identity.activity(account, usize::MAX, now);
    found.await.unwrap()
}

/// A refusal of a stranger from one of many addresses.
fn refused(at: i64, number: u32, cause: &str) -> Act {
    Act {
        service: Some(Service::Imap),
        method: Some("LOGIN".into()),
        ..Act::new(Deed::Refused, at)
            .detail(cause)
            .from(Some(IpAddr::from(number.to_be_bytes())))
    }
}

fn of(entries: &[Activity], sort: Sort) -> Vec<&Activity> {
    let of = entries.iter().filter(|entry| entry.deed.sort() == sort);
    of.collect()
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
async fn the_newest_thousand_sign_ins_of_ninety_days_are_kept() {
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
    for number in 0..i64::from(SIGN_INS_MAX) + 30 {
        house
            .identity
            .record(&house.ada, sign_in(NOW + number, &number.to_string()));
        if number % 60 == 0 {
            house.identity.write_activity().await;
        }
    }
    house.identity.write_activity().await;
    let entries = trail(&house, &house.ada).await;
    let sign_ins = of(&entries, Sort::SignIn);
    assert_eq!(sign_ins.len(), usize::from(SIGN_INS_MAX));
    assert_eq!(sign_ins[0].app.as_deref(), Some("1029"));
    assert_eq!(sign_ins[999].app.as_deref(), Some("30"));
    assert_eq!(
        of(&entries, Sort::Change).len(),
        1,
        "no change is pushed out"
    );
    // The next day's writing removes what is too old, not only hides it.
    let later = NOW + ACTIVITY_MS + 2 * HOUR;
    house.identity.record(&house.ada, sign_in(later, "new"));
    house.identity.write_activity().await;
    let rows = house.store.account(&house.ada).scan(b"ov", 2_000).await;
    assert_eq!(rows.unwrap().len(), 1);
}

#[tokio::test]
async fn a_flood_of_strangers_pushes_nothing_out_in_ninety_days() {
    let house = House::new().await;
    let day = 24 * HOUR;
    house.identity.write_activity().await;
    house.identity.record(&house.ada, sign_in(NOW, "phone"));
    let made = Act::new(Deed::AppPasswordMade, NOW).app("phone");
    house.identity.record(&house.ada, made);
    let first = refused(NOW, 1, "the first of all");
    house.identity.record_for(ADA, first);
    let mut number = 2;
    for hour in 0..90 * 24 - 2 {
        for cause in 0..30 {
            number += 1;
            let at = NOW + hour * HOUR + cause;
            let act = refused(at, number, &format!("cause {}", cause % 9));
            house.identity.record_for(ADA, act);
        }
        house.identity.write_activity().await;
    }
    let entries = trail_at(&house, &house.ada, NOW + 90 * day - HOUR).await;
    let one_day = usize::from(REFUSALS_LISTED + REFUSALS_FOLDED);
    let refusals = of(&entries, Sort::Refusal);
    assert!(refusals.len() <= one_day * 91, "{}", refusals.len());
    assert!(refusals.len() <= usize::from(REFUSALS_MAX));
    let oldest = refusals.last().unwrap();
    assert_eq!(oldest.detail.as_deref(), Some("the first of all"));
    assert_eq!(
        refusals.iter().map(|entry| entry.times).sum::<u64>(),
        (90 * 24 - 2) * 30 + 1,
        "each is counted"
    );
    assert_eq!(of(&entries, Sort::SignIn).len(), 1);
    let changes = of(&entries, Sort::Change);
    assert!(changes.iter().any(|one| one.deed == Deed::AppPasswordMade));
}

#[tokio::test]
async fn what_the_owner_does_amid_a_flood_is_never_left_out() {
    let house = House::new().await;
    house.identity.write_activity().await;
    for number in 0..30_000 {
        let act = refused(NOW, number, "no such app password");
        house.identity.record_for(ADA, act.clone());
        let name = format!("{number}@example.test");
        house.identity.record_for(&name, act);
    }
    house.identity.record_for(ADA, sign_in(NOW + 1, "phone"));
    for number in 0..160 {
        let app = number.to_string();
        for deed in [Deed::AppPasswordMade, Deed::AppPasswordEnded] {
            let act = Act::new(deed, NOW + 2).app(app.as_str());
            house.identity.record(&house.ada, act);
        }
    }
    for _ in 0..2 {
        let entries = trail(&house, &house.ada).await;
        assert_eq!(of(&entries, Sort::SignIn).len(), 1);
        let changes = of(&entries, Sort::Change);
        let named = changes.iter().filter(|one| one.app.is_some());
        assert_eq!(named.count(), 320);
        house.identity.write_activity().await;
    }
}

#[tokio::test]
async fn more_than_the_ring_holds_may_wait() {
    let house = House::new().await;
    house.identity.write_activity().await;
    for number in 0..i64::from(CHANGES_MAX) + 30 {
        let act = Act::new(Deed::AppPasswordMade, NOW + number).app(number.to_string());
        house.identity.record(&house.ada, act);
    }
    house.identity.record(&house.ada, sign_in(NOW, "phone"));
    house.identity.write_activity().await;
    let entries = trail(&house, &house.ada).await;
    let changes = of(&entries, Sort::Change);
    assert_eq!(changes.len(), usize::from(CHANGES_MAX));
    assert_eq!(changes[0].app.as_deref(), Some("1029"));
    assert_eq!(of(&entries, Sort::SignIn).len(), 1);
}

#[tokio::test]
async fn refusals_from_many_addresses_are_one_entry_by_their_cause() {
    let house = House::new().await;
    house.identity.write_activity().await;
    let listed = u32::from(REFUSALS_LISTED);
    for number in 0..1_170 {
        let act = refused(NOW + i64::from(number), number, "no such app password");
        house.identity.record_for(ADA, act);
        if number % 90 == 0 {
            house.identity.write_activity().await;
        }
    }
    for number in 0..40 {
        let cause = format!("too many failures; the next attempt counts in {number} s");
        let act = refused(NOW + 2_000 + i64::from(number), 7_000 + number, &cause);
        house.identity.record_for(ADA, act);
    }
    // One network of IPv6.
    for host in 0..50 {
        let peer = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, host]);
        let act = refused(NOW + 3_000, 0, "an expired token").from(Some(peer));
        house.identity.record_for(ADA, act);
    }
    for _ in 0..2 {
        let entries = trail(&house, &house.ada).await;
        let folds: Vec<_> = entries
            .iter()
            .filter_map(|one| Some((one.detail.as_deref()?, one.others?, one.times)))
            .collect();
        assert_eq!(
            folds,
            [
                ("an expired token", 1, 50),
                ("too many failures", 40, 40),
                (
                    "no such app password",
                    OTHERS_MAX,
                    u64::from(1_170 - listed)
                ),
            ]
        );
        let listed = of(&entries, Sort::Refusal).len() - folds.len();
        assert_eq!(listed, usize::from(REFUSALS_LISTED));
        house.identity.write_activity().await;
    }
}

#[tokio::test]
async fn a_pause_is_one_entry_however_long_it_lasts() {
    let house = House::new().await;
    for second in 0..600 {
        let cause = format!(
            "too many failures; the next attempt counts in {} s",
            600 - second
        );
        let act = refused(NOW + second * 1_000, 1, &cause);
        house.identity.record_for(ADA, act);
        if second % 3 == 0 {
            house.identity.write_activity().await;
        }
    }
    let entries = trail(&house, &house.ada).await;
    let [pause] = of(&entries, Sort::Refusal)[..] else {
        panic!("{entries:?}");
    };
    assert_eq!(
        (pause.detail.as_deref(), pause.times),
        (Some("too many failures"), 600)
    );
}

#[tokio::test]
async fn guesses_of_strangers_do_not_hide_that_somebody_knew_the_password() {
    let house = House::new().await;
    for number in 0..2_000 {
        let cause = format!("cause {}", number % 40);
        house.identity.record_for(ADA, refused(NOW, number, &cause));
    }
    let wrong_code = Act {
        method: Some("two steps, code".into()),
        ..refused(NOW, 9_000, "the code is wrong")
    };
    house.identity.record_for(ADA, wrong_code);
    let app = Act::new(Deed::AppRefused, NOW).app("Stolen code");
    house.identity.record(&house.ada, app.detail("used before"));
    house.identity.write_activity().await;
    let entries = trail(&house, &house.ada).await;
    let seen = |cause: &str| {
        let mut all = entries.iter();
        all.any(|one| one.detail.as_deref() == Some(cause) && one.others.is_none())
    };
    assert!(seen("the code is wrong") && seen("used before"));
}

#[tokio::test]
async fn a_trail_of_before_there_were_sorts_is_read_and_goes_on() {
    let house = House::new().await;
    house.identity.write_activity().await;
    let handle = house.store.account(&house.ada);
    let old = |rows: &mut pillarbox_store::mail::Rows| {
        // As they were written: one ring, here on its second round, and other names of services.
        for slot in 0..1_000_u64 {
            let number = if slot < 500 { 1_000 + slot } else { slot };
            let at = NOW - 2_000 + number as i64;
            let deed = ["signed-in", "refused", "granted"][slot as usize % 3];
            let service = ["pop3", "submission"][slot as usize % 2];
            let row = format!(
                r#"{{"at":{at},"first":{at},"times":1,"deed":"{deed}","service":"{service}","app":"{number}"}}"#
            );
            let mut key = b"ov".to_vec();
            key.extend_from_slice(&(slot as u16).to_be_bytes());
            rows.put(&key, row.into_bytes());
        }
        let head = format!(r#"{{"next":1500,"swept":{NOW}}}"#);
        rows.put(b"ow", head.into_bytes());
        Ok::<_, IdentityError>(())
    };
    handle.update(&[b"ov", b"ow"], old).await.unwrap();
    let entries = trail(&house, &house.ada).await;
    assert_eq!(entries.len(), 1_000);
    assert_eq!(entries[0].service, Some(Service::Submission));
    let act = Act::new(Deed::AppPasswordMade, NOW).app("new");
    house.identity.record(&house.ada, act);
    house.identity.record(&house.ada, sign_in(NOW, "phone"));
    house.identity.record_for(ADA, refused(NOW, 1, "wrong"));
    house.identity.write_activity().await;
    let entries = trail(&house, &house.ada).await;
    assert_eq!(
        entries.len(),
        1_002,
        "a change takes the oldest one's place"
    );
    let has = |app: &str| entries.iter().any(|one| one.app.as_deref() == Some(app));
    assert!(!has("500") && has("501") && has("new"));
    let json = serde_json::to_string(&entries).unwrap();
    assert!(!json.contains("pop3") && !json.contains("submission") && json.contains("\"pop\""));
}

#[tokio::test]
async fn much_is_written_before_its_time() {
    let house = House::new().await;
    house.identity.write_activity().await;
    let told = |house: &House| {
        let identity = house.identity.clone();
        async move {
            let limit = std::time::Duration::from_secs(5);
            tokio::time::timeout(limit, identity.much_activity()).await
        }
    };
    for number in 0..100 {
        let act = Act::new(Deed::AppPasswordMade, NOW).app(number.to_string());
        house.identity.record(&house.ada, act);
    }
    told(&house).await.unwrap();
    for number in 0..5_000 {
        let name = format!("{number}@example.test");
        house.identity.record_for(&name, refused(NOW, 1, "no"));
    }
    told(&house).await.unwrap();
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
    let entries = trail(&house, &house.ada).await;
    let refusals = of(&entries, Sort::Refusal);
    assert!(refusals.len() <= usize::from(REFUSALS_LISTED + REFUSALS_FOLDED));
    assert_eq!(house.identity.waiting_refusals(), 20_000, "and no more");
    house.identity.write_activity().await;
    assert_eq!(house.identity.waiting_refusals(), 0);
    let long = Act::new(Deed::Refused, NOW + 1).detail("ä".repeat(100_000));
    house.identity.record(&house.bob, long);
    let entry = &trail(&house, &house.bob).await[0];
    assert_eq!(entry.detail.as_deref().unwrap().chars().count(), 200);
}

#[tokio::test]
async fn programs_that_register_themselves_push_no_change_out_of_the_servers_trail() {
    let house = House::new().await;
    let by = house.identity.acting("by ada@example.test");
    by.record_change(Act::new(Deed::AppApproved, NOW).app("Vetted"));
    for number in 0..5_000 {
        let act = Act::new(Deed::AppRegistered, NOW + number).app(number.to_string());
        house.identity.record_change(act.unasked());
        if number % 500 == 0 {
            house.identity.write_activity().await;
        }
    }
    house.identity.write_activity().await;
    let changes = house.identity.changes(usize::MAX, NOW + HOUR).await;
    let changes = changes.unwrap();
    assert_eq!(changes.len(), usize::from(REFUSALS_MAX) + 1);
    assert_eq!(changes.last().unwrap().app.as_deref(), Some("Vetted"));
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
