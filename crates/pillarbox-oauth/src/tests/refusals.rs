//! Refusals at the endpoints: the owner hears the true cause and whom it concerns, the program no more than it may know.

use super::tokens::{code, form, redeem};
use super::*;
use crate::{Activity, Deed, EndpointRefusal, TokenError};

const CODE_S: Millis = 600;
const GOOGLES: &str = "Token has been expired or revoked.";

async fn asked(house: &House, form: &[(String, String)], now: Millis) -> TokenError {
    house.identity.token(None, form, now).await.unwrap_err()
}

async fn told(house: &House, error: &TokenError) -> EndpointRefusal {
    let peer = std::net::IpAddr::from([192, 0, 2, 7]);
    let identity = house.identity.from_peer(peer);
    identity.refused_at("/token", error, NOW).await
}

async fn refused(house: &House, account: &AccountId) -> Vec<Activity> {
    let mut trail = house
        .identity
        .activity(account, 100, NOW + HOUR)
        .await
        .unwrap();
    trail.retain(|entry| entry.deed == Deed::AppRefused);
    trail
}

/// One refusal: what was wrong, what is told, and the true cause.
struct Case(TokenError, &'static str, &'static str);

#[tokio::test]
async fn every_cause_of_a_refused_code_has_its_own_words() {
    let house = House::new().await;
    let late = NOW + CODE_S * 1000;
    let good = code(&house, &[]).await;
    let spent = code(&house, &[]).await;
    house
        .identity
        .token(None, &form(&spent, &[]), NOW)
        .await
        .unwrap();
    let made_up = format!("{}A", &good[..good.len() - 1]);
    let elsewhere = [("redirect_uri", "http://127.0.0.1:51004/other")];
    let verifier = [(
        "code_verifier",
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXX",
    )];
    let other = [("client_id", "cli")];
    let differs = "redirect_uri differs from the one of the authorization request.";
    let unfit = "code_verifier does not fit code_challenge.";
    let over = "The code has expired; it lives 600 s.";
    let used = "The code was used before.";
    let none = "there is no such code, or it ended long ago";
    let never = "this server never gave such a code";
    let others = "the code was given to another program";
    let cases = [
        Case(
            asked(&house, &form(&good, &elsewhere), NOW).await,
            differs,
            differs,
        ),
        Case(
            asked(&house, &form(&good, &verifier), NOW).await,
            unfit,
            unfit,
        ),
        Case(
            asked(&house, &form(&good, &other), NOW).await,
            GOOGLES,
            others,
        ),
        Case(asked(&house, &form(&good, &[]), late).await, over, over),
        Case(asked(&house, &form(&spent, &[]), NOW).await, used, used),
    ];
    for Case(error, wire, cause) in &cases {
        assert_eq!(
            (error.code.name(), &*error.description),
            ("invalid_grant", *wire)
        );
        let refusal = told(&house, error).await;
        assert_eq!(&*refusal.cause, cause.trim_end_matches('.'));
        assert_eq!(refusal.person.as_deref(), Some(ADA));
        assert_eq!(refusal.method, Some("a code"));
        assert!(refusal.app.is_some());
    }
    // Whoever makes up a code that names her writes nothing into her trail.
    let strangers = [
        Case(
            asked(&house, &form(&made_up, &[]), NOW).await,
            GOOGLES,
            none,
        ),
        Case(asked(&house, &form("xx", &[]), NOW).await, GOOGLES, never),
    ];
    for Case(error, wire, cause) in &strangers {
        assert_eq!(
            (error.code.name(), &*error.description),
            ("invalid_grant", *wire)
        );
        let refusal = told(&house, error).await;
        assert_eq!((&*refusal.cause, refusal.person), (*cause, None));
    }
    let trail = refused(&house, &house.ada).await;
    assert_eq!(trail.len(), cases.len(), "{trail:?}");
    let from = std::net::IpAddr::from([192, 0, 2, 7]);
    assert!(trail.iter().all(|entry| entry.peer == Some(from)));
    for Case(error, ..) in cases.iter().chain(&strangers) {
        let shown = format!("{:?}", told(&house, error).await);
        assert!(
            !shown.contains(&good[20..]) && !shown.contains(&spent[20..]),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn a_refused_refresh_says_to_the_owner_alone_why() {
    let house = House::new().await;
    let person = house.ada_signed_in().await;
    let pairs = authorization::request(&[]);
    let ask = house
        .identity
        .authorization_request(&pairs, NOW)
        .await
        .unwrap();
    let refresh = |token: &str, client: &str| {
        params(&[
            ("grant_type", "refresh_token"),
            ("client_id", client),
            ("refresh_token", token),
        ])
    };
    let token = redeem(&house, &ask, &person, NOW).await.unwrap();
    let token = token.refresh_token.unwrap();
    let mut seen = Vec::new();
    let unused = NOW + 181 * 24 * HOUR;
    for (form, now) in [
        (refresh(token.expose(), "cli"), NOW),
        (refresh(token.expose(), "desktop"), unused),
        (refresh("r~YWRh~x~y~z", "desktop"), NOW),
    ] {
        let error = asked(&house, &form, now).await;
        assert_eq!(
            (error.code.name(), &*error.description),
            ("invalid_grant", GOOGLES)
        );
        seen.push(told(&house, &error).await);
    }
    let grant = house
        .identity
        .grants(&house.ada)
        .await
        .unwrap()
        .pop()
        .unwrap();
    house
        .identity
        .revoke_grant(&house.ada, &grant.id, NOW)
        .await
        .unwrap();
    for _ in 0..3 {
        let error = asked(&house, &refresh(token.expose(), "desktop"), NOW).await;
        seen.push(told(&house, &error).await);
    }
    let seen: Vec<_> = seen
        .iter()
        .map(|one| (&*one.cause, one.person.as_deref()))
        .collect();
    let ended = ("its grant was ended", Some(ADA));
    assert_eq!(
        seen,
        [
            ("the refresh token was given to another program", Some(ADA)),
            ("the refresh token was not used for too long", Some(ADA)),
            ("this server never gave such a refresh token", None),
            ended,
            ended,
            ended,
        ]
    );
    let trail = refused(&house, &house.ada).await;
    assert_eq!(trail.len(), 3, "the same again is counted: {trail:?}");
    assert!(trail.iter().any(|entry| entry.times == 3));
}

#[tokio::test]
async fn a_client_that_fails_to_prove_itself_is_named() {
    let house = House::new().await;
    for (client, secret, cause, app) in [
        ("web", "wrong", "its secret is wrong", true),
        ("web", "", "it sent no secret", true),
        ("nobody", "x", "there is no such client", false),
    ] {
        let form = params(&[
            ("grant_type", "refresh_token"),
            ("client_id", client),
            ("client_secret", secret),
            ("refresh_token", "x"),
        ]);
        let error = asked(&house, &form, NOW).await;
        let told = told(&house, &error.of_client(Some(client))).await;
        assert_eq!(told.told.0.name(), "invalid_client");
        assert_eq!(&*told.cause, cause);
        assert_eq!(told.client.as_deref(), Some(client));
        assert_eq!(told.app.is_some(), app, "{client}");
    }
}

#[tokio::test]
async fn a_flood_of_refusals_costs_no_commits_but_for_people_it_concerns() {
    let house = House::new().await;
    house.identity.write_activity().await;
    for number in 0..1_000 {
        let code = format!("c~YWRh~{number}");
        let error = asked(&house, &form(&code, &[]), NOW).await;
        told(&house, &error).await;
    }
    assert_eq!(house.identity.write_activity().await, 0);
    // An account that is gone is written for no more than one that never was.
    let gone = AccountId("gone".into());
    let error = TokenError::new(crate::ErrorCode::InvalidGrant, "x").about(&gone);
    assert_eq!(told(&house, &error).await.person, None);
    assert_eq!(house.identity.write_activity().await, 0);
}
