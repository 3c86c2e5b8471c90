//! How people sign in, as a browser sees it: passkeys (what needs no authenticator; a real browser makes real ones elsewhere),
//! the page that changes the password, and the list of browsers.

use super::{ADA, Browser, NOW, field, request};
use axum::http::StatusCode;
use pillarbox_oauth::{Deed, Mint, Service};

const PASSWORD: &str = "/account/password";
const SESSIONS: &str = "/account/sessions";

/// A browser signed in anew, at the same server.
async fn another(browser: &Browser) -> Browser {
    let mut other = Browser {
        router: browser.router.clone(),
        identity: browser.identity.clone(),
        store: browser.store.clone(),
        cookie: None,
        paused: browser.paused.clone(),
    };
    let agent = [(
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0",
    )];
    let members = [("address", ADA), ("password", "pillarbox")];
    let answer = other.post_with("/signin", &members, &agent).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    other
}

#[tokio::test]
async fn one_script_is_allowed_where_passkeys_are_used() {
    let mut browser = Browser::new().await;
    let script = browser.get("/passkey.js").await;
    assert!(script.header("content-type").starts_with("text/javascript"));
    let allowed = "script-src https://localhost:1443/passkey.js; connect-src 'self'; ";
    let then = request(&[]);
    let waiting = format!("/signin?then={}", crate::form::encode(&then));
    for (page, has) in [
        ("/signin", true),
        (&*waiting, true),
        ("/", false),
        ("/device", false),
    ] {
        let answer = browser.get(page).await;
        let policy = answer.header("content-security-policy");
        assert_eq!(policy.contains(allowed), has, "{page}: {policy}");
        assert_eq!(
            answer
                .body
                .contains("<script src=\"/passkey.js\" defer></script>"),
            has
        );
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"));
    }
    let page = browser.get("/signin").await.body;
    assert!(
        page.contains("action=\"/signin/passkey\" data-passkey-shown hidden>"),
        "without the script there is no button"
    );
}

#[tokio::test]
async fn options_say_nothing_of_anybody_and_bind_the_browser() {
    let mut browser = Browser::new().await;
    let answer = browser
        .post("/signin/passkey/options", &[("address", ADA)])
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    let cookie = answer.header("set-cookie").to_owned();
    assert!(cookie.starts_with("__Host-passkey=") && cookie.contains("HttpOnly; SameSite=Strict"));
    let options = answer.json();
    assert_eq!(options["rpId"], "localhost");
    assert_eq!(
        options["allowCredentials"].as_array().map(Vec::len),
        Some(0)
    );
    let elsewhere = [("origin", "https://evil.example")];
    for page in [
        "/signin/passkey/options",
        "/signin/passkey",
        "/signin/code/options",
        "/account/passkeys",
        "/account/passkeys/options",
        "/account/confirm/options",
        PASSWORD,
        "/account/sessions/web/end",
        "/account/sessions/web/end-others",
    ] {
        let answer = browser.post_with(page, &[], &elsewhere).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{page}");
    }
    let then = request(&[]);
    for answer in [
        "",
        "{}",
        "{\"id\":\"AA\",\"type\":\"public-key\",\"response\":{}}",
    ] {
        let members = [("credential", answer), ("then", &*then)];
        let page = browser.post("/signin/passkey", &members).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert!(
            page.body
                .contains("This passkey does not open an account here")
        );
        assert_eq!(
            field(&page.body, "then"),
            then,
            "what waits goes on waiting"
        );
        assert!(page.headers.get("set-cookie").is_none());
    }
    let step = browser
        .post("/signin/code/options", &[("ticket", "h~x~y")])
        .await;
    assert_eq!(step.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_new_passkey_takes_the_password_and_a_name() {
    let mut browser = Browser::new().await;
    for page in ["/account/passkeys", "/account/sign-in", PASSWORD] {
        assert_eq!(browser.get(page).await.header("location"), "/signin");
    }
    browser.sign_in("").await;
    let page = browser.get("/account/passkeys").await;
    assert!(page.body.contains("You have none."));
    let options = "/account/passkeys/options";
    for (name, password, status) in [
        ("", "pillarbox", StatusCode::UNPROCESSABLE_ENTITY),
        ("Key", "wrong", StatusCode::FORBIDDEN),
        ("Key", "", StatusCode::FORBIDDEN),
    ] {
        let members = [("name", name), ("password", password)];
        let answer = browser.post(options, &members).await;
        assert_eq!(answer.status, status);
        assert!(answer.json()["error"].as_str().unwrap().ends_with('.'));
    }
    let session = browser.cookie.clone().unwrap();
    let members = [("name", "Key"), ("password", "pillarbox")];
    let answer = browser.post(options, &members).await;
    assert_eq!(answer.json()["user"]["name"], ADA);
    assert_eq!(
        answer.json()["authenticatorSelection"]["userVerification"],
        "required"
    );
    browser.cookie = Some(session);
    for credential in ["", "{}"] {
        let members = [("do", "add"), ("name", "Key"), ("credential", credential)];
        let answer = browser.post("/account/passkeys", &members).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.body.contains("role=\"alert\"") && answer.body.contains("value=\"Key\""));
    }
    let none = browser.post("/account/confirm/options", &[]).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
    let gone = browser
        .post("/account/passkeys", &[("do", "remove"), ("id", "x")])
        .await;
    assert_eq!(gone.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_new_password_ends_what_the_old_one_opened() {
    let mut browser = Browser::new().await;
    browser.sign_in("").await;
    let mut other = another(&browser).await;
    let ada = browser.store.account_of(ADA).await.unwrap().unwrap();
    let identity = browser.identity.clone();
    let minted = identity.mint(&ada, Mint::default(), NOW).await.unwrap();
    let new = ("password", "four words for mail");
    let again = ("again", "four words for mail");
    for (members, words) in [
        (
            [
                new,
                ("again", "four words for male"),
                ("current", "pillarbox"),
            ],
            "not the same",
        ),
        (
            [new, again, ("current", "wrong")],
            "The password is not right.",
        ),
        ([new, again, ("current", "")], "The password is not right."),
        (
            [
                ("password", "short"),
                ("again", "short"),
                ("current", "pillarbox"),
            ],
            "8 characters",
        ),
        (
            [
                ("password", "pillarbox"),
                ("again", "pillarbox"),
                ("current", "pillarbox"),
            ],
            "the one you have",
        ),
    ] {
        let answer = browser.post(PASSWORD, &members).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{words}");
        assert!(answer.body.contains(words), "{words}: {}", answer.body);
    }
    let before = browser.cookie.clone();
    let answer = browser
        .post(PASSWORD, &[new, again, ("current", "pillarbox")])
        .await;
    assert_eq!(
        answer.header("location"),
        "/account/sign-in?done=password-changed"
    );
    assert_ne!(browser.cookie, before, "the session is a new one");
    let page = browser
        .get("/account/sign-in?done=password-changed")
        .await
        .body;
    assert!(page.contains("Your new password is set"));
    assert_eq!(other.get("/account").await.header("location"), "/signin");
    browser.cookie = before;
    assert_eq!(browser.get("/account").await.header("location"), "/signin");
    let token = minted.access_token.expose();
    let opened = identity.bearer(ADA, token, Service::Imap, NOW).await;
    assert!(opened.is_err(), "the grant has ended");
    assert_eq!(browser.sign_in("").await.status, StatusCode::FORBIDDEN);
    let trail = identity.activity(&ada, 20, NOW).await.unwrap();
    assert!(trail.iter().any(|one| one.deed == Deed::PasswordChanged));
}

#[tokio::test]
async fn browsers_are_listed_and_signed_out() {
    let mut browser = Browser::new().await;
    browser.sign_in("").await;
    let page = browser.get(SESSIONS).await.body;
    assert!(page.contains("this one") && !page.contains("Sign out all others"));
    let (mut second, mut third) = (another(&browser).await, another(&browser).await);
    let page = browser.get(SESSIONS).await.body;
    assert_eq!(page.matches("<h3>Firefox on Linux</h3>").count(), 2);
    let seen = second.get(SESSIONS).await.body;
    assert!(seen.contains("Firefox on Linux <span class=\"tag\">this one</span>"));
    let id = field(&page, "id");
    let mut bob = another(&browser).await;
    bob.cookie = None;
    let members = [("address", "bob@example.test"), ("password", "pillarbox")];
    bob.post("/signin", &members).await;
    let answer = bob.post("/account/sessions/web/end", &[("id", &id)]).await;
    assert_eq!(
        answer.header("location"),
        "/account/sessions?done=session-gone"
    );
    let answer = browser
        .post("/account/sessions/web/end", &[("id", &id)])
        .await;
    assert_eq!(
        answer.header("location"),
        "/account/sessions?done=web-session-ended"
    );
    let out = [second.get("/account").await, third.get("/account").await]
        .iter()
        .filter(|answer| answer.status == StatusCode::SEE_OTHER)
        .count();
    assert_eq!(out, 1);
    browser.post("/account/sessions/web/end-others", &[]).await;
    for other in [&mut second, &mut third] {
        assert_eq!(other.get("/account").await.header("location"), "/signin");
    }
    assert_eq!(browser.get("/account").await.status, StatusCode::OK);
    assert_eq!(bob.get("/account").await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_app_password_is_limited_on_the_page() {
    let mut browser = Browser::new().await;
    browser.sign_in("").await;
    let make = "/account/app-passwords";
    for (from, until, words) in [
        ("192.0.2.1/24", "", "“192.0.2.1/24” is not a network"),
        ("everywhere", "", "“everywhere” is not a network"),
        ("", "2026-11-21", "lies in the past"),
        ("", "tomorrow", "is written like"),
    ] {
        let members = [
            ("name", "Phone"),
            ("smtp", "on"),
            ("from", from),
            ("until", until),
        ];
        let answer = browser.post(make, &members).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.body.contains(words), "{words}: {}", answer.body);
        for kept in [from, until] {
            assert!(answer.body.contains(&format!("value=\"{kept}\"")), "{kept}");
        }
        assert_eq!(answer.body.matches(" checked>").count(), 1);
    }
    let many: Vec<_> = (0..30).map(|number| format!("192.0.2.{number}")).collect();
    let members = [("name", "Phone"), ("from", &*many.join(" "))];
    let answer = browser.post(make, &members).await;
    assert!(answer.body.contains("more networks than"));
    let members = [
        ("name", "Phone"),
        ("from", "192.0.2.0/24, 2001:db8::/32"),
        ("until", "2026-11-23"),
    ];
    let answer = browser.post(make, &members).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(
        answer
            .body
            .contains("Only from 192.0.2.0/24, 2001:db8::/32")
    );
    assert!(answer.body.contains("Until 23 Nov 2026, 00:00 UTC"));
}
