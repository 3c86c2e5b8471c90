//! How recent a sign-in elsewhere is: what is asked of the provider, what it must say, and what becomes of its word here.

use super::web::why;
use super::*;
use crate::tests::authorization::request;
use crate::tests::factor::phone;
use crate::tests::tokens::redeem;
use crate::tests::{MINUTE, query};
use crate::{Brought, IdentityError, OwnerProof, Principal, SignIn, WhyNot};

impl Scene {
    /// What comes of a sign-in begun so, whose id token says this of when it was.
    async fn signed_in(
        &self,
        recency: Recency,
        auth_time: Option<i64>,
    ) -> Result<FirstFactor, ExternalRefusal> {
        let begun = self.begin_for(recency).await;
        let mut claims = self.id_claims(&begun);
        if let Some(seconds) = auth_time {
            claims["auth_time"] = json!(seconds);
        }
        self.gives(&self.key.id_token("k1", &claims));
        self.back(&begun, &[], NOW).await
    }

    async fn session(&self, person: &Principal) -> (Secret, Principal) {
        let identity = &self.house.identity;
        let session = identity.open_session(person, NOW).await.unwrap();
        let person = identity.session(session.expose(), NOW).await.unwrap();
        (session, person)
    }
}

fn enough(done: Result<FirstFactor, ExternalRefusal>) -> Principal {
    match done.unwrap() {
        FirstFactor::Enough(person) => person,
        FirstFactor::HalfWay(_) => panic!("there is no second factor"),
    }
}

fn asked(begun: &ExternalBegun) -> [Option<String>; 3] {
    ["prompt", "max_age", "claims"].map(|name| query(&begun.address, name))
}

#[tokio::test]
async fn anew_is_asked_of_the_provider_and_held_to_by_its_own_word() {
    let scene = Scene::new().await;
    let some = |text: &str| Some(text.to_owned());
    let claims = r#"{"id_token":{"auth_time":{"essential":true}}}"#;
    for (recency, want) in [
        (Recency::Any, [None, None, None]),
        (Recency::Asked, [some("login"), None, None]),
        (Recency::ANEW, [some("login"), some("0"), some(claims)]),
        (Recency::Within(300_000), [None, some("300"), some(claims)]),
    ] {
        assert_eq!(asked(&scene.begin_for(recency).await), want, "{recency:?}");
    }
    // Whatever became of the address on the way: clocks may differ by a minute, and no more.
    for (recency, auth_time, told) in [
        (Recency::ANEW, None, Some(WhyNot::Unsaid)),
        (Recency::ANEW, Some(SECONDS - 7200), Some(WhyNot::NotAnew)),
        (Recency::ANEW, Some(SECONDS - 61), Some(WhyNot::NotAnew)),
        (Recency::ANEW, Some(SECONDS - 60), None),
        (Recency::ANEW, Some(SECONDS + 60), None),
        (Recency::Within(300_000), None, Some(WhyNot::Unsaid)),
        (
            Recency::Within(300_000),
            Some(SECONDS - 361),
            Some(WhyNot::NotAnew),
        ),
        (Recency::Within(300_000), Some(SECONDS - 360), None),
        (Recency::Asked, None, None),
        (Recency::Asked, Some(SECONDS - 7200), None),
        (Recency::Any, None, None),
    ] {
        let done = scene.signed_in(recency, auth_time).await;
        let found = done.err().map(|refusal| refusal.why);
        assert_eq!(found, told, "{recency:?} {auth_time:?}");
    }
    let (_, cause) = why(scene.signed_in(Recency::ANEW, Some(SECONDS - 7200)).await);
    assert!(cause.contains("2 hours ago"), "{cause}");
}

#[tokio::test]
async fn a_ticket_for_less_does_not_do_for_more() {
    let scene = Scene::new().await;
    let identity = &scene.house.identity;
    let finish = async |begun: &ExternalBegun, ticket: &str, wanted| {
        let mut claims = scene.id_claims(begun);
        claims["auth_time"] = json!(SECONDS);
        scene.gives(&scene.key.id_token("k1", &claims));
        let state = query(&begun.address, "state").unwrap();
        let pairs = crate::tests::params(&[("code", "c"), ("state", &state), ("iss", ISSUER)]);
        identity
            .finish_external("corp", ticket, &pairs, wanted, NOW)
            .await
    };
    let five = Recency::Within(300_000);
    for (given, wanted, good) in [
        (Recency::Any, Recency::ANEW, false),
        (Recency::Asked, Recency::ANEW, false),
        (five, Recency::ANEW, false),
        (Recency::Any, five, false),
        (Recency::ANEW, five, true),
        (five, five, true),
        (Recency::ANEW, Recency::Any, true),
    ] {
        let begun = scene.begin_for(given).await;
        let done = finish(&begun, begun.ticket.expose(), wanted).await;
        match good {
            true => assert!(done.is_ok(), "{given:?} {wanted:?}"),
            false => assert_eq!(why(done).0, WhyNot::NotBegun, "{given:?} {wanted:?}"),
        }
    }
    // What a ticket says cannot be changed.
    let begun = scene.begin_for(five).await;
    let ticket = begun.ticket.expose();
    for other in [
        ticket.replacen(".300000.", ".900000.", 1),
        ticket.replacen(".300000.", ".0.", 1),
        ticket.replacen(".300000.", ".", 1),
    ] {
        assert_ne!(other, ticket);
        let done = finish(&begun, &other, Recency::Any).await;
        assert_eq!(why(done).0, WhyNot::NotBegun, "{other}");
    }
}

#[tokio::test]
async fn what_the_provider_does_not_say_nobody_hears_from_us() {
    let scene = Scene::new().await;
    let identity = &scene.house.identity;
    for (auth_time, want) in [
        (None, json!(null)),
        (Some(SECONDS - 7200), json!(SECONDS - 7200)),
        (Some(SECONDS + 60), json!(SECONDS)),
    ] {
        let person = enough(scene.signed_in(Recency::Any, auth_time).await);
        let (session, person) = scene.session(&person).await;
        assert_eq!(person.signed_in(), want.as_i64().map(|at| at * 1000));
        // The list of sessions says when they came here, at the latest.
        let listed = identity.web_sessions(&scene.house.ada, session.expose(), NOW);
        assert!(listed.await.unwrap()[0].created <= NOW);
        let plain = request(&[("scope", "openid")]);
        let plain = identity.authorization_request(&plain, NOW).await.unwrap();
        let tokens = redeem(&scene.house, &plain, &person, NOW).await.unwrap();
        let id_token = tokens.id_token.unwrap();
        let claims = id_token.expose().split('.').nth(1).unwrap().to_owned();
        let claims: Value = serde_json::from_slice(&BASE64.decode(claims).unwrap()).unwrap();
        assert_eq!(claims["auth_time"], want);
        // Who asks for a recent sign-in is not served by one of unknown age.
        let mark = identity.signed_in_for(session.expose(), "r", NOW);
        let brought = |mark| Brought {
            session: session.expose(),
            request: "r",
            mark,
        };
        let recent = auth_time == Some(SECONDS + 60);
        for change in [("max_age", "60"), ("prompt", "login")] {
            let wants = request(&[change]);
            let wants = identity.authorization_request(&wants, NOW).await.unwrap();
            let stands = |mark| identity.sign_in_for(&wants, &person, brought(mark), NOW);
            if !(recent && change.0 == "max_age") {
                assert_eq!(stands(""), SignIn::Wanted, "{auth_time:?} {change:?}");
            }
            assert_eq!(stands(&mark) == SignIn::Enough, recent, "{change:?}");
        }
    }
}

#[tokio::test]
async fn people_without_a_password_show_who_they_are_at_their_provider() {
    let scene = Scene::with(|all| all[0].create = true).await;
    let identity = &scene.house.identity;
    let eve = async |recency, auth_time: Option<i64>| {
        let begun = scene.begin_for(recency).await;
        let mut claims = scene.id_claims(&begun);
        (claims["email"], claims["sub"]) = (json!("eve@example.test"), json!("eve"));
        if let Some(seconds) = auth_time {
            claims["auth_time"] = json!(seconds);
        }
        scene.gives(&scene.key.id_token("k1", &claims));
        let person = enough(scene.back(&begun, &[], NOW).await);
        scene.session(&person).await.1
    };
    // One sign-on for all of the provider's: two hours ago, or it does not say.
    for auth_time in [Some(SECONDS - 7200), None] {
        let person = eve(Recency::Any, auth_time).await;
        assert!(identity.must_sign_in_anew(&person, NOW).await.unwrap());
        let proof = OwnerProof::Password("");
        let done = identity.change_own_password(&person, proof, "a long new one", NOW);
        assert!(matches!(done.await, Err(IdentityError::SignInAnew)));
        let done = identity.confirm_owner(&person, OwnerProof::Password("x"), NOW);
        assert!(matches!(done.await, Err(IdentityError::SignInAnew)));
    }
    let person = eve(Recency::ANEW, Some(SECONDS)).await;
    let needs = |now| identity.must_sign_in_anew(&person, now);
    assert!(!needs(NOW + 10 * MINUTE - 1).await.unwrap());
    assert!(needs(NOW + 10 * MINUTE).await.unwrap());
    let proof = || OwnerProof::Password("");
    let done = identity.confirm_owner(&person, proof(), NOW).await;
    assert!(done.is_ok(), "{done:?}");
    let done = identity.change_own_password(&person, proof(), "a long new one", NOW);
    assert!(done.await.is_ok());
    // From now on there is a password to show, and that is asked for.
    let later = NOW + 60 * MINUTE;
    assert!(!needs(later).await.unwrap());
    let wrong = identity.confirm_owner(&person, OwnerProof::Password("x"), later);
    assert!(matches!(wrong.await, Err(IdentityError::BadPassword(_))));
}

#[tokio::test]
async fn a_second_factor_makes_no_old_sign_in_new() {
    for (auth_time, want) in [(Some(SECONDS - 7200), Some(NOW - 7_200_000)), (None, None)] {
        let scene = Scene::new().await;
        let (identity, ada) = (&scene.house.identity, &scene.house.ada);
        let setup = identity.begin_totp(ada).await.unwrap();
        let code = phone(&setup.secret, NOW);
        identity.confirm_totp(ada, &code, NOW).await.unwrap();
        let done = scene.signed_in(Recency::Any, auth_time).await.unwrap();
        let FirstFactor::HalfWay(ticket) = done else {
            panic!("the second factor was not asked for");
        };
        let later = NOW + MINUTE;
        let code = phone(&setup.secret, later);
        let person = identity.web_second_factor(ticket.expose(), &code, later);
        let session = identity.open_session(&person.await.unwrap(), later).await;
        let session = identity.session(session.unwrap().expose(), later).await;
        assert_eq!(session.unwrap().signed_in(), want);
    }
}
