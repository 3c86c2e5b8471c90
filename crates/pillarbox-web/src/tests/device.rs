//! The device flow, as the device and the browser see it.

use super::*;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

async fn begin(device: &mut Browser) -> (String, String) {
    let members = [("client_id", "tv"), ("scope", "mail")];
    let begun = device.post("/device/code", &members).await;
    assert_eq!(begun.status, StatusCode::OK, "{}", begun.body);
    assert_eq!(begun.header("cache-control"), "no-store");
    let text = |name: &str| begun.json()[name].as_str().unwrap().to_owned();
    (text("device_code"), text("user_code"))
}

async fn poll(device: &mut Browser, code: &str) -> Answer {
    let members = [
        ("grant_type", GRANT),
        ("client_id", "tv"),
        ("device_code", code),
    ];
    device.post("/token", &members).await
}

#[tokio::test]
async fn from_the_code_on_the_screen_to_the_token() {
    let mut browser = Browser::new().await;
    let (device_code, user_code) = begin(&mut browser).await;
    let pending = poll(&mut browser, &device_code).await;
    assert_eq!(pending.status, StatusCode::BAD_REQUEST);
    assert_eq!(pending.json()["error"], "authorization_pending");
    let hasty = poll(&mut browser, &device_code).await;
    assert_eq!(
        (hasty.status.as_u16(), &hasty.json()["error"]),
        (400, &"slow_down".into())
    );

    let page = browser.get(&format!("/device?user_code={user_code}")).await;
    assert!(
        page.body.contains(&format!("value=\"{user_code}\"")),
        "{}",
        page.body
    );
    let typed = user_code.to_lowercase().replace('-', "");
    let entered = browser.post("/device", &[("user_code", &typed)]).await;
    assert_eq!(
        entered.header("location"),
        format!("/device/consent?user_code={user_code}")
    );
    let sign_in = browser.get(entered.header("location")).await;
    assert!(sign_in.header("location").starts_with("/signin?then="));
    let form = browser.get(sign_in.header("location")).await;
    let then = field(&form.body, "then");
    let signed_in = browser.sign_in(&then).await;
    assert_eq!(signed_in.header("location"), entered.header("location"));

    let asked = browser.get(signed_in.header("location")).await;
    for words in [
        "Television",
        "on another device",
        ADA,
        &user_code,
        "Read, write and delete",
        "while you are away",
    ] {
        assert!(
            asked.body.contains(words),
            "{words} is missing in {}",
            asked.body
        );
    }
    assert!(!asked.body.contains("The browser goes next"));
    let then = field(&asked.body, "then");
    let other = [
        ("then", &*then),
        ("account", "bob@example.test"),
        ("answer", "allow"),
    ];
    let again = browser.post("/device/consent", &other).await;
    assert!(
        again.body.contains("on another device"),
        "a switched account is asked again"
    );
    let allowed = [("then", &*then), ("account", ADA), ("answer", "allow")];
    let done = browser.post("/device/consent", &allowed).await;
    assert!(
        done.body.contains("The device is connected"),
        "{}",
        done.body
    );
    let late = browser.post("/device/consent", &allowed).await;
    assert_eq!(late.status, StatusCode::NOT_FOUND);

    let tokens = poll(&mut browser, &device_code).await;
    assert_eq!(tokens.status, StatusCode::OK, "{}", tokens.body);
    let tokens = tokens.json();
    assert!(tokens["refresh_token"].is_string());
    let access = tokens["access_token"].as_str().unwrap();
    assert!(
        browser
            .identity
            .bearer(ADA, access, Service::Imap, NOW)
            .await
            .is_ok()
    );
    assert_eq!(
        poll(&mut browser, &device_code).await.json()["error"],
        "invalid_grant"
    );
}

#[tokio::test]
async fn cancel_is_told_to_the_device() {
    let mut browser = Browser::new().await;
    let (device_code, user_code) = begin(&mut browser).await;
    browser.sign_in("").await;
    let then = format!("user_code={user_code}");
    let members = [("then", &*then), ("answer", "cancel")];
    let done = browser.post("/device/consent", &members).await;
    assert!(done.body.contains("Nothing was allowed"));
    let told = poll(&mut browser, &device_code).await;
    assert_eq!(
        (told.status.as_u16(), &told.json()["error"]),
        (400, &"access_denied".into())
    );
}

#[tokio::test]
async fn wrong_codes_lead_nowhere() {
    let mut browser = Browser::new().await;
    for code in ["", "BBBB-BBBB", "<script>", "WDJB-MJH\u{1F600}"] {
        let answer = browser.post("/device", &[("user_code", code)]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert!(answer.body.contains("role=\"alert\"") && !answer.body.contains("<script"));
    }
    let without = browser.get("/device/consent?user_code=%22%3E%3Cb%3E").await;
    assert!(
        without
            .header("location")
            .starts_with("/signin?then=user_code%3D")
    );
    let web = [
        ("client_id", "web"),
        ("client_secret", "pillarbox"),
        ("scope", "mail"),
    ];
    let refused = browser.post("/device/code", &web).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["error"]),
        (400, &"unauthorized_client".into())
    );
    let unknown = browser
        .post("/device/code", &[("client_id", "x"), ("scope", "mail")])
        .await;
    assert_eq!(
        (
            unknown.status.as_u16(),
            unknown.header("www-authenticate").is_empty()
        ),
        (401, false)
    );
    assert_eq!(
        browser.get("/device/code").await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}

/// Discovery leads to the answer of RFC 8628; Google's path to the one that Google's clients read.
#[tokio::test]
async fn one_name_of_the_page_or_both() {
    let mut device = Browser::new().await;
    let metadata = device.get("/.well-known/openid-configuration").await;
    let endpoint = &metadata.json()["device_authorization_endpoint"];
    assert_eq!(endpoint, "https://localhost:1443/device/authorize");
    let members = [("client_id", "tv"), ("scope", "mail")];
    let begun = device.post("/device/authorize", &members).await.json();
    assert_eq!(begun["verification_uri"], "https://localhost:1443/device");
    assert!(begun.get("verification_url").is_none());
    let begun = device.post("/device/code", &members).await.json();
    assert_eq!(begun["verification_url"], begun["verification_uri"]);
}
