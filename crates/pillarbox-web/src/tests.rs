//! The router as a browser and as programs see it, over a real store in memory.
#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test
#![allow(clippy::disallowed_methods)] // it stands in the program's place: randomness comes from it

mod pages;

use crate::{Control, MailServices, NoControl, Web, form, router};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, Request, StatusCode};
use base64::Engine as _;
use pillarbox_oauth::{Client, Hashing, Identity, IdentityConfig, Registration, Service};
use pillarbox_store::blob::MemoryBlobs;
use pillarbox_store::engine::MemoryEngine;
use pillarbox_store::mail::{Millis, Naming, Store};
use serde_json::Value;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tower::ServiceExt as _;

mod clients;
mod device;
mod dpop;
mod external;
mod factor;
mod passkeys;
mod registration;
mod requests;

const NOW: Millis = 1_795_219_200_000;
const ADA: &str = "ada@example.test";
/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const AUTH: &str = "/o/oauth2/v2/auth";

struct Browser {
    router: Router,
    identity: Identity,
    store: Store,
    cookie: Option<String>,
    /// Pauses that were waited for.
    paused: Arc<AtomicUsize>,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }
}

impl Browser {
    async fn new() -> Self {
        Self::with(Client::development(), true).await
    }

    async fn with(clients: Vec<Client>, dev: bool) -> Self {
        Self::under(clients, dev, Arc::new(NoControl)).await
    }

    async fn under(clients: Vec<Client>, dev: bool, control: Arc<dyn Control>) -> Self {
        Self::with_config(dev, control, |config| config.clients = clients).await
    }

    async fn with_config(
        dev: bool,
        control: Arc<dyn Control>,
        change: impl FnOnce(&mut IdentityConfig),
    ) -> Self {
        let random = Arc::new(|out: &mut [u8]| aws_lc_rs::rand::fill(out).unwrap());
        let (engine, blobs) = (Arc::new(MemoryEngine::new()), Arc::new(MemoryBlobs::new()));
        let store = Store::open(engine, blobs, random.clone()).await.unwrap();
        let mut config = IdentityConfig {
            hashing: Hashing {
                memory_kib: 8,
                passes: 1,
                parallel: 2,
            },
            slow_down: false,
            registration: match dev {
                true => Registration::Open,
                false => Registration::Approval,
            },
            ..IdentityConfig::new("https://localhost:1443", "localhost")
        };
        change(&mut config);
        let identity = Identity::open(store.clone(), config, random, NOW)
            .await
            .unwrap();
        for address in [ADA, "bob@example.test"] {
            identity
                .create_person(address, Some("pillarbox"), Naming::Gmail, NOW)
                .await
                .unwrap();
        }
        let paused = Arc::new(AtomicUsize::new(0));
        let count = paused.clone();
        let pause = move || -> Pin<Box<dyn Future<Output = ()> + Send>> {
            let count = count.clone();
            Box::pin(async move {
                count.fetch_add(1, Ordering::Relaxed);
            })
        };
        let web = Web {
            identity: identity.clone(),
            store: store.clone(),
            clock: Arc::new(|| NOW),
            pause: Arc::new(pause),
            product: "Pillarbox".into(),
            version: "0.1.0".into(),
            dev,
            mail: MailServices {
                host: "localhost".into(),
                imap: Some(1993),
                ..MailServices::default()
            },
            control,
        };
        Self {
            router: router(web),
            identity,
            store,
            cookie: None,
            paused,
        }
    }

    async fn send(&mut self, request: Request<Body>) -> Answer {
        let (mut parts, body) = request.into_parts();
        if let Some(cookie) = &self.cookie {
            parts.headers.insert(COOKIE, cookie.parse().unwrap());
        }
        let answer = self
            .router
            .clone()
            .oneshot(Request::from_parts(parts, body))
            .await
            .unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        if let Some(cookie) = headers.get(SET_COOKIE) {
            self.cookie = Some(
                cookie
                    .to_str()
                    .unwrap()
                    .split(';')
                    .next()
                    .unwrap()
                    .to_owned(),
            );
        }
        let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        Answer {
            status,
            headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    async fn get(&mut self, address: &str) -> Answer {
        let request = Request::get(address).header("host", "localhost:1443");
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn post(&mut self, address: &str, members: &[(&str, &str)]) -> Answer {
        self.post_with(address, members, &[]).await
    }

    async fn post_with(
        &mut self,
        address: &str,
        members: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::post(address)
            .header("host", "localhost:1443")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(
            request
                .body(Body::from(form::print(&owned(members))))
                .unwrap(),
        )
        .await
    }

    async fn sign_in(&mut self, then: &str) -> Answer {
        self.post(
            "/signin",
            &[("address", ADA), ("password", "pillarbox"), ("then", then)],
        )
        .await
    }
}

fn owned(pairs: &[(&str, &str)]) -> form::Pairs {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn request(changes: &[(&str, &str)]) -> String {
    let mut all = owned(&[
        ("client_id", "desktop"),
        ("redirect_uri", "http://127.0.0.1:51004"),
        ("response_type", "code"),
        ("scope", "openid email https://mail.google.com/"),
        ("state", "x y&z"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    for (name, value) in changes {
        all.retain(|(other, _)| other != name);
        all.push(((*name).to_owned(), (*value).to_owned()));
    }
    form::print(&all)
}

/// The value of a hidden field, as a browser would read it.
fn field(page: &str, name: &str) -> String {
    let start = page
        .find(&format!("name=\"{name}\" value=\""))
        .unwrap_or_else(|| panic!("no {name} in {page}"));
    let rest = &page[start..];
    let value = rest
        .split("value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    value
        .replace("&#38;", "&")
        .replace("&amp;", "&")
        .replace("&#34;", "\"")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
}

fn query(address: &str, name: &str) -> String {
    form::get(
        &form::read(address.split_once('?').unwrap().1.as_bytes()),
        name,
    )
    .to_owned()
}

#[tokio::test]
async fn from_the_first_click_to_the_end_of_the_grant() {
    let mut browser = Browser::new().await;
    let asked = browser.get(&format!("{AUTH}?{}", request(&[]))).await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER);
    let sign_in = browser.get(asked.header("location")).await;
    assert!(
        sign_in.body.contains("<strong>Desktop program</strong>"),
        "{}",
        sign_in.body
    );
    let signed_in = browser.sign_in(&field(&sign_in.body, "then")).await;
    assert_eq!(signed_in.status, StatusCode::SEE_OTHER);
    let cookie = signed_in.header("set-cookie");
    assert!(cookie.starts_with("__Host-session=s~"));
    for rule in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
        assert!(cookie.contains(rule), "{cookie}");
    }
    let consent = browser.get(signed_in.header("location")).await;
    assert_eq!(consent.status, StatusCode::OK);
    for words in [
        "Desktop program",
        ADA,
        "Read, write and delete all your mail",
        "Send mail as you",
        "See your mail address",
        "a program on this computer",
        "this development server",
        ">Allow</button>",
        ">Cancel</button>",
        "Switch account",
    ] {
        assert!(
            consent.body.contains(words),
            "{words} is missing in {}",
            consent.body
        );
    }
    assert!(
        consent
            .header("content-security-policy")
            .contains("form-action 'self' http://127.0.0.1:51004;")
    );
    let (then, account) = (
        field(&consent.body, "then"),
        field(&consent.body, "account"),
    );
    let fields = [
        ("then", then.as_str()),
        ("account", account.as_str()),
        ("answer", "allow"),
    ];
    let allowed = browser.post("/consent", &fields).await;
    let address = allowed.header("location").to_owned();
    assert!(
        address.starts_with("http://127.0.0.1:51004/?code="),
        "{address}"
    );
    assert_eq!(
        (query(&address, "state"), query(&address, "iss")),
        ("x y&z".into(), "https://localhost:1443".into())
    );

    let mut program = Browser {
        cookie: None,
        ..browser
    };
    let code = query(&address, "code");
    let redeem = [
        ("grant_type", "authorization_code"),
        ("client_id", "desktop"),
        ("code", code.as_str()),
        ("redirect_uri", "http://127.0.0.1:51004"),
        ("code_verifier", VERIFIER),
    ];
    let answer = program.post("/token", &redeem).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(
        answer.header("content-length"),
        answer.body.len().to_string()
    );
    let tokens = answer.json();
    assert_eq!(tokens["token_type"], "Bearer");
    let access = tokens["access_token"].as_str().unwrap().to_owned();
    assert!(
        program
            .identity
            .bearer(ADA, &access, Service::Imap, NOW)
            .await
            .is_ok()
    );

    let asked = Request::get("/v1/userinfo").header(AUTHORIZATION, format!("Bearer {access}"));
    let info = program.send(asked.body(Body::empty()).unwrap()).await;
    assert_eq!(info.json()["email"], ADA);

    let refresh = tokens["refresh_token"].as_str().unwrap();
    let members = [
        ("grant_type", "refresh_token"),
        ("client_id", "desktop"),
        ("refresh_token", refresh),
    ];
    let fresh = program.post("/o/oauth2/token", &members).await.json();
    let access = fresh["access_token"].as_str().unwrap();
    assert!(
        program
            .identity
            .bearer(ADA, access, Service::Imap, NOW)
            .await
            .is_ok()
    );
    let ended = program
        .post(
            "/revoke",
            &[("token", fresh["refresh_token"].as_str().unwrap())],
        )
        .await;
    assert_eq!(ended.status, StatusCode::OK);
    assert!(
        program
            .identity
            .bearer(ADA, access, Service::Imap, NOW)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn cancel_and_a_switched_account() {
    let mut browser = Browser::new().await;
    browser.sign_in("").await;
    let then = request(&[]);
    let cancelled = browser
        .post(
            "/consent",
            &[("then", &then), ("account", ADA), ("answer", "cancel")],
        )
        .await;
    assert_eq!(
        query(cancelled.header("location"), "error"),
        "access_denied"
    );
    let other = [
        ("then", then.as_str()),
        ("account", "bob@example.test"),
        ("answer", "allow"),
    ];
    let again = browser.post("/consent", &other).await;
    assert_eq!(
        again.status,
        StatusCode::OK,
        "asked again, for the account that is signed in"
    );
    assert!(again.body.contains("wants to use"));
    let hint = browser
        .get(&format!(
            "{AUTH}?{}",
            request(&[("login_hint", "bob@example.test")])
        ))
        .await;
    assert!(hint.body.contains("you are signed in as"), "{}", hint.body);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_look_alike() {
    let mut browser = Browser::new().await;
    let mut pages = Vec::new();
    for address in [ADA, "eve@example.test"] {
        let members = [
            ("address", address),
            ("password", "wrong wrong"),
            ("then", ""),
        ];
        let page = browser.post("/signin", &members).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert!(page.body.contains("role=\"alert\"") && page.headers.get(SET_COOKIE).is_none());
        pages.push(page.body.replace(address, "A"));
        assert_eq!(browser.paused.load(Ordering::Relaxed), pages.len());
    }
    assert_eq!(pages[0], pages[1]);
    assert_eq!(browser.sign_in("").await.status, StatusCode::SEE_OTHER);
    let paused = browser.paused.load(Ordering::Relaxed);
    assert_eq!(paused, pages.len(), "who is let in never waits");
}

#[tokio::test]
async fn sign_in_leads_nowhere_else() {
    let mut browser = Browser::new().await;
    for then in [
        "https://evil.example/",
        "//evil.example/",
        "client_id=nothing",
        "client_id=desktop&redirect_uri=https://evil.example/",
        "\r\nLocation: https://evil.example/",
    ] {
        assert_eq!(
            browser.sign_in(then).await.header("location"),
            "/account",
            "{then}"
        );
    }
    let answer = browser.sign_in(&request(&[])).await;
    assert!(
        answer
            .header("location")
            .starts_with(&format!("{AUTH}?client_id=desktop&"))
    );
}

#[tokio::test]
async fn forms_of_other_sites_are_refused() {
    let mut browser = Browser::new().await;
    browser.sign_in("").await;
    let then = request(&[]);
    let members = [
        ("then", then.as_str()),
        ("account", ADA),
        ("answer", "allow"),
    ];
    for headers in [
        [
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://evil.example"),
        ],
        [
            ("sec-fetch-site", "same-site"),
            ("origin", "https://localhost:3000"),
        ],
        [("x-old-browser", "1"), ("origin", "https://evil.example")],
        [("x-old-browser", "1"), ("origin", "null")],
    ] {
        for page in [
            "/consent",
            "/device",
            "/device/consent",
            "/signin",
            "/signout",
        ] {
            let answer = browser.post_with(page, &members, &headers).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{page} {headers:?}");
            assert!(answer.headers.get(LOCATION).is_none());
        }
    }
    let own = [
        ("sec-fetch-site", "same-origin"),
        ("origin", "https://localhost:1443"),
    ];
    assert_eq!(
        browser.post_with("/consent", &members, &own).await.status,
        StatusCode::SEE_OTHER
    );
    // Endpoints for programs know no cookies, so they need no such check.
    let cross = [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://app.example"),
    ];
    let answer = browser
        .post_with(
            "/token",
            &[("grant_type", "x"), ("client_id", "desktop")],
            &cross,
        )
        .await;
    assert_eq!(answer.json()["error"], "unsupported_grant_type");
}

#[tokio::test]
async fn signing_out_ends_the_session_not_only_the_cookie() {
    let mut browser = Browser::new().await;
    browser.sign_in("").await;
    let cookie = browser.cookie.clone();
    assert!(browser.get("/").await.body.contains("You are signed in as"));
    assert_eq!(browser.post("/signout", &[]).await.header("location"), "/");
    assert!(!browser.get("/").await.body.contains("You are signed in as"));
    browser.cookie = cookie;
    assert!(!browser.get("/").await.body.contains("You are signed in as"));
}

#[tokio::test]
async fn every_answer_carries_its_headers() {
    let mut browser = Browser::with(Client::development(), false).await;
    for page in [
        "/",
        "/signin",
        "/nothing",
        "/style.css",
        "/healthz",
        "/.well-known/openid-configuration",
    ] {
        let answer = browser.get(page).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none';"), "{page}");
        assert!(
            policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"),
            "{page}"
        );
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "same-origin");
        assert!(
            answer
                .header("strict-transport-security")
                .starts_with("max-age=")
        );
        assert!(
            !answer.body.contains("<script>")
                && !answer.body.contains(" style=")
                && !answer.body.contains("<style")
        );
    }
    let dev = Browser::new().await.get("/").await;
    assert!(dev.headers.get("strict-transport-security").is_none());
    assert!(dev.body.contains("lang=\"en\"") && dev.body.contains("Development server."));
}

#[tokio::test]
async fn names_are_text_not_markup() {
    let evil = "<script>alert(1)</script>\"'&";
    let mut client = Client::development().remove(0);
    (client.name, client.registered_by) = (evil.into(), evil.into());
    let mut browser = Browser::with(vec![client], true).await;
    browser.sign_in("").await;
    let hint = "\"><img src=x onerror=alert(1)>";
    let pages = [
        browser
            .get(&format!(
                "{AUTH}?{}",
                request(&[("login_hint", hint), ("state", evil)])
            ))
            .await,
        browser
            .get(&format!(
                "/signin?then={}",
                form::encode(&request(&[("login_hint", hint)]))
            ))
            .await,
        browser
            .get(&format!(
                "{AUTH}?{}",
                request(&[("redirect_uri", "javascript:alert(1)")])
            ))
            .await,
        browser
            .get(&format!("{AUTH}?{}", request(&[("client_id", evil)])))
            .await,
        browser
            .post("/signin", &[("address", hint), ("password", "x")])
            .await,
    ];
    for page in pages {
        assert!(
            !page.body.contains("<script>") && !page.body.contains("<img src=x"),
            "{}",
            page.body
        );
        assert!(page.body.contains("<html"), "{}", page.body);
    }
}

#[tokio::test]
async fn errors_name_the_program_and_the_reason() {
    let mut browser = Browser::new().await;
    let answer = browser
        .get(&format!(
            "{AUTH}?{}",
            request(&[("redirect_uri", "https://evil.example/")])
        ))
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    for words in [
        "“Desktop program”",
        "not one of the addresses registered",
        "You can close this window",
        "invalid_request",
    ] {
        assert!(
            answer.body.contains(words),
            "{words} is missing in {}",
            answer.body
        );
    }
    let back = browser
        .get(&format!("{AUTH}?{}", request(&[("scope", "everything")])))
        .await;
    assert_eq!(query(back.header("location"), "error"), "invalid_scope");
    let none = browser
        .get(&format!("{AUTH}?{}", request(&[("prompt", "none")])))
        .await;
    assert_eq!(query(none.header("location"), "error"), "login_required");
    browser.sign_in("").await;
    let none = browser
        .get(&format!("{AUTH}?{}", request(&[("prompt", "none")])))
        .await;
    assert_eq!(query(none.header("location"), "error"), "consent_required");
    let again = browser
        .get(&format!(
            "{AUTH}?{}",
            request(&[("prompt", "login consent")])
        ))
        .await;
    let then = query(again.header("location"), "then");
    assert_eq!(
        form::get(&form::read(then.as_bytes()), "prompt"),
        "login consent",
        "what was asked for stays as it was"
    );
}

#[tokio::test]
async fn discovery_and_keys() {
    let mut browser = Browser::new().await;
    let one = browser.get("/.well-known/openid-configuration").await;
    let two = browser.get("/.well-known/oauth-authorization-server").await;
    assert_eq!(one.json(), two.json());
    assert_eq!(one.header("content-type"), "application/json");
    let members = one.json();
    // Wire §7.1.
    for member in [
        "issuer",
        "authorization_endpoint",
        "device_authorization_endpoint",
        "token_endpoint",
        "userinfo_endpoint",
        "revocation_endpoint",
        "jwks_uri",
        "response_types_supported",
        "subject_types_supported",
        "id_token_signing_alg_values_supported",
        "scopes_supported",
        "token_endpoint_auth_methods_supported",
        "claims_supported",
        "code_challenge_methods_supported",
        "grant_types_supported",
    ] {
        assert!(!members[member].is_null(), "{member}");
    }
    for member in [
        "authorization_endpoint",
        "device_authorization_endpoint",
        "token_endpoint",
        "userinfo_endpoint",
        "revocation_endpoint",
        "jwks_uri",
    ] {
        let path = members[member]
            .as_str()
            .unwrap()
            .strip_prefix("https://localhost:1443")
            .unwrap();
        assert_ne!(
            browser.get(path).await.status,
            StatusCode::NOT_FOUND,
            "{member} is served"
        );
    }
    let keys = browser.get("/oauth2/v3/certs").await.json();
    assert!(
        keys["keys"]
            .as_array()
            .unwrap()
            .iter()
            .all(|key| key["d"].is_null() && key["use"] == "sig")
    );
}

#[tokio::test]
async fn the_token_endpoint_takes_plain_posts_only() {
    let mut browser = Browser::new().await;
    let basic = |text: &str| {
        format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(text)
        )
    };
    let members = [
        ("grant_type", "authorization_code"),
        ("code", "x"),
        ("redirect_uri", "http://localhost/"),
    ];
    for (credentials, status, code) in [
        (basic("web:pillarbox"), 400, "invalid_grant"),
        (basic("web:pillar%62ox"), 400, "invalid_grant"),
        (basic("web:wrong"), 401, "invalid_client"),
        (basic("nonsense"), 401, "invalid_client"),
        ("Basic ???".to_owned(), 401, "invalid_client"),
        ("Bearer x".to_owned(), 401, "invalid_client"),
    ] {
        let answer = browser
            .post_with("/token", &members, &[("authorization", &credentials)])
            .await;
        assert_eq!(
            (
                answer.status.as_u16(),
                answer.json()["error"].as_str().unwrap()
            ),
            (status, code),
            "{credentials}"
        );
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("www-authenticate").is_empty(), status != 401);
    }
    let json = Request::post("/token")
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from("{}"))
        .unwrap();
    assert_eq!(browser.send(json).await.json()["error"], "invalid_request");
    let large = "x".repeat(100_000);
    assert_eq!(
        browser.post("/token", &[("code", &large)]).await.status,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    assert_eq!(
        browser.get("/token").await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
    let answer = browser.get("/v1/userinfo").await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("www-authenticate")),
        (401, "Bearer")
    );
}

#[tokio::test]
async fn autoconfig_names_the_servers_and_oauth() {
    let mut browser = Browser::new().await;
    let answer = browser
        .get("/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress=ada%40example.test")
        .await;
    for text in [
        "<domain>example.test</domain>",
        "<port>1993</port>",
        "<authURL>https://localhost:1443/o/oauth2/v2/auth</authURL>",
    ] {
        assert!(answer.body.contains(text), "{}", answer.body);
    }
    assert!(
        !answer.body.contains("pop3"),
        "closed services are not named"
    );
    let evil = browser
        .get("/mail/config-v1.1.xml?emailaddress=a%40%3Cx%3E")
        .await;
    assert!(!evil.body.contains("<x>"), "{}", evil.body);
}
