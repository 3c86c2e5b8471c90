//! Programs that register themselves, over HTTP, and what people and administrators are told about them.

use super::*;
use serde_json::json;

const CB: &str = "https://app.example/cb";

impl Browser {
    async fn ask(&mut self, method: &str, address: &str, token: &str, body: &Value) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(address)
            .header("host", "localhost:1443")
            .header(CONTENT_TYPE, "application/json");
        if !token.is_empty() {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = match body {
            Value::Null => Body::empty(),
            body => Body::from(body.to_string()),
        };
        self.send(request.body(body).unwrap()).await
    }
}

fn shop() -> Value {
    json!({"client_name": "Shop & Co", "redirect_uris": [CB]})
}

#[tokio::test]
async fn a_registration_over_http() {
    let mut browser = Browser::new().await;
    let metadata = browser.get("/.well-known/oauth-authorization-server").await;
    let endpoint = metadata.json()["registration_endpoint"].clone();
    assert_eq!(endpoint, "https://localhost:1443/register");
    let made = browser.ask("POST", "/register", "", &shop()).await;
    assert_eq!(made.status, StatusCode::CREATED);
    assert_eq!(made.header("cache-control"), "no-store");
    let told = made.json();
    let text = |name: &str| told[name].as_str().unwrap().to_owned();
    let (uri, token) = (
        text("registration_client_uri"),
        text("registration_access_token"),
    );
    let path = uri.strip_prefix("https://localhost:1443").unwrap();

    let read = browser.ask("GET", path, &token, &Value::Null).await;
    assert_eq!(
        (read.status, &read.json()["client_id"]),
        (StatusCode::OK, &told["client_id"])
    );
    let mut change = shop();
    change["client_id"] = told["client_id"].clone();
    change["client_name"] = json!("Other");
    let changed = browser.ask("PUT", path, &token, &change).await;
    assert_eq!(
        (changed.status, &changed.json()["client_name"]),
        (StatusCode::OK, &json!("Other"))
    );
    for (method, body) in [
        ("GET", Value::Null),
        ("PUT", change),
        ("DELETE", Value::Null),
    ] {
        for wrong in ["", "x"] {
            let refused = browser.ask(method, path, wrong, &body).await;
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{method} {wrong}");
            assert!(
                refused
                    .header("www-authenticate")
                    .starts_with("Bearer error=\"invalid_token\"")
            );
        }
    }
    let gone = browser.ask("DELETE", path, &token, &Value::Null).await;
    assert_eq!(
        (gone.status, gone.body.as_str()),
        (StatusCode::NO_CONTENT, "")
    );
    let read = browser.ask("GET", path, &token, &Value::Null).await;
    assert_eq!(read.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn refusals_are_json_with_the_codes_of_the_rfc() {
    let mut browser = Browser::new().await;
    for (body, error) in [
        (
            json!({"redirect_uris": ["http://app.example/"]}),
            "invalid_redirect_uri",
        ),
        (
            json!({"redirect_uris": [CB], "client_name": "x\u{202e}y"}),
            "invalid_client_metadata",
        ),
        (json!([]), "invalid_client_metadata"),
    ] {
        let refused = browser.ask("POST", "/register", "", &body).await;
        assert_eq!(
            (refused.status, &refused.json()["error"]),
            (StatusCode::BAD_REQUEST, &json!(error))
        );
    }
    let form = browser.post("/register", &[("redirect_uris", CB)]).await;
    assert_eq!(form.json()["error"], "invalid_client_metadata");
    let long = json!({"client_name": "x".repeat(20_000)});
    let refused = browser.ask("POST", "/register", "", &long).await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    let page = browser.get("/register").await;
    assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn people_are_told_that_nobody_looked_at_it() {
    let mut browser = Browser::new().await;
    let told = browser.ask("POST", "/register", "", &shop()).await.json();
    let id = told["client_id"].as_str().unwrap().to_owned();
    browser.sign_in("").await;
    let asked = format!(
        "{AUTH}?{}",
        request(&[("client_id", &id), ("redirect_uri", CB)])
    );
    let page = browser.get(&asked).await;
    for words in [
        "Not approved.",
        "Shop &#38; Co",
        "Registered by</dt><dd>itself",
        "app.example",
    ] {
        assert!(
            page.body.contains(words),
            "{words} is missing in {}",
            page.body
        );
    }
    browser.identity.approve_client(&id).await.unwrap();
    let page = browser.get(&asked).await;
    assert!(!page.body.contains("Not approved."));
}

#[tokio::test]
async fn one_that_waits_is_refused_on_a_page() {
    let mut browser = Browser::with(Client::development(), false).await; // as a server with approval
    let told = browser.ask("POST", "/register", "", &shop()).await.json();
    let id = told["client_id"].as_str().unwrap().to_owned();
    browser.sign_in("").await;
    let asked = format!(
        "{AUTH}?{}",
        request(&[("client_id", &id), ("redirect_uri", CB)])
    );
    let page = browser.get(&asked).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert!(
        page.body.contains("has not approved this program yet") && !page.body.contains("<form")
    );
}

#[tokio::test]
async fn administrators_see_and_approve_it() {
    let mut browser = Browser::new().await;
    let account = browser.store.account_of(ADA).await.unwrap().unwrap();
    let identity = browser.identity.clone();
    identity
        .set_administrator(&account, true, NOW)
        .await
        .unwrap();
    let told = browser.ask("POST", "/register", "", &shop()).await.json();
    let id = told["client_id"].as_str().unwrap();
    browser.sign_in("").await;
    let page = browser.get("/admin/apps").await;
    assert!(
        page.body.contains(">not approved<") && page.body.contains("Registered by itself"),
        "{}",
        page.body
    );
    let form = [("client", id), ("change", "approve")];
    let done = browser.post("/admin/apps/change", &form).await;
    assert!(
        done.header("location").contains("app-approved"),
        "{:?}",
        done.headers
    );
    assert!(
        !browser
            .get("/admin/apps")
            .await
            .body
            .contains(">not approved<")
    );
}
