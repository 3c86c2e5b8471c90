//! `oauth2` 5: code with PKCE, refresh, device, client credentials, introspection, revocation.

use crate::server::{Browser, MAIL, Server, query};
use oauth2::basic::{BasicClient, BasicErrorResponseType};
use oauth2::{
    AccessToken, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    DeviceAuthorizationUrl, DeviceCodeErrorResponseType, EndpointSet, ErrorResponseType,
    IntrospectionUrl, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken,
    RequestTokenError, RevocationUrl, Scope, StandardDeviceAuthorizationResponse,
    StandardErrorResponse, StandardRevocableToken, TokenIntrospectionResponse, TokenResponse,
    TokenUrl,
};
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::fmt::{Debug, Display};
use std::time::Duration;

type Client = BasicClient<EndpointSet, EndpointSet, EndpointSet, EndpointSet, EndpointSet>;

fn client(server: &Server, id: &str, secret: Option<&str>) -> Client {
    let metadata = ask(server, "/.well-known/oauth-authorization-server");
    let at = |name: &str| metadata[name].as_str().unwrap().to_owned();
    let client = BasicClient::new(ClientId::new(id.into()))
        .set_auth_uri(AuthUrl::new(at("authorization_endpoint")).unwrap())
        .set_token_uri(TokenUrl::new(at("token_endpoint")).unwrap())
        .set_device_authorization_url(
            DeviceAuthorizationUrl::new(at("device_authorization_endpoint")).unwrap(),
        )
        .set_introspection_url(IntrospectionUrl::new(at("introspection_endpoint")).unwrap())
        .set_revocation_url(RevocationUrl::new(at("revocation_endpoint")).unwrap())
        .set_redirect_uri(RedirectUrl::new("http://127.0.0.1:51004/callback".into()).unwrap());
    match secret {
        None => client,
        Some(secret) => client.set_client_secret(ClientSecret::new(secret.into())),
    }
}

fn ask(server: &Server, path: &str) -> Value {
    let request = oauth2::http::Request::get(server.address(path)).body(Vec::new());
    let answer = server.send(request.unwrap()).unwrap();
    serde_json::from_slice(answer.body()).unwrap()
}

/// A code that Ada allowed, and the verifier that goes with it.
fn code(server: &Server, client: &Client) -> (AuthorizationCode, PkceCodeVerifier) {
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (address, state) = client
        .authorize_url(CsrfToken::new_random)
        .add_scope(Scope::new(MAIL.into()))
        .set_pkce_challenge(challenge)
        .url();
    let back = Browser::new(server)
        .allow(address.as_str(), "/consent")
        .unwrap();
    assert_eq!(query(&back, "state").as_ref(), Some(state.secret()));
    assert_eq!(query(&back, "iss").as_deref(), Some(server.issuer()));
    (
        AuthorizationCode::new(query(&back, "code").unwrap()),
        verifier,
    )
}

/// The error code of a refusal.
fn name<T: ErrorResponseType + Clone + Debug + Display + 'static>(
    error: RequestTokenError<std::io::Error, StandardErrorResponse<T>>,
) -> T {
    match error {
        RequestTokenError::ServerResponse(told) => {
            assert!(told.error_description().is_some(), "people are told why");
            told.error().clone()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn code_refresh_introspection_revocation() {
    let server = Server::start();
    let http = |request| server.send(request);
    let (desktop, web) = (
        client(&server, "desktop", None),
        client(&server, "web", Some("pillarbox")),
    );
    let active = |token: &AccessToken| {
        let found = web.introspect(token).request(&http).unwrap();
        assert!(!found.active() || found.username() == Some(crate::server::ADA));
        found.active()
    };
    let (code, verifier) = code(&server, &desktop);
    let tokens = desktop
        .exchange_code(code)
        .set_pkce_verifier(verifier)
        .request(&http)
        .unwrap();
    assert_eq!(tokens.expires_in(), Some(Duration::from_secs(3600)));
    assert_eq!(tokens.scopes().unwrap(), &[Scope::new(MAIL.into())]);
    assert!(active(tokens.access_token()));

    let first = tokens.refresh_token().unwrap();
    let fresh = desktop
        .exchange_refresh_token(first)
        .request(&http)
        .unwrap();
    assert!(active(fresh.access_token()));
    let second = fresh.refresh_token().unwrap();
    assert_ne!(first.secret(), second.secret(), "it rotates");
    let refresh = StandardRevocableToken::RefreshToken(second.clone());
    desktop
        .revoke_token(refresh.clone())
        .unwrap()
        .request(&http)
        .unwrap();
    assert!(!active(fresh.access_token()));
    // What is unknown is as good as revoked (RFC 7009 §2.2).
    desktop
        .revoke_token(refresh)
        .unwrap()
        .request(&http)
        .unwrap();
}

#[test]
fn refusals_have_the_codes_that_the_library_knows() {
    let server = Server::start();
    let http = |request| server.send(request);
    let desktop = client(&server, "desktop", None);
    let redeem = |client: &Client, code: AuthorizationCode, verifier: PkceCodeVerifier| {
        let asked = client.exchange_code(code).set_pkce_verifier(verifier);
        asked.request(&http).map_err(name)
    };
    // Another verifier, then the right one twice: the code is over, and what it gave too.
    let (code_one, verifier) = code(&server, &desktop);
    let (_, other) = PkceCodeChallenge::new_random_sha256();
    let refused = redeem(&desktop, code_one.clone(), other);
    assert_eq!(refused.unwrap_err(), BasicErrorResponseType::InvalidGrant);
    let again = PkceCodeVerifier::new(verifier.secret().clone());
    let tokens = redeem(&desktop, code_one.clone(), verifier).unwrap();
    let refused = redeem(&desktop, code_one, again);
    assert_eq!(refused.unwrap_err(), BasicErrorResponseType::InvalidGrant);
    let refresh = tokens.refresh_token().unwrap();
    let refused = desktop
        .exchange_refresh_token(refresh)
        .request(&http)
        .map_err(name);
    assert_eq!(refused.unwrap_err(), BasicErrorResponseType::InvalidGrant);

    // A refresh token used again after its successor ends its family.
    let (code_two, verifier) = code(&server, &desktop);
    let tokens = redeem(&desktop, code_two, verifier).unwrap();
    let first = tokens.refresh_token().unwrap();
    let next = |token: &RefreshToken| {
        let answer = desktop.exchange_refresh_token(token).request(&http);
        answer.unwrap().refresh_token().unwrap().clone()
    };
    let newest = next(&next(first));
    for token in [first, &newest] {
        let refused = desktop
            .exchange_refresh_token(token)
            .request(&http)
            .map_err(name);
        assert_eq!(refused.unwrap_err(), BasicErrorResponseType::InvalidGrant);
    }

    let token = RefreshToken::new("x".into());
    for (id, secret) in [("web", Some("wrong")), ("web", None), ("nobody", None)] {
        let stranger = client(&server, id, secret);
        let refused = stranger
            .exchange_refresh_token(&token)
            .request(&http)
            .map_err(name);
        assert_eq!(
            refused.unwrap_err(),
            BasicErrorResponseType::InvalidClient,
            "{id}"
        );
    }
    let web = client(&server, "web", Some("pillarbox"));
    let credentials = web
        .exchange_client_credentials()
        .request(&http)
        .map_err(name);
    assert_eq!(
        credentials.unwrap_err(),
        BasicErrorResponseType::UnauthorizedClient
    );
    let more = web
        .exchange_device_code()
        .add_scope(Scope::new("nonsense".into()));
    let refused: Result<StandardDeviceAuthorizationResponse, _> = more.request(&http);
    assert!(matches!(
        name(refused.unwrap_err()),
        BasicErrorResponseType::UnauthorizedClient
    ));
}

#[test]
fn a_device() {
    let server = Server::start();
    let http = |request| server.send(request);
    let tv = client(&server, "tv", None);
    let begin = || -> StandardDeviceAuthorizationResponse {
        let asked = tv.exchange_device_code().add_scope(Scope::new(MAIL.into()));
        asked.request(&http).unwrap()
    };
    // The library waits as it is told, on the server's own clock; somebody agrees meanwhile.
    let device = begin();
    assert_eq!(device.interval(), Duration::from_secs(5));
    let browser = RefCell::new(Browser::new(&server));
    let waits = Cell::new(0);
    let wait = |span: Duration| {
        waits.set(waits.get() + 1);
        server.run(&["clock", "advance", &format!("{}s", span.as_secs())]);
        if waits.get() == 2 {
            browser
                .borrow_mut()
                .allow_device(device.user_code().secret());
        }
    };
    let tokens = tv
        .exchange_device_access_token(&device)
        .request(&http, wait, None)
        .unwrap();
    assert_eq!(waits.get(), 2, "pending twice");
    assert!(tokens.refresh_token().is_some());

    let refused = begin();
    browser
        .borrow_mut()
        .refuse_device(refused.user_code().secret());
    let denied = tv
        .exchange_device_access_token(&refused)
        .request(&http, |_| {}, None);
    assert_eq!(
        name(denied.unwrap_err()),
        DeviceCodeErrorResponseType::AccessDenied
    );
    let late = begin();
    let wait = |_: Duration| drop(server.run(&["clock", "advance", "16m"]));
    let expired = tv
        .exchange_device_access_token(&late)
        .request(&http, wait, None);
    assert_eq!(
        name(expired.unwrap_err()),
        DeviceCodeErrorResponseType::ExpiredToken
    );
}

#[test]
fn client_credentials() {
    let server = Server::start();
    let http = |request| server.send(request);
    let made = server.run(&[
        "app",
        "add",
        "Robot",
        "--service",
        "--delegate",
        "pillarbox:admin",
    ]);
    let made: Value = serde_json::from_str(&made).unwrap();
    let text = |name: &str| made[name].as_str().unwrap();
    let robot = client(&server, text("client_id"), Some(text("client_secret")));
    let admin = Scope::new("pillarbox:admin".into());
    let tokens = robot
        .exchange_client_credentials()
        .add_scope(admin)
        .request(&http)
        .unwrap();
    assert!(tokens.refresh_token().is_none());
    assert!(
        robot
            .introspect(tokens.access_token())
            .request(&http)
            .unwrap()
            .active()
    );
    let mail = robot
        .exchange_client_credentials()
        .add_scope(Scope::new(MAIL.into()));
    let refused = mail.request(&http).map_err(name);
    assert_eq!(refused.unwrap_err(), BasicErrorResponseType::InvalidScope);
}
