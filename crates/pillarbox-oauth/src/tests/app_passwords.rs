//! What looking for an app password costs.

use super::*;
use crate::Service;

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

#[tokio::test]
async fn nor_where_peoples_own_passwords_are_taken_too() {
    let mut config = config();
    config.passwords = crate::Passwords::Account;
    let house = House::with(config).await;
    let identity = &house.identity;
    let nothing = identity.create_person(EVE, None, Naming::Plain, NOW);
    nothing.await.unwrap();
    // And the row and the slow hash of the account's own; on the web nothing but these.
    for user in [ADA, EVE, "nobody@example.test"] {
        let cost = cost(&house, user, Service::Imap).await;
        assert_eq!(cost, [1, 1, 2], "{user}");
        let before = (identity.inner.work.done(), identity.inner.work.rows());
        identity.web_sign_in(user, WRONG, NOW).await.unwrap_err();
        let after = (identity.inner.work.done(), identity.inner.work.rows());
        assert_eq!(after.0.0 - before.0.0, 1, "{user}");
        assert_eq!(after.0.1 - before.0.1, 0, "{user}");
        assert_eq!(after.1 - before.1, 1, "{user}");
    }
}
