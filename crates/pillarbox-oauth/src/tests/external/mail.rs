//! Access tokens of the provider at the mail services.

use super::*;
use crate::tests::BOB;
use crate::{Credential, Principal, Refusal, RefusalKind, Service};

const OPAQUE: &str = "2YotnFZFEjr1zCsicMWpAA2";

async fn bearer(scene: &Scene, user: &str, token: &str) -> Result<Principal, Refusal> {
    let identity = &scene.house.identity;
    identity.bearer(user, token, Service::Imap, NOW).await
}

async fn cause(scene: &Scene, token: &str) -> String {
    let refusal = bearer(scene, ADA, token).await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Invalid, "{}", refusal.cause);
    refusal.cause
}

#[tokio::test]
async fn a_token_opens_what_its_scope_says_until_it_ends() {
    let scene = Scene::new().await;
    let token = scene.key.access_token("k1", &access_claims());
    let person = bearer(&scene, "ADA@example.test", &token).await.unwrap();
    assert_eq!(person.until(), Some((SECONDS + 600) * 1000));
    assert_eq!(person.credential(), &Credential::External("corp".into()));
    assert_eq!(person.app().map(|app| &**app), Some("mutt (corp Inc.)"));
    assert!(person.may_write() && !person.sees_hidden());
    let identity = &scene.house.identity;
    let mut claims = access_claims();
    for (scope, imap, sends) in [
        ("pillarbox:read", Some(false), false),
        ("pillarbox:smtp", None, true),
        ("openid email", None, false),
        (
            "pillarbox:admin https://www.googleapis.com/auth/gmail.imap_admin",
            None,
            false,
        ),
        ("corp:mail", None, false),
        ("", None, false),
    ] {
        claims["scope"] = json!(scope);
        let token = scene.key.access_token("k1", &claims);
        let found = bearer(&scene, ADA, &token).await;
        assert_eq!(found.ok().map(|person| person.may_write()), imap, "{scope}");
        let found = identity.bearer(ADA, &token, Service::Submission, NOW).await;
        assert_eq!(found.is_ok(), sends, "{scope}");
    }
    // Suspension reaches who holds such a token.
    identity
        .set_suspended(&scene.house.ada, true)
        .await
        .unwrap();
    assert!(cause(&scene, &token).await.contains("suspended"));
    // Ours go on beside them.
    identity
        .set_suspended(&scene.house.ada, false)
        .await
        .unwrap();
    assert!(
        bearer(&scene, ADA, &scene.house.token().await)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_scope_of_the_provider_can_open_all_mail() {
    let scene = Scene::with(|all| all[0].mail_scope = Some("corp:mail".into())).await;
    let mut claims = access_claims();
    claims["scope"] = json!("openid corp:mail");
    let token = scene.key.access_token("k1", &claims);
    assert!(bearer(&scene, ADA, &token).await.is_ok());
    claims["scope"] = json!("openid corp:mailing");
    let token = scene.key.access_token("k1", &claims);
    assert!(
        cause(&scene, &token)
            .await
            .contains("is not enough for IMAP")
    );
}

#[tokio::test]
async fn every_claim_counts() {
    let scene = Scene::new().await;
    type Change = fn(&mut Value);
    let attacks: [(&str, Change); 13] = [
        ("another audience", |c| {
            c["aud"] = json!("https://calendar.test")
        }),
        ("another audience", |c| c["aud"] = json!(null)),
        ("another audience", |c| {
            c["aud"] = json!([["https://localhost:1443"]])
        }),
        ("expired 1 second ago", |c| c["exp"] = json!(SECONDS - 1)),
        ("exp is missing", |c| {
            drop(c.as_object_mut().unwrap().remove("exp"))
        }),
        ("exp is not a time", |c| c["exp"] = json!(1e300)),
        ("not valid yet", |c| c["nbf"] = json!(SECONDS + 61)),
        ("not valid yet", |c| c["iat"] = json!(SECONDS + 61)),
        ("not enough", |c| {
            c["scope"] = json!(["https://mail.google.com/"])
        }),
        ("email is missing", |c| {
            drop(c.as_object_mut().unwrap().remove("email"))
        }),
        ("has not verified", |c| {
            drop(c.as_object_mut().unwrap().remove("email_verified"))
        }),
        ("sub is missing", |c| {
            drop(c.as_object_mut().unwrap().remove("sub"))
        }),
        ("bound to a key", |c| c["cnf"] = json!({"jkt": "x"})),
    ];
    for (want, change) in attacks {
        let mut claims = access_claims();
        change(&mut claims);
        let found = cause(&scene, &scene.key.access_token("k1", &claims)).await;
        assert!(found.contains(want), "{want}: {found}");
    }
    let token = scene.key.access_token("k1", &access_claims());
    let refusal = bearer(&scene, BOB, &token).await.unwrap_err();
    assert_eq!(refusal.cause, "the token belongs to ada@example.test");
    let mut claims = access_claims();
    claims["email"] = json!("nobody@example.test");
    let token = scene.key.access_token("k1", &claims);
    let refusal = bearer(&scene, "nobody@example.test", &token)
        .await
        .unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::NoMailbox);
    // Nor does the minute that clocks may differ make a token live longer than it says.
    claims["exp"] = json!(SECONDS);
    assert!(
        cause(&scene, &scene.key.access_token("k1", &claims))
            .await
            .contains("expired")
    );
}

#[tokio::test]
async fn only_access_tokens_are_access_tokens() {
    let scene = Scene::new().await;
    let claims = access_claims();
    for (typ, good) in [
        ("at+jwt", true),
        ("AT+JWT", true),
        ("application/at+jwt", true),
        ("JWT", false),
        ("logout+jwt", false),
    ] {
        let token = scene
            .key
            .sign(&json!({"alg": "EdDSA", "kid": "k1", "typ": typ}), &claims);
        assert_eq!(bearer(&scene, ADA, &token).await.is_ok(), good, "{typ}");
    }
    let id_token = scene.key.id_token("k1", &claims);
    assert!(
        cause(&scene, &id_token)
            .await
            .contains("type is missing, not at+jwt")
    );
    for header in [
        json!({"alg": "none", "typ": "at+jwt"}),
        json!({"alg": "none", "typ": "at+jwt", "kid": "k1"}),
    ] {
        cause(&scene, &format!("{}.", message(&header, &claims))).await;
    }
    let jwk = scene.key.jwk("k1");
    let header = json!({"alg": "HS256", "kid": "k1", "typ": "at+jwt"});
    let x = BASE64.decode(jwk["x"].as_str().unwrap()).unwrap();
    let found = cause(&scene, &hmac_with(&x, &header, &claims)).await;
    assert_eq!(
        found,
        "the token says \"HS256\", its key signs with EdDSA only"
    );
    let found = cause(&scene, &Key::ed().access_token("k1", &claims)).await;
    assert_eq!(found, "the token's signature is wrong");
    let token = scene.key.access_token("k1", &claims);
    let identity = &scene.house.identity;
    let web = identity.bearer(ADA, &token, Service::Web, NOW);
    assert!(web.await.is_err());
}

#[tokio::test]
async fn a_providers_keys_are_good_for_its_own_word_only() {
    let scene = Scene::with(|all| all.push(provider("other", OTHER))).await;
    let evil = Key::ed();
    scene.elsewhere.publishes(OTHER, &[evil.jwk("k1")]);
    let mut claims = access_claims();
    let token = evil.access_token("k1", &claims);
    assert_eq!(
        cause(&scene, &token).await,
        "the token's signature is wrong"
    );
    // Both may speak for our people, each under its own name; neither takes over what the other was first to say.
    claims["iss"] = json!(OTHER);
    assert!(
        bearer(&scene, ADA, &evil.access_token("k1", &claims))
            .await
            .is_ok()
    );
    claims["iss"] = json!("https://unknown.test");
    let found = cause(&scene, &evil.access_token("k1", &claims)).await;
    assert_eq!(found, "the token is not one of this server's access tokens");
    assert!(
        scene
            .elsewhere
            .asked
            .lock()
            .unwrap()
            .iter()
            .all(|one| one.address.host_str() != Some("unknown.test"))
    );
}

#[tokio::test]
async fn opaque_tokens_are_asked_about() {
    let scene = Scene::with(|all| all[0].introspection = true).await;
    let endpoint = format!("{ISSUER}/introspect");
    let mut answer = access_claims();
    answer["active"] = json!(true);
    answer["token_type"] = json!("Bearer");
    scene.elsewhere.says(&endpoint, answer.clone());
    let person = bearer(&scene, ADA, OPAQUE).await.unwrap();
    assert_eq!(person.until(), Some((SECONDS + 600) * 1000));
    let sent = scene.elsewhere.last("/introspect");
    assert_eq!(
        sent.form.unwrap().expose(),
        format!("token={OPAQUE}&token_type_hint=access_token")
    );
    assert!(matches!(sent.shows, Shows::Client(..)));
    type Change = fn(&mut Value);
    let bad: [(&str, Change); 8] = [
        ("not active", |c| c["active"] = json!(false)),
        ("not active", |c| c["active"] = json!("true")),
        ("not active", |c| *c = json!([])),
        ("the issuer is another one", |c| c["iss"] = json!(OTHER)),
        ("another audience", |c| {
            drop(c.as_object_mut().unwrap().remove("aud"))
        }),
        ("exp is missing", |c| {
            drop(c.as_object_mut().unwrap().remove("exp"))
        }),
        ("not a bearer token", |c| c["token_type"] = json!("DPoP")),
        ("not enough", |c| {
            drop(c.as_object_mut().unwrap().remove("scope"))
        }),
    ];
    for (want, change) in bad {
        let mut answer = answer.clone();
        change(&mut answer);
        scene.elsewhere.says(&endpoint, answer);
        let found = cause(&scene, OPAQUE).await;
        assert!(found.contains(want), "{want}: {found}");
    }
    // The provider knows its own JWTs of other types, too, and does not need to be asked about those of RFC 9068.
    scene.elsewhere.says(&endpoint, answer.clone());
    let asked = scene.elsewhere.times("/introspect");
    let claims = access_claims();
    let typed = scene
        .key
        .sign(&json!({"alg": "EdDSA", "kid": "k1", "typ": "JWT"}), &claims);
    assert!(bearer(&scene, ADA, &typed).await.is_ok());
    assert_eq!(scene.elsewhere.times("/introspect"), asked + 1);
    assert!(
        bearer(&scene, ADA, &scene.key.access_token("k1", &claims))
            .await
            .is_ok()
    );
    // What is ours is nobody else's to see.
    let mint = crate::Mint {
        refresh: true,
        ..crate::Mint::default()
    };
    let minted = scene
        .house
        .identity
        .mint(&scene.house.ada, mint, NOW)
        .await
        .unwrap();
    let refresh = minted.refresh_token.unwrap();
    assert!(bearer(&scene, ADA, refresh.expose()).await.is_err());
    assert!(
        bearer(&scene, ADA, minted.access_token.expose())
            .await
            .is_ok()
    );
    for password in [
        "abcdabcdabcdabcd",
        "abcd abcd abcd abcd",
        "correct horse battery staple",
    ] {
        assert!(bearer(&scene, ADA, password).await.is_err());
    }
    assert_eq!(scene.elsewhere.times("/introspect"), asked + 1);
    scene
        .elsewhere
        .refuses(&endpoint, json!({"error": "invalid_client"}));
    let refusal = bearer(&scene, ADA, OPAQUE).await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Temporary, "{}", refusal.cause);
}

#[tokio::test]
async fn guesses_at_opaque_tokens_are_slowed_down() {
    let scene = Scene::with_slow_down().await;
    let inactive = json!({"active": false});
    scene
        .elsewhere
        .says(&format!("{ISSUER}/introspect"), inactive);
    for _ in 0..20 {
        assert!(bearer(&scene, ADA, OPAQUE).await.is_err());
    }
    let asked = scene.elsewhere.times("/introspect");
    assert!(asked < 10, "the provider is not asked for ever");
    // Her password is another matter.
    assert!(
        scene
            .house
            .identity
            .web_sign_in(ADA, crate::tests::PASSWORD, NOW)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_token_makes_the_network_known() {
    use crate::tests::known_networks::{ada_is_known, guess_at_others};
    let mut scene = Scene::with_slow_down().await;
    let cafe = std::net::IpAddr::from([192, 0, 2, 9]);
    scene.house.identity = scene.house.identity.from_peer(cafe);
    let token = scene.key.access_token("k1", &access_claims());
    bearer(&scene, ADA, &token).await.unwrap();
    guess_at_others(&scene.house, cafe).await;
    ada_is_known(&scene.house, cafe).await;
}
