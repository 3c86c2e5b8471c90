//! What whoever may do everything hears when they end a token, and why sessions end of it.
use super::{ADA, House, NOW};
use crate::{Credential, Mint, Service, TokenEnd};

#[tokio::test]
async fn ending_a_token_says_what_came_of_it() {
    let house = House::new().await;
    let mut told = house.identity.revocations();
    let mint = Mint {
        refresh: true,
        ..Mint::default()
    };
    let minted = house.identity.mint(&house.ada, mint, NOW).await.unwrap();
    let token = minted.access_token.expose();
    let actor = house.identity.acting("on the command line");
    let cut = &token[..token.len() - 4];
    for nothing in [
        "",
        "Bearer",
        cut,
        &format!("\"{token}\""),
        "no-token-at-all",
    ] {
        let end = actor.end_token(nothing, NOW).await.unwrap();
        assert_eq!(end, TokenEnd::Unknown, "{nothing:?}");
    }
    let opens = async || house.identity.bearer(ADA, token, Service::Imap, NOW).await;
    assert!(opens().await.is_ok());
    assert!(told.try_recv().is_err());

    let refresh = minted.refresh_token.as_ref().unwrap().expose();
    let ended = |before| TokenEnd::Ended {
        account: house.ada.clone(),
        grant: minted.grant.clone(),
        app: "Pillarbox command line".into(),
        before,
    };
    assert_eq!(actor.end_token(refresh, NOW).await.unwrap(), ended(None));
    assert!(opens().await.is_err());
    let gone = told.try_recv().unwrap();
    let grant = Credential::Grant {
        grant: minted.grant.clone(),
        token: None,
    };
    assert_eq!(
        (gone.account, gone.credential),
        (house.ada.clone(), Some(grant))
    );
    assert_eq!(&*gone.because, "its token was revoked, on the command line");

    let again = actor.end_token(token, NOW + 1).await.unwrap();
    assert_eq!(again, ended(Some(NOW)));
    assert!(told.try_recv().is_err(), "there was nothing left to end");
}
