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
    // Back in the browser's history.
    let again = browser.get(&format!("{AUTH}?{carried}")).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    for words in [
        "Desktop program",
        "answered already",
        "Start again from the program",
        "invalid_request_uri",
    ] {
        assert!(again.body.contains(words), "{words}: {}", again.body);
    }
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
    assert_eq!(page.status, StatusCode::SEE_OTHER, "it is prompt=login");
    let none = browser
        .get(&format!("{AUTH}?{}", request(&[("max_age", "-1")])))
        .await;
    assert_eq!(query(none.header("location"), "error"), "invalid_request");
}

#[tokio::test]
async fn one_sign_in_is_enough_for_who_asks_for_a_new_one() {
    for change in [
        ("prompt", "login"),
        ("max_age", "0"),
        ("prompt", "login consent"),
    ] {
        for pushed in [false, true] {
            let mut browser = Browser::new().await;
            browser.sign_in("").await;
            let mut carried = request(&[change]);
            if pushed {
                let members = form::read(carried.as_bytes());
                let members: Vec<(&str, &str)> = members
                    .iter()
                    .map(|(name, value)| (&**name, &**value))
                    .collect();
                let answer = browser.post("/par", &members).await;
                let uri = answer.json()["request_uri"].as_str().unwrap().to_owned();
                carried = form::print(&owned(&[("client_id", "desktop"), ("request_uri", &uri)]));
            }
            let asked = browser.get(&format!("{AUTH}?{carried}")).await;
            assert!(asked.header("location").starts_with("/signin?then="));
            let then = query(asked.header("location"), "then");
            // Neither a form made by hand nor a mark of one's own gets around it.
            for then in [&then, &format!("{then}&pillarbox_signed_in={NOW}.x")] {
                let form = [("then", &**then), ("account", ADA), ("answer", "allow")];
                let answer = browser.post("/consent", &form).await;
                assert!(answer.header("location").starts_with("/signin?then="));
            }
            let signed_in = browser.sign_in(&then).await;
            let next = signed_in.header("location").to_owned();
            let page = browser.get(&next).await;
            assert_eq!(page.status, StatusCode::OK, "{change:?} {}", page.body);
            let form = [
                ("then", &*field(&page.body, "then")),
                ("account", ADA),
                ("answer", "allow"),
            ];
            let done = browser.post("/consent", &form).await;
            assert!(!query(done.header("location"), "code").is_empty());
            if !pushed {
                // The address is good for nobody else, and for no other session.
                browser.sign_in("").await;
                let again = browser.get(&next).await;
                assert!(again.header("location").starts_with("/signin?then="));
            }
        }
    }
}

#[tokio::test]
async fn a_program_that_names_a_person_gets_no_other() {
    let mut browser = Browser::new().await;
    browser.sign_in("").await;
    let page = browser.get(&format!("{AUTH}?{}", request(&[]))).await;
    let allow = [
        ("then", &*field(&page.body, "then")),
        ("account", ADA),
        ("answer", "allow"),
    ];
    let done = browser.post("/consent", &allow).await;
    let code = query(done.header("location"), "code");
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "desktop"),
        ("code", &*code),
        ("redirect_uri", "http://127.0.0.1:51004"),
        ("code_verifier", VERIFIER),
    ];
    let tokens = browser.post("/token", &form).await.json();
    let hint = tokens["id_token"].as_str().unwrap();
    let hinted = request(&[("id_token_hint", hint)]);
    let page = browser.get(&format!("{AUTH}?{hinted}")).await;
    assert_eq!(page.status, StatusCode::OK, "Ada is asked");
    const BOB: &str = "bob@example.test";
    let as_bob = |then| [("address", BOB), ("password", "pillarbox"), ("then", then)];
    browser.post("/signin", &as_bob("")).await;
    for hint in [
        ("id_token_hint", hint),
        ("login_hint", ADA),
        ("id_token_hint", "x"),
    ] {
        let none = request(&[hint, ("prompt", "none")]);
        let refused = browser.get(&format!("{AUTH}?{none}")).await;
        let error = query(refused.header("location"), "error");
        assert_eq!(error, "login_required", "{hint:?}");
    }
    let asked = browser.get(&format!("{AUTH}?{hinted}")).await;
    let sign_in = browser.get(asked.header("location")).await;
    assert!(
        sign_in.body.contains("the program asks for somebody else")
            && sign_in.body.contains(&format!("value=\"{ADA}\"")),
        "{}",
        sign_in.body
    );
    let then = field(&sign_in.body, "then");
    let by_hand = [("then", &*then), ("account", BOB), ("answer", "allow")];
    let answer = browser.post("/consent", &by_hand).await;
    assert!(answer.header("location").starts_with("/signin?then="));
    // Bob insists: the program hears that Ada did not come.
    let signed_in = browser.post("/signin", &as_bob(&then)).await;
    let refused = browser.get(signed_in.header("location")).await;
    let error = query(refused.header("location"), "error");
    assert_eq!(error, "login_required");
    let signed_in = browser.sign_in(&then).await;
    let page = browser.get(signed_in.header("location")).await;
    assert_eq!(page.status, StatusCode::OK, "Ada did");
}

#[tokio::test]
async fn a_form_may_bring_the_token_to_userinfo_and_nowhere_else() {
    let mut browser = Browser::new().await;
    let ada = browser.store.account_of(ADA).await.unwrap().unwrap();
    let mint = pillarbox_oauth::Mint {
        scope: Some("openid email https://mail.google.com/".into()),
        ..Default::default()
    };
    let minted = browser.identity.mint(&ada, mint, NOW).await.unwrap();
    let token = minted.access_token.expose();
    const INFO: &str = "/v1/userinfo";
    let form = [("access_token", token)];
    let answer = browser.post(INFO, &form).await;
    assert_eq!(
        (answer.status, &answer.json()["email"]),
        (StatusCode::OK, &ADA.into())
    );
    let bearer = format!("Bearer {token}");
    let header = [("authorization", &*bearer)];
    let answer = browser.post_with(INFO, &[], &header).await;
    assert_eq!(answer.status, StatusCode::OK, "as before");
    let twice = [form[0], form[0]];
    for answer in [
        browser.post_with(INFO, &form, &header).await,
        browser.post(INFO, &twice).await,
    ] {
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.json()["error"], "invalid_request");
    }
    let wrong = browser.post(INFO, &[("access_token", "x")]).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(
        wrong
            .header("www-authenticate")
            .starts_with("Bearer error=\"invalid_token\"")
    );
    // Not by the address, not with GET, not as anything but a form.
    let address = format!("{INFO}?access_token={token}");
    let json = Request::post(INFO)
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(form::print(&owned(&form))));
    let body = Request::get(INFO)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form::print(&owned(&form))));
    for answer in [
        browser.get(&address).await,
        browser.post(&address, &[]).await,
        browser.send(json.unwrap()).await,
        browser.send(body.unwrap()).await,
    ] {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    let long = "x".repeat(70_000);
    let long = browser.post(INFO, &[("access_token", &long)]).await;
    assert_eq!(long.status, StatusCode::PAYLOAD_TOO_LARGE);
}

/// What stands behind so many others must not be out of sight (RFC 6749 §3.1).
#[tokio::test]
async fn too_many_parameters_are_refused_not_cut() {
    let mut browser = Browser::new().await;
    let many = |count| {
        (0..count)
            .map(|number| format!("x{number}=1&"))
            .collect::<String>()
    };
    // The request has seven of its own.
    let fits = format!("{AUTH}?{}{}", many(57), request(&[]));
    assert_eq!(browser.get(&fits).await.status, StatusCode::SEE_OTHER);
    for (count, twice) in [(58, ""), (64, ""), (200, ""), (57, "&client_id=other")] {
        let text = format!("{}{}{twice}", many(count), request(&[]));
        let page = browser.get(&format!("{AUTH}?{text}")).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{count}");
        assert!(page.body.contains("invalid_request"), "{}", page.body);
        assert!(page.body.contains("too many parameters"), "{}", page.body);
        let posted = Request::post(AUTH)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(text));
        let posted = browser.send(posted.unwrap()).await;
        let page = browser.get(posted.header("location")).await;
        assert!(page.body.contains("too many parameters"), "{}", page.body);
    }
    // Marks of ours count as well, so nothing hides behind them; one may be there.
    let mark = "pillarbox_signed_in=x&";
    let fits = format!("{AUTH}?{mark}{}{}", many(57), request(&[]));
    assert_eq!(browser.get(&fits).await.status, StatusCode::SEE_OTHER);
    for marks in [mark.repeat(2), mark.repeat(70)] {
        let page = browser
            .get(&format!("{AUTH}?{marks}{}", request(&[])))
            .await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST);
    }
    for path in [
        "/token",
        "/revoke",
        "/introspect",
        "/par",
        "/device/code",
        "/device/authorize",
        "/v1/userinfo",
    ] {
        for text in [
            format!("client_id=desktop&{}token=x", many(63)),
            format!("{}access_token=x&access_token=y", many(64)),
        ] {
            let posted = Request::post(path)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Body::from(text));
            let told = browser.send(posted.unwrap()).await;
            let error = told.json();
            assert_eq!(error["error"], "invalid_request", "{path}");
            let text = error["error_description"].as_str().unwrap();
            assert!(text.contains("too many parameters"), "{path}: {text}");
        }
    }
}

#[tokio::test]
async fn going_on_while_nobody_is_there_takes_a_page() {
    let mut browser = Browser::new().await;
    browser.sign_in("").await;
    let web = |more: &[(&str, &str)]| {
        let own = [("client_id", "web"), ("scope", "openid email")];
        format!("{AUTH}?{}", request(&[&own[..], more].concat()))
    };
    let offline = ("access_type", "offline");
    let included = ("include_granted_scopes", "true");
    let away = "while you are away";
    let allow = async |browser: &mut Browser, page: Answer| {
        let form = [
            ("then", &*field(&page.body, "then")),
            ("account", ADA),
            ("answer", "allow"),
        ];
        let sent = browser.post("/consent", &form).await;
        redeemed(browser, &query(sent.header("location"), "code")).await
    };
    let page = browser.get(&web(&[])).await;
    assert!(!page.body.contains(away));
    assert!(allow(&mut browser, page).await["refresh_token"].is_null());

    let silent = browser.get(&web(&[offline, ("prompt", "none")])).await;
    let error = query(silent.header("location"), "error");
    assert_eq!(error, "consent_required");
    let page = browser.get(&web(&[offline])).await;
    assert!(page.body.contains(away), "{}", page.body);
    assert!(allow(&mut browser, page).await["refresh_token"].is_string());

    // Now it is known: without a page, and without another refresh token.
    let silent = browser.get(&web(&[offline, ("prompt", "none")])).await;
    let code = query(silent.header("location"), "code");
    assert!(redeemed(&mut browser, &code).await["refresh_token"].is_null());

    // The page says all that a refresh token will hold.
    let mail = ("scope", "https://mail.google.com/");
    let page = browser.get(&web(&[offline, included, mail])).await;
    for words in [away, "Send mail as you", "See your mail address"] {
        assert!(page.body.contains(words), "{words}: {}", page.body);
    }
    let tokens = allow(&mut browser, page).await;
    assert_eq!(tokens["scope"], "openid email https://mail.google.com/");
    let refresh = [
        ("grant_type", "refresh_token"),
        ("client_id", "web"),
        ("client_secret", "pillarbox"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    let refreshed = browser.post("/token", &refresh).await;
    assert_eq!(refreshed.json()["scope"], tokens["scope"]);
}

async fn redeemed(browser: &mut Browser, code: &str) -> Value {
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "web"),
        ("client_secret", "pillarbox"),
        ("code", code),
        ("redirect_uri", "http://127.0.0.1:51004"),
        ("code_verifier", VERIFIER),
    ];
    let answer = browser.post("/token", &form).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.json()
}
