//! Client certificates that open an account.

use super::{ADA, BOB, HOUR, House, NOW};
use crate::certificate::tests::{ADA as PEM, ADA_LATER};
use crate::{AppLimits, ClientCertificate, Credential, Deed, IdentityError, RefusalKind, Service};

pub(super) fn certificate() -> ClientCertificate {
    ClientCertificate::from_pem(PEM).unwrap()
}

async fn registered(limits: AppLimits) -> House {
    registered_in(House::new().await, limits).await
}

pub(super) async fn registered_in(house: House, limits: AppLimits) -> House {
    let added = house
        .identity
        .add_certificate(&house.ada, &certificate(), "laptop", limits, NOW)
        .await;
    assert_eq!(added.unwrap(), *certificate().key());
    house
}

async fn refused(house: &House, user: &str, service: Service, now: i64) -> String {
    let found = house
        .identity
        .certificate(&certificate(), user, service, now)
        .await;
    let refusal = found.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Invalid);
    refusal.cause
}

#[tokio::test]
async fn a_registered_key_opens_its_account_named_or_not() {
    let house = registered(AppLimits::default()).await;
    let alias = "ada.alias@example.test";
    house.store.add_alias(alias, &house.ada).await.unwrap();
    for user in ["", ADA, "ADA@example.TEST", alias] {
        let who = house
            .identity
            .certificate(&certificate(), user, Service::Imap, NOW)
            .await
            .unwrap();
        assert_eq!((who.account(), &**who.address()), (&house.ada, ADA));
        assert_eq!(who.until(), Some(certificate().not_after()));
        assert_eq!(who.app().map(|name| &**name), Some("laptop"));
    }
    let cause = refused(&house, BOB, Service::Imap, NOW).await;
    assert_eq!(cause, "the certificate belongs to ada@example.test");
    refused(&house, "nobody@example.test", Service::Imap, NOW).await;
}

#[tokio::test]
async fn dates_go_by_the_clock_that_is_given() {
    let house = registered(AppLimits::default()).await;
    let end = certificate().not_after();
    let cause = refused(&house, "", Service::Imap, end + 1).await;
    assert_eq!(cause, "the certificate has ended");
    let cause = refused(&house, "", Service::Imap, NOW - 400 * 24 * HOUR).await;
    assert_eq!(cause, "the certificate is not good yet");
    let again = ClientCertificate::from_pem(ADA_LATER).unwrap();
    let renewed = house
        .identity
        .certificate(&again, "", Service::Imap, end + HOUR)
        .await;
    assert_eq!(renewed.unwrap().until(), Some(again.not_after()));
    let trail = house.identity.activity(&house.ada, 10, end).await.unwrap();
    let refusal = trail.iter().find(|one| one.deed == Deed::Refused);
    assert!(refusal.is_some(), "the owner sees it: {trail:?}");
}

#[tokio::test]
async fn limits_hold_as_for_app_passwords() {
    let house = registered(AppLimits {
        only: vec![Service::Imap],
        from: vec!["192.0.2.0/24".parse().unwrap()],
        until: Some(NOW + HOUR),
    })
    .await;
    refused(&house, ADA, Service::Imap, NOW).await;
    let office = house.identity.from_peer([192, 0, 2, 9].into());
    let opened = |service, now| {
        let office = office.clone();
        async move { office.certificate(&certificate(), ADA, service, now).await }
    };
    let who = opened(Service::Imap, NOW).await.unwrap();
    assert_eq!(who.until(), Some(NOW + HOUR));
    assert!(opened(Service::Pop3, NOW).await.is_err());
    assert!(opened(Service::Imap, NOW + HOUR).await.is_err());
}

#[tokio::test]
async fn a_key_is_one_persons_until_it_is_revoked() {
    let house = registered(AppLimits::default()).await;
    for account in [&house.ada, &house.bob] {
        let again = house
            .identity
            .add_certificate(account, &certificate(), "x", AppLimits::default(), NOW)
            .await;
        assert!(matches!(again, Err(IdentityError::BadCertificate(_))));
    }
    let mut told = house.identity.revocations();
    let id = certificate().key().clone();
    let listed = house.identity.certificates(&house.ada).await.unwrap();
    assert_eq!((&listed[0].id, &*listed[0].name), (&id, "laptop"));
    let other = house
        .identity
        .revoke_certificate(&house.bob, &id, NOW)
        .await;
    assert!(matches!(other, Err(IdentityError::NoSuch(_))));
    house
        .identity
        .revoke_certificate(&house.ada, &id, NOW)
        .await
        .unwrap();
    let credential = Credential::Certificate(id);
    let gone = told.try_recv().unwrap();
    assert_eq!(
        (gone.account, gone.credential),
        (house.ada.clone(), Some(credential))
    );
    assert_eq!(
        &*gone.because,
        "the client certificate “laptop” was revoked"
    );
    refused(&house, ADA, Service::Imap, NOW).await;
    let bobs = house
        .identity
        .add_certificate(&house.bob, &certificate(), "x", AppLimits::default(), NOW)
        .await;
    bobs.unwrap();
    refused(&house, ADA, Service::Imap, NOW).await;
}

#[tokio::test]
async fn a_new_password_a_suspension_and_a_removal_end_it() {
    let house = registered(AppLimits::default()).await;
    let suspend = |on| house.identity.set_suspended(&house.ada, on);
    suspend(true).await.unwrap();
    refused(&house, "", Service::Imap, NOW).await;
    suspend(false).await.unwrap();
    house
        .identity
        .set_password(&house.ada, "another pass phrase", NOW)
        .await
        .unwrap();
    let cause = refused(&house, "", Service::Imap, NOW).await;
    assert!(cause.contains("registered for nobody"), "{cause}");
    let house = registered(AppLimits::default()).await;
    house.store.remove_account(&house.ada).await.unwrap();
    refused(&house, "", Service::Imap, NOW).await;
    let free = house
        .identity
        .add_certificate(&house.bob, &certificate(), "x", AppLimits::default(), NOW)
        .await;
    free.unwrap();
}
