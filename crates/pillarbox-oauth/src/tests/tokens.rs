//! The token, revocation and user info endpoints.

use super::authorization::request;
use super::*;
use crate::{AuthorizationRequest, BasicAuth, Secret, Service, TokenError, TokenResponse};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::Value;

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

async fn asked(house: &House, changes: &[(&str, &str)]) -> AuthorizationRequest {
    house
        .identity
        .authorization_request(&request(changes), NOW)
        .await
        .unwrap()
}

pub(crate) async fn code(house: &House, changes: &[(&str, &str)]) -> String {
    let person = house.ada_signed_in().await;
    let address = house
        .identity
        .approve(&asked(house, changes).await, &person, NOW)
        .await
        .unwrap();
    query(&address, "code").unwrap()
}

/// The form of a good redemption, changed in some members; an empty value removes one.
pub(crate) fn form(code: &str, changes: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut all = params(&[
        ("grant_type", "authorization_code"),
        ("client_id", "desktop"),
        ("code", code),
        ("redirect_uri", "http://127.0.0.1:51004"),
        ("code_verifier", VERIFIER),
    ]);
    for (name, value) in changes {
        all.retain(|(other, _)| other != name);
        if !value.is_empty() {
            all.push(((*name).into(), (*value).into()));
        }
    }
    all
}

pub(crate) async fn redeem(
    house: &House,
    asked: &AuthorizationRequest,
    person: &Principal,
    now: Millis,
) -> Result<TokenResponse, TokenError> {
    let address = house.identity.approve(asked, person, now).await.unwrap();
    let code = query(&address, "code").unwrap();
    let id = asked.client().id.to_string();
    let secret = asked.client().secret.as_ref().map_or("", Secret::expose);
    let changes = [
        ("client_id", &*id),
        ("client_secret", secret),
        ("redirect_uri", asked.redirect_uri()),
    ];
    house
        .identity
        .token(None, &form(&code, &changes), now)
        .await
}

async fn refresh(
    house: &House,
    client: &str,
    token: &Secret,
    more: &[(&str, &str)],
) -> Result<TokenResponse, TokenError> {
    let mut form = params(&[
        ("grant_type", "refresh_token"),
        ("client_id", client),
        ("refresh_token", token.expose()),
    ]);
    form.extend(params(more));
    house.identity.token(None, &form, NOW).await
}

async fn opens(house: &House, token: &Secret) -> bool {
    house
        .identity
        .bearer(ADA, token.expose(), Service::Imap, NOW)
        .await
        .is_ok()
}

fn name(answer: Result<TokenResponse, TokenError>) -> &'static str {
    answer.unwrap_err().code.name()
}

#[tokio::test]
async fn a_code_becomes_tokens() {
    let house = House::new().await;
    let code = code(&house, &[("scope", "openid email mail"), ("nonce", "n-1")]).await;
    let answer = house
        .identity
        .token(None, &form(&code, &[]), NOW)
        .await
        .unwrap();
    assert!(opens(&house, &answer.access_token).await);
    assert_eq!((answer.expires_in, answer.token_type), (3600, "Bearer"));
    assert_eq!(answer.scope, "openid email https://mail.google.com/");
    let id = answer.id_token.as_ref().unwrap().expose();
    let claims: Value =
        serde_json::from_slice(&BASE64.decode(id.split('.').nth(1).unwrap()).unwrap()).unwrap();
    let keys = house.identity.jwks(NOW).await.unwrap().keys;
    let rsa = keys.iter().find(|key| key["alg"] == "RS256").unwrap();
    let rsa =
        jsonwebtoken::DecodingKey::from_jwk(&serde_json::from_value(rsa.clone()).unwrap()).unwrap();
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    rules.set_audience(&["desktop"]);
    rules.validate_exp = false;
    jsonwebtoken::decode::<Value>(id, &rsa, &rules).unwrap();
    let half = &crate::opaque::hash(answer.access_token.expose())[..16];
    for (claim, value) in [
        ("iss", Value::from("https://localhost:1443")),
        ("sub", Value::from(&*house.ada.0)),
        ("aud", Value::from("desktop")),
        ("azp", Value::from("desktop")),
        ("exp", Value::from((NOW + HOUR) / 1000)),
        ("iat", Value::from(NOW / 1000)),
        ("email", Value::from(ADA)),
        ("email_verified", Value::from(true)),
        ("nonce", Value::from("n-1")),
        ("at_hash", Value::from(BASE64.encode(half))),
    ] {
        assert_eq!(claims[claim], value, "{claim}");
    }
    let json = serde_json::to_value(&answer).unwrap();
    assert!(json["expires_in"].is_number() && json["refresh_token"].is_string());
    let info = house
        .identity
        .userinfo(answer.access_token.expose(), NOW)
        .await
        .unwrap();
    assert_eq!(
        (info.sub.as_str(), info.email.as_deref()),
        (&*house.ada.0, Some(ADA))
    );
}

#[tokio::test]
async fn user_info_wants_its_scope() {
    let house = House::new().await;
    let token = house.token().await;
    let error = house.identity.userinfo(&token, NOW).await.unwrap_err();
    assert_eq!(error.code.name(), "insufficient_scope");
    assert_eq!(
        house
            .identity
            .userinfo("nonsense", NOW)
            .await
            .unwrap_err()
            .code
            .name(),
        "invalid_token"
    );
    let openid = house
        .mint(crate::Mint {
            scope: Some("openid".into()),
            ..Default::default()
        })
        .await;
    assert_eq!(
        house.identity.userinfo(&openid, NOW).await.unwrap().email,
        None
    );
    assert_eq!(
        house
            .identity
            .userinfo(&openid, NOW + HOUR)
            .await
            .unwrap_err()
            .code
            .name(),
        "invalid_token"
    );
}

#[tokio::test]
async fn a_code_is_bound_to_client_address_and_verifier() {
    let house = House::new().await;
    let code = code(&house, &[]).await;
    for (change, error) in [
        (("redirect_uri", "http://127.0.0.1:51005"), "invalid_grant"),
        (("redirect_uri", "http://localhost:51004"), "invalid_grant"),
        (("redirect_uri", ""), "invalid_request"),
        (("client_id", "cli"), "invalid_grant"),
        (("client_id", ""), "invalid_client"),
        (("client_id", "nothing"), "invalid_client"),
        (("code_verifier", ""), "invalid_grant"),
        (
            (
                "code_verifier",
                "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXX",
            ),
            "invalid_grant",
        ),
        (("code_verifier", authorization::CHALLENGE), "invalid_grant"),
        (("code_verifier", "short"), "invalid_grant"),
        (("code", ""), "invalid_request"),
        (("code", "c~cDA~AAAA"), "invalid_grant"),
        (("code", "c~b2F1dGgvaXNzdWVy~AAAA"), "invalid_grant"),
        (("grant_type", ""), "invalid_request"),
        (("grant_type", "password"), "unsupported_grant_type"),
        (("grant_type", "client_credentials"), "unauthorized_client"),
        (
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            "invalid_request",
        ),
        (
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            "invalid_request",
        ),
    ] {
        assert_eq!(
            name(
                house
                    .identity
                    .token(None, &form(&code, &[change]), NOW)
                    .await
            ),
            error,
            "{change:?}"
        );
    }
    let late = house
        .identity
        .token(None, &form(&code, &[]), NOW + 10 * MINUTE)
        .await;
    assert_eq!(name(late), "invalid_grant");
    // None of these used it up; an empty path equals `/`.
    let form = form(&code, &[("redirect_uri", "http://127.0.0.1:51004/")]);
    assert!(
        house
            .identity
            .token(None, &form, NOW + 10 * MINUTE - 1)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_code_used_twice_ends_what_it_gave() {
    let house = House::new().await;
    let mut told = house.identity.revocations();
    let code = code(&house, &[]).await;
    let answer = house
        .identity
        .token(None, &form(&code, &[]), NOW)
        .await
        .unwrap();
    // Stolen without its verifier it ends nothing.
    let stolen = form(&code, &[("code_verifier", &VERIFIER.replace('d', "e"))]);
    assert_eq!(
        name(house.identity.token(None, &stolen, NOW).await),
        "invalid_grant"
    );
    assert!(opens(&house, &answer.access_token).await);
    assert_eq!(
        name(house.identity.token(None, &form(&code, &[]), NOW).await),
        "invalid_grant"
    );
    assert!(!opens(&house, &answer.access_token).await);
    let answer = refresh(&house, "desktop", &answer.refresh_token.unwrap(), &[]).await;
    assert_eq!(name(answer), "invalid_grant");
    assert!(told.recv().await.is_ok());
}

#[tokio::test]
async fn a_verifier_nobody_asked_for_is_a_downgrade() {
    let house = House::new().await;
    let changes = [
        ("client_id", "web"),
        ("code_challenge", ""),
        ("code_challenge_method", ""),
    ];
    let code = code(&house, &changes).await;
    let web = [("client_id", "web"), ("client_secret", "pillarbox")];
    assert_eq!(
        name(house.identity.token(None, &form(&code, &web), NOW).await),
        "invalid_grant"
    );
    let without = form(&code, &[web[0], web[1], ("code_verifier", "")]);
    assert!(house.identity.token(None, &without, NOW).await.is_ok());
}

#[tokio::test]
async fn clients_prove_themselves() {
    let house = House::new().await;
    let basic = |id: &str, secret: &str| {
        Some(BasicAuth {
            id: id.into(),
            secret: Secret::new(secret),
        })
    };
    let code = code(&house, &[("client_id", "web")]).await;
    let form = |changes: &[(&str, &str)]| form(&code, &[&[("client_id", "web")], changes].concat());
    for (auth, form, error) in [
        (None, form(&[]), "invalid_client"),
        (None, form(&[("client_secret", "wrong")]), "invalid_client"),
        (basic("web", "wrong"), form(&[]), "invalid_client"),
        (
            basic("nothing", "pillarbox"),
            form(&[("client_id", "")]),
            "invalid_client",
        ),
        (
            basic("web", "pillarbox"),
            form(&[("client_secret", "pillarbox")]),
            "invalid_request",
        ),
        (basic("desktop", ""), form(&[]), "invalid_request"),
    ] {
        assert_eq!(name(house.identity.token(auth, &form, NOW).await), error);
    }
    let mut twice = form(&[("client_secret", "pillarbox")]);
    twice.push(("code".into(), "other".into()));
    assert_eq!(
        name(house.identity.token(None, &twice, NOW).await),
        "invalid_request"
    );
    assert!(
        house
            .identity
            .token(basic("web", "pillarbox"), &form(&[("client_id", "")]), NOW)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn public_refresh_tokens_rotate_and_reuse_ends_the_family() {
    let house = House::new().await;
    let person = house.ada_signed_in().await;
    let first = redeem(&house, &asked(&house, &[]).await, &person, NOW)
        .await
        .unwrap();
    let first_refresh = first.refresh_token.unwrap();
    let second = refresh(&house, "desktop", &first_refresh, &[])
        .await
        .unwrap();
    let second_refresh = second.refresh_token.unwrap();
    assert_ne!(first_refresh, second_refresh);
    assert_eq!(
        name(refresh(&house, "cli", &second_refresh, &[]).await),
        "invalid_grant",
        "another client's"
    );
    // A forged one has not our mark: it ends nothing.
    let forged = Secret::new(format!(
        "{}AA",
        second_refresh
            .expose()
            .split_at(second_refresh.expose().len() - 2)
            .0
    ));
    assert_eq!(
        name(refresh(&house, "desktop", &forged, &[]).await),
        "invalid_grant"
    );
    let third = refresh(&house, "desktop", &second_refresh, &[])
        .await
        .unwrap();
    assert!(opens(&house, &third.access_token).await);
    assert_eq!(
        name(refresh(&house, "desktop", &first_refresh, &[]).await),
        "invalid_grant"
    );
    assert!(
        !opens(&house, &third.access_token).await,
        "the family is over"
    );
    assert_eq!(
        name(refresh(&house, "desktop", &third.refresh_token.unwrap(), &[]).await),
        "invalid_grant"
    );
    let grants = house.identity.grants(&house.ada).await.unwrap();
    assert_eq!(
        (grants.len(), grants[0].revoked, &*grants[0].app),
        (1, Some(NOW), "Desktop program")
    );
}

#[tokio::test]
async fn refresh_tokens_of_web_clients_stay_and_come_with_consent() {
    let house = House::new().await;
    let person = house.ada_signed_in().await;
    let web = [("client_id", "web")];
    let online = redeem(&house, &asked(&house, &web).await, &person, NOW)
        .await
        .unwrap();
    assert!(online.refresh_token.is_none());
    let offline = [web[0], ("access_type", "offline")];
    let first = redeem(&house, &asked(&house, &offline).await, &person, NOW)
        .await
        .unwrap();
    let token = first.refresh_token.unwrap();
    let unasked = asked(&house, &offline).await;
    let unasked = house.identity.approve_unasked(&unasked, &person, NOW).await;
    let code = query(&unasked.unwrap(), "code").unwrap();
    let secret = ("client_secret", "pillarbox");
    let again = form(&code, &[("client_id", "web"), secret]);
    let again = house.identity.token(None, &again, NOW).await.unwrap();
    assert!(again.refresh_token.is_none(), "it comes with the page");
    let consent = [offline[0], offline[1], ("prompt", "consent")];
    let more = redeem(&house, &asked(&house, &consent).await, &person, NOW)
        .await
        .unwrap();
    assert!(more.refresh_token.is_some());
    let secret = [("client_secret", "pillarbox")];
    for _ in 0..2 {
        let answer = refresh(&house, "web", &token, &secret).await.unwrap();
        assert!(answer.refresh_token.is_none() && opens(&house, &answer.access_token).await);
    }
    assert_eq!(
        name(refresh(&house, "web", &token, &[]).await),
        "invalid_client"
    );
}

#[tokio::test]
async fn a_refresh_may_ask_for_less_never_for_more() {
    let house = House::new().await;
    let person = house.ada_signed_in().await;
    let wide = asked(
        &house,
        &[
            ("client_id", "web"),
            ("access_type", "offline"),
            ("scope", "openid mail"),
        ],
    )
    .await;
    let token = redeem(&house, &wide, &person, NOW)
        .await
        .unwrap()
        .refresh_token
        .unwrap();
    let secret = ("client_secret", "pillarbox");
    let less = refresh(&house, "web", &token, &[secret, ("scope", "openid")])
        .await
        .unwrap();
    assert_eq!(less.scope, "openid");
    assert!(!opens(&house, &less.access_token).await);
    let unknown = [secret, ("scope", "openid address")];
    let less = refresh(&house, "web", &token, &unknown).await.unwrap();
    assert_eq!(less.scope, "openid", "as when it was asked for");
    for scope in ["openid email", "everything"] {
        assert_eq!(
            name(refresh(&house, "web", &token, &[secret, ("scope", scope)]).await),
            "invalid_scope"
        );
    }
    let day = 24 * HOUR;
    let mut form = params(&[
        ("grant_type", "refresh_token"),
        ("client_id", "web"),
        secret,
    ]);
    form.push(("refresh_token".into(), token.expose().into()));
    assert!(
        house
            .identity
            .token(None, &form, NOW + 179 * day)
            .await
            .is_ok()
    );
    assert!(
        house
            .identity
            .token(None, &form, NOW + 300 * day)
            .await
            .is_ok(),
        "use prolongs it"
    );
    assert_eq!(
        name(house.identity.token(None, &form, NOW + 480 * day).await),
        "invalid_grant"
    );
}

#[tokio::test]
async fn either_token_ends_the_grant() {
    let house = House::new().await;
    let person = house.ada_signed_in().await;
    for by_refresh in [true, false] {
        let answer = redeem(&house, &asked(&house, &[]).await, &person, NOW)
            .await
            .unwrap();
        let refresh = answer.refresh_token.unwrap();
        let token = if by_refresh {
            &refresh
        } else {
            &answer.access_token
        };
        let wrong = params(&[("token", token.expose()), ("client_id", "cli")]);
        assert!(
            house.identity.revoke(None, &wrong, NOW).await.is_err(),
            "another client's"
        );
        assert!(opens(&house, &answer.access_token).await);
        house
            .identity
            .revoke(None, &params(&[("token", token.expose())]), NOW)
            .await
            .unwrap();
        assert!(!opens(&house, &answer.access_token).await);
        house
            .identity
            .revoke(None, &params(&[("token", token.expose())]), NOW)
            .await
            .unwrap();
    }
    for unknown in ["nonsense", "r~cDA~x~y~z", "a.b.c"] {
        house
            .identity
            .revoke(None, &params(&[("token", unknown)]), NOW)
            .await
            .unwrap();
    }
    assert_eq!(
        house
            .identity
            .revoke(None, &[], NOW)
            .await
            .unwrap_err()
            .code
            .name(),
        "invalid_request"
    );
}

#[tokio::test]
async fn grants_are_bounded_oldest_first() {
    let house = House::new().await;
    let mint = crate::Mint {
        refresh: true,
        ..crate::Mint::default()
    };
    let first = house
        .identity
        .mint(&house.ada, mint.clone(), NOW)
        .await
        .unwrap();
    for later in 1..=100 {
        house
            .identity
            .mint(&house.ada, mint.clone(), NOW + later)
            .await
            .unwrap();
    }
    let gone = house
        .identity
        .bearer(ADA, first.access_token.expose(), Service::Imap, NOW)
        .await
        .unwrap_err();
    assert_eq!(gone.cause, "the token's grant does not exist any more");
    assert_eq!(house.identity.grants(&house.ada).await.unwrap().len(), 100);
}

#[tokio::test]
async fn what_profile_tells_is_what_the_person_signs_in_with() {
    let house = House::new().await;
    let metadata = house.identity.metadata();
    assert!(metadata.claims_supported.contains(&"preferred_username"));
    for (scope, name) in [("openid", None), ("openid profile", Some(ADA))] {
        let person = house.ada_signed_in().await;
        let asked = asked(&house, &[("scope", scope)]).await;
        let answer = redeem(&house, &asked, &person, NOW).await.unwrap();
        assert_eq!(answer.scope, scope);
        let info = house
            .identity
            .userinfo(answer.access_token.expose(), NOW)
            .await
            .unwrap();
        assert_eq!(info.preferred_username.as_deref(), name);
        assert_eq!(info.email, None, "that is another scope");
        let id = answer.id_token.unwrap();
        let claims = BASE64.decode(id.expose().split('.').nth(1).unwrap());
        let claims: Value = serde_json::from_slice(&claims.unwrap()).unwrap();
        assert_eq!(claims["preferred_username"].as_str(), name);
    }
}
