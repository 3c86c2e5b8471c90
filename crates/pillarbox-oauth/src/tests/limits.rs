//! App passwords that open less than all.

use super::{ADA, HOUR, House, NOW};
use crate::{AppLimits, IdentityError, RefusalKind, Service};

#[tokio::test]
async fn an_app_password_opens_what_it_is_limited_to() {
    let house = House::new().await;
    let limits = AppLimits {
        only: vec![Service::Imap, Service::Submission],
        from: vec!["192.0.2.0/24".parse().unwrap()],
        until: Some(NOW + HOUR),
    };
    let made = house
        .identity
        .add_limited_app_password(&house.ada, "office", limits.clone(), NOW);
    let (_, letters) = made.await.unwrap();
    let office = house.identity.from_peer([192, 0, 2, 9].into());
    let home = house.identity.from_peer([198, 51, 100, 9].into());
    for service in [Service::Imap, Service::Submission] {
        let who = office
            .password(ADA, letters.expose(), service, NOW)
            .await
            .unwrap();
        assert_eq!(who.until(), Some(NOW + HOUR), "its sessions end with it");
    }
    for (from, service, now) in [
        (&office, Service::Pop3, NOW),
        (&home, Service::Imap, NOW),
        (&house.identity, Service::Imap, NOW),
        (&office, Service::Imap, NOW + HOUR),
    ] {
        let refusal = from
            .password(ADA, letters.expose(), service, now)
            .await
            .unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Invalid, "as for a wrong one");
    }
    let listed = house.identity.list_app_passwords(&house.ada).await.unwrap();
    assert_eq!(listed[0].limits, limits);
}

#[tokio::test]
async fn limits_that_cannot_be_are_refused() {
    let house = House::new().await;
    let network = "192.0.2.0/24".parse().unwrap();
    for limits in [
        AppLimits {
            until: Some(NOW),
            ..AppLimits::default()
        },
        AppLimits {
            from: vec![network; 21],
            ..AppLimits::default()
        },
    ] {
        let made = house
            .identity
            .add_limited_app_password(&house.ada, "x", limits, NOW)
            .await;
        assert!(matches!(
            made,
            Err(IdentityError::BadPassword(_) | IdentityError::TooMany(_))
        ));
    }
}
