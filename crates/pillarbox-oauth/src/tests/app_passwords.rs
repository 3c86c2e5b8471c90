//! What looking for an app password costs, and those that were kept in another way before.

use super::*;
use crate::rows::{self, AppRow, Kind};
use crate::{IdentityError, Service};
use pillarbox_store::mail::Rows;

const WRONG: &str = "aaaabbbbccccdddd";
const EVE: &str = "eve@example.test";

/// Hashes, slow and quick, and rows that one wrong password costs.
async fn cost(house: &House, user: &str, service: Service) -> [u64; 3] {
    let work = &house.identity.inner.work;
    let now = || {
        let (slow, quick) = work.done();
        [slow, quick, work.rows()]
    };
    let before = now();
    let refused = house.identity.password(user, WRONG, service, NOW).await;
    assert_eq!(
        refused.unwrap_err().kind,
        crate::RefusalKind::Invalid,
        "{user}"
    );
    let after = now();
    [0, 1, 2].map(|index| after[index] - before[index])
}

#[tokio::test]
async fn the_work_tells_nobody_who_there_is_nor_how_many_app_passwords() {
    let house = House::new().await;
    for number in 0..10 {
        let name = number.to_string();
        house
            .identity
            .add_app_password(&house.ada, &name, NOW)
            .await
            .unwrap();
    }
    let eve = house
        .identity
        .create_person(EVE, Some(PASSWORD), Naming::Plain, NOW);
    let eve = eve.await.unwrap();
    house
        .identity
        .add_app_password(&eve, "phone", NOW)
        .await
        .unwrap();
    house.identity.set_suspended(&eve, true).await.unwrap();
    // One keyed hash, one row looked for.
    for user in [ADA, BOB, EVE, "nobody@example.test"] {
        for service in [Service::Imap, Service::Pop3, Service::Submission] {
            assert_eq!(cost(&house, user, service).await, [0, 1, 1], "{user}");
        }
    }
}

/// Puts an account's app passwords back to where they were kept before.
async fn make_old(house: &House) {
    let (kept, old) = (Kind::App.all(), Kind::OldApp.all());
    let back = |rows: &mut Rows| {
        for (key, value) in rows.scan(&Kind::App.all()) {
            let mut row: AppRow = rows::decode(&value)?;
            let id = std::mem::take(&mut row.id);
            rows.delete(&key);
            rows::write(rows, &Kind::OldApp.key(id), &row)?;
        }
        Ok::<_, IdentityError>(())
    };
    let handle = house.store.account(&house.ada);
    handle.update(&[&kept, &old], back).await.unwrap();
}

#[tokio::test]
async fn app_passwords_that_were_kept_by_their_ids_go_on() {
    let house = House::new().await;
    let identity = &house.identity;
    let (phone, letters) = identity
        .add_app_password(&house.ada, "Phone", NOW)
        .await
        .unwrap();
    let (mutt, others) = identity
        .add_app_password(&house.ada, "mutt", NOW)
        .await
        .unwrap();
    make_old(&house).await;
    let listed = identity.list_app_passwords(&house.ada).await.unwrap();
    assert_eq!(listed.len(), 2);
    assert!(
        listed
            .iter()
            .any(|one| one.id == phone && &*one.name == "Phone")
    );
    let who = identity
        .password(ADA, letters.expose(), Service::Imap, NOW)
        .await
        .unwrap();
    assert_eq!(
        who.credential,
        crate::Credential::AppPassword(phone.clone())
    );
    assert_eq!(
        identity.list_app_passwords(&house.ada).await.unwrap().len(),
        2
    );
    let moved = cost(&house, ADA, Service::Imap).await;
    assert_eq!(moved, [0, 1, 1], "they have moved");

    make_old(&house).await;
    identity
        .revoke_app_password(&house.ada, &phone)
        .await
        .unwrap();
    let over = identity
        .password(ADA, letters.expose(), Service::Imap, NOW)
        .await;
    assert!(over.is_err());
    let who = identity
        .password(ADA, others.expose(), Service::Pop3, NOW)
        .await
        .unwrap();
    assert_eq!(who.credential, crate::Credential::AppPassword(mutt));

    make_old(&house).await;
    identity
        .set_password(&house.ada, "another pass phrase", NOW)
        .await
        .unwrap();
    let over = identity
        .password(ADA, others.expose(), Service::Imap, NOW)
        .await;
    assert!(over.is_err());
    assert!(
        identity
            .list_app_passwords(&house.ada)
            .await
            .unwrap()
            .is_empty()
    );
}
