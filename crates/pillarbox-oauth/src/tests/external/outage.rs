//! Keys that change, and a provider that does not answer.

use super::*;
use crate::tests::{HOUR, MINUTE};
use crate::{IdentityError, Refusal, RefusalKind, Service, WhyNot};

impl Scene {
    /// Whether a token of this key opens IMAP at a moment.
    async fn opens(&self, key: &Key, kid: &str, now: Millis) -> Result<(), Refusal> {
        let mut claims = access_claims();
        claims["exp"] = json!(now / 1000 + 600);
        let token = key.access_token(kid, &claims);
        let identity = &self.house.identity;
        let found = identity.bearer(ADA, &token, Service::Imap, now).await;
        found.map(|_| ())
    }

    fn down(&self, down: bool) {
        self.elsewhere.down.store(down, Ordering::SeqCst);
    }

    fn fetches(&self) -> usize {
        self.elsewhere.times("/keys")
    }
}

#[tokio::test]
async fn a_key_nobody_knows_is_asked_for_but_not_for_ever() {
    let scene = Scene::new().await;
    for _ in 0..5 {
        scene.opens(&scene.key, "k1", NOW).await.unwrap();
    }
    assert_eq!(scene.fetches(), 1, "kept");
    let next = Key::ec();
    let published = [scene.key.jwk("k1"), next.jwk("k2")];
    scene.elsewhere.publishes(ISSUER, &published);
    scene.opens(&next, "k2", NOW + 1000).await.unwrap();
    scene.opens(&scene.key, "k1", NOW + 1000).await.unwrap();
    assert_eq!(scene.fetches(), 2, "rotated: asked once");
    for number in 0..50 {
        let refusal = scene.opens(&next, &format!("x{number}"), NOW + 2000).await;
        let refusal = refusal.unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Invalid);
        assert!(
            refusal.cause.contains("does not publish"),
            "{}",
            refusal.cause
        );
    }
    assert_eq!(scene.fetches(), 2, "strangers make us ask no oftener");
    scene.opens(&next, "x", NOW + 12_000).await.unwrap_err();
    assert_eq!(scene.fetches(), 3);
    // A key that was withdrawn is believed for an hour.
    scene.elsewhere.publishes(ISSUER, &[next.jwk("k2")]);
    scene
        .opens(&scene.key, "k1", NOW + 59 * MINUTE)
        .await
        .unwrap();
    scene
        .opens(&scene.key, "k1", NOW + 61 * MINUTE)
        .await
        .unwrap_err();
}

#[tokio::test]
async fn what_is_known_goes_on_for_a_day() {
    let scene = Scene::new().await;
    scene.opens(&scene.key, "k1", NOW).await.unwrap();
    scene.down(true);
    scene
        .opens(&scene.key, "k1", NOW + 23 * HOUR)
        .await
        .unwrap();
    let asked = scene.elsewhere.times("openid-configuration");
    for _ in 0..50 {
        scene
            .opens(&scene.key, "k1", NOW + 23 * HOUR)
            .await
            .unwrap();
    }
    assert_eq!(
        scene.elsewhere.times("openid-configuration"),
        asked,
        "not asked at every sign-in"
    );
    // A key it does not know cannot be judged now: that is nobody's fault who holds a token.
    let refusal = scene
        .opens(&Key::ed(), "new", NOW + 23 * HOUR + MINUTE)
        .await
        .unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Temporary);
    let refusal = scene
        .opens(&scene.key, "k1", NOW + 24 * HOUR)
        .await
        .unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Temporary);
    assert_eq!(refusal.cause, "corp Inc.: does not answer");
    let begun = scene
        .house
        .identity
        .begin_external("corp", None, Recency::Any, NOW + 24 * HOUR)
        .await;
    assert_eq!(begun.unwrap_err().why, WhyNot::Unreachable);
    scene.down(false);
    scene
        .opens(&scene.key, "k1", NOW + 24 * HOUR + MINUTE)
        .await
        .unwrap();
    // A clock that was set back is no reason to refuse.
    scene.opens(&scene.key, "k1", NOW).await.unwrap();
}

#[tokio::test]
async fn nothing_known_and_no_answer_is_a_refusal_for_now() {
    let scene = Scene::new().await;
    scene.down(true);
    for _ in 0..20 {
        let refusal = scene.opens(&scene.key, "k1", NOW).await.unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Temporary);
    }
    assert_eq!(scene.elsewhere.times("openid-configuration"), 1);
    scene.down(false);
    scene.opens(&scene.key, "k1", NOW + 6000).await.unwrap();
}

#[tokio::test]
async fn metadata_that_cannot_be_relied_on() {
    type Change = fn(&mut Value);
    let bad: [Change; 6] = [
        |m| m["issuer"] = json!("https://login.elsewhere.test/"),
        |m| m["issuer"] = json!(null),
        |m| m["token_endpoint"] = json!("http://login.elsewhere.test/token"),
        |m| m["jwks_uri"] = json!("file:///etc/passwd"),
        |m| drop(m.as_object_mut().unwrap().remove("jwks_uri")),
        |m| *m = json!("x".repeat(300_000)),
    ];
    for (index, change) in bad.into_iter().enumerate() {
        let scene = Scene::new().await;
        scene.elsewhere.metadata(ISSUER, change);
        let refusal = scene.opens(&scene.key, "k1", NOW).await.unwrap_err();
        assert_eq!(
            refusal.kind,
            RefusalKind::Temporary,
            "{index}: {}",
            refusal.cause
        );
    }
    // Without basic among its methods the secret goes into the form.
    let scene = Scene::new().await;
    let post = json!(["client_secret_post"]);
    scene.elsewhere.metadata(ISSUER, |m| {
        m["token_endpoint_auth_methods_supported"] = post
    });
    assert!(scene.sign_in(|_| {}).await.is_ok());
    let sent = scene.elsewhere.last("/token");
    assert!(matches!(sent.shows, Shows::Nothing));
    let form = sent.form.unwrap();
    assert!(
        form.expose()
            .ends_with("&client_id=mailhost&client_secret=s3cret")
    );
}

#[tokio::test]
async fn configurations_that_cannot_work() {
    type Change = fn(&mut Vec<ExternalProvider>);
    let bad: [(&str, Change); 9] = [
        ("https://", |all| {
            all[0].issuer = "http://login.elsewhere.test".into()
        }),
        ("https://", |all| {
            all[0].issuer = "https://a.test?x=1".into()
        }),
        ("itself", |all| {
            all[0].issuer = "https://localhost:1443".into()
        }),
        ("cannot name", |all| all[0].name = "a/b".into()),
        ("client-id", |all| all[0].client_id = String::new()),
        ("openid", |all| all[0].scope = "email".into()),
        ("same provider", |all| all.push(provider("again", ISSUER))),
        ("needs a client secret", |all| {
            (all[0].introspection, all[0].client_secret) = (true, None)
        }),
        ("one provider", |all| {
            all.push(provider("other", OTHER));
            all.iter_mut().for_each(|one| one.introspection = true);
        }),
    ];
    for (want, change) in bad {
        let mut providers = vec![provider("corp", ISSUER)];
        change(&mut providers);
        let external = External {
            providers,
            domains: Vec::new(),
            naming: Naming::Plain,
            fetch: Arc::new(Elsewhere::default()),
        };
        let fault = crate::external::Externals::new(Some(external), "https://localhost:1443");
        let Err(IdentityError::Config(text)) = fault.map(|_| ()) else {
            panic!("{want}: taken");
        };
        assert!(text.contains(want), "{text}");
    }
}
