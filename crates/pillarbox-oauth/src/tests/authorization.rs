//! The authorization endpoint: what is asked, what is answered, where the browser may be sent.

use super::*;
use crate::{AuthorizationError, AuthorizationRequest, ClientKind, ErrorCode, Redirect, Secret};
use url::Url;

/// SHA-256 of RFC 7636 appendix B's verifier.
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A good request, changed in some members; an empty value removes one.
pub(crate) fn request(changes: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut all = params(&[
        ("client_id", "desktop"),
        ("redirect_uri", "http://127.0.0.1:51004"),
        ("response_type", "code"),
        ("scope", "https://mail.google.com/"),
        ("state", "xyz"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    for (name, value) in changes {
        all.retain(|(other, _)| other != name);
        if !value.is_empty() {
            all.push(((*name).into(), (*value).into()));
        }
    }
    all
}

async fn ask(
    house: &House,
    changes: &[(&str, &str)],
) -> Result<AuthorizationRequest, AuthorizationError> {
    house
        .identity
        .authorization_request(&request(changes), NOW)
        .await
}

#[tokio::test]
async fn a_good_request_becomes_a_code() {
    let house = House::new().await;
    let asked = ask(
        &house,
        &[
            ("login_hint", ADA),
            ("include_granted_scopes", "true"),
            ("new_member", "x"),
        ],
    )
    .await;
    let asked = asked.unwrap();
    assert_eq!(&*asked.client().name, "Desktop program");
    assert_eq!(asked.redirect_uri(), "http://127.0.0.1:51004/");
    assert_eq!(asked.login_hint(), Some(ADA));
    assert!(asked.offline(), "installed programs go on by themselves");
    let person = house.ada_signed_in().await;
    assert!(
        house
            .identity
            .needs_consent(&asked, &person, NOW)
            .await
            .unwrap()
    );
    let address = house.identity.approve(&asked, &person, NOW).await.unwrap();
    assert!(
        address.starts_with("http://127.0.0.1:51004/?code="),
        "{address}"
    );
    assert_eq!(query(&address, "state").as_deref(), Some("xyz"));
    assert_eq!(
        query(&address, "iss").as_deref(),
        Some("https://localhost:1443")
    );
    let denied = house.identity.deny(&asked, None, NOW);
    assert_eq!(query(&denied, "error").as_deref(), Some("access_denied"));
    assert_eq!(query(&denied, "state").as_deref(), Some("xyz"));
    assert_eq!(
        query(&denied, "iss").as_deref(),
        Some("https://localhost:1443")
    );
}

#[tokio::test]
async fn as_long_as_client_or_address_are_in_doubt_only_a_page_tells() {
    let house = House::new().await;
    for (change, code) in [
        (("client_id", ""), ErrorCode::InvalidRequest),
        (("client_id", "nothing"), ErrorCode::InvalidClient),
        (("client_id", "tv"), ErrorCode::UnauthorizedClient),
        (("redirect_uri", ""), ErrorCode::InvalidRequest),
        (
            ("redirect_uri", "urn:ietf:wg:oauth:2.0:oob"),
            ErrorCode::InvalidRequest,
        ),
        (
            ("redirect_uri", "https://evil.example/"),
            ErrorCode::InvalidRequest,
        ),
        (("state", &"x".repeat(3000)), ErrorCode::InvalidRequest),
    ] {
        let error = ask(&house, &[change]).await.unwrap_err();
        assert_eq!((error.code, error.redirect), (code, None), "{change:?}");
    }
    let mut twice = request(&[]);
    twice.push(("redirect_uri".into(), "https://evil.example/".into()));
    assert!(
        house
            .identity
            .authorization_request(&twice, NOW)
            .await
            .unwrap_err()
            .redirect
            .is_none()
    );
}

#[tokio::test]
async fn everything_else_goes_back_to_the_program() {
    let house = House::new().await;
    for (change, code) in [
        (("response_type", ""), "invalid_request"),
        (("response_type", "token"), "unsupported_response_type"),
        (("response_mode", "fragment"), "invalid_request"),
        (("request", "eyJ"), "request_not_supported"),
        (
            ("request_uri", "https://evil.example/"),
            "request_uri_not_supported",
        ),
        (("scope", ""), "invalid_scope"),
        (("scope", "everything address"), "invalid_scope"),
        (("scope", "offline_access"), "invalid_scope"),
        (
            ("scope", "https://mail.google.com/ pillarbox:admin"),
            "invalid_scope",
        ),
        (("access_type", "sometimes"), "invalid_request"),
        (("prompt", "none consent"), "invalid_request"),
        (("prompt", "dance"), "invalid_request"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge", "short"), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("code_challenge_method", ""), "invalid_request"),
    ] {
        let error = ask(&house, &[change]).await.unwrap_err();
        assert_eq!(error.code.name(), code, "{change:?}");
        let address = error.redirect.unwrap();
        assert!(address.starts_with("http://127.0.0.1:51004/?error="));
        assert_eq!(query(&address, "error").as_deref(), Some(code));
        assert_eq!(query(&address, "state").as_deref(), Some("xyz"));
        assert_eq!(
            query(&address, "iss").as_deref(),
            Some("https://localhost:1443")
        );
    }
    let neither = [("code_challenge", ""), ("code_challenge_method", "")];
    assert_eq!(
        ask(&house, &neither).await.unwrap_err().code,
        ErrorCode::InvalidRequest
    );
}

#[tokio::test]
async fn scopes_have_several_spellings() {
    let house = House::new().await;
    for (asked, granted) in [
        ("mail", "https://mail.google.com/"),
        ("https://mail.google.com/ mail", "https://mail.google.com/"),
        (
            "openid email profile https://mail.google.com/",
            "openid email profile https://mail.google.com/",
        ),
        ("https://www.googleapis.com/auth/userinfo.email", "email"),
        ("mail offline_access", "https://mail.google.com/"),
        // What nobody knows is passed over (OpenID Connect Core §3.1.2.1).
        (
            "openid address phone https://www.googleapis.com/auth/drive",
            "openid",
        ),
    ] {
        assert_eq!(
            ask(&house, &[("scope", asked)])
                .await
                .unwrap()
                .scopes()
                .to_string(),
            granted
        );
    }
}

fn client(redirects: &[&str]) -> Client {
    Client {
        secret: Some(Secret::new("s")),
        redirects: redirects
            .iter()
            .map(|text| Redirect::Exact(Url::parse(text).unwrap()))
            .collect(),
        ..Client::new("app", "App", ClientKind::Web, "a test")
    }
}

#[test]
fn redirects_are_compared_exactly_but_for_loopback_ports() {
    let web = client(&[
        "https://app.example/cb?x=1",
        "http://app.example/plain",
        "com.example.app:/cb",
    ]);
    let native = client(&["http://127.0.0.1/", "http://[::1]/", "http://localhost/cb"]);
    let may = |client: &Client, text: &str| {
        Url::parse(text).is_ok_and(|uri| client.may_redirect_to(&uri, text))
    };
    for good in [
        "https://app.example/cb?x=1",
        "http://app.example/plain",
        "com.example.app:/cb",
    ] {
        assert!(may(&web, good), "{good}");
    }
    for bad in [
        "https://app.example/cb",
        "https://app.example/cb?x=1&y=2",
        "https://app.example/cb?x=2",
        "https://app.example:8443/cb?x=1",
        "https://app.example/cb/?x=1",
        "https://app.example/a/../cb?x=1",
        "https://APP.example/cb?x=1",
        "https://app.example/%63b?x=1",
        "https://app.example.evil.example/cb?x=1",
        "https://evil@app.example/cb?x=1",
        "https://app.example@evil.example/cb?x=1",
        "https://app.example/cb?x=1#fragment",
        "https://app.example/cb?x=1#",
        "http://app.example/cb?x=1",
        "http://app.example:8080/plain",
        "com.example.app:/cb2",
        "javascript:alert(1)",
        "data:text/html,x",
    ] {
        assert!(!may(&web, bad), "{bad}");
    }
    for good in [
        "http://127.0.0.1:51004",
        "http://127.0.0.1:51004/",
        "http://127.0.0.1",
        "http://[::1]:51004",
        "http://localhost:51004/cb",
    ] {
        assert!(may(&native, good), "{good}");
    }
    for bad in [
        "https://127.0.0.1:51004/",
        "http://127.0.0.1:51004/other",
        "http://127.0.0.2:51004/",
        "http://localhost:51004/",
        "http://localhost.evil.example:51004/cb",
        "http://127.0.0.1.evil.example/",
        "http://127.0.0.1:51004@evil.example/",
        "http://127.0.0.1:51004/?x=1",
        "http://127.0.0.1:51004/#",
        "http://[::ffff:127.0.0.1]:51004/",
        "http://127.1:51004/",
        "http://2130706433:51004/",
        "http://0x7f.0.0.1:51004/",
        "http://127.0.0.1:51004/x/..",
        "HTTP://127.0.0.1:51004/",
        "http://127.0.0.1:/",
        "http://[0:0:0:0:0:0:0:1]:51004/",
    ] {
        assert!(!may(&native, bad), "{bad}");
    }
    let any = Client {
        redirects: vec![Redirect::AnyLoopback],
        ..client(&[])
    };
    assert!(
        may(&any, "http://localhost:3000/auth/callback?x=1")
            && may(&any, "https://127.0.0.1:3000/")
    );
    for bad in [
        "http://evil.example/",
        "ftp://localhost/",
        "http://localhost@evil.example/",
        "http://a@localhost/",
    ] {
        assert!(!may(&any, bad), "{bad}");
    }
}

#[tokio::test]
async fn what_a_client_with_a_secret_was_granted_is_not_asked_again() {
    let house = House::new().await;
    let person = house.ada_signed_in().await;
    let web = [("client_id", "web"), ("access_type", "offline")];
    let asked = ask(&house, &web).await.unwrap();
    assert!(
        house
            .identity
            .needs_consent(&asked, &person, NOW)
            .await
            .unwrap()
    );
    tokens::redeem(&house, &asked, &person, NOW).await.unwrap();
    assert!(
        !house
            .identity
            .needs_consent(&asked, &person, NOW)
            .await
            .unwrap()
    );
    for more in [
        ("prompt", "consent"),
        ("scope", "mail openid"),
        ("prompt", "select_account"),
    ] {
        let asked = ask(&house, &[web[0], web[1], more]).await.unwrap();
        assert!(
            house
                .identity
                .needs_consent(&asked, &person, NOW)
                .await
                .unwrap(),
            "{more:?}"
        );
    }
    let bob = house
        .identity
        .web_sign_in(BOB, PASSWORD, NOW)
        .await
        .unwrap();
    assert!(
        house
            .identity
            .needs_consent(&asked, &bob, NOW)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn discovery_names_what_is_there() {
    let house = House::new().await;
    let members = serde_json::to_value(house.identity.metadata()).unwrap();
    assert_eq!(members["issuer"], "https://localhost:1443");
    assert_eq!(
        members["authorization_endpoint"],
        "https://localhost:1443/o/oauth2/v2/auth"
    );
    assert_eq!(
        members["code_challenge_methods_supported"],
        serde_json::json!(["S256"])
    );
    assert_eq!(
        members["authorization_response_iss_parameter_supported"],
        true
    );
    // The first would be true if nothing was said (OpenID Connect Discovery §3).
    for name in ["request_uri", "request", "claims"] {
        assert_eq!(members[format!("{name}_parameter_supported")], false);
    }
    let bad = IdentityConfig::new("https://localhost/", "localhost");
    assert!(
        Identity::open(house.store.clone(), bad, counting_random(), NOW)
            .await
            .is_err()
    );
}
