//! What newer documents add to requests and tokens: pushed requests, resources, introspection, administration, and what
//! Google's clients send.

use super::authorization::request;
use super::tokens::redeem;
use super::*;
use crate::{
    AuthorizationRequest, BasicAuth, Brought, ClientKind, Introspection, NewClient, Scopes, Secret,
    SignIn, TokenError,
};

fn web_basic() -> Option<BasicAuth> {
    Some(BasicAuth {
        id: "web".into(),
        secret: Secret::new("pillarbox"),
    })
}

async fn introspect(house: &House, token: &str, now: Millis) -> Introspection {
    let form = params(&[("token", token)]);
    house
        .identity
        .introspect(web_basic(), &form, now)
        .await
        .unwrap()
}

fn code<T: std::fmt::Debug>(answer: Result<T, TokenError>) -> &'static str {
    answer.unwrap_err().code.name()
}

#[tokio::test]
async fn introspection_tells_servers_of_ours_what_a_token_is() {
    let house = House::new().await;
    let asked = house
        .identity
        .authorization_request(&request(&[]), NOW)
        .await
        .unwrap();
    let tokens = redeem(&house, &asked, &house.ada_signed_in().await, NOW)
        .await
        .unwrap();
    let (access, refresh) = (
        tokens.access_token.expose(),
        tokens.refresh_token.as_ref().unwrap().expose(),
    );
    let found = introspect(&house, access, NOW).await;
    assert!(found.active);
    assert_eq!(
        (found.client_id.as_deref(), found.username.as_deref()),
        (Some("desktop"), Some(ADA))
    );
    assert_eq!(
        (found.token_type, found.aud.as_deref()),
        (Some("Bearer"), Some("localhost"))
    );
    assert_eq!(found.exp, Some(NOW / 1000 + 3600));
    assert_eq!(
        introspect(&house, access, NOW + HOUR).await,
        Introspection::default()
    );
    let found = introspect(&house, refresh, NOW).await;
    assert!(found.active && found.client_id.as_deref() == Some("desktop"));
    assert_eq!(found.exp, Some(NOW / 1000 + 180 * 24 * 3600));
    for text in ["", "x", "a.b.c", &access[1..], &refresh[1..]] {
        let form = params(&[("token", text)]);
        match house.identity.introspect(web_basic(), &form, NOW).await {
            Ok(found) => assert_eq!(found, Introspection::default(), "{text}"),
            Err(error) => assert_eq!((text, error.code.name()), ("", "invalid_request")),
        }
    }
    house
        .identity
        .set_suspended(&house.ada, true)
        .await
        .unwrap();
    for token in [access, refresh] {
        assert!(!introspect(&house, token, NOW).await.active);
    }
    house
        .identity
        .set_suspended(&house.ada, false)
        .await
        .unwrap();
    assert!(introspect(&house, access, NOW).await.active);
    house
        .identity
        .revoke(None, &params(&[("token", access)]), NOW)
        .await
        .unwrap();
    for token in [access, refresh] {
        assert!(!introspect(&house, token, NOW).await.active);
    }
    let json = serde_json::to_value(introspect(&house, access, NOW).await).unwrap();
    assert_eq!(
        json,
        serde_json::json!({"active": false}),
        "and nothing more"
    );
}

#[tokio::test]
async fn who_may_introspect() {
    let house = House::new().await;
    let token = house.token().await;
    let form = |id| params(&[("token", &token), ("client_id", id)]);
    assert_eq!(
        code(house.identity.introspect(None, &form("desktop"), NOW).await),
        "invalid_client"
    );
    assert_eq!(
        code(house.identity.introspect(None, &form("web"), NOW).await),
        "invalid_client"
    );
    assert_eq!(
        code(
            house
                .identity
                .introspect(None, &params(&[("token", &token)]), NOW)
                .await
        ),
        "invalid_client"
    );
    let new = NewClient {
        redirects: vec!["https://a.example/".into()],
        ..NewClient::new("A", ClientKind::Web)
    };
    let (client, secret) = house.identity.add_client(new, NOW).await.unwrap();
    let basic = || {
        Some(BasicAuth {
            id: client.id.to_string(),
            secret: secret.clone().unwrap(),
        })
    };
    let others = house
        .identity
        .introspect(basic(), &params(&[("token", &token)]), NOW)
        .await
        .unwrap();
    assert!(!others.active, "somebody else's");
    let mint = crate::Mint {
        client: Some(client.id.to_string()),
        ..crate::Mint::default()
    };
    let own = house.mint(mint).await;
    assert!(
        house
            .identity
            .introspect(basic(), &params(&[("token", &own)]), NOW)
            .await
            .unwrap()
            .active
    );
}

#[tokio::test]
async fn administration_is_no_persons() {
    let house = House::new().await;
    let new = NewClient {
        delegated: Scopes::parse_known("pillarbox:admin"),
        ..NewClient::new("Panel", ClientKind::Service)
    };
    let (client, secret) = house.identity.add_client(new, NOW).await.unwrap();
    let basic = || {
        Some(BasicAuth {
            id: client.id.to_string(),
            secret: secret.clone().unwrap(),
        })
    };
    let form = |scope| params(&[("grant_type", "client_credentials"), ("scope", scope)]);
    for (scope, error) in [
        ("mail", "invalid_scope"),
        ("everything", "invalid_scope"),
        ("pillarbox:admin mail", "invalid_scope"),
    ] {
        assert_eq!(
            code(house.identity.token(basic(), &form(scope), NOW).await),
            error
        );
    }
    let answer = house
        .identity
        .token(
            basic(),
            &params(&[("grant_type", "client_credentials")]),
            NOW,
        )
        .await
        .unwrap();
    assert!(answer.refresh_token.is_none() && answer.scope == "pillarbox:admin");
    let token = answer.access_token.expose();
    assert_eq!(
        house.identity.administrator(token, NOW).await.unwrap().id,
        client.id
    );
    assert!(
        house
            .identity
            .administrator(token, NOW + HOUR)
            .await
            .is_err()
    );
    assert!(
        house
            .identity
            .bearer(ADA, token, crate::Service::Imap, NOW)
            .await
            .is_err(),
        "it opens no mailbox"
    );
    assert!(
        house
            .identity
            .administrator(&house.token().await, NOW)
            .await
            .is_err(),
        "and a person's token no administration"
    );
    assert!(introspect(&house, token, NOW).await.active);
    // Others.
    assert_eq!(
        code(
            house
                .identity
                .token(web_basic(), &form("pillarbox:admin"), NOW)
                .await
        ),
        "unauthorized_client"
    );
    house
        .identity
        .delegate(&client.id, Scopes::default())
        .await
        .unwrap();
    assert_eq!(
        code(
            house
                .identity
                .token(basic(), &form("pillarbox:admin"), NOW)
                .await
        ),
        "unauthorized_client"
    );
    assert!(
        house.identity.administrator(token, NOW).await.is_err(),
        "what was taken back ends at once"
    );
}

#[tokio::test]
async fn a_token_for_administration_can_be_revoked() {
    let house = House::new().await;
    let (panel, other) = (panel(&house).await, panel(&house).await);
    let identity = &house.identity;
    let token = async |basic: &BasicAuth| {
        let form = params(&[("grant_type", "client_credentials")]);
        let answer = identity.token(Some(basic.clone()), &form, NOW).await;
        answer.unwrap().access_token.expose().to_owned()
    };
    let administrates =
        async |token: &str, identity: &Identity| identity.administrator(token, NOW).await.is_ok();
    let revoke = async |basic: Option<&BasicAuth>, token: &str| {
        let form = params(&[("token", token)]);
        identity.revoke(basic.cloned(), &form, NOW).await
    };
    let (one, two, others) = (
        token(&panel).await,
        token(&panel).await,
        token(&other).await,
    );
    let refused = revoke(Some(&other), &one).await;
    assert_eq!(code(refused), "invalid_grant", "it is another client's");
    assert!(administrates(&one, identity).await && administrates(&two, identity).await);
    revoke(Some(&panel), &one).await.unwrap();
    // As one of a person's tokens ends its grant, one of these ends what its client has; the next has begun anew.
    let fresh = token(&panel).await;
    let again = house.opened_again().await;
    for identity in [identity, &again] {
        for (token, good) in [
            (&one, false),
            (&two, false),
            (&others, true),
            (&fresh, true),
        ] {
            assert_eq!(administrates(token, identity).await, good);
        }
    }
    assert!(
        !introspect(&house, &one, NOW).await.active && introspect(&house, &fresh, NOW).await.active
    );
    let refused = identity.administration(&one, NOW).await.unwrap_err();
    assert_eq!(refused.error.code.name(), "invalid_token");
    assert!(refused.cause.contains("revoked"), "{}", refused.cause);
    // Twice is fine, and ends nothing that came later; so is whoever only holds it.
    revoke(None, &one).await.unwrap();
    assert!(administrates(&fresh, identity).await);
    revoke(None, &fresh).await.unwrap();
    assert!(!administrates(&fresh, identity).await);
    let left = token(&other).await;
    identity.remove_client(&other.id, NOW).await.unwrap();
    revoke(None, &left).await.unwrap();
}

/// A service account that administrates.
pub(crate) async fn panel(house: &House) -> BasicAuth {
    let new = NewClient {
        delegated: Scopes::parse_known("pillarbox:admin"),
        ..NewClient::new("Panel", ClientKind::Service)
    };
    let (client, secret) = house.identity.add_client(new, NOW).await.unwrap();
    BasicAuth {
        id: client.id.to_string(),
        secret: secret.unwrap(),
    }
}

#[tokio::test]
async fn a_request_is_pushed_first() {
    let house = House::new().await;
    let waits = errors::waiting(&house).await;
    let pushed = house
        .identity
        .push_request(None, &request(&[("state", "s")]), NOW)
        .await
        .unwrap();
    assert_eq!(pushed.expires_in, 600);
    let carried = |id: &str, uri: &str| {
        params(&[("client_id", id), ("request_uri", uri), ("state", "other")])
    };
    let asked = house
        .identity
        .authorization_request(&carried("desktop", &pushed.request_uri), NOW)
        .await
        .unwrap();
    let address = house.identity.deny(&asked, None, NOW);
    assert_eq!(
        query(&address, "state").as_deref(),
        Some("s"),
        "only what was pushed counts"
    );
    let long = format!("urn:ietf:params:oauth:request_uri:{}", "x".repeat(5000));
    for (id, uri, now, words) in [
        ("web", &*pushed.request_uri, NOW, "another program"),
        (
            "desktop",
            "urn:ietf:params:oauth:request_uri:nothing",
            NOW,
            "answered already",
        ),
        ("desktop", &*long, NOW, "answered already"),
        (
            "desktop",
            &pushed.request_uri,
            NOW + 10 * MINUTE,
            "10 minutes",
        ),
        (
            "desktop",
            "https://evil.example/request",
            NOW,
            "redirect_uri is missing",
        ),
    ] {
        let error = house
            .identity
            .authorization_request(&carried(id, uri), now)
            .await
            .unwrap_err();
        assert!(error.redirect.is_none() && error.app.is_some());
        assert!(error.description.contains(words), "{error:?}");
        let ours = !uri.starts_with("https:");
        assert_eq!(error.code.name() == "invalid_request_uri", ours, "{uri}");
    }
    for (changes, error) in [
        (
            vec![("redirect_uri", "https://evil.example/")],
            "invalid_request",
        ),
        (vec![("scope", "everything")], "invalid_scope"),
        (
            vec![("response_type", "token")],
            "unsupported_response_type",
        ),
        (
            vec![("resource", "https://other.example")],
            "invalid_target",
        ),
        (vec![("client_id", &*waits)], "unauthorized_client"),
        (vec![("client_id", "tv")], "unauthorized_client"),
        (vec![("client_id", "nobody")], "invalid_client"),
        (vec![("client_id", "web")], "invalid_client"),
        (
            vec![("request_uri", &*pushed.request_uri)],
            "invalid_request",
        ),
        (vec![("nonce", &"x".repeat(9000))], "invalid_request"),
    ] {
        assert_eq!(
            code(
                house
                    .identity
                    .push_request(None, &request(&changes), NOW)
                    .await
            ),
            error,
            "{changes:?}"
        );
    }
    let secret = request(&[("client_id", "web"), ("client_secret", "pillarbox")]);
    house
        .identity
        .push_request(None, &secret, NOW)
        .await
        .unwrap();
    let rows = house
        .store
        .account(&AccountId("oauth/pushed".into()))
        .scan(b"", 100)
        .await
        .unwrap();
    let kept = |text: &str| {
        rows.iter()
            .any(|(_, row)| String::from_utf8_lossy(row).contains(text))
    };
    assert!(kept("web") && !kept("client_secret"));
}

/// Pushes so many requests; their references.
async fn push(
    identity: &Identity,
    form: &[(String, String)],
    many: usize,
    now: Millis,
) -> Vec<String> {
    let mut all = Vec::new();
    for _ in 0..many {
        let pushed = identity.push_request(None, form, now).await.unwrap();
        all.push(pushed.request_uri);
    }
    all
}

#[tokio::test]
async fn floods_of_pushed_requests_push_out_their_own() {
    let house = House::with(IdentityConfig {
        slow_down: true,
        ..config()
    })
    .await;
    let from = |peer: &str| house.identity.from_peer(peer.parse().unwrap());
    let public = request(&[]);
    let secret = request(&[("client_id", "web"), ("client_secret", "pillarbox")]);
    let waits = async |id: &str, uri: &str| {
        let carried = params(&[("client_id", id), ("request_uri", uri)]);
        let found = house
            .identity
            .authorization_request(&carried, NOW + 9)
            .await;
        found.is_ok()
    };
    let honest = push(&from("192.0.2.1"), &public, 1, NOW).await.remove(0);
    let web = push(&from("198.51.100.1"), &secret, 1, NOW).await.remove(0);
    // One household, from many addresses, by the name of a program without a secret.
    let mut flood = Vec::new();
    for number in 0..220_u16 {
        let flooder = from(&format!("2001:db8::{number:x}"));
        flood.extend(push(&flooder, &public, 1, NOW + Millis::from(number >= 20)).await);
    }
    assert!(waits("desktop", &honest).await && waits("web", &web).await);
    assert!(!waits("desktop", &flood[19]).await && waits("desktop", &flood[20]).await);
    // Many networks: the room ends, and those that take the most make it. Nobody is refused.
    for network in 0..5 {
        let flooder = from(&format!("203.0.113.{network}"));
        push(&flooder, &public, 170, NOW + 2).await;
    }
    let late = push(&from("198.51.100.1"), &secret, 1, NOW + 3)
        .await
        .remove(0);
    assert!(
        waits("desktop", &honest).await && waits("web", &web).await && waits("web", &late).await
    );
    let rows = house.store.account(&AccountId("oauth/pushed".into()));
    assert_eq!(rows.scan(b"", 10_000).await.unwrap().len(), 1_000);
    // What ended makes room first.
    push(&from("192.0.2.1"), &public, 1, NOW + 11 * MINUTE).await;
    assert_eq!(rows.scan(b"", 10_000).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_client_that_proves_itself_has_a_share_of_its_own() {
    let house = House::with(IdentityConfig {
        slow_down: true,
        ..config()
    })
    .await;
    let secret = request(&[("client_id", "web"), ("client_secret", "pillarbox")]);
    let identity = house.identity.from_peer([192, 0, 2, 1].into());
    let first = push(&identity, &secret, 1, NOW).await.remove(0);
    push(&identity, &request(&[]), 210, NOW).await;
    let find = async || {
        let carried = params(&[("client_id", "web"), ("request_uri", &first)]);
        house
            .identity
            .authorization_request(&carried, NOW)
            .await
            .is_ok()
    };
    assert!(find().await);
    push(&identity, &secret, 200, NOW + 1).await;
    assert!(!find().await);
}

#[tokio::test]
async fn a_development_server_has_room_for_suites_of_tests() {
    let house = House::new().await;
    let identity = house.identity.from_peer([127, 0, 0, 1].into());
    let first = push(&identity, &request(&[]), 1, NOW).await.remove(0);
    push(&identity, &request(&[]), 300, NOW + 1).await;
    let carried = params(&[("client_id", "desktop"), ("request_uri", &first)]);
    assert!(identity.authorization_request(&carried, NOW).await.is_ok());
}

#[tokio::test]
async fn resources_are_this_server() {
    let house = House::new().await;
    for (resource, good) in [
        ("https://localhost:1443", true),
        ("https://localhost/", true),
        ("imaps://localhost", true),
        ("https://calendar.example", false),
        ("localhost", false),
    ] {
        let mut form = request(&[("resource", resource)]);
        let asked = house.identity.authorization_request(&form, NOW).await;
        assert_eq!(asked.is_ok(), good, "{resource}");
        form.extend(params(&[("resource", "https://calendar.example")]));
        let both = house
            .identity
            .authorization_request(&form, NOW)
            .await
            .unwrap_err();
        assert_eq!(both.code.name(), "invalid_target");
        assert!(both.redirect.is_some());
        let form = params(&[
            ("grant_type", "refresh_token"),
            ("client_id", "desktop"),
            ("refresh_token", "x"),
            ("resource", resource),
        ]);
        let error = if good {
            "invalid_grant"
        } else {
            "invalid_target"
        };
        assert_eq!(code(house.identity.token(None, &form, NOW).await), error);
        let form = params(&[
            ("client_id", "tv"),
            ("scope", "mail"),
            ("resource", resource),
        ]);
        let begun = house.identity.device_code(None, &form, NOW).await;
        let error = begun.err().map(|error| error.code.name());
        assert_eq!(error, (!good).then_some("invalid_target"), "{resource}");
    }
    let wrong = request(&[("resource", "https://calendar.example")]);
    let pushed = house.identity.push_request(None, &wrong, NOW).await;
    assert_eq!(code(pushed), "invalid_target");
}

#[tokio::test]
async fn what_googles_clients_send() {
    let house = House::new().await;
    for (name, value) in [
        ("max_age", "soon"),
        ("include_granted_scopes", "yes"),
        ("prompt", "none login"),
        ("access_type", "x"),
    ] {
        let refused = house
            .identity
            .authorization_request(&request(&[(name, value)]), NOW)
            .await
            .unwrap_err();
        assert_eq!(refused.code.name(), "invalid_request", "{name}");
    }
    let session = house
        .identity
        .open_session(&house.ada_signed_in().await, NOW)
        .await
        .unwrap();
    let person = house.identity.session(session.expose(), NOW).await.unwrap();
    let ask = async |changes: &[(&str, &str)]| {
        house
            .identity
            .authorization_request(&request(changes), NOW)
            .await
            .unwrap()
    };
    let asked = ask(&[("max_age", "60")]).await;
    let nothing = Brought {
        session: session.expose(),
        request: "r",
        mark: "",
    };
    let state = |asked: &AuthorizationRequest, now| {
        house.identity.sign_in_for(asked, &person, nothing, now)
    };
    assert_eq!(state(&asked, NOW + MINUTE), SignIn::Enough);
    assert_eq!(state(&asked, NOW + MINUTE + 1), SignIn::Wanted);
    assert_eq!(state(&ask(&[]).await, NOW + 1000 * HOUR), SignIn::Enough);
    let openid = ask(&[("scope", "openid"), ("max_age", "60")]).await;
    let tokens = redeem(&house, &openid, &person, NOW + 1000).await.unwrap();
    let id = tokens.id_token.unwrap();
    let claims = id.expose().split('.').nth(1).unwrap();
    use base64::Engine as _;
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(claims)
        .unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["auth_time"], NOW / 1000);

    let web = [("client_id", "web"), ("access_type", "offline")];
    let first = ask(&[&web[..], &[("scope", "email")]].concat()).await;
    redeem(&house, &first, &person, NOW).await.unwrap();
    let more = [("scope", "openid"), ("include_granted_scopes", "true")];
    let second = ask(&[&web[..], &more].concat()).await;
    assert_eq!(
        redeem(&house, &second, &person, NOW).await.unwrap().scope,
        "openid email"
    );
    let public = ask(&more).await;
    assert_eq!(
        redeem(&house, &public, &person, NOW).await.unwrap().scope,
        "openid",
        "a public name proves nothing"
    );
}

#[tokio::test]
async fn grants_that_make_room_are_told() {
    let house = House::new().await;
    let mint = || crate::Mint {
        refresh: true,
        ..crate::Mint::default()
    };
    let first = house.identity.mint(&house.ada, mint(), NOW).await.unwrap();
    for number in 1..100 {
        house
            .identity
            .mint(&house.ada, mint(), NOW + number)
            .await
            .unwrap();
    }
    let mut told = house.identity.revocations();
    assert!(told.try_recv().is_err());
    house
        .identity
        .mint(&house.ada, mint(), NOW + 100)
        .await
        .unwrap();
    let gone = told.try_recv().unwrap();
    let expected = crate::Credential::Grant {
        grant: first.grant,
        token: None,
    };
    assert_eq!(
        (gone.account, gone.credential),
        (house.ada.clone(), Some(expected))
    );
    assert!(gone.because.contains("made room"), "{}", gone.because);
    let trail = house.identity.activity(&house.ada, 10, NOW + HOUR).await;
    let ended: Vec<_> = trail.unwrap();
    let ended: Vec<_> = ended
        .iter()
        .filter(|entry| entry.deed == crate::Deed::GrantEnded)
        .map(|entry| (entry.app.as_deref(), entry.detail.as_deref()))
        .collect();
    let why = "it was the oldest, and made room for a newer one";
    assert_eq!(ended, [(Some("Pillarbox command line"), Some(why))]);
}

#[tokio::test]
async fn a_sign_in_counts_for_the_request_and_the_session_it_was_made_for() {
    let house = House::new().await;
    let identity = &house.identity;
    let session = identity
        .open_session(&house.ada_signed_in().await, NOW)
        .await
        .unwrap();
    let person = identity.session(session.expose(), NOW).await.unwrap();
    let mark = identity.signed_in_for(session.expose(), "r", NOW);
    let forged = mark.replacen('.', "0.", 1);
    let later = identity.signed_in_for(session.expose(), "r", NOW + 6 * MINUTE);
    let brought = |session, request, mark| Brought {
        session,
        request,
        mark,
    };
    let own = session.expose();
    for change in [("prompt", "login"), ("max_age", "0")] {
        let asked = identity
            .authorization_request(&request(&[change]), NOW)
            .await
            .unwrap();
        let state = |brought, now| identity.sign_in_for(&asked, &person, brought, now);
        assert_eq!(state(brought(own, "r", ""), NOW), SignIn::Wanted);
        for now in [NOW, NOW + 10 * MINUTE] {
            assert_eq!(state(brought(own, "r", &mark), now), SignIn::Enough);
        }
        let over = state(brought(own, "r", &mark), NOW + 10 * MINUTE + 1);
        assert_eq!(over, SignIn::Wanted, "not for ever");
        for (session, request, mark) in [
            (own, "another request", &*mark),
            ("another session", "r", &mark),
            (own, "r", &forged),
            (own, "r", "."),
            (own, "r", &mark[..mark.len() - 1]),
        ] {
            let state = state(brought(session, request, mark), NOW);
            assert_eq!(state, SignIn::Wanted, "{session} {request} {mark}");
        }
        // A provider elsewhere that lets people through without asking.
        let old = state(brought(own, "r", &later), NOW + 6 * MINUTE);
        assert!(matches!(old, SignIn::InVain(_)));
    }
}
