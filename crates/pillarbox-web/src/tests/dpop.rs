//! Programs in browsers: proofs of possession and requests from pages of other sites, over HTTP.

use super::*;

#[tokio::test]
async fn one_proof_that_fits_or_a_refusal() {
    let browser = Browser::new().await;
    let ask = async |method: &str, path: &str, headers: &[(&str, &str)]| {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        browser.router.clone().oneshot(request).await.unwrap()
    };
    let form = ("content-type", "application/x-www-form-urlencoded");
    for proofs in [&["x"][..], &["", ""], &["a.b.c", "a.b.c"]] {
        let mut headers = vec![form];
        headers.extend(proofs.iter().map(|proof| ("dpop", *proof)));
        let answer = ask("POST", "/token", &headers).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        let body = to_bytes(answer.into_body(), 1000).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["error"], "invalid_dpop_proof");
    }
    let bare = ask("GET", "/v1/userinfo", &[]).await;
    let schemes: Vec<_> = bare.headers().get_all("www-authenticate").iter().collect();
    assert_eq!(
        schemes,
        ["Bearer", "DPoP algs=\"ES256 EdDSA Ed25519 RS256\""]
    );
    let bound = [("authorization", "DPoP x"), ("dpop", "x")];
    let bound = ask("GET", "/v1/userinfo", &bound).await;
    assert_eq!(bound.status(), StatusCode::UNAUTHORIZED);
    let told = bound.headers()["www-authenticate"].to_str().unwrap();
    assert!(
        told.starts_with("DPoP error=\"invalid_dpop_proof\""),
        "{told}"
    );
}

#[tokio::test]
async fn pages_of_other_sites_may_ask_for_tokens_and_for_nothing_else() {
    let browser = Browser::new().await;
    for (path, open) in [
        ("/token", true),
        ("/revoke", true),
        ("/v1/userinfo", true),
        ("/oauth2/v3/certs", true),
        ("/.well-known/openid-configuration", true),
        ("/introspect", false),
        ("/signin", false),
        ("/consent", false),
        ("/account", false),
        ("/dev/api/tokens", false),
    ] {
        let preflight = Request::builder()
            .method("OPTIONS")
            .uri(path)
            .header("origin", "https://app.example")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "dpop")
            .body(Body::empty())
            .unwrap();
        let answer = browser.router.clone().oneshot(preflight).await.unwrap();
        let headers = answer.headers();
        let origin = headers.get("access-control-allow-origin");
        assert_eq!(origin.is_some_and(|origin| origin == "*"), open, "{path}");
        assert!(headers.get("access-control-allow-credentials").is_none());
    }
}

#[tokio::test]
async fn the_scheme_for_bound_tokens_wants_a_proof_whatever_the_token() {
    let mut browser = Browser::new().await;
    let mint = pillarbox_oauth::Mint {
        scope: Some("openid".into()),
        ..pillarbox_oauth::Mint::default()
    };
    let ada = browser.store.account_of(ADA).await.unwrap().unwrap();
    let minted = browser.identity.mint(&ada, mint, NOW).await;
    let token = minted.unwrap().access_token;
    let as_scheme = |scheme: &str| format!("{scheme} {}", token.expose());
    let good = as_scheme("Bearer");
    let good = [("authorization", good.as_str())];
    assert_eq!(
        browser.post_with("/v1/userinfo", &[], &good).await.status,
        200
    );
    for scheme in ["DPoP", "dpop"] {
        let bare = as_scheme(scheme);
        for headers in [
            &[("authorization", bare.as_str())][..],
            &[("authorization", bare.as_str()), ("dpop", "")],
        ] {
            let told = browser.post_with("/v1/userinfo", &[], headers).await;
            assert_eq!(told.status, StatusCode::UNAUTHORIZED, "{}", told.body);
            assert_eq!(told.json()["error"], "invalid_dpop_proof");
            let challenge = told.header("www-authenticate");
            assert!(
                challenge.starts_with("DPoP error=\"invalid_dpop_proof\"")
                    && challenge.ends_with(", algs=\"ES256 EdDSA Ed25519 RS256\""),
                "{challenge}"
            );
        }
    }
}
