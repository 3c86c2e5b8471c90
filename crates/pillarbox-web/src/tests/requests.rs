//! Introspection, pushed requests, requests by POST and sign-ins that must be recent, over HTTP.

use super::*;

#[tokio::test]
async fn a_pushed_request_goes_through_sign_in_and_consent() {
    let mut browser = Browser::new().await;
    let members = form::read(request(&[]).as_bytes());
    let members: Vec<(&str, &str)> = members
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    let pushed = browser.post("/par", &members).await;
    assert_eq!(pushed.status, StatusCode::CREATED, "{}", pushed.body);
    let uri = pushed.json()["request_uri"].as_str().unwrap().to_owned();
    let carried = form::print(&owned(&[("client_id", "desktop"), ("request_uri", &uri)]));
    let asked = browser.get(&format!("{AUTH}?{carried}")).await;
    let sign_in = browser.get(asked.header("location")).await;
    let signed_in = browser.sign_in(&field(&sign_in.body, "then")).await;
    let page = browser.get(signed_in.header("location")).await;
    assert!(page.body.contains("Desktop program"), "{}", page.body);
    let allow = [
        ("then", &*field(&page.body, "then")),
        ("account", ADA),
        ("answer", "allow"),
    ];
    let done = browser.post("/consent", &allow).await;
    assert_eq!(query(done.header("location"), "state"), "x y&z");
    assert!(!query(done.header("location"), "code").is_empty());
    let bad = browser.post("/par", &[("client_id", "desktop")]).await;
    assert_eq!(
        (bad.status.as_u16(), &bad.json()["error"]),
        (400, &"invalid_request".into())
    );
}

#[tokio::test]
async fn introspection_over_http() {
    let mut browser = Browser::new().await;
    let none = browser
        .post(
            "/introspect",
            &[
                ("token", "x"),
                ("client_id", "web"),
                ("client_secret", "pillarbox"),
            ],
        )
        .await;
    assert_eq!(
        (none.status, none.body.as_str()),
        (StatusCode::OK, r#"{"active":false}"#)
    );
    assert_eq!(none.header("cache-control"), "no-store");
    let public = browser
        .post("/introspect", &[("token", "x"), ("client_id", "desktop")])
        .await;
    assert_eq!(
        (public.status.as_u16(), &public.json()["error"]),
        (401, &"invalid_client".into())
    );
    assert_eq!(
        browser.get("/introspect").await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test]
async fn a_request_by_post_is_asked_again_by_the_browser_itself() {
    let mut browser = Browser::new().await;
    let members = form::read(request(&[]).as_bytes());
    let members: Vec<(&str, &str)> = members
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    let foreign = [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://app.example"),
    ];
    let answer = browser.post_with(AUTH, &members, &foreign).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(
        answer
            .header("location")
            .starts_with(&format!("{AUTH}?client_id=desktop&"))
    );
    let long = browser.post(AUTH, &[("state", &"x".repeat(9000))]).await;
    assert_eq!(long.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_sign_in_must_be_as_recent_as_asked() {
    let mut browser = Browser::new().await;
    browser.sign_in("").await;
    let page = browser
        .get(&format!("{AUTH}?{}", request(&[("max_age", "0")])))
        .await;
    assert_eq!(page.status, StatusCode::OK, "signed in this very moment");
    let none = browser
        .get(&format!("{AUTH}?{}", request(&[("max_age", "-1")])))
        .await;
    assert_eq!(query(none.header("location"), "error"), "invalid_request");
}
