//! The second factor as a browser sees it.

use super::{ADA, AUTH, Browser, NOW, field, request};
use aws_lc_rs::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key, sign};
use axum::http::StatusCode;

const PAGE: &str = "/account/second-factor";

/// What a phone shows for the secret printed on the page (RFC 6238), `steps` from now.
fn phone(page: &str, steps: i64) -> String {
    let text = between(page, "Or type this secret: <code>", "</code>").replace(' ', "");
    let (mut bits, mut held, mut secret) = (0_u64, 0, Vec::new());
    for letter in text.bytes() {
        let value = if letter.is_ascii_digit() {
            letter - b'2' + 26
        } else {
            letter - b'A'
        };
        bits = bits << 5 | u64::from(value);
        held += 5;
        if held >= 8 {
            held -= 8;
            secret.push((bits >> held) as u8);
        }
    }
    let step = NOW / 30_000 + steps;
    let tag = sign(
        &Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, &secret),
        &step.to_be_bytes(),
    );
    let tag = tag.as_ref();
    let at = usize::from(tag[19] & 15);
    let number = u32::from_be_bytes(tag[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

fn between<'a>(page: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = page
        .split_once(before)
        .unwrap_or_else(|| panic!("no {before} in {page}"));
    rest.split_once(after).unwrap().0
}

fn codes(page: &str) -> Vec<String> {
    let list = between(page, "<ul class=\"codes\">", "</ul>");
    let codes: Vec<_> = list
        .split("<code>")
        .skip(1)
        .map(|rest| rest.split('<').next().unwrap().to_owned())
        .collect();
    assert_eq!(codes.len(), 10);
    codes
}

/// Signed in, with the second factor on; the recovery codes and the page that showed the secret.
async fn set_up() -> (Browser, Vec<String>, String) {
    let mut browser = Browser::new().await;
    browser.sign_in("").await;
    let page = browser.get(PAGE).await.body;
    let code = phone(&page, 0);
    let members = [("do", "on"), ("code", &*code), ("password", "pillarbox")];
    let answer = browser.post(PAGE, &members).await;
    assert_eq!(answer.status, StatusCode::OK);
    (browser, codes(&answer.body), page)
}

#[tokio::test]
async fn it_is_set_up_with_a_code_and_the_password() {
    let mut browser = Browser::new().await;
    assert_eq!(browser.get(PAGE).await.header("location"), "/signin");
    let stranger = browser.post(PAGE, &[("do", "on")]).await;
    assert_eq!(stranger.header("location"), "/signin");
    browser.sign_in("").await;
    let page = browser.get(PAGE).await;
    assert!(
        page.body.contains("<path fill=\"#000\" d=\"M4,4h1v1h-1z"),
        "a finder pattern begins the code"
    );
    assert!(
        !page.body.contains("style="),
        "the policy allows no styles in attributes"
    );
    assert_eq!(page.header("cache-control"), "no-store");
    let code = phone(&page.body, 0);
    for (code, password) in [("000000", "pillarbox"), (&*code, "wrong"), (&*code, "")] {
        let members = [("do", "on"), ("code", code), ("password", password)];
        let answer = browser.post(PAGE, &members).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.body.contains("role=\"alert\""));
    }
    let again = browser.get(PAGE).await;
    assert_eq!(
        again.body, page.body,
        "the secret stays while it is being set up"
    );
    let answer = browser
        .post(
            PAGE,
            &[("do", "on"), ("code", &code), ("password", "pillarbox")],
        )
        .await;
    let codes = codes(&answer.body);
    let on = browser.get(PAGE).await.body;
    assert!(on.contains("Recovery codes left: 10"));
    assert!(
        !on.contains(&codes[0]) && !on.contains("type this secret"),
        "nothing secret is shown twice"
    );
}

#[tokio::test]
async fn signing_in_takes_both_steps() {
    let (mut browser, codes, page) = set_up().await;
    browser.post("/signout", &[]).await;
    let then = request(&[]);
    let asked = browser.sign_in(&then).await;
    assert_eq!(asked.status, StatusCode::OK);
    assert!(asked.body.contains("Enter your code"));
    assert!(
        asked.headers.get("set-cookie").is_none(),
        "the password alone opens no session"
    );
    assert_eq!(browser.get(PAGE).await.header("location"), "/signin");
    let ticket = field(&asked.body, "ticket");
    let used = phone(&page, 0);
    for wrong in ["", "000000", &*used] {
        let answer = browser
            .post("/signin/code", &[("ticket", &ticket), ("code", wrong)])
            .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert_eq!(field(&answer.body, "ticket"), ticket);
    }
    let next = phone(&page, 1);
    let members = [("ticket", &*ticket), ("code", &*next), ("then", &*then)];
    let answer = browser.post("/signin/code", &members).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(
        answer.header("location").starts_with(AUTH),
        "on to what waited"
    );
    assert!(browser.get("/").await.body.contains(ADA));
    browser.post("/signout", &[]).await;
    let ticket = field(&browser.sign_in("").await.body, "ticket");
    let answer = browser
        .post("/signin/code", &[("ticket", &ticket), ("code", &codes[3])])
        .await;
    assert_eq!(answer.header("location"), "/account");
    let elsewhere = [("origin", "https://evil.example")];
    for page in ["/signin/code", PAGE] {
        let answer = browser
            .post_with(page, &[("do", "off"), ("code", &codes[4])], &elsewhere)
            .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{page}");
    }
    assert!(
        browser
            .get(PAGE)
            .await
            .body
            .contains("Recovery codes left: 9")
    );
}

#[tokio::test]
async fn it_is_renewed_and_removed_with_a_code() {
    let (mut browser, old, _) = set_up().await;
    let refused = browser
        .post(PAGE, &[("do", "off"), ("code", "000000")])
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.body.contains("This code is not right"));
    let renewed = browser
        .post(PAGE, &[("do", "renew"), ("code", &old[0])])
        .await;
    let fresh = codes(&renewed.body);
    let refused = browser
        .post(PAGE, &[("do", "off"), ("code", &old[1])])
        .await;
    assert_eq!(
        refused.status,
        StatusCode::FORBIDDEN,
        "the old ones have ended"
    );
    let removed = browser
        .post(PAGE, &[("do", "off"), ("code", &fresh[0])])
        .await;
    assert!(removed.body.contains("It is removed"));
    assert_eq!(browser.sign_in("").await.status, StatusCode::SEE_OTHER);
}
