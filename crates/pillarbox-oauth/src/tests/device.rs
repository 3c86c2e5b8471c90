//! The device authorization grant, every answer of it.

use super::*;
use crate::{DeviceRefusal, DeviceResponse, Service, TokenError, TokenResponse};

async fn begin(
    house: &House,
    client: &str,
    more: &[(&str, &str)],
) -> Result<DeviceResponse, TokenError> {
    let mut form = params(&[("client_id", client)]);
    if !more.iter().any(|(name, _)| *name == "scope") {
        form.extend(params(&[("scope", "openid email mail")]));
    }
    form.extend(params(more));
    house.identity.device_code(None, &form, NOW).await
}

async fn poll(
    house: &House,
    client: &str,
    code: &str,
    now: Millis,
) -> Result<TokenResponse, TokenError> {
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    let form = params(&[
        ("grant_type", grant),
        ("client_id", client),
        ("device_code", code),
    ]);
    house.identity.token(None, &form, now).await
}

async fn error(house: &House, code: &str, now: Millis) -> &'static str {
    poll(house, "tv", code, now).await.unwrap_err().code.name()
}

async fn answer(house: &House, user_code: &str, allow: bool) -> bool {
    let person = house.ada_signed_in().await;
    let request = house.identity.device_request(user_code, NOW).await.unwrap();
    house
        .identity
        .device_answer(&request, &person, allow, NOW)
        .await
        .unwrap()
}

/// A device code that Ada allowed.
pub(crate) async fn allowed(house: &House) -> String {
    let begun = begin(house, "tv", &[]).await.unwrap();
    assert!(answer(house, &begun.user_code, true).await);
    begun.device_code.expose().to_owned()
}

#[tokio::test]
async fn a_device_asks_until_somebody_agrees() {
    let house = House::new().await;
    let begun = begin(&house, "tv", &[]).await.unwrap();
    let json = serde_json::to_value(&begun).unwrap();
    assert_eq!(json["verification_uri"], "https://localhost:1443/device");
    assert_eq!(json["verification_url"], json["verification_uri"]);
    let complete = format!(
        "https://localhost:1443/device?user_code={}",
        begun.user_code
    );
    assert_eq!(json["verification_uri_complete"], complete);
    assert_eq!(
        (&json["expires_in"], &json["interval"]),
        (&900.into(), &5.into())
    );
    let code = begun.device_code.expose();
    assert_eq!(error(&house, code, NOW).await, "authorization_pending");

    let typed = begun.user_code.to_lowercase().replace('-', " ");
    let request = house.identity.device_request(&typed, NOW).await.unwrap();
    assert_eq!(&*request.client().name, "Television");
    assert_eq!(request.user_code(), begun.user_code);
    assert_eq!(
        request.scopes().to_string(),
        "openid email https://mail.google.com/"
    );
    assert!(answer(&house, &begun.user_code, true).await);

    let tokens = poll(&house, "tv", code, NOW).await.unwrap();
    let access = tokens.access_token.expose();
    let who = house
        .identity
        .bearer(ADA, access, Service::Imap, NOW)
        .await
        .unwrap();
    assert_eq!(who.account(), &house.ada);
    assert!(tokens.id_token.is_some());
    let refresh = tokens.refresh_token.as_ref().unwrap().expose();
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "tv"),
        ("refresh_token", refresh),
    ];
    assert!(
        house
            .identity
            .token(None, &params(&form), NOW)
            .await
            .is_ok()
    );

    assert_eq!(
        error(&house, code, NOW).await,
        "invalid_grant",
        "a code is good once"
    );
    let again = house.identity.device_request(&begun.user_code, NOW).await;
    assert_eq!(again.unwrap_err(), DeviceRefusal::Unknown);
}

#[tokio::test]
async fn a_refusal_is_told_and_final() {
    let house = House::new().await;
    let begun = begin(&house, "tv", &[]).await.unwrap();
    let request = house
        .identity
        .device_request(&begun.user_code, NOW)
        .await
        .unwrap();
    assert!(answer(&house, &begun.user_code, false).await);
    let code = begun.device_code.expose();
    assert_eq!(error(&house, code, NOW).await, "access_denied");
    assert_eq!(error(&house, code, NOW).await, "access_denied");
    let person = house.ada_signed_in().await;
    let late = house
        .identity
        .device_answer(&request, &person, true, NOW)
        .await;
    assert!(!late.unwrap(), "another page was quicker");
    assert_eq!(error(&house, code, NOW).await, "access_denied");
}

#[tokio::test]
async fn hasty_devices_are_slowed_down() {
    let house = House::new().await;
    let begun = begin(&house, "tv", &[]).await.unwrap();
    let code = begun.device_code.expose();
    for (seconds, told) in [
        (0, "authorization_pending"),
        (5, "authorization_pending"),
        (6, "slow_down"),
        (12, "slow_down"), // 10 seconds were due
        (27, "authorization_pending"),
    ] {
        assert_eq!(
            error(&house, code, NOW + seconds * 1000).await,
            told,
            "{seconds}"
        );
    }
    answer(&house, &begun.user_code, true).await;
    assert!(
        poll(&house, "tv", code, NOW + 27_001).await.is_ok(),
        "whoever may come in is not held up"
    );
}

#[tokio::test]
async fn codes_end_after_fifteen_minutes() {
    let house = House::new().await;
    let begun = begin(&house, "tv", &[]).await.unwrap();
    let allowed = begin(&house, "tv", &[]).await.unwrap();
    answer(&house, &allowed.user_code, true).await;
    let over = NOW + 15 * MINUTE;
    for code in [&begun, &allowed] {
        assert_eq!(
            error(&house, code.device_code.expose(), over).await,
            "expired_token"
        );
    }
    let late = house.identity.device_request(&begun.user_code, over).await;
    assert_eq!(late.unwrap_err(), DeviceRefusal::Unknown);
    // Swept away by the next one, and still told from a code that never was.
    let form = params(&[("client_id", "tv"), ("scope", "mail")]);
    house.identity.device_code(None, &form, over).await.unwrap();
    assert_eq!(
        error(&house, begun.device_code.expose(), over).await,
        "expired_token"
    );
    let forged = begun.device_code.expose().replace("d~", "d~X");
    for text in [&*forged, "", "d~WDJBMJHT~x~y", "~", &"x".repeat(5000)] {
        let told = error(&house, text, NOW).await;
        assert_eq!(
            told,
            if text.is_empty() {
                "invalid_request"
            } else {
                "invalid_grant"
            }
        );
    }
}

#[tokio::test]
async fn only_its_own_client_gets_the_tokens() {
    let house = House::new().await;
    let begun = begin(&house, "tv", &[]).await.unwrap();
    answer(&house, &begun.user_code, true).await;
    let code = begun.device_code.expose();
    let told = |answer: Result<TokenResponse, TokenError>| answer.unwrap_err().code.name();
    assert_eq!(told(poll(&house, "cli", code, NOW).await), "invalid_grant");
    assert_eq!(
        told(poll(&house, "nobody", code, NOW).await),
        "invalid_client"
    );
    assert!(poll(&house, "tv", code, NOW).await.is_ok());
    let told = |answer: Result<DeviceResponse, TokenError>| answer.unwrap_err().code.name();
    assert_eq!(told(begin(&house, "nobody", &[]).await), "invalid_client");
    assert_eq!(told(begin(&house, "web", &[]).await), "invalid_client");
    let secret = [("client_secret", "pillarbox")];
    assert_eq!(
        told(begin(&house, "web", &secret).await),
        "unauthorized_client"
    );
    assert_eq!(
        told(begin(&house, "tv", &[("scope", "everything")]).await),
        "invalid_scope"
    );
    let admin = [("scope", "mail pillarbox:admin")];
    assert_eq!(told(begin(&house, "tv", &admin).await), "invalid_scope");
    assert!(
        begin(&house, "tv", &[("scope", "mail phone")])
            .await
            .is_ok()
    );
    assert_eq!(
        told(begin(&house, "tv", &[("scope", "")]).await),
        "invalid_scope"
    );
    let twice = [("scope", "mail"), ("scope", "mail")];
    assert_eq!(told(begin(&house, "tv", &twice).await), "invalid_request");
}

#[tokio::test]
async fn a_suspended_person_gives_nothing() {
    let house = House::new().await;
    let begun = begin(&house, "tv", &[]).await.unwrap();
    answer(&house, &begun.user_code, true).await;
    house
        .identity
        .set_suspended(&house.ada, true)
        .await
        .unwrap();
    assert_eq!(
        error(&house, begun.device_code.expose(), NOW).await,
        "invalid_grant"
    );
}

#[tokio::test]
async fn guesses_and_floods_are_bounded() {
    let house = House::with(IdentityConfig {
        slow_down: true,
        ..config()
    })
    .await;
    let begun = begin(&house, "tv", &[]).await.unwrap();
    let guesser = house.identity.from_peer([192, 0, 2, 1].into());
    for _ in 0..5 {
        let wrong = guesser.device_request("BBBB-BBBB", NOW).await;
        assert_eq!(wrong.unwrap_err(), DeviceRefusal::Unknown);
    }
    let right = guesser.device_request(&begun.user_code, NOW).await;
    assert_eq!(
        right.unwrap_err(),
        DeviceRefusal::TooMany,
        "a right guess is not told any more"
    );
    let other = house.identity.from_peer([192, 0, 2, 2].into());
    assert!(other.device_request(&begun.user_code, NOW).await.is_ok());
    // Many addresses together run into the bound of all.
    let mut refused = 0;
    for number in 0..400_u32 {
        let peer = house
            .identity
            .from_peer(std::net::Ipv4Addr::from_bits(0xC633_0000 + number).into());
        refused += u32::from(
            peer.device_request("BBBB-BBBB", NOW).await.unwrap_err() == DeviceRefusal::TooMany,
        );
    }
    assert_eq!(refused, 400 - 295);
    assert!(
        other
            .device_request(&begun.user_code, NOW + 10 * MINUTE)
            .await
            .is_ok()
    );

    let form = params(&[("client_id", "tv"), ("scope", "mail")]);
    for _ in 0..50 {
        guesser.device_code(None, &form, NOW).await.unwrap();
    }
    let more = guesser.device_code(None, &form, NOW).await.unwrap_err();
    assert_eq!(more.code.name(), "temporarily_unavailable");
    assert!(other.device_code(None, &form, NOW).await.is_ok());
    // A household has many addresses of IPv6, and one share.
    let at = |number: u16| {
        let address = format!("2001:db8::{number:x}").parse().unwrap();
        house.identity.from_peer(address)
    };
    for number in 0..50 {
        at(number).device_code(None, &form, NOW).await.unwrap();
    }
    assert!(at(50).device_code(None, &form, NOW).await.is_err());
    assert!(
        guesser
            .device_code(None, &form, NOW + 15 * MINUTE)
            .await
            .is_ok()
    );
}
