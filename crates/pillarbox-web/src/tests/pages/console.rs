//! The console of a development server, and its twin for programs.

use super::*;

#[tokio::test]
async fn the_console_makes_tokens_of_every_kind() {
    let mut house = House::new().await;
    has(
        &house.browser.get("/dev").await,
        &["Make a token", "+24 hours", "INBOX", "the token expired"],
    );
    let identity = house.browser.identity.clone();
    let cause = async |token: String| match identity.bearer(BOB, &token, Service::Imap, NOW).await {
        Ok(_) => String::new(),
        Err(refusal) => refusal.cause,
    };
    for (broken, expected) in [
        ("no", ""),
        ("expired", "the token expired"),
        ("revoked", "the grant was revoked"),
        ("scope", "is not enough for"),
        ("signature", "signature is wrong"),
    ] {
        let members = [
            ("address", BOB),
            ("client", "web"),
            ("lifetime", "10m"),
            ("broken", broken),
            ("refresh", "true"),
        ];
        let page = house.browser.post("/dev/token", &members).await;
        has(&page, &["Access token", "Refresh token"]);
        let token = page
            .body
            .split("aria-label=\"Access token\">")
            .nth(1)
            .unwrap();
        let token = token.split('<').next().unwrap().to_owned();
        let cause = cause(token).await;
        assert!(
            cause.contains(expected) && cause.is_empty() == expected.is_empty(),
            "{broken}: {cause}"
        );
    }
    for wrong in [
        [("address", "x@y.z"), ("broken", "no")],
        [("address", BOB), ("broken", "maybe")],
        [("address", BOB), ("lifetime", "soon")],
        [("address", BOB), ("lifetime", "99999999999d")],
    ] {
        let page = house.browser.post("/dev/token", &wrong).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong:?}");
    }
    let moved = house
        .browser
        .post("/dev/clock", &[("advance", "24h")])
        .await;
    has(
        &house.browser.get(moved.header("location")).await,
        &["The clock was moved.", "24 hours ahead"],
    );
    house.connect("b1", &house.bob, Credential::Password, "Mail");
    let moved = house.browser.post("/dev/clock", &[("advance", "1h")]).await;
    has(
        &house.browser.get(moved.header("location")).await,
        &["The clock was moved: 1 mail session ended."],
    );
    has(
        &house
            .browser
            .get("/dev?done=clock&sessions=2&tokens=3")
            .await,
        &["The clock was moved: 2 mail sessions ended, 3 tokens expired."],
    );
    let made_up = "/dev?done=clock&sessions=%3Cb%3E&tokens=-1";
    has(&house.browser.get(made_up).await, &["The clock was moved."]);
    house.browser.post("/dev/clock", &[("reset", "true")]).await;
    assert_eq!(house.stage.clock_ahead(), Some(Duration::ZERO));
}

#[tokio::test]
async fn the_console_has_a_twin_for_programs() {
    let mut house = House::new().await;
    let index = house.browser.get("/dev/api").await.json();
    assert_eq!(index["clock"], "https://localhost:1443/dev/api/clock");
    let post = async |house: &mut House, path: &str, body: &str| {
        let request = Request::post(path).header("host", "localhost:1443");
        let request = request.header(CONTENT_TYPE, "application/json");
        house
            .browser
            .send(request.body(Body::from(body.to_owned())).unwrap())
            .await
    };
    let minted = post(
        &mut house,
        "/dev/api/tokens",
        r#"{"address":"bob@example.test","lifetime":60,"refresh":true}"#,
    )
    .await;
    assert_eq!(minted.status, StatusCode::OK, "{}", minted.body);
    let minted = minted.json();
    assert_eq!(minted["expires"], crate::when::rfc3339(NOW + 60_000));
    assert!(minted["refresh_token"].is_string());
    let token = minted["access_token"].as_str().unwrap();
    house
        .browser
        .identity
        .bearer(BOB, token, Service::Imap, NOW)
        .await
        .unwrap();
    let clock = post(&mut house, "/dev/api/clock", r#"{"advance":"1h"}"#)
        .await
        .json();
    assert_eq!(
        (&clock["ahead_seconds"], &clock["now"]),
        (&3600.into(), &crate::when::rfc3339(NOW).into())
    );
    assert_eq!(
        (&clock["sessions_ended"], &clock["tokens_expired"]),
        (&0.into(), &0.into())
    );
    for (path, body) in [
        ("/dev/api/tokens", "{"),
        ("/dev/api/tokens", "{}"),
        ("/dev/api/tokens", r#"{"address":[]}"#),
        (
            "/dev/api/tokens",
            r#"{"address":"bob@example.test","lifetme":60}"#,
        ),
        ("/dev/api/clock", "{}"),
        ("/dev/api/clock", r#"{"advance":"1h","rset":true}"#),
        ("/dev/api/clock", "advance=1h&more=x"),
        ("/dev/api/clock", r#""advance""#),
    ] {
        let answer = post(&mut house, path, body).await;
        assert_eq!(
            answer.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{path} {body}"
        );
        assert!(answer.json()["error"].is_string());
    }
    for nowhere in ["/dev/api/", "/dev/api/fault", "/dev/api/faults/1"] {
        let answer = house.browser.get(nowhere).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{nowhere}");
        assert!(answer.json()["error"].is_string(), "{nowhere}");
    }
    assert_eq!(
        house.browser.get("/dev/api/people").await.json()[1]["address"],
        BOB
    );
    assert_eq!(
        house.browser.get("/dev/api/events").await.json()[0]["session"],
        "c7f2"
    );
    assert_eq!(
        house.browser.get("/dev/api/why/c7f2").await.json()[0]["told"],
        "NO Invalid credentials"
    );
    assert_eq!(
        house.browser.get("/dev/api/why/0000").await.status,
        StatusCode::NOT_FOUND
    );
    house.connect("b1", &house.bob, Credential::Password, "Mail");
    assert_eq!(
        house.browser.get("/dev/api/sessions").await.json()[0]["address"],
        BOB
    );
}

#[tokio::test]
async fn a_real_server_has_no_console() {
    let mut house = House::with(false).await;
    for page in [
        "/dev",
        "/dev/api",
        "/dev/api/people",
        "/dev/api/events",
        "/dev/api/wire",
        "/dev/api/faults",
    ] {
        assert_eq!(
            house.browser.get(page).await.status,
            StatusCode::NOT_FOUND,
            "{page}"
        );
    }
    for form in [
        "/dev/token",
        "/dev/clock",
        "/dev/api/tokens",
        "/dev/api/clock",
    ] {
        let answer = house
            .browser
            .post(form, &[("address", BOB), ("advance", "1h")])
            .await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{form}");
    }
}
