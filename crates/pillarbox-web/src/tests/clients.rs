//! What the consent page says about a registered program, and who may go on.

use super::*;
use pillarbox_oauth::{ClientKind, NewClient};

#[tokio::test]
async fn a_program_that_is_tried_out_says_so_and_takes_its_testers_only() {
    let mut browser = Browser::new().await;
    let new = NewClient {
        redirects: vec!["http://127.0.0.1/".into()],
        confidential: false,
        registered_by: "Grace".into(),
        testers: Some(vec![ADA.into()]),
        ..NewClient::new("Prototype", ClientKind::Native)
    };
    let (client, _) = browser.identity.add_client(new, NOW).await.unwrap();
    browser.sign_in("").await;
    let asked = format!("{AUTH}?{}", request(&[("client_id", &client.id)]));
    let page = browser.get(&asked).await;
    for words in [
        "Prototype",
        "Grace, since 21 November 2026",
        "being tried out",
        "after 7 days",
    ] {
        assert!(
            page.body.contains(words),
            "{words} is missing in {}",
            page.body
        );
    }
    let device = browser
        .post(
            "/device/code",
            &[("client_id", &client.id), ("scope", "mail")],
        )
        .await;
    let code = device.json()["user_code"].as_str().unwrap().to_owned();
    let bob = [
        ("address", "bob@example.test"),
        ("password", "pillarbox"),
        ("then", ""),
    ];
    browser.post("/signin", &bob).await;
    let refused = browser.get(&asked).await;
    assert_eq!(query(refused.header("location"), "error"), "access_denied");
    let page = browser
        .get(&format!("/device/consent?user_code={code}"))
        .await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.body.contains("access_denied") && !page.body.contains("<form"));
    let allow = [
        ("then", &*format!("user_code={code}")),
        ("account", "bob@example.test"),
        ("answer", "allow"),
    ];
    let answer = browser.post("/device/consent", &allow).await;
    assert!(
        answer.body.contains("Nothing was allowed"),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn finer_scopes_are_named_in_words() {
    let mut browser = Browser::new().await;
    browser.sign_in("").await;
    for (scope, words) in [
        (
            "pillarbox:read pillarbox:smtp",
            ["Read all your mail, and change nothing", "Send mail as you"],
        ),
        (
            "pillarbox:imap pillarbox:pop",
            [
                "Read, write and delete all your mail",
                "Fetch the mail in your inbox",
            ],
        ),
    ] {
        let page = browser
            .get(&format!("{AUTH}?{}", request(&[("scope", scope)])))
            .await;
        for words in words {
            assert!(
                page.body.contains(words),
                "{words} is missing in {}",
                page.body
            );
        }
    }
}
