//! The relying party: what a provider's answer must be, and what attackers make of it.

use super::*;
use crate::WhyNot;
use crate::tests::factor::phone;
use crate::tests::{BOB, PASSWORD, query};

pub(super) fn why(done: Result<FirstFactor, ExternalRefusal>) -> (WhyNot, String) {
    let refusal = done.unwrap_err();
    (refusal.why, refusal.cause)
}

#[tokio::test]
async fn the_code_flow_with_everything_it_needs() {
    let scene = Scene::new().await;
    let names: Vec<_> = scene.house.identity.external_providers().collect();
    assert_eq!(names, [("corp", "corp Inc.")]);
    let identity = &scene.house.identity;
    let begun = identity
        .begin_external("corp", Some(ADA), Recency::Asked, NOW)
        .await
        .unwrap();
    let asked = |name: &str| query(&begun.address, name).unwrap_or_default();
    assert!(
        begun
            .address
            .starts_with("https://login.elsewhere.test/auth?tenant=1&")
    );
    let back = "https://localhost:1443/signin/external/corp/back";
    assert_eq!(
        [
            asked("response_type"),
            asked("client_id"),
            asked("redirect_uri"),
            asked("scope"),
            asked("code_challenge_method"),
            asked("login_hint"),
            asked("prompt"),
        ],
        [
            "code",
            "mailhost",
            back,
            "openid email",
            "S256",
            ADA,
            "login"
        ]
    );
    let mut claims = scene.id_claims(&begun);
    claims["auth_time"] = json!(SECONDS - 3600);
    scene.gives(&scene.key.id_token("k1", &claims));
    let FirstFactor::Enough(person) = scene.back(&begun, &[], NOW).await.unwrap() else {
        panic!("there is no second factor");
    };
    assert_eq!(
        (&**person.address(), person.account()),
        (ADA, &scene.house.ada)
    );
    // The session is as old as the sign-in at the provider.
    let session = identity.open_session(&person, NOW).await.unwrap();
    let person = identity.session(session.expose(), NOW).await.unwrap();
    assert_eq!(person.signed_in(), Some(NOW - 3_600_000));
    let sent = scene.elsewhere.last("/token");
    let Shows::Client(id, secret) = sent.shows else {
        panic!("the client says who it is");
    };
    assert_eq!((&*id, secret.expose()), ("mailhost", "s3cret"));
    let form = format!("https://x/?{}", sent.form.unwrap().expose());
    let sent = |name: &str| query(&form, name).unwrap();
    let verifier =
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, sent("code_verifier").as_bytes());
    assert_eq!(BASE64.encode(verifier), asked("code_challenge"));
    assert_eq!(
        [sent("grant_type"), sent("code"), sent("redirect_uri")],
        ["authorization_code", "c0de", back]
    );
    let trail = identity.activity(&scene.house.ada, 10, NOW).await.unwrap();
    let signed_in = trail.iter().find(|one| one.deed == crate::Deed::SignedIn);
    assert_eq!(signed_in.unwrap().method.as_deref(), Some("corp Inc."));
}

#[tokio::test]
async fn an_answer_is_bound_to_the_browser_the_provider_and_the_time() {
    let scene = Scene::with(|all| all.push(provider("other", OTHER))).await;
    let (begun, second) = (scene.begin().await, scene.begin().await);
    assert_ne!(
        query(&begun.address, "state"),
        query(&second.address, "state")
    );
    let claims = scene.id_claims(&begun);
    scene.gives(&scene.key.id_token("k1", &claims));
    let theirs = query(&second.address, "state").unwrap();
    let not_begun = [
        scene.back(&begun, &[("state", "")], NOW).await,
        scene.back(&begun, &[("state", &theirs)], NOW).await,
        scene.back(&begun, &[], NOW + 15 * 60 * 1000).await,
    ];
    for done in not_begun {
        assert_eq!(why(done).0, WhyNot::NotBegun);
    }
    let identity = &scene.house.identity;
    let state = query(&begun.address, "state").unwrap();
    let pairs = crate::tests::params(&[("code", "c"), ("state", &state), ("iss", OTHER)]);
    let longer = begun.ticket.expose().replacen('.', ".9", 1);
    for (name, ticket) in [
        ("corp", ""),
        ("corp", "a.1.b"),
        ("corp", &longer),
        // An answer of one provider, brought to the address of another.
        ("other", begun.ticket.expose()),
    ] {
        let wanted = Recency::Any;
        let done = identity.finish_external(name, ticket, &pairs, wanted, NOW);
        let done = done.await;
        assert_eq!(why(done).0, WhyNot::NotBegun, "{name} {ticket}");
    }
    let nobody = identity
        .begin_external("nobody", None, Recency::Any, NOW)
        .await;
    assert_eq!(nobody.unwrap_err().why, WhyNot::NoProvider);
    // Mix-up (RFC 9207): the issuer is missing though promised, or another.
    for iss in ["", OTHER, "https://login.elsewhere.test/"] {
        let (told, cause) = why(scene.back(&begun, &[("iss", iss)], NOW).await);
        assert!(
            told == WhyNot::Refused && cause.contains("RFC 9207"),
            "{cause}"
        );
    }
    assert_eq!(
        scene.elsewhere.times("/token"),
        0,
        "no code was sent anywhere"
    );
    assert!(scene.back(&begun, &[], NOW).await.is_ok());
}

#[tokio::test]
async fn errors_of_the_provider_are_told_apart() {
    let scene = Scene::new().await;
    let begun = scene.begin().await;
    for (error, told) in [
        ("access_denied", WhyNot::Cancelled),
        ("temporarily_unavailable", WhyNot::Unreachable),
        ("invalid_scope", WhyNot::Refused),
    ] {
        let done = scene
            .back(&begun, &[("code", ""), ("error", error)], NOW)
            .await;
        assert_eq!(why(done).0, told, "{error}");
    }
    let token = format!("{ISSUER}/token");
    scene
        .elsewhere
        .refuses(&token, json!({"error": "invalid_grant"}));
    let (told, cause) = why(scene.back(&begun, &[], NOW).await);
    assert!(
        told == WhyNot::Refused && cause.contains("invalid_grant"),
        "{cause}"
    );
    scene.elsewhere.says(&token, json!({"access_token": "x"}));
    assert_eq!(
        why(scene.back(&begun, &[], NOW).await).1,
        "there is no id token"
    );
}

#[tokio::test]
async fn id_tokens_that_are_not_what_was_asked_for() {
    let scene = Scene::new().await;
    type Change = fn(&mut Value);
    let attacks: [(&str, Change); 13] = [
        ("another one", |c| c["iss"] = json!(OTHER)),
        ("iss is missing", |c| c["iss"] = json!(null)),
        ("another audience", |c| c["aud"] = json!("another")),
        ("another audience", |c| {
            c["aud"] = json!(["mailhost", "another"])
        }),
        ("another audience", |c| c["azp"] = json!("another")),
        ("has expired", |c| c["exp"] = json!(SECONDS - 60)),
        ("exp is not a time", |c| c["exp"] = json!("9999999999")),
        ("an old one", |c| c["iat"] = json!(SECONDS - 700)),
        ("not valid yet", |c| c["iat"] = json!(SECONDS + 61)),
        ("not valid yet", |c| c["nbf"] = json!(SECONDS + 61)),
        ("another sign-in's", |c| c["nonce"] = json!("replayed")),
        ("nonce is missing", |c| c["nonce"] = json!(null)),
        ("sub is missing", |c| c["sub"] = json!("")),
    ];
    for (want, change) in attacks {
        let (told, cause) = why(scene.sign_in(change).await);
        assert!(
            told == WhyNot::Refused && cause.contains(want),
            "{want}: {cause}"
        );
    }
    // A minute of difference between the clocks is borne.
    let late = |c: &mut Value| (c["exp"], c["iat"]) = (json!(SECONDS - 59), json!(SECONDS + 60));
    assert!(scene.sign_in(late).await.is_ok());
}

#[tokio::test]
async fn signatures_are_checked_by_the_key_and_its_own_algorithm() {
    let scene = Scene::new().await;
    let (ec, rsa) = (Key::ec(), Key::rsa());
    let published = [scene.key.jwk("k1"), ec.jwk("k2"), rsa.jwk("k3")];
    scene.elsewhere.publishes(ISSUER, &published);
    let begun = scene.begin().await;
    let claims = scene.id_claims(&begun);
    for (kid, key) in [("k1", &scene.key), ("k2", &ec), ("k3", &rsa)] {
        scene.gives(&key.id_token(kid, &claims));
        assert!(scene.back(&begun, &[], NOW).await.is_ok(), "{}", key.alg());
    }
    let jwk = rsa.jwk("k3");
    let modulus = jwk["n"].as_str().unwrap();
    let Key::Rsa(pair) = &rsa else { unreachable!() };
    let der = pair.public_key().as_der();
    let der: aws_lc_rs::encoding::PublicKeyX509Der<'_> = der.unwrap();
    let hs = json!({"alg": "HS256", "kid": "k3"});
    let good = scene.key.id_token("k1", &claims);
    let (head, _) = good.rsplit_once('.').unwrap();
    let stranger = Key::ed();
    let forged = [
        format!(
            "{}.",
            message(&json!({"alg": "none", "kid": "k1"}), &claims)
        ),
        format!("{}.", message(&json!({"alg": "none"}), &claims)),
        format!("{head}."),
        hmac_with(der.as_ref(), &hs, &claims),
        hmac_with(modulus.as_bytes(), &hs, &claims),
        hmac_with(jwk.to_string().as_bytes(), &hs, &claims),
        // A real signature of another kind of key, under this key's name.
        ec.sign(&json!({"alg": "ES256", "kid": "k1"}), &claims),
        ec.sign(&json!({"alg": "EdDSA", "kid": "k2"}), &claims),
        stranger.id_token("k1", &claims),
        stranger.sign(
            &json!({"alg": "EdDSA", "kid": "k1", "jwk": stranger.jwk("k1")}),
            &claims,
        ),
        stranger.sign(
            &json!({"alg": "EdDSA", "kid": "k9", "jku": "https://evil.test/k"}),
            &claims,
        ),
        // No name, and several keys.
        scene.key.sign(&json!({"alg": "EdDSA"}), &claims),
        scene.key.sign(
            &json!({"alg": "EdDSA", "kid": "k1", "crit": ["exp"]}),
            &claims,
        ),
        // An access token in an id token's place.
        scene.key.access_token("k1", &claims),
        "x".into(),
        "..".into(),
        "x".repeat(40_000),
    ];
    for (index, token) in forged.iter().enumerate() {
        scene.gives(token);
        let (told, cause) = why(scene.back(&begun, &[], NOW).await);
        assert_eq!(told, WhyNot::Refused, "{index}: {cause}");
    }
    assert_eq!(
        scene.elsewhere.times("/k"),
        0,
        "addresses in tokens are nobody's"
    );
}

#[tokio::test]
async fn a_name_for_two_keys_names_neither() {
    let scene = Scene::new().await;
    let evil = Key::ed();
    let double = [scene.key.jwk("k1"), evil.jwk("k1")];
    scene.elsewhere.publishes(ISSUER, &double);
    assert_eq!(why(scene.sign_in(|_| {}).await).0, WhyNot::Refused);
    // Keys that are not for signatures, or not for us, do no harm.
    let foreign = [
        json!({"kty": "RSA", "use": "enc", "kid": "k1", "n": "AQAB", "e": "AQAB"}),
        json!({"kty": "EC", "crv": "secp256k1", "kid": "k2", "x": "AA", "y": "AA"}),
        json!({"kty": "oct", "kid": "k3", "k": "c2VjcmV0"}),
        json!("nonsense"),
        scene.key.jwk("k1"),
    ];
    let scene = Scene {
        key: scene.key,
        ..Scene::new().await
    };
    scene.elsewhere.publishes(ISSUER, &foreign);
    assert!(scene.sign_in(|_| {}).await.is_ok());
}

#[tokio::test]
async fn the_address_must_be_verified_and_ours() {
    let scene = Scene::new().await;
    type Change = fn(&mut Value);
    let cases: [(WhyNot, Change); 9] = [
        (WhyNot::Unverified, |c| c["email_verified"] = json!(false)),
        (WhyNot::Unverified, |c| c["email_verified"] = json!("true")),
        (WhyNot::Unverified, |c| c["email_verified"] = json!(null)),
        (WhyNot::NoMailbox, |c| {
            c["email"] = json!("new@example.test")
        }),
        (WhyNot::NoMailbox, |c| {
            c["email"] = json!("ada@elsewhere.test")
        }),
        (WhyNot::NoMailbox, |c| {
            c["email"] = json!("ada+x@example.test")
        }),
        (WhyNot::NoMailbox, |c| c["email"] = json!("ada")),
        (WhyNot::Refused, |c| {
            c["email"] = json!(["ada@example.test"])
        }),
        (WhyNot::Refused, |c| c["email"] = json!(null)),
    ];
    for (index, (told, change)) in cases.into_iter().enumerate() {
        assert_eq!(why(scene.sign_in(change).await).0, told, "{index}");
    }
}

#[tokio::test]
async fn whoever_came_first_stays_the_owner() {
    let scene = Scene::new().await;
    assert!(scene.sign_in(|_| {}).await.is_ok());
    let (told, cause) = why(scene.sign_in(|c| c["sub"] = json!("ada-2")).await);
    assert!(
        told == WhyNot::Refused && cause.contains("another person at corp Inc."),
        "{cause}"
    );
    assert!(scene.sign_in(|_| {}).await.is_ok());
    // The same person with another address is that address's owner, if nobody was before.
    assert!(scene.sign_in(|c| c["email"] = json!(BOB)).await.is_ok());
    let identity = &scene.house.identity;
    let mut heard = identity.revocations();
    assert_eq!(
        identity
            .unbind_external(&scene.house.ada, NOW)
            .await
            .unwrap(),
        1
    );
    let gone = heard.recv().await.unwrap();
    assert_eq!(gone.account, scene.house.ada);
    let corp = crate::Credential::External("corp".into());
    assert_eq!(gone.credential, Some(corp));
    assert!(scene.sign_in(|c| c["sub"] = json!("ada-2")).await.is_ok());
    assert_eq!(why(scene.sign_in(|_| {}).await).0, WhyNot::Refused);
}

#[tokio::test]
async fn people_of_the_provider_get_an_account_where_that_is_allowed() {
    let scene = Scene::with(|all| all[0].create = true).await;
    let eve = |c: &mut Value| (c["email"], c["sub"]) = (json!("Eve@Example.test"), json!("eve"));
    let FirstFactor::Enough(person) = scene.sign_in(eve).await.unwrap() else {
        panic!("there is no second factor");
    };
    assert_eq!(&**person.address(), "eve@example.test");
    let identity = &scene.house.identity;
    let refused = identity.web_sign_in("eve@example.test", "", NOW).await;
    assert_eq!(refused.unwrap_err().cause, "the account has no password");
    let made = identity
        .add_app_password(person.account(), "phone", NOW)
        .await;
    let (_, letters) = made.unwrap();
    let imap = crate::Service::Imap;
    let opened = identity.password("eve@example.test", letters.expose(), imap, NOW);
    assert_eq!(opened.await.unwrap().account(), person.account());
    for address in [
        "postmaster@example.test",
        "x+y@example.test",
        "eve@other.test",
    ] {
        let change = |c: &mut Value| (c["email"], c["sub"]) = (json!(address), json!("m"));
        assert_eq!(
            why(scene.sign_in(change).await).0,
            WhyNot::NoMailbox,
            "{address}"
        );
        assert!(
            scene
                .house
                .store
                .account_of(address)
                .await
                .unwrap()
                .is_none()
        );
    }
    // The existing account's password goes on beside it.
    assert!(scene.sign_in(|_| {}).await.is_ok());
    assert!(identity.web_sign_in(ADA, PASSWORD, NOW).await.is_ok());
}

#[tokio::test]
async fn what_the_id_token_leaves_out_userinfo_says() {
    let scene = Scene::new().await;
    let me = format!("{ISSUER}/me");
    let without = |c: &mut Value| {
        let claims = c.as_object_mut().unwrap();
        claims.remove("email");
        claims.remove("email_verified");
    };
    let ada = json!({"sub": "ada-1", "email": ADA, "email_verified": true, "aud": "x"});
    scene.elsewhere.says(&me, ada.clone());
    assert!(scene.sign_in(without).await.is_ok());
    let shown = scene.elsewhere.last("/me").shows;
    assert!(matches!(shown, Shows::Token(token) if token.expose() == "opaque"));
    let mut other = ada.clone();
    other["sub"] = json!("eve");
    scene.elsewhere.says(&me, other);
    let (_, cause) = why(scene.sign_in(without).await);
    assert_eq!(cause, "userinfo is about somebody else");
    scene.elsewhere.refuses(&me, ada);
    assert_eq!(why(scene.sign_in(without).await).0, WhyNot::Refused);
}

#[tokio::test]
async fn a_second_factor_and_a_suspension_stay_in_force() {
    let scene = Scene::new().await;
    let (identity, ada) = (&scene.house.identity, &scene.house.ada);
    identity.set_suspended(ada, true).await.unwrap();
    let (told, cause) = why(scene.sign_in(|_| {}).await);
    assert!(
        told == WhyNot::Refused && cause.contains("suspended"),
        "{cause}"
    );
    identity.set_suspended(ada, false).await.unwrap();
    let setup = identity.begin_totp(ada).await.unwrap();
    let code = phone(&setup.secret, NOW);
    identity.confirm_totp(ada, &code, NOW).await.unwrap();
    let FirstFactor::HalfWay(ticket) = scene.sign_in(|_| {}).await.unwrap() else {
        panic!("the second factor was not asked for");
    };
    let wrong = identity
        .web_second_factor(ticket.expose(), "000000", NOW)
        .await;
    assert!(wrong.is_err());
    let later = NOW + 60_000;
    let code = phone(&setup.secret, later);
    let person = identity
        .web_second_factor(ticket.expose(), &code, later)
        .await;
    assert_eq!(person.unwrap().account(), ada);
}

#[tokio::test]
async fn invented_answers_are_slowed_down() {
    let scene = Scene::with_slow_down().await;
    let begun = scene.begin().await;
    let token = format!("{ISSUER}/token");
    let error = json!({"error": "invalid_grant"});
    scene.elsewhere.refuses(&token, error);
    let mut told = Vec::new();
    for _ in 0..20 {
        told.push(why(scene.back(&begun, &[], NOW).await).0);
    }
    assert_eq!((told[0], told[19]), (WhyNot::Refused, WhyNot::TooOften));
    assert!(scene.elsewhere.times("/token") < 10);
}

#[tokio::test]
async fn it_makes_the_network_known() {
    use crate::tests::known_networks::{ada_is_known, guess_at_others};
    let mut scene = Scene::with_slow_down().await;
    let cafe = std::net::IpAddr::from([192, 0, 2, 9]);
    scene.house.identity = scene.house.identity.from_peer(cafe);
    let done = scene.sign_in(|_| {}).await.unwrap();
    assert!(matches!(done, FirstFactor::Enough(_)));
    guess_at_others(&scene.house, cafe).await;
    ada_is_known(&scene.house, cafe).await;
}
