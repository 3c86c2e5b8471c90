//! Administrators look after accounts and programs, and see what to publish of their domains.

use super::*;
use pillarbox_oauth::{Audience, Scope};

const NEW: &str = "/admin/apps/new";

/// What stands in a block that is labelled so.
fn block(page: &str, label: &str) -> String {
    let start = format!("aria-label=\"{label}\">");
    let rest = page.split(&start).nth(1);
    let rest = rest.unwrap_or_else(|| panic!("no {label} in {page}"));
    let text = rest.split("</pre>").next().unwrap();
    text.replace("&#34;", "\"").replace("&#38;", "&")
}

/// The id of the program a page is about.
fn id(page: &str) -> String {
    let rest = page
        .split("<dt>Client id</dt><dd><code class=\"copy\">")
        .nth(1);
    rest.unwrap().split('<').next().unwrap().to_owned()
}

async fn known(house: &House, id: &str) -> Arc<Client> {
    let all = house.browser.identity.clients().await.unwrap();
    all.into_iter().find(|client| *client.id == *id).unwrap()
}

#[tokio::test]
async fn a_confidential_program_is_registered_and_its_secret_rotated() {
    let mut house = House::signed_in().await;
    let form = [
        ("name", HOSTILE),
        ("kind", "web"),
        (
            "redirects",
            "https://shop.example/cb\r\n http://localhost:3000/",
        ),
        ("audience", "testing"),
        ("testers", "ada@example.test, bob@example.test"),
    ];
    let made = house.browser.post(NEW, &form).await;
    let client = id(&made.body);
    has(
        &made,
        &[
            "It is registered",
            "shown this once",
            "&#60;script",
            "https://shop.example/cb",
            "http://localhost:3000/",
            "being tried out",
            "after 7 days",
            "by ada@example.test",
        ],
    );
    assert!(!made.body.contains("<script"));
    let secret = block(&made.body, "Secret");
    let registered = known(&house, &client).await;
    assert_eq!(registered.kind, ClientKind::Web);
    let listed = Audience::Testing(vec![ADA.into(), BOB.into()]);
    assert_eq!(registered.audience, listed);
    let view = format!("/admin/apps/view?client={client}");
    let again = house.browser.get(&view).await;
    has(&again, &["proves itself with a secret"]);
    assert!(!again.body.contains(&secret), "it is shown once");

    let rotate = [("client", client.as_str()), ("overlap", "hour")];
    let rotated = house.browser.post("/admin/apps/rotate", &rotate).await;
    has(
        &rotated,
        &[
            "Its new secret",
            "The secret before it goes on until",
            "21 Nov 2026, 01:00 UTC",
        ],
    );
    let fresh = block(&rotated.body, "Secret");
    assert_ne!(fresh, secret);
    assert!(!house.browser.get(&view).await.body.contains(&fresh));
    let now = [("client", client.as_str()), ("overlap", "none")];
    let last = house.browser.post("/admin/apps/rotate", &now).await;
    assert!(!last.body.contains("The secret before it goes on"));
    let nobody = [("client", "desktop"), ("overlap", "hour")];
    let fixed = house.browser.post("/admin/apps/rotate", &nobody).await;
    assert_eq!(fixed.status, StatusCode::SEE_OTHER, "not one of the rows");

    let changes = house.browser.get("/admin/changes").await;
    has(
        &changes,
        &[
            "was registered",
            "was given a new secret",
            "by ada@example.test",
            "&#60;script",
        ],
    );
    assert!(!changes.body.contains(&fresh) && !changes.body.contains("<script"));
}

#[tokio::test]
async fn every_kind_gets_what_it_needs() {
    let mut house = House::signed_in().await;
    let native = [
        ("name", "Desk"),
        ("kind", "native"),
        ("redirects", "com.example.app:/cb"),
    ];
    let native = house.browser.post(NEW, &native).await;
    has(&native, &["It keeps no secret", "public, no secret"]);
    assert!(!native.body.contains("Another secret"));
    let device = house
        .browser
        .post(NEW, &[("name", "Telly"), ("kind", "device")])
        .await;
    has(
        &device,
        &["It keeps no secret", "everybody with an account"],
    );
    let service = [
        ("name", "Archive"),
        ("kind", "service"),
        ("delegated", "pillarbox:read"),
        ("delegated", "openid"),
    ];
    let service = house.browser.post(NEW, &service).await;
    has(&service, &["key file", "proves itself with a key"]);
    let file: Value = serde_json::from_str(&block(&service.body, "Key file")).unwrap();
    let client = id(&service.body);
    assert_eq!(file["client_id"], client.as_str());
    let registered = known(&house, &client).await;
    assert!(registered.delegated().has(Scope::Read) && !registered.delegated().has(Scope::OpenId));

    let form = [
        ("client", client.as_str()),
        ("delegated", "https://mail.google.com/"),
    ];
    let saved = house.browser.post("/admin/apps/delegate", &form).await;
    let saved = house.browser.get(saved.header("location")).await;
    has(
        &saved,
        &[
            "from its next token on",
            "value=\"https://mail.google.com/\" checked",
        ],
    );
    let none = [("client", client.as_str())];
    house.browser.post("/admin/apps/delegate", &none).await;
    let registered = known(&house, &client).await;
    assert!(registered.delegated().is_empty());
    has(
        &house.browser.get("/admin/changes").await,
        &[
            "Archive may act in everybody’s name",
            "Scopes: https://mail.google.com/, by ada",
            "Scopes: nothing, by ada",
        ],
    );
}

#[tokio::test]
async fn what_is_wrong_stands_beside_its_field_and_nothing_is_lost() {
    let mut house = House::signed_in().await;
    let before = house.browser.identity.clients().await.unwrap().len();
    for (form, field, words) in [
        (
            vec![("name", "Shop"), ("kind", "web")],
            "redirects",
            "A redirect address is missing.",
        ),
        (
            vec![
                ("name", "Shop"),
                ("kind", "web"),
                ("redirects", "http://shop.example/\"><b>"),
            ],
            "redirects",
            "http is for loopback addresses only",
        ),
        (
            vec![
                ("name", "Shop"),
                ("kind", "device"),
                ("redirects", "https://shop.example/"),
            ],
            "redirects",
            "no browser comes back to it",
        ),
        (
            vec![("name", " "), ("kind", "device")],
            "name",
            "A name has 1 to 100 characters, all of them to be seen.",
        ),
        (
            vec![
                ("name", "Shop"),
                ("kind", "device"),
                ("audience", "testing"),
            ],
            "testers",
            "at least one address",
        ),
        (
            vec![
                ("name", "Shop"),
                ("kind", "device"),
                ("audience", "testing"),
                ("testers", "eve@example.test"),
            ],
            "testers",
            "Nobody here has the address eve@example.test.",
        ),
        (
            vec![
                ("name", "Shop"),
                ("kind", "device"),
                ("delegated", "pillarbox:read"),
            ],
            "delegation",
            "Delegation is for service accounts.",
        ),
    ] {
        let answer = house.browser.post(NEW, &form).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{form:?}");
        let error = answer.body.split(&format!("id=\"{field}-wrong\">")).nth(1);
        let error = error.unwrap_or_else(|| panic!("{field} is not marked: {}", answer.body));
        assert!(
            error.split("</p>").next().unwrap().contains(words),
            "{error}"
        );
        assert!(answer.body.contains(&format!("href=\"#{field}\"")));
        assert!(answer.body.contains(&format!("id=\"{field}\"")));
        assert!(!answer.body.contains("<b>"));
        for (_, typed) in form.iter().filter(|(name, _)| *name == "testers") {
            assert!(
                answer.body.contains(&format!("{typed}</textarea>")),
                "it is not lost"
            );
        }
    }
    let after = house.browser.identity.clients().await.unwrap().len();
    assert_eq!(before, after);
    let missing = house.browser.get("/admin/apps/view?client=app-none").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_waits_is_approved_and_stands_in_the_changes() {
    let mut house = House::signed_in().await;
    let mut new = NewClient::new("Newcomer", ClientKind::Device);
    new.status = Status::Waiting;
    let (client, _) = house.browser.identity.add_client(new, NOW).await.unwrap();
    let view = format!("/admin/apps/view?client={}", client.id);
    has(
        &house.browser.get(&view).await,
        &["waits for approval", ">Approve<"],
    );
    let form = [("client", &*client.id), ("change", "approve")];
    house.browser.post("/admin/apps/change", &form).await;
    assert!(
        !house
            .browser
            .get(&view)
            .await
            .body
            .contains("waits for approval")
    );
    has(
        &house.browser.get("/admin/changes").await,
        &["Newcomer was approved", "by ada@example.test"],
    );
}

#[tokio::test]
async fn domains_say_what_to_publish() {
    let mut house = House::signed_in().await;
    let made =
        house
            .browser
            .identity
            .create_person("carol@second.example", None, Naming::Plain, NOW);
    made.await.unwrap();
    let list = house.browser.get("/admin/domains").await;
    has(
        &list,
        &["example.test", "2 accounts", "second.example", "1 account<"],
    );
    assert!(list.body.find(">example.test<") < list.body.find(">second.example<"));
    let view = house
        .browser
        .get("/admin/domains/view?domain=Second.Example")
        .await;
    has(
        &view,
        &[
            "second.example. IN MX 10 localhost.",
            "_imaps._tcp.second.example. IN SRV 0 1 1993 localhost.",
            "_pop3s._tcp.second.example. IN SRV 0 0 0 .",
            "autoconfig.second.example. IN CNAME localhost.",
            "v=spf1 mx -all",
        ],
    );
    let other = house
        .browser
        .get("/admin/domains/view?domain=%3Cb%3Eelsewhere")
        .await;
    assert_eq!(other.status, StatusCode::NOT_FOUND);
    assert!(!other.body.contains("<b>"));
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
        paused: house.browser.paused.clone(),
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
async fn who_tries_a_program_out_is_said_anew() {
    let mut house = House::signed_in().await;
    let form = [
        ("name", "Shop"),
        ("kind", "device"),
        ("audience", "testing"),
        ("testers", ADA),
    ];
    let client = id(&house.browser.post(NEW, &form).await.body);
    let view = format!("/admin/apps/view?client={client}");
    has(
        &house.browser.get(&view).await,
        &[
            "Who tries it out",
            ">Add to the list<",
            ">Let everybody use it<",
        ],
    );
    let testers = "/admin/apps/testers";
    let nobody = [("client", client.as_str()), ("add", "<b>eve@example.test")];
    let refused = house.browser.post(testers, &nobody).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    for words in [
        "No account &#60;b&#62;eve@example.test.",
        "id=\"add-wrong\"",
        "&#60;b&#62;eve@example.test</textarea>",
    ] {
        assert!(refused.body.contains(words), "{words}: {}", refused.body);
    }
    for (name, value, words) in [
        ("add", "bob@example.test", "They can use the program now."),
        ("remove", ADA, "what they allowed it has ended"),
        ("everybody", "yes", "do not end after 7 days"),
    ] {
        let form = [("client", client.as_str()), (name, value)];
        let saved = house.browser.post(testers, &form).await;
        has(&house.browser.get(saved.header("location")).await, &[words]);
        let left = match name {
            "add" => Audience::Testing(vec![ADA.into(), BOB.into()]),
            "remove" => Audience::Testing(vec![BOB.into()]),
            _ => Audience::Everyone,
        };
        assert_eq!(known(&house, &client).await.audience, left);
    }
    assert!(!house.browser.get(&view).await.body.contains("Who tries it"));
    has(
        &house.browser.get("/admin/changes").await,
        &[
            "Who may use Shop was said anew",
            "added: bob@example.test, by ada@example.test",
            "removed: ada@example.test, by ada@example.test",
            "everybody with an account, by ada@example.test",
        ],
    );
}

#[tokio::test]
async fn a_program_with_a_key_is_given_another() {
    let mut house = House::signed_in().await;
    let service = [
        ("name", "Archive"),
        ("kind", "service"),
        ("delegated", "pillarbox:read"),
    ];
    let made = house.browser.post(NEW, &service).await;
    let (client, first) = (id(&made.body), block(&made.body, "Key file"));
    let rekey = "/admin/apps/rekey";
    let form = [("client", client.as_str()), ("overlap", "hour")];
    let second = house.browser.post(rekey, &form).await;
    has(
        &second,
        &[
            "Its new key",
            "The key before it goes on until",
            "good until",
        ],
    );
    let file = block(&second.body, "Key file");
    assert_ne!(file, first);
    assert_eq!(known(&house, &client).await.keys().len(), 2);
    let at_once = [("client", client.as_str()), ("overlap", "none")];
    let third = house.browser.post(rekey, &at_once).await;
    has(&third, &["opens nothing any more", "0 grants"]);
    assert_eq!(known(&house, &client).await.keys().len(), 1);

    let private = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----";
    let form = [("client", client.as_str()), ("key", private)];
    let refused = house.browser.post(rekey, &form).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.contains("This is a private key"));
    assert!(refused.body.contains("id=\"key-wrong\""));
    assert!(!refused.body.contains("AAAA"), "it is not said again");
    // RFC 8037 appendix A.2.
    let jwk = r#"{"kty":"OKP","crv":"Ed25519","kid":"own","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let form = [("client", client.as_str()), ("key", jwk)];
    let own = house.browser.post(rekey, &form).await;
    has(&own, &["Its new key is registered", "own (EdDSA)"]);
    let again = house.browser.post(rekey, &form).await;
    assert!(again.body.contains("It has this key already."));
    has(
        &house.browser.get("/admin/changes").await,
        &["Archive was given a new key", "ended at once, by ada@"],
    );
}

#[tokio::test]
async fn programs_and_domains_are_found_in_long_lists() {
    let mut house = House::signed_in().await;
    let identity = house.browser.identity.clone();
    for number in 0..101 {
        let new = NewClient::new(format!("Row {number:03}"), ClientKind::Device);
        identity.add_client(new, NOW + number).await.unwrap();
        let address = format!("x@d{number:03}.example");
        let made = identity.create_person(&address, None, Naming::Plain, NOW);
        made.await.unwrap();
    }
    let mut new = NewClient::new("Newcomer <b>", ClientKind::Device);
    new.status = Status::Waiting;
    identity.add_client(new, NOW + 200).await.unwrap();

    let first = house.browser.get("/admin/apps").await;
    has(&first, &["Row 050", "More programs", "(1)"]);
    assert!(!first.body.contains("Newcomer"));
    let next = |page: &str| {
        let link = page.split("\">More ").next().unwrap();
        let link = link.rsplit("href=\"").next().unwrap();
        link.replace("&amp;", "&")
    };
    let second = house.browser.get(&next(&first.body)).await;
    has(&second, &["Newcomer", "Row 100"]);
    assert!(!second.body.contains("Row 050") && !second.body.contains("More programs"));
    let found = house.browser.get("/admin/apps?search=rOW+07").await;
    assert_eq!(found.body.matches(">Row 07").count(), 10);
    assert!(!found.body.contains("Row 08"));
    let waiting = house.browser.get("/admin/apps?unapproved=yes").await;
    has(&waiting, &["Newcomer", "waits for approval", " checked"]);
    assert!(!waiting.body.contains("Row 0"));
    let none = house.browser.get("/admin/apps?search=%3Cb%3Ex").await;
    has(&none, &["No program matches.", "value=\"&#60;b&#62;x\""]);

    let first = house.browser.get("/admin/domains").await;
    has(
        &first,
        &[">example.test<", ">d050.example<", "More domains"],
    );
    assert!(!first.body.contains(">d100.example<"));
    let second = house.browser.get(&next(&first.body)).await;
    has(&second, &[">d100.example<"]);
    assert!(!second.body.contains(">d050.example<"));
    let found = house.browser.get("/admin/domains?search=D09").await;
    assert_eq!(found.body.matches("</h2>").count(), 10);
    let none = house.browser.get("/admin/domains?search=nowhere").await;
    has(&none, &["No domain matches."]);
}

#[tokio::test]
async fn a_domain_that_nobody_is_in_yet_is_asked_about() {
    let mut house = House::signed_in().await;
    let add = "/admin/accounts";
    let slip = [("address", "fred@Gmial.test")];
    let asked = house.browser.post(add, &slip).await;
    has(
        &asked,
        &[
            "This server will take mail for",
            "gmial.<wbr>test",
            "name=\"new-domain\" value=\"gmial.test\"",
        ],
    );
    let served = house.browser.get("/admin/domains").await;
    assert!(!served.body.contains("gmial"), "nothing was done");
    let other = [("address", "fred@gmial.test"), ("new-domain", "gmail.test")];
    let asked = house.browser.post(add, &other).await;
    has(&asked, &["This server will take mail for"]);
    let meant = [("address", "fred@Gmial.test"), ("new-domain", "gmial.test")];
    has(&house.browser.post(add, &meant).await, &["/invite?for="]);
    let next = house
        .browser
        .post(add, &[("address", "gina@gmial.test")])
        .await;
    has(&next, &["/invite?for="]);
    // What is no address is refused before anything is asked.
    for wrong in ["a b@c d", "fred@", "@", "x@<b>"] {
        let refused = house.browser.post(add, &[("address", wrong)]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
}
