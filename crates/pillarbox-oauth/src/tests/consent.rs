//! When a person is asked: what is given without a page is what they agreed to on one, and no more.

use super::authorization::request;
use super::tokens::{form, redeem};
use super::*;
use crate::{AuthorizationRequest, ClientKind, NewClient, Secret, TokenResponse};

const CB: &str = "https://shop.example/cb";
const OFFLINE: (&str, &str) = ("access_type", "offline");
const INCLUDED: (&str, &str) = ("include_granted_scopes", "true");

/// A program with a secret, and the person it asks.
struct Shop {
    house: House,
    ada: Principal,
    id: String,
    secret: String,
    redirect: &'static str,
}

impl Shop {
    async fn new() -> Self {
        Self::at(ClientKind::Web, CB, &[]).await
    }

    async fn at(kind: ClientKind, redirect: &'static str, testers: &[&str]) -> Self {
        let house = House::new().await;
        let testers: Vec<String> = testers.iter().map(|one| (*one).into()).collect();
        let new = NewClient {
            redirects: vec![redirect.into()],
            confidential: true,
            testers: (!testers.is_empty()).then_some(testers),
            ..NewClient::new("Shop", kind)
        };
        let (client, secret) = house.identity.add_client(new, NOW).await.unwrap();
        Self {
            ada: house.ada_signed_in().await,
            house,
            id: client.id.to_string(),
            secret: secret.unwrap().expose().to_owned(),
            redirect,
        }
    }

    async fn ask(&self, changes: &[(&str, &str)]) -> AuthorizationRequest {
        let own = [("client_id", &*self.id), ("redirect_uri", self.redirect)];
        let request = request(&[&own[..], changes].concat());
        let identity = &self.house.identity;
        identity.authorization_request(&request, NOW).await.unwrap()
    }

    async fn asks_ada(&self, changes: &[(&str, &str)], now: Millis) -> bool {
        let asked = self.ask(changes).await;
        let identity = &self.house.identity;
        identity
            .needs_consent(&asked, &self.ada, now)
            .await
            .unwrap()
    }

    /// What becomes of an address with a code.
    async fn redeem(&self, address: &str) -> TokenResponse {
        let code = query(address, "code").unwrap();
        let form = form(
            &code,
            &[
                ("client_id", &self.id),
                ("client_secret", &self.secret),
                ("redirect_uri", self.redirect),
            ],
        );
        self.house.identity.token(None, &form, NOW).await.unwrap()
    }

    /// The page is shown, and Ada allows it.
    async fn allowed(&self, changes: &[(&str, &str)]) -> TokenResponse {
        let asked = self.ask(changes).await;
        let address = self.house.identity.approve(&asked, &self.ada, NOW).await;
        self.redeem(&address.unwrap()).await
    }

    /// The same where no page is shown.
    async fn unasked(&self, changes: &[(&str, &str)]) -> TokenResponse {
        assert!(!self.asks_ada(changes, NOW).await, "{changes:?}");
        let asked = self.ask(changes).await;
        let identity = &self.house.identity;
        let address = identity.approve_unasked(&asked, &self.ada, NOW).await;
        self.redeem(&address.unwrap()).await
    }

    async fn refreshed(&self, token: &Secret) -> String {
        let form = params(&[
            ("grant_type", "refresh_token"),
            ("client_id", &self.id),
            ("client_secret", &self.secret),
            ("refresh_token", token.expose()),
        ]);
        let answer = self.house.identity.token(None, &form, NOW).await;
        answer.unwrap().scope
    }
}

#[tokio::test]
async fn going_on_while_nobody_is_there_is_asked_for_as_a_scope_is() {
    let shop = Shop::new().await;
    assert!(shop.allowed(&[]).await.refresh_token.is_none());
    assert!(!shop.asks_ada(&[], NOW).await, "the same again");
    assert!(shop.asks_ada(&[OFFLINE], NOW).await, "that is more");
    let by_scope = ("scope", "mail offline_access");
    assert!(
        shop.asks_ada(&[by_scope], NOW).await,
        "and so it is spelled too"
    );

    let token = shop.allowed(&[OFFLINE]).await.refresh_token.unwrap();
    assert!(!shop.asks_ada(&[OFFLINE], NOW).await);
    // It holds for the scopes it was given for.
    shop.allowed(&[("scope", "openid")]).await;
    assert!(shop.asks_ada(&[OFFLINE, ("scope", "openid")], NOW).await);
    assert!(
        shop.asks_ada(&[OFFLINE, ("scope", "openid mail")], NOW)
            .await
    );

    // What was taken back does not, whatever else is left.
    let end = params(&[("token", token.expose())]);
    shop.house.identity.revoke(None, &end, NOW).await.unwrap();
    shop.allowed(&[]).await;
    assert!(!shop.asks_ada(&[], NOW).await);
    assert!(shop.asks_ada(&[OFFLINE], NOW).await);
}

#[tokio::test]
async fn a_refresh_token_that_is_over_stands_for_nothing() {
    let day = 24 * HOUR;
    let shop = Shop::new().await;
    shop.allowed(&[OFFLINE]).await;
    assert!(!shop.asks_ada(&[OFFLINE], NOW + 179 * day).await);
    assert!(
        shop.asks_ada(&[OFFLINE], NOW + 180 * day).await,
        "nobody used it"
    );
    let tried = Shop::at(ClientKind::Web, CB, &[ADA]).await;
    tried.allowed(&[OFFLINE]).await;
    assert!(!tried.asks_ada(&[OFFLINE], NOW + 7 * day - 1).await);
    assert!(
        tried.asks_ada(&[OFFLINE], NOW + 7 * day).await,
        "it is tried out"
    );
}

#[tokio::test]
async fn a_page_that_promised_it_gives_a_refresh_token() {
    let shop = Shop::new().await;
    let identity = [OFFLINE, ("scope", "openid email")];
    let first = shop.allowed(&identity).await.refresh_token.unwrap();
    // Incremental authorization: more of it, and what there was before.
    let mail = [OFFLINE, INCLUDED, ("scope", "https://mail.google.com/")];
    assert!(shop.asks_ada(&mail, NOW).await);
    let second = shop.allowed(&mail).await;
    let all = "openid email https://mail.google.com/";
    assert_eq!(second.scope, all);
    let second = second.refresh_token.unwrap();
    assert_eq!(shop.refreshed(&second).await, all);
    assert_eq!(shop.refreshed(&first).await, "openid email", "as before");
    // Without it: what was asked for.
    let other = [OFFLINE, ("scope", "pillarbox:imap")];
    let third = shop.allowed(&other).await.refresh_token.unwrap();
    assert_eq!(shop.refreshed(&third).await, "pillarbox:imap");
    // Nothing is asked that is known, and its refresh token came with the page.
    for known in [&identity[..], &mail[..1], &other] {
        assert!(shop.unasked(known).await.refresh_token.is_none());
    }
    // What is known from several pages is put together once.
    let together = shop.unasked(&mail).await;
    assert_eq!(together.scope, format!("{all} pillarbox:imap"));
    let token = together.refresh_token.unwrap();
    assert_eq!(shop.refreshed(&token).await, together.scope);
    assert!(shop.unasked(&mail).await.refresh_token.is_none());
    // What was for as long as somebody is there is not made more of on the way.
    shop.allowed(&[("scope", "profile")]).await;
    assert!(shop.asks_ada(&mail, NOW).await);
    let online = [INCLUDED, ("scope", "openid")];
    let online = shop.unasked(&online).await;
    assert!(online.scope.contains("profile") && online.refresh_token.is_none());
}

#[tokio::test]
async fn a_program_on_the_persons_computer_is_asked_for_whatever_it_proves() {
    let web = ClientKind::Web;
    for (kind, redirect, asked) in [
        (web, CB, false),
        (web, "http://127.0.0.1/cb", true),
        (web, "http://[::1]:8080/cb", true),
        (web, "http://localhost/cb", true),
        (web, "https://localhost/cb", true),
        (ClientKind::Native, "http://127.0.0.1/", true),
        (ClientKind::Native, "com.example.shop:/cb", true),
    ] {
        let shop = Shop::at(kind, redirect, &[]).await;
        let unproven = [("code_challenge", ""), ("code_challenge_method", "")];
        let asking = shop.ask(&unproven).await;
        let code = shop.house.identity.approve(&asking, &shop.ada, NOW).await;
        assert!(query(&code.unwrap(), "code").is_some(), "PKCE is at choice");
        shop.allowed(&[OFFLINE]).await;
        assert_eq!(shop.asks_ada(&[], NOW).await, asked, "{redirect}");
        // Its name proves nothing, so it gets what the page says and no more.
        let more = [INCLUDED, ("scope", "openid")];
        let included = shop.allowed(&more).await.scope != "openid";
        assert_eq!(included, !asked, "{redirect}");
    }
}

#[tokio::test]
async fn while_it_is_developed_a_server_comes_back_to_loopback() {
    let house = House::new().await;
    let person = house.ada_signed_in().await;
    let web = request(&[("client_id", "web")]);
    let asked = house.identity.authorization_request(&web, NOW).await;
    let asked = asked.unwrap();
    redeem(&house, &asked, &person, NOW).await.unwrap();
    let needed = house.identity.needs_consent(&asked, &person, NOW).await;
    assert!(!needed.unwrap(), "as where it will run");
}
