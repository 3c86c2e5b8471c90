//! What people do on the pages of their account.

use super::*;

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
async fn the_trail_goes_on_on_a_second_page_and_shows_one_sort() {
    let mut house = House::signed_in().await;
    let identity = house.browser.identity.clone();
    for number in 0..250_u8 {
        let name = format!("phone {number}");
        let made = Act::new(Deed::AppPasswordMade, NOW - 1_000 * i64::from(number)).app(name);
        identity.record(&house.ada, made);
        let peer = Some(IpAddr::from([192, 0, 2, number]));
        let act = Act::new(Deed::Refused, NOW).from(peer).detail("not it");
        identity.record(&house.ada, act);
    }
    identity.write_activity().await;
    let page = house.browser.get("/account/activity").await;
    let count = |page: &str| page.matches("<time").count();
    assert_eq!(count(&page.body), 100);
    has(
        &page,
        &[
            "More sign-ins refused",
            "from 242 other addresses",
            "242 times since",
            "1 to 100 of",
            "/account/activity?page=2",
            "1,000 sign-ins and 1,000 changes",
        ],
    );
    assert!(!page.body.contains("Newer"));
    let path = "/account/activity?show=changes&page=3";
    let page = house.browser.get(path).await;
    // With the two by which the account came to be.
    assert_eq!(count(&page.body), 52);
    has(
        &page,
        &["phone 249", "show=changes&#38;page=2", "201 to 252"],
    );
    assert!(!page.body.contains("Older") && !page.body.contains("not it"));
    let page = house.browser.get("/account/activity?show=refused").await;
    assert_eq!(count(&page.body), 9);
    for odd in [
        "?page=0",
        "?page=99999999999999999999999",
        "?page=-1",
        "?show=%3Cb%3E",
    ] {
        let page = house.browser.get(&format!("/account/activity{odd}")).await;
        assert_eq!(count(&page.body), 100, "{odd}");
    }
    let far = house.browser.get("/account/activity?page=99").await;
    has(&far, &["201 to 262 of 262"]);
    identity
        .set_administrator(&house.ada, true, NOW)
        .await
        .unwrap();
    let view = format!("/admin/accounts/view?address={ADA}&show=refused");
    let page = house.browser.get(&view).await;
    assert_eq!(count(&page.body), 9);
    let page = house.browser.get(&view.replace("refused", "changes")).await;
    has(&page, &["1 to 20 of 253", "show=changes&#38;page=2"]);
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
        &["3 sign-ins were refused in the last two days from 192.0.2.66"],
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
