//! The pages of people and administrators, and the console, over the router: what all of them keep to; each area has its own.

use super::*;
use crate::{
    Condition, Control, Fault, FaultWanted, Happening, LiveSession, SignedIn, Speaker, Wanted,
    WireConnection, WireLine,
};
use pillarbox_oauth::{Act, ClientKind, Credential, Deed, Mint, NewClient, Status};
use pillarbox_store::mail::AccountId;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

mod account;
mod admin;
mod console;

const BOB: &str = "bob@example.test";
const HOSTILE: &str = "<script>alert('x')</script>\"&";

/// A server with sessions of nobody's making but the test's.
#[derive(Default)]
struct Stage {
    sessions: Mutex<Vec<LiveSession>>,
    /// How often they were asked for.
    looks: Mutex<usize>,
    ahead: Mutex<Duration>,
}

impl Control for Stage {
    fn sessions(&self) -> Vec<LiveSession> {
        *self.looks.lock().unwrap() += 1;
        self.sessions.lock().unwrap().clone()
    }
    fn end_session(&self, token: &str, _: Arc<str>) -> usize {
        let mut sessions = self.sessions.lock().unwrap();
        let before = sessions.len();
        sessions.retain(|session| &*session.token != token);
        before - sessions.len()
    }
    fn happenings(&self, wanted: &Wanted) -> Vec<Happening> {
        let one = Happening {
            at: NOW,
            about: "imap",
            session: "c7f2".into(),
            peer: IpAddr::from([192, 0, 2, 9]),
            text: format!("{HOSTILE} refused, XOAUTH2: the token expired"),
            told: Some("NO Invalid credentials".into()),
            trouble: true,
        };
        let session = wanted.session.as_deref().unwrap_or("c7f2");
        (session == "c7f2").then_some(one).into_iter().collect()
    }
    fn conditions(&self) -> Vec<Condition> {
        vec![Condition {
            name: "Stage",
            text: HOSTILE.into(),
            good: false,
        }]
    }
    fn faults(&self) -> Vec<Fault> {
        let one = Fault {
            id: 7,
            target: HOSTILE.into(),
            kind: HOSTILE.into(),
            left: Some(1),
            struck: 0,
            account: Some(HOSTILE.into()),
            probability: 0.5,
            from: NOW + 60_000,
        };
        vec![one]
    }
    fn set_fault(&self, wanted: FaultWanted) -> Result<Fault, String> {
        Err(format!("no {} at {}", wanted.kind, wanted.target))
    }
    fn wire(&self, only: Option<&str>, _: usize) -> Vec<WireConnection> {
        let one = WireConnection {
            token: only.unwrap_or("c7f2").into(),
            protocol: "imap",
            peer: IpAddr::from([192, 0, 2, 9]),
            since: NOW,
            open: true,
            lost: 3,
            lines: vec![WireLine {
                at: NOW,
                from: Speaker::Client,
                text: HOSTILE.into(),
            }],
        };
        vec![one]
    }
    fn domain(&self) -> String {
        "example.test".into()
    }
    fn clock_ahead(&self) -> Option<Duration> {
        Some(*self.ahead.lock().unwrap())
    }
    fn move_clock(&self, by: Option<Duration>) -> usize {
        let mut ahead = self.ahead.lock().unwrap();
        *ahead = by.map_or(Duration::ZERO, |by| *ahead + by);
        self.sessions.lock().unwrap().len()
    }
}

struct House {
    browser: Browser,
    stage: Arc<Stage>,
    ada: AccountId,
    bob: AccountId,
}

impl House {
    async fn new() -> Self {
        Self::with(true).await
    }

    async fn with(dev: bool) -> Self {
        let stage = Arc::new(Stage::default());
        let browser = Browser::under(Client::development(), dev, stage.clone()).await;
        let account = async |address| {
            let found = browser.store.account_of(address).await;
            found.unwrap().unwrap()
        };
        let (ada, bob) = (account(ADA).await, account(BOB).await);
        Self {
            browser,
            stage,
            ada,
            bob,
        }
    }

    /// Ada is signed in, and an administrator.
    async fn signed_in() -> Self {
        let mut house = Self::new().await;
        let made = house
            .browser
            .identity
            .set_administrator(&house.ada, true, NOW);
        made.await.unwrap();
        house.browser.sign_in("").await;
        house
    }

    fn connect(&self, token: &str, account: &AccountId, credential: Credential, name: &str) {
        let signed_in = SignedIn {
            account: account.clone(),
            address: if *account == self.ada { ADA } else { BOB }.into(),
            credential,
            app: Some(name.into()),
            until: NOW + 3_600_000,
            because: "its access token ends then",
        };
        self.stage.sessions.lock().unwrap().push(LiveSession {
            token: token.into(),
            protocol: "IMAP",
            peer: IpAddr::from([192, 0, 2, 1]),
            since: NOW - 60_000,
            program: Some(name.into()),
            signed_in: Some(signed_in),
        });
    }

    fn tokens(&self) -> Vec<String> {
        let sessions = self.stage.sessions.lock().unwrap();
        sessions.iter().map(|one| one.token.to_string()).collect()
    }

    async fn grant(&self, account: &AccountId) -> Arc<str> {
        let mint = Mint {
            client: Some("desktop".into()),
            ..Mint::default()
        };
        let minted = self.browser.identity.mint(account, mint, NOW).await;
        minted.unwrap().grant
    }
}

fn has(answer: &Answer, words: &[&str]) {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    for word in words {
        assert!(answer.body.contains(word), "no {word} in {}", answer.body);
    }
}

const ACCOUNT_PAGES: [&str; 7] = [
    "/account",
    "/account/apps",
    "/account/app-passwords",
    "/account/sessions",
    "/account/setup",
    "/account/labels",
    "/account/activity",
];
const ADMIN_PAGES: [&str; 10] = [
    "/admin/accounts",
    "/admin/domains",
    "/admin/domains/view",
    "/admin/apps",
    "/admin/apps/new",
    "/admin/apps/view",
    "/admin/changes",
    "/admin/sessions",
    "/admin/log",
    "/admin/health",
];
const FORMS: [&str; 13] = [
    "/account/apps/remove",
    "/account/app-passwords",
    "/account/app-passwords/revoke",
    "/account/sessions/end",
    "/account/sessions/end-all",
    "/account/labels",
    "/admin/accounts",
    "/admin/accounts/change",
    "/admin/apps/change",
    "/admin/apps/new",
    "/admin/apps/rotate",
    "/admin/apps/delegate",
    "/admin/sessions/end",
];

#[tokio::test]
async fn whoever_is_not_signed_in_signs_in_and_comes_back() {
    for page in ACCOUNT_PAGES {
        let mut house = House::new().await;
        let answer = house.browser.get(page).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{page}");
        assert_eq!(answer.header("location"), "/signin");
        // The browser of these tests keeps one cookie; the next one replaces it.
        let signed_in = house.browser.sign_in("").await;
        assert_eq!(signed_in.header("location"), page);
        assert_eq!(house.browser.get(page).await.status, StatusCode::OK);
    }
    for form in FORMS {
        let answer = House::new().await.browser.post(form, &[]).await;
        assert_eq!(answer.header("location"), "/signin", "{form}");
        assert_eq!(
            answer.header("set-cookie"),
            "",
            "a form is not come back to"
        );
    }
}

#[tokio::test]
async fn pages_of_administrators_are_for_administrators() {
    let mut house = House::new().await;
    house.browser.sign_in("").await;
    for page in ADMIN_PAGES {
        let answer = house.browser.get(page).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{page}");
    }
    for form in FORMS.iter().filter(|form| form.starts_with("/admin")) {
        let members = [("address", BOB), ("change", "suspend"), ("session", "x")];
        let answer = house.browser.post(form, &members).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{form}");
    }
    let page = house.browser.get("/account").await;
    assert!(!page.body.contains("Administration"));
    let store = &house.browser.store;
    assert!(
        !store
            .account(&house.bob)
            .settings()
            .await
            .unwrap()
            .suspended
    );
}

#[tokio::test]
async fn forms_of_other_sites_do_nothing() {
    let mut house = House::signed_in().await;
    house.connect("a1", &house.ada, Credential::Password, "Mail");
    for form in FORMS.iter().chain(&[
        "/invite",
        "/dev/token",
        "/dev/clock",
        "/dev/faults",
        "/dev/api/faults",
        "/dev/api/clock",
        "/dev/api/tokens",
    ]) {
        for headers in [
            [
                ("origin", "https://evil.example"),
                ("sec-fetch-site", "cross-site"),
            ],
            [("origin", "null"), ("sec-fetch-site", "cross-site")],
            [
                ("origin", "https://evil.localhost:1443"),
                ("sec-fetch-site", "same-site"),
            ],
        ] {
            let members = [
                ("name", "x"),
                ("session", "a1"),
                ("advance", "1h"),
                ("address", BOB),
            ];
            let answer = house.browser.post_with(form, &members, &headers).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{form} {headers:?}");
        }
    }
    assert_eq!(house.tokens(), ["a1"]);
    assert_eq!(house.stage.clock_ahead(), Some(Duration::ZERO));
    let made = house.browser.identity.list_app_passwords(&house.ada).await;
    assert!(made.unwrap().is_empty());
}

#[tokio::test]
async fn every_page_shows_names_as_text() {
    let mut house = House::signed_in().await;
    let identity = house.browser.identity.clone();
    identity
        .add_app_password(&house.ada, HOSTILE, NOW)
        .await
        .unwrap();
    house.connect(
        "a1",
        &house.ada,
        Credential::AppPassword("x".into()),
        HOSTILE,
    );
    let act = Act::new(Deed::Refused, NOW).app(HOSTILE).detail(HOSTILE);
    identity.record(&house.ada, act);
    identity.record(&house.ada, Act::new(Deed::SignedIn, NOW).app(HOSTILE));
    let searches = ["/admin/accounts", "/admin/sessions", "/admin/log", "/dev"]
        .map(|page| format!("{page}?search={}&session=c7f2", form::encode(HOSTILE)));
    let view = format!("/admin/accounts/view?address={ADA}");
    let nobody = format!("/admin/accounts/view?address={}", form::encode(HOSTILE));
    let pages = ACCOUNT_PAGES
        .iter()
        .chain(&ADMIN_PAGES)
        .map(|page| (*page).to_owned());
    for page in pages.chain(searches).chain([view, nobody, "/dev".into()]) {
        let answer = house.browser.get(&page).await;
        assert!(!answer.body.contains("<script>"), "{page}: {}", answer.body);
        assert!(answer.body.starts_with("<!doctype html>"), "{page}");
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; style-src 'self'"),
            "{policy}"
        );
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    for (form, field) in [
        ("/account/app-passwords", "name"),
        ("/admin/accounts", "address"),
        ("/dev/token", "address"),
        ("/dev/faults", "target"),
    ] {
        let members = [(field, HOSTILE), ("kind", HOSTILE)];
        let answer = house.browser.post(form, &members).await;
        assert!(!answer.body.contains("<script>"), "{form}: {}", answer.body);
        assert!(
            answer.body.contains("&#60;script"),
            "{form}: {}",
            answer.body
        );
    }
}
