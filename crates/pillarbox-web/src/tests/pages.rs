//! The pages of people and administrators, and the console, over the router.

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

mod admin;

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
    fn end_session(&self, token: &str) -> usize {
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

#[tokio::test]
async fn a_program_is_one_row_however_often_it_was_allowed() {
    let mut house = House::signed_in().await;
    let mut grants = Vec::new();
    for scope in ["openid email", "pillarbox:read"]
        .into_iter()
        .cycle()
        .take(30)
    {
        let mint = Mint {
            client: Some("desktop".into()),
            scope: Some(scope.into()),
            refresh: true,
            ..Default::default()
        };
        let minted = house.browser.identity.mint(&house.ada, mint, NOW).await;
        grants.push(minted.unwrap().grant);
    }
    let other = house.grant(&house.bob).await;
    let token = |grant: &Arc<str>| Credential::Grant {
        grant: Arc::clone(grant),
        token: Some("t".into()),
    };
    house.connect("a1", &house.ada, token(&grants[0]), "Mail");
    house.connect("a2", &house.ada, token(&grants[29]), "Mail");
    house.connect("b1", &house.bob, token(&other), "Mail");
    let page = house.browser.get("/account/apps").await;
    has(
        &page,
        &[
            "30 sign-ins since",
            "2 live sessions",
            "read all your mail, and change nothing",
            "see your mail address",
            "also while you are away",
            "May only",
            "And 10 more",
        ],
    );
    assert_eq!(page.body.matches(">Remove<").count(), 1);
    assert_eq!(page.body.matches(">End<").count(), 20, "bounded");
    let one = [("grant", &*grants[29])];
    let ended = house.browser.post("/account/apps/remove", &one).await;
    let page = house.browser.get(ended.header("location")).await;
    let words = [
        "That sign-in is over. 1 mail session was ended.",
        "29 sign-ins since",
    ];
    has(&page, &words);
    let program = [("app", &*field(&page.body, "app"))];
    let ended = house.browser.post("/account/apps/remove", &program).await;
    let page = house.browser.get(ended.header("location")).await;
    let words = "All its 29 sign-ins are over. ";
    has(&page, &[words, "No program may use", "Ended lately"]);
    assert_eq!(page.body.matches("<li>Desktop program").count(), 1);
    let mut left = house.browser.identity.grants(&house.ada).await.unwrap();
    left.retain(|grant| grant.revoked.is_none());
    assert!(left.is_empty());
    let again = house.browser.post("/account/apps/remove", &program).await;
    assert_eq!(again.header("location"), "/account/apps", "nothing left");
    let bobs = house.browser.identity.grants(&house.bob).await.unwrap();
    assert_eq!(bobs[0].revoked, None);
    has(
        &house.browser.get("/account/activity").await,
        &["all its 29 sign-ins"],
    );
}

#[tokio::test]
async fn an_app_is_removed_with_its_sessions() {
    let mut house = House::signed_in().await;
    let (mine, bobs) = (house.grant(&house.ada).await, house.grant(&house.bob).await);
    let token = |grant: &Arc<str>| Credential::Grant {
        grant: Arc::clone(grant),
        token: Some("t".into()),
    };
    house.connect("a1", &house.ada, token(&mine), "Mail");
    house.connect("a2", &house.ada, token(&mine), "Mail");
    house.connect("b1", &house.bob, token(&bobs), "Mail");
    let page = house.browser.get("/account/apps").await;
    has(
        &page,
        &[
            "Desktop program",
            "read, write and delete all your mail",
            "2 live sessions",
            "this development server",
        ],
    );
    assert!(!page.body.contains(&*bobs));
    let removed = house
        .browser
        .post("/account/apps/remove", &[("app", "desktop")])
        .await;
    let page = house.browser.get(removed.header("location")).await;
    has(
        &page,
        &[
            "can no longer use your mail",
            "2 mail sessions were ended",
            "Ended lately",
            "No program may use",
        ],
    );
    for other in [&*bobs, "", "../x", "no such"] {
        let answer = house
            .browser
            .post("/account/apps/remove", &[("grant", other)])
            .await;
        assert_eq!(answer.header("location"), "/account/apps", "{other}");
    }
    let bobs = house.browser.identity.grants(&house.bob).await.unwrap();
    assert_eq!(
        bobs[0].revoked, None,
        "somebody else's grant is out of reach"
    );
    has(
        &house.browser.get("/account/activity").await,
        &["Desktop program may no longer use your account"],
    );
}

#[tokio::test]
async fn an_app_password_is_seen_once_and_revoked() {
    let mut house = House::signed_in().await;
    let identity = house.browser.identity.clone();
    let made = house
        .browser
        .post("/account/app-passwords", &[("name", " Phone ")])
        .await;
    has(&made, &["for “Phone”"]);
    let letters = made.body.split("class=\"letters\"><code>").nth(1).unwrap();
    let letters = letters.split('<').next().unwrap().to_owned();
    assert_eq!(letters.len(), 19);
    identity
        .password(ADA, &letters, Service::Imap, NOW)
        .await
        .unwrap();
    let page = house.browser.get("/account/app-passwords").await;
    has(&page, &["Phone", "never used"]);
    assert!(!page.body.contains(&letters));
    let id = field(&page.body, "id");
    let act = Act {
        credential: Some(Credential::AppPassword(id.as_str().into())),
        ..Act::new(Deed::SignedIn, NOW).from(Some(IpAddr::from([192, 0, 2, 77])))
    };
    identity.record(&house.ada, act);
    has(
        &house.browser.get("/account/app-passwords").await,
        &["last used", "192.0.2.77"],
    );
    let (bobs, _) = identity
        .add_app_password(&house.bob, "Bob", NOW)
        .await
        .unwrap();
    for other in [&*bobs, "", "x"] {
        let answer = house
            .browser
            .post("/account/app-passwords/revoke", &[("id", other)])
            .await;
        assert_eq!(answer.header("location"), "/account/app-passwords");
    }
    assert_eq!(
        identity.list_app_passwords(&house.bob).await.unwrap().len(),
        1
    );
    let revoked = house
        .browser
        .post("/account/app-passwords/revoke", &[("id", &id)])
        .await;
    has(
        &house.browser.get(revoked.header("location")).await,
        &["is revoked", "You have none"],
    );
    assert!(
        identity
            .password(ADA, &letters, Service::Imap, NOW)
            .await
            .is_err()
    );
    for name in ["", "   ", &"x".repeat(101)] {
        let answer = house
            .browser
            .post("/account/app-passwords", &[("name", name)])
            .await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.body.contains("role=\"alert\""));
    }
}

#[tokio::test]
async fn sessions_are_listed_and_ended_but_only_ones_own() {
    let mut house = House::signed_in().await;
    for (token, account) in [
        ("a1", &house.ada),
        ("a2", &house.ada),
        ("a3", &house.ada),
        ("b1", &house.bob),
    ] {
        house.connect(
            token,
            account,
            Credential::AppPassword("p".into()),
            "Thunderbird 140",
        );
    }
    let page = house.browser.get("/account/sessions").await;
    has(
        &page,
        &[
            "Thunderbird 140",
            "IMAP",
            "192.0.2.1",
            "its access token ends then",
            "in 1 hour",
            "End all sessions",
        ],
    );
    assert!(!page.body.contains("b1"));
    let other = house
        .browser
        .post("/account/sessions/end", &[("session", "b1")])
        .await;
    has(
        &house.browser.get(other.header("location")).await,
        &["had already ended"],
    );
    let own = house
        .browser
        .post("/account/sessions/end", &[("session", "a1")])
        .await;
    has(
        &house.browser.get(own.header("location")).await,
        &["The session was ended"],
    );
    assert_eq!(house.tokens(), ["a2", "a3", "b1"]);
    let all = house.browser.post("/account/sessions/end-all", &[]).await;
    has(
        &house.browser.get(all.header("location")).await,
        &["2 mail sessions were ended", "No mail program is connected"],
    );
    assert_eq!(house.tokens(), ["b1"]);
    has(
        &house.browser.get("/account/activity").await,
        &["Sessions were ended by hand"],
    );
}

#[tokio::test]
async fn the_overview_says_what_needs_attention() {
    let mut house = House::signed_in().await;
    let page = house.browser.get("/account").await;
    has(
        &page,
        &[
            "Administration",
            "0 bytes",
            "Last sign-ins",
            "Signed in on the web",
        ],
    );
    assert!(!page.body.contains("refused"));
    for _ in 0..3 {
        let act = Act::new(Deed::Refused, NOW).from(Some(IpAddr::from([192, 0, 2, 66])));
        house
            .browser
            .identity
            .record(&house.ada, act.detail("the password is wrong"));
    }
    has(
        &house.browser.get("/account").await,
        &["3 sign-ins were refused in the last 24 hours from 192.0.2.66"],
    );
    has(
        &house.browser.get("/account/activity").await,
        &["Reason: the password is wrong", "3 times since"],
    );
    has(
        &house.browser.get("/account/setup").await,
        &["1993", ADA, "app password"],
    );
    // A link can choose among our words, not bring its own.
    let odd = house
        .browser
        .get("/account?done=You+were+hacked&ended=1")
        .await;
    assert!(!odd.body.contains("hacked"));
}

#[tokio::test]
async fn an_administrator_adds_invites_suspends_and_resumes() {
    let mut house = House::signed_in().await;
    let identity = house.browser.identity.clone();
    let added = house
        .browser
        .post("/admin/accounts", &[("address", "carol")])
        .await;
    has(&added, &["carol@example.test", "/invite?for="]);
    let link = added
        .body
        .split("https://localhost:1443/invite?for=")
        .nth(1)
        .unwrap();
    let link = format!("/invite?for={}", link.split('<').next().unwrap());
    let again = house
        .browser
        .post("/admin/accounts", &[("address", "carol")])
        .await;
    assert_eq!(
        again.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        again.body
    );

    let mut carol = Browser {
        cookie: None,
        router: house.browser.router.clone(),
        identity: identity.clone(),
        store: house.browser.store.clone(),
    };
    let page = carol.get(&link).await;
    has(&page, &["Set your password", "carol@example.test"]);
    let text = field(&page.body, "for");
    for (password, twice) in [("short", "short"), ("a pass phrase", "another phrase")] {
        let members = [
            ("for", text.as_str()),
            ("password", password),
            ("again", twice),
        ];
        let answer = carol.post("/invite", &members).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let members = [
        ("for", text.as_str()),
        ("password", "a pass phrase"),
        ("again", "a pass phrase"),
    ];
    has(
        &carol.post("/invite", &members).await,
        &["Your password is set"],
    );
    identity
        .web_sign_in("carol@example.test", "a pass phrase", NOW)
        .await
        .unwrap();
    assert_eq!(
        carol.post("/invite", &members).await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(carol.get(&link).await.status, StatusCode::NOT_FOUND);

    has(
        &house.browser.get("/admin/accounts?search=CAR").await,
        &["carol@example.test"],
    );
    assert!(
        !house
            .browser
            .get("/admin/accounts?search=CAR")
            .await
            .body
            .contains(BOB)
    );
    let change = async |house: &mut House, address: &str, what: &str| {
        let members = [("address", address), ("change", what)];
        let answer = house.browser.post("/admin/accounts/change", &members).await;
        house.browser.get(answer.header("location")).await
    };
    has(
        &change(&mut house, BOB, "suspend").await,
        &["suspended", "by ada@example.test", ">Resume<"],
    );
    assert!(identity.web_sign_in(BOB, "pillarbox", NOW).await.is_err());
    has(
        &change(&mut house, BOB, "resume").await,
        &["can be used again", ">Suspend<"],
    );
    identity.web_sign_in(BOB, "pillarbox", NOW).await.unwrap();
    has(
        &change(&mut house, BOB, "administrator-on").await,
        &["is now an administrator"],
    );
    assert!(identity.is_administrator(&house.bob).await.unwrap());
    has(
        &change(&mut house, BOB, "administrator-off").await,
        &["no longer an administrator"],
    );
    for what in ["suspend", "administrator-off"] {
        has(
            &change(&mut house, ADA, what).await,
            &["cannot be done to your own account"],
        );
    }
    assert!(identity.is_administrator(&house.ada).await.unwrap());
    let nobody = house
        .browser
        .post(
            "/admin/accounts/change",
            &[("address", "x@y"), ("change", "suspend")],
        )
        .await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn administrators_see_apps_sessions_log_and_health() {
    let mut house = House::signed_in().await;
    house.connect("b1", &house.bob, Credential::Password, "Mail");
    let identity = house.browser.identity.clone();
    let mut new = NewClient::new(HOSTILE, ClientKind::Device);
    new.status = Status::Waiting;
    let (client, _) = identity.add_client(new, NOW).await.unwrap();
    has(
        &house.browser.get("/admin/apps").await,
        &["waits for approval", "&#60;script", ">Approve<"],
    );
    let change = async |house: &mut House, client: &str, what: &str| {
        let members = [("client", client), ("change", what)];
        let answer = house.browser.post("/admin/apps/change", &members).await;
        house.browser.get(answer.header("location")).await
    };
    has(
        &change(&mut house, &client.id, "approve").await,
        &["People may use the program now"],
    );
    assert_eq!(identity.client(&client.id).unwrap().status, Status::Active);
    has(
        &change(&mut house, &client.id, "remove").await,
        &["The program is removed"],
    );
    assert!(identity.client(&client.id).is_none());
    change(&mut house, "desktop", "remove").await;
    assert!(identity.client("desktop").is_some());
    has(
        &house.browser.get("/admin/apps").await,
        &[
            "Desktop program",
            "Television",
            "any program on the same computer",
        ],
    );
    has(
        &house.browser.get("/admin/sessions?search=BOB").await,
        &[BOB, "1 session", "b1"],
    );
    assert!(
        !house
            .browser
            .get("/admin/sessions?search=carol")
            .await
            .body
            .contains("b1")
    );
    has(
        &house.browser.get("/admin/log").await,
        &["the token expired", "told", "c7f2"],
    );
    has(
        &house.browser.get("/admin/log?session=none").await,
        &["Nothing that matches"],
    );
    has(
        &house.browser.get("/admin/health").await,
        &["Something needs attention", "Stage", "answers"],
    );
    let ended = house
        .browser
        .post("/admin/sessions/end", &[("session", "b1")])
        .await;
    has(
        &house.browser.get(ended.header("location")).await,
        &["The session was ended"],
    );
    assert!(house.tokens().is_empty());
}

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
    assert_eq!(minted["expires"], NOW + 60_000);
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
        (clock["ahead_seconds"].as_u64(), clock["now"].as_i64()),
        (Some(3600), Some(NOW))
    );
    assert_eq!(
        (&clock["sessions_ended"], &clock["tokens_expired"]),
        (&0.into(), &0.into())
    );
    for (path, body) in [
        ("/dev/api/tokens", "{"),
        ("/dev/api/tokens", "{}"),
        ("/dev/api/tokens", r#"{"address":[]}"#),
        ("/dev/api/clock", "{}"),
    ] {
        let answer = post(&mut house, path, body).await;
        assert_eq!(
            answer.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{path} {body}"
        );
        assert!(answer.json()["error"].is_string());
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

#[tokio::test]
async fn sessions_are_looked_at_once_however_many_rows() {
    let mut house = House::signed_in().await;
    let identity = house.browser.identity.clone();
    for name in ["One", "Two", "Three"] {
        let made = identity.add_app_password(&house.ada, name, NOW).await;
        let credential = Credential::AppPassword(made.unwrap().0);
        house.connect("a1", &house.ada, credential.clone(), name);
        house.connect("a2", &house.ada, credential, name);
        let granted = identity.mint(&house.ada, Mint::default(), NOW).await;
        let credential = Credential::Grant {
            grant: granted.unwrap().grant,
            token: Some(name.into()),
        };
        house.connect("a3", &house.ada, credential, name);
    }
    house.connect("b1", &house.bob, Credential::Password, "Mail");
    for (path, each) in [
        ("/account/app-passwords", "2 live sessions"),
        ("/account/apps", "1 live session"),
    ] {
        *house.stage.looks.lock().unwrap() = 0;
        let page = house.browser.get(path).await;
        assert_eq!(page.body.matches(each).count(), 3, "{}", page.body);
        assert_eq!(*house.stage.looks.lock().unwrap(), 1, "{path}");
    }
}

#[tokio::test]
async fn an_app_password_is_for_what_was_ticked() {
    let mut house = House::signed_in().await;
    let members = [("name", "Scanner"), ("smtp", "on")];
    let made = house.browser.post("/account/app-passwords", &members).await;
    has(&made, &["Only for sending mail (SMTP)"]);
    let letters = made.body.split("class=\"letters\"><code>").nth(1).unwrap();
    let letters = letters.split('<').next().unwrap().to_owned();
    let identity = &house.browser.identity;
    let sends = identity.password(ADA, &letters, Service::Submission, NOW);
    sends.await.unwrap();
    assert!(
        identity
            .password(ADA, &letters, Service::Imap, NOW)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_label_is_hidden_and_shown() {
    let mut house = House::signed_in().await;
    let account = house.browser.store.account(&house.ada);
    account.create(HOSTILE, None, NOW).await.unwrap();
    let page = house.browser.get("/account/labels").await;
    has(&page, &["&#60;script", "[Gmail]/Starred", "0 messages"]);
    assert!(!page.body.contains("INBOX"), "that one cannot be hidden");
    let change = async |house: &mut House, label: &str, what: &str| {
        let members = [("label", label), ("change", what)];
        let answer = house.browser.post("/account/labels", &members).await;
        house.browser.get(answer.header("location")).await
    };
    let hidden = change(&mut house, HOSTILE, "hide").await;
    has(&hidden, &["no longer see the label", ">hidden<", ">Show<"]);
    let known = async || account.mailbox(HOSTILE).await.unwrap().unwrap();
    assert!(!known().await.visible);
    has(
        &house.browser.get("/account/activity").await,
        &["is hidden from IMAP"],
    );
    let shown = change(&mut house, HOSTILE, "show").await;
    has(&shown, &["see the label again"]);
    assert!(known().await.visible);
    change(&mut house, "INBOX", "hide").await;
    let inbox = account.mailbox("INBOX").await.unwrap().unwrap();
    assert!(inbox.visible);
    change(&mut house, "nowhere", "hide").await;
}
