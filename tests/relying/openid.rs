//! `openidconnect` 4: a program that finds everything by discovery, registers itself, and believes an id token only after every
//! check; before and after the signing keys were replaced.

use crate::server::{ADA, Browser, Server, query};
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientMetadata, CoreClientRegistrationRequest,
    CoreGrantType, CoreIdTokenClaims, CoreProviderMetadata, CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::registration::EmptyAdditionalClientMetadata;
use openidconnect::{
    AccessTokenHash, AuthorizationCode, ClientId, ClientName, ClientSecret, CsrfToken, IssuerUrl,
    Nonce, OAuth2TokenResponse, PkceCodeChallenge, RedirectUrl, RegistrationUrl, Scope,
    SubjectIdentifier, TokenResponse,
};
use url::Url;

const CB: &str = "https://app.example/cb";

struct Party<'a> {
    server: &'a Server,
    /// As it was when the party began: relying parties keep it, keys and all.
    metadata: CoreProviderMetadata,
    id: ClientId,
    secret: Option<ClientSecret>,
}

impl<'a> Party<'a> {
    fn discover(server: &'a Server) -> CoreProviderMetadata {
        let issuer = IssuerUrl::new(server.issuer().into()).unwrap();
        CoreProviderMetadata::discover(&issuer, &|request| server.send(request)).unwrap()
    }

    /// Registers itself.
    fn new(server: &'a Server) -> Self {
        let metadata = Self::discover(server);
        let endpoint = server.address("/register");
        let registration = metadata.registration_endpoint().map(RegistrationUrl::url);
        assert_eq!(registration, Some(&Url::parse(&endpoint).unwrap()));
        let redirects = vec![RedirectUrl::new(CB.into()).unwrap()];
        let name = ClientName::new("Archive of Ada".into());
        let asked = CoreClientMetadata::new(redirects, EmptyAdditionalClientMetadata {})
            .set_client_name(Some(std::iter::once((None, name)).collect()))
            .set_grant_types(Some(vec![
                CoreGrantType::AuthorizationCode,
                CoreGrantType::RefreshToken,
            ]));
        let registration = CoreClientRegistrationRequest::new(
            asked.redirect_uris().clone(),
            EmptyAdditionalClientMetadata {},
        )
        .set_client_name(asked.client_name().cloned())
        .set_grant_types(asked.grant_types().cloned());
        let endpoint = RegistrationUrl::new(endpoint).unwrap();
        let told = registration
            .register(&endpoint, &|request| server.send(request))
            .unwrap();
        assert!(told.registration_access_token().is_some());
        Self {
            server,
            metadata,
            id: told.client_id().clone(),
            secret: told.client_secret().cloned(),
        }
    }

    /// Code with PKCE; the claims only after signature, issuer, audience, nonce, time and `at_hash` were checked.
    fn sign_in(&self) -> (CoreTokenResponse, CoreIdTokenClaims) {
        let http = |request| self.server.send(request);
        let client = CoreClient::from_provider_metadata(
            self.metadata.clone(),
            self.id.clone(),
            self.secret.clone(),
        )
        .set_redirect_uri(RedirectUrl::new(CB.into()).unwrap());
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let (address, state, nonce) = client
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
            .add_scope(Scope::new("email".into()))
            .add_extra_param("access_type", "offline")
            .add_extra_param("prompt", "consent")
            .set_pkce_challenge(challenge)
            .url();
        let back = Browser::new(self.server)
            .allow(address.as_str(), "/consent")
            .unwrap();
        assert_eq!(query(&back, "state").as_ref(), Some(state.secret()));
        let code = AuthorizationCode::new(query(&back, "code").unwrap());
        let asked = client
            .exchange_code(code)
            .unwrap()
            .set_pkce_verifier(verifier);
        let tokens = asked.request(&http).unwrap();
        let token = tokens.id_token().unwrap();
        let rules = client.id_token_verifier();
        assert!(
            token.claims(&rules, &Nonce::new_random()).is_err(),
            "another nonce"
        );
        let claims = token.claims(&rules, &nonce).unwrap().clone();
        let (algorithm, key) = (
            token.signing_alg().unwrap(),
            token.signing_key(&rules).unwrap(),
        );
        let hash = AccessTokenHash::from_token(tokens.access_token(), algorithm, key).unwrap();
        assert_eq!(claims.access_token_hash(), Some(&hash));
        (tokens, claims)
    }
}

#[test]
fn it_registers_itself_and_knows_who_signed_in() {
    let server = Server::start();
    let http = |request| server.send(request);
    let party = Party::new(&server);
    let (tokens, claims) = party.sign_in();
    assert_eq!(claims.email().map(|email| email.as_str()), Some(ADA));
    assert_eq!(claims.email_verified(), Some(true));
    let client = CoreClient::from_provider_metadata(
        party.metadata.clone(),
        party.id.clone(),
        party.secret.clone(),
    );
    let subject: SubjectIdentifier = claims.subject().clone();
    let info = client
        .user_info(tokens.access_token().clone(), Some(subject))
        .unwrap();
    let info: CoreUserInfoClaims = info.request(&http).unwrap();
    assert_eq!(info.email().map(|email| email.as_str()), Some(ADA));
    let other = SubjectIdentifier::new("somebody else".into());
    let info = client
        .user_info(tokens.access_token().clone(), Some(other))
        .unwrap();
    let info: Result<CoreUserInfoClaims, _> = info.request(&http);
    assert!(info.is_err(), "the library compares");
    let refreshed = client
        .exchange_refresh_token(tokens.refresh_token().unwrap())
        .unwrap();
    let refreshed: CoreTokenResponse = refreshed.request(&http).unwrap();
    assert_ne!(
        refreshed.access_token().secret(),
        tokens.access_token().secret()
    );
}

#[test]
fn keys_that_were_announced_are_believed_when_they_sign() {
    let server = Server::start();
    server.run(&["key", "rotate"]);
    // Fetched while the new keys are announced, and never again.
    let party = Party::new(&server);
    let (before, _) = party.sign_in();
    server.run(&["clock", "advance", "25h"]);
    let (after, claims) = party.sign_in();
    assert_eq!(claims.email().map(|email| email.as_str()), Some(ADA));
    let kid = |tokens: &CoreTokenResponse| {
        let token = tokens.id_token().unwrap().to_string();
        token.split('.').next().unwrap().to_owned()
    };
    assert_ne!(kid(&before), kid(&after), "another key signed");
    // A leaked key is gone at once: who knows only the old ones believes nothing new, and learns by fetching.
    server.run(&["key", "rotate", "--leaked", "--yes"]);
    let fresh = Party {
        metadata: Party::discover(&server),
        ..party
    };
    assert_ne!(kid(&fresh.sign_in().0), kid(&after));
}
