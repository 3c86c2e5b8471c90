//! Sign-in elsewhere as a browser sees it, as far as the provider is not needed: that is asked over real sockets by the
//! whole-server tests.

use super::*;
use pillarbox_oauth::{External, ExternalAnswer, ExternalProvider, ExternalRequest, Fetch};
use pillarbox_oauth::{Fetching, Secret};
use std::sync::atomic::{AtomicBool, Ordering};

const ISSUER: &str = "https://login.elsewhere.test";

/// A provider that publishes its metadata, and no more.
#[derive(Default)]
struct Elsewhere(AtomicBool);

impl Fetch for Elsewhere {
    fn fetch(&self, request: ExternalRequest) -> Fetching<'_> {
        let up = !self.0.load(Ordering::SeqCst);
        let document = match request.address.path() {
            "/.well-known/openid-configuration" => serde_json::json!({
                "issuer": ISSUER,
                "authorization_endpoint": format!("{ISSUER}/auth"),
                "token_endpoint": format!("{ISSUER}/token"),
                "jwks_uri": format!("{ISSUER}/keys"),
            }),
            "/keys" => serde_json::json!({"keys": []}),
            _ => serde_json::json!({"error": "invalid_grant"}),
        };
        Box::pin(async move {
            let document = document.to_string().into_bytes();
            let good =
                document.starts_with(b"{\"authorization") || document.starts_with(b"{\"keys");
            let answer = up.then_some(ExternalAnswer { good, document });
            answer.ok_or_else(|| "does not answer".into())
        })
    }
}

async fn browser() -> (Browser, Arc<Elsewhere>) {
    let elsewhere = Arc::new(Elsewhere::default());
    let fetch = elsewhere.clone();
    let browser = Browser::with_config(true, Arc::new(NoControl), |config| {
        config.clients = Client::development();
        config.external = Some(External {
            providers: vec![ExternalProvider {
                name: "corp".into(),
                label: "Corp <& Sons>".into(),
                issuer: ISSUER.into(),
                client_id: "mail".into(),
                client_secret: Some(Secret::new("s3cret")),
                account_claim: "email".into(),
                scope: "openid email".into(),
                audience: "https://localhost:1443".into(),
                mail_scope: None,
                create: false,
                introspection: false,
            }],
            domains: vec!["example.test".into()],
            naming: Naming::Plain,
            fetch,
        });
    });
    (browser.await, elsewhere)
}

#[tokio::test]
async fn the_button_leads_there_and_remembers_what_waits() {
    let (mut browser, _) = browser().await;
    let then = request(&[("login_hint", ADA)]);
    let page = browser
        .get(&format!("/signin?then={}", form::encode(&then)))
        .await;
    assert!(
        page.body.contains("Sign in with Corp &#60;&#38; Sons&#62;"),
        "{}",
        page.body
    );
    let href = page.body.split("href=\"/signin/external/").nth(1).unwrap();
    let href = href.split('"').next().unwrap();
    let href = format!("/signin/external/{}", href.replace("&#38;", "&"));
    let off = browser.get(&href).await;
    assert_eq!(off.status, StatusCode::SEE_OTHER);
    let address = off.header("location");
    assert!(
        address.starts_with("https://login.elsewhere.test/auth?"),
        "{address}"
    );
    assert_eq!(query(address, "login_hint"), ADA);
    assert!(!address.contains("prompt="));
    let cookie = off.header("set-cookie");
    assert!(
        cookie.starts_with("__Host-external=")
            && cookie.ends_with("Secure; HttpOnly; SameSite=Lax")
    );
    assert!(cookie.contains(&format!("~{then};")), "{cookie}");
    assert!(
        !cookie.contains(&query(address, "state")),
        "state is made from it, not in it"
    );
}

#[tokio::test]
async fn what_goes_wrong_is_said_in_words_beside_the_other_ways() {
    let (mut browser, elsewhere) = browser().await;
    // Nobody began anything here.
    let page = browser
        .get("/signin/external/corp/back?code=x&state=y")
        .await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(
        page.body.contains("begun in another browser") && page.body.contains("type=\"password\"")
    );
    let off = browser.get("/signin/external/corp").await;
    let state = query(off.header("location"), "state");
    // Cancelled there.
    let kept = browser.cookie.clone();
    let page = browser
        .get(&format!(
            "/signin/external/corp/back?error=access_denied&state={state}"
        ))
        .await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.body.contains("was cancelled"));
    assert!(
        page.header("set-cookie")
            .starts_with("__Host-external=; Path=/; Max-Age=0;")
    );
    browser.cookie = kept;
    let page = browser
        .get(&format!("/signin/external/corp/back?code=x&state={state}"))
        .await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.body.contains("cannot be accepted here") && !page.body.contains("invalid_grant"));
    assert_eq!(
        browser.get("/signin/external/nobody").await.status,
        StatusCode::NOT_FOUND
    );
    let long = request(&[("state", &"x".repeat(1900)), ("nonce", &"y".repeat(1900))]);
    let page = browser
        .get(&format!(
            "/signin/external/corp?then={}",
            form::encode(&long)
        ))
        .await;
    assert_eq!(page.status, StatusCode::URI_TOO_LONG);
    let _ = elsewhere;
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_named() {
    let (mut browser, elsewhere) = browser().await;
    elsewhere.0.store(true, Ordering::SeqCst);
    let page = browser.get("/signin/external/corp").await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        page.body
            .contains("Corp &#60;&#38; Sons&#62; does not answer just now")
    );
}

#[tokio::test]
async fn whoever_is_signed_in_is_asked_there_again() {
    let (mut browser, _) = browser().await;
    browser.sign_in("").await;
    let off = browser.get("/signin/external/corp").await;
    assert_eq!(query(off.header("location"), "prompt"), "login");
}

#[tokio::test]
async fn without_providers_there_is_no_button() {
    let mut browser = Browser::new().await;
    let page = browser.get("/signin").await.body;
    assert!(!page.contains("class=\"ways\"") && !page.contains("/signin/external"));
}

#[tokio::test]
async fn a_page_that_takes_a_sign_in_anew_leads_through_one_and_back() {
    let (mut browser, _) = browser().await;
    browser.sign_in("").await;
    let then = form::encode("again=%2Faccount%2Fpassword");
    let page = browser.get(&format!("/signin?then={then}")).await;
    assert!(page.body.contains("takes a sign-in just now"));
    assert_eq!(field(&page.body, "then"), "again=%2Faccount%2Fpassword");
    let off = browser
        .get(&format!("/signin/external/corp?then={then}"))
        .await;
    let asked = ["prompt", "max_age", "login_hint"].map(|name| query(off.header("location"), name));
    assert_eq!(asked, ["login", "0", ADA]);
    let back = browser.sign_in("again=%2Faccount%2Fpassword").await;
    assert_eq!(back.header("location"), "/account/password");
    for then in [
        "again=https://evil.example",
        "again=//evil.example/account",
        "again=/token",
        "again=/account&again=/admin",
    ] {
        let back = browser.sign_in(then).await;
        assert_eq!(back.header("location"), "/account", "{then}");
    }
}
