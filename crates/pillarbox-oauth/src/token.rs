//! The token, revocation and user info endpoints (RFC 6749 §3.2, RFC 7009, OpenID Connect Core §5.3; wire §7.3, §7.6).

use crate::authorize::{BadParams, NOT_ON_THE_LIST, Params, code_key};
use crate::client::{Client, ClientKind};
use crate::endings::Meant;
use crate::grant_type::GrantType;
use crate::grants::{NewAccess, add_grant, after, end_grant, millis};
use crate::opaque::{self, Kind as Text};
use crate::redeem::{CodeForm, Redeemed, RefreshForm};
use crate::rows::{self, CodeRow, GrantRow, Kind};
use crate::server::{BasicAuth, ErrorCode, TokenError, TokenResponse, UserInfo};
use crate::standing::Standing;
use crate::{
    Act, Deed, Identity, IdentityError, Refusal, RefusalKind, Scope, Scopes, Secret, access,
    client_auth,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use pillarbox_store::mail::{Account, AccountId, Millis, Rows, StoreError};
use serde::de::DeserializeOwned;
use serde_json::json;
use std::sync::Arc;

/// Google's words for every refused code and refresh token; libraries show them (wire §7.3).
const EXPIRED_OR_REVOKED: &str = "Token has been expired or revoked.";

const NO_SUCH_CODE: &str = "there is no such code, or it ended long ago";
const GRANT_IS_GONE: &str = "its grant ended some time ago, or made room for newer ones";
const CAME_TWICE: &str = "its code came twice: somebody else may have seen it";
const GIVEN_BACK: &str = "its token was given back at the revocation endpoint";
const TWO_HOLD_IT: &str = "an old refresh token came again: two hold it, one of them took it";

type Result<T, E = TokenError> = std::result::Result<T, E>;

impl From<IdentityError> for TokenError {
    fn from(fault: IdentityError) -> Self {
        tracing::error!(%fault, "token endpoint");
        let text = "The server failed. Try again.";
        Self::new(ErrorCode::ServerError, text).because(fault.to_string())
    }
}

impl From<StoreError> for TokenError {
    fn from(fault: StoreError) -> Self {
        IdentityError::from(fault).into()
    }
}

/// What says no more than Google does; the cause is for the owner.
pub(crate) fn invalid_grant(cause: impl Into<Arc<str>>) -> TokenError {
    TokenError::new(ErrorCode::InvalidGrant, EXPIRED_OR_REVOKED).because(cause)
}

pub(crate) fn checked<'a>(params: &'a [(String, String)]) -> Result<Params<'a>> {
    Params::new(params).map_err(|bad| {
        let text = match bad {
            BadParams::Twice(name) => format!("{name} is there twice"),
            BadParams::TooMany => BadParams::TOO_MANY.into(),
        };
        TokenError::new(ErrorCode::InvalidRequest, text)
    })
}

pub(crate) fn required<'a>(params: &Params<'a>, name: &str) -> Result<&'a str> {
    params
        .get(name)
        .ok_or_else(|| TokenError::new(ErrorCode::InvalidRequest, format!("{name} is missing")))
}

impl Identity {
    /// The token endpoint.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn token(
        &self,
        basic: Option<BasicAuth>,
        params: &[(String, String)],
        now: Millis,
    ) -> Result<TokenResponse> {
        let params = checked(params)?;
        let grant_type = required(&params, "grant_type")?;
        let grant_type = GrantType::parse(grant_type);
        let answer = self.token_by(grant_type, basic, &params, now).await;
        answer.map_err(|error| match grant_type {
            Some(grant_type) => error.by(grant_type.name()),
            None => error,
        })
    }

    async fn token_by(
        &self,
        grant_type: Option<GrantType>,
        basic: Option<BasicAuth>,
        params: &Params<'_>,
        now: Millis,
    ) -> Result<TokenResponse> {
        if grant_type == Some(GrantType::JwtBearer) {
            // The assertion proves who speaks (RFC 7521 §4.1); credentials beside it must be right.
            self.know_clients().await?;
            if client_auth::proves_itself(basic.as_ref(), params) {
                self.authenticate(basic, params, now).await?;
            }
            self.check_resource(params)?;
            return self.redeem_assertion(params, now).await;
        }
        let client = self.authenticate(basic, params, now).await?;
        let answer = self.redeem(grant_type, &client, params, now).await;
        answer.map_err(|error| error.of_client(Some(&client.id)))
    }

    async fn redeem(
        &self,
        grant_type: Option<GrantType>,
        client: &Client,
        params: &Params<'_>,
        now: Millis,
    ) -> Result<TokenResponse> {
        if let Some(grant_type) = grant_type {
            client.check_grant(grant_type)?;
        }
        if client.always_proves() && self.proof.is_none() {
            let text = "The program registered to bring a proof (DPoP) with every request.";
            return Err(TokenError::new(ErrorCode::InvalidDpopProof, text));
        }
        match grant_type {
            Some(GrantType::ClientCredentials) => self.check_administrated(params)?,
            _ => self.check_resource(params)?,
        }
        match grant_type {
            Some(GrantType::AuthorizationCode) => self.redeem_code(client, params, now).await,
            Some(GrantType::RefreshToken) => self.refresh(client, params, now).await,
            Some(GrantType::DeviceCode) => self.redeem_device(client, params, now).await,
            Some(GrantType::ClientCredentials) => {
                self.administration_token(client, params, now).await
            }
            Some(GrantType::JwtBearer) | None => {
                let text =
                    "This grant type is not offered; the discovery document lists those that are.";
                Err(TokenError::new(ErrorCode::UnsupportedGrantType, text))
            }
        }
    }

    /// The revocation endpoint: either token ends its grant, one for administration all that its client has; an unknown one is fine. Whoever holds a token may end it;
    /// credentials, if given, must be right and the token's own client's.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn revoke(
        &self,
        basic: Option<BasicAuth>,
        params: &[(String, String)],
        now: Millis,
    ) -> Result<()> {
        let params = checked(params)?;
        let token = required(&params, "token")?;
        let client = match client_auth::names_a_client(basic.as_ref(), &params) {
            true => Some(self.authenticate(basic, &params, now).await?),
            false => None,
        };
        let another = || TokenError::new(ErrorCode::InvalidGrant, "The token is another client's.");
        let (account, grant, row) = match self.meant_by(token).await? {
            Meant::Nothing => return Ok(()),
            Meant::Administration(claims) => {
                return match client.is_some_and(|client| *client.id != claims.client_id) {
                    true => Err(another()),
                    false => Ok(self.end_administration(&claims).await?),
                };
            }
            Meant::Grant(account, grant, row) => (account, grant, row),
        };
        if let Some(client) = client.filter(|client| *client.id != row.client) {
            return Err(another().about(&account).of_client(Some(&client.id)));
        }
        let how = Some(GIVEN_BACK);
        match self.revoke_grant_because(&account, &grant, how, now).await {
            Err(IdentityError::NoSuch(_)) => Ok(()),
            other => Ok(other?),
        }
    }

    /// The user info endpoint.
    ///
    /// # Errors
    /// [`TokenError`] with `invalid_token` or `insufficient_scope` (RFC 6750 §3.1).
    pub async fn userinfo(&self, token: &str, now: Millis) -> Result<UserInfo> {
        let answer = self.userinfo_of(token, now).await;
        let Err(error) = answer else { return answer };
        // Also one that is over says whose it was.
        let config = &self.inner.config;
        let keys = self.inner.keys.ring().await?;
        let genuine = access::open(&keys, token, &config.issuer, &config.host);
        Err(match genuine {
            Err(_) => error,
            Ok(claims) => error
                .about(&AccountId(claims.sub.as_str().into()))
                .of_client(Some(&claims.client_id)),
        })
    }

    async fn userinfo_of(&self, token: &str, now: Millis) -> Result<UserInfo> {
        let over = |refusal: Refusal| {
            TokenError::new(ErrorCode::InvalidToken, EXPIRED_OR_REVOKED).because(refusal.cause)
        };
        let live = self
            .live_claims(token, now)
            .await
            .map_err(|refusal| match refusal.kind {
                RefusalKind::Temporary => {
                    TokenError::new(ErrorCode::ServerError, "The server failed. Try again.")
                }
                _ => over(refusal),
            });
        let (claims, account, standing) = live?;
        self.check_possession(&claims, token, now)?;
        standing.allows(crate::Service::Web).map_err(over)?;
        let scopes = Scopes::parse_known(&claims.scope);
        let about = [Scope::OpenId, Scope::Email, Scope::Profile];
        if !about.into_iter().any(|scope| scopes.has(scope)) {
            let text = "The token's scope holds none of openid, email and profile.";
            return Err(TokenError::new(ErrorCode::InsufficientScope, text));
        }
        let address = |scope| scopes.has(scope).then(|| standing.address.to_string());
        let email = address(Scope::Email);
        Ok(UserInfo {
            sub: account.0.to_string(),
            email_verified: email.as_ref().map(|_| true),
            email,
            preferred_username: address(Scope::Profile),
        })
    }

    async fn redeem_code(
        &self,
        client: &Client,
        params: &Params<'_>,
        now: Millis,
    ) -> Result<TokenResponse> {
        let code = required(params, "code")?;
        let redirect_uri = required(params, "redirect_uri")?;
        let redirect_uri = url::Url::parse(redirect_uri)
            .map_err(|_| {
                TokenError::new(ErrorCode::InvalidGrant, "redirect_uri is not an address.")
            })?
            .to_string();
        let account = opaque::account_of(Text::Code, code)
            .ok_or_else(|| invalid_grant("this server never gave such a code"))?;
        let form = CodeForm {
            client: client.id.to_string(),
            redirect_uri,
            verifier: params.get("code_verifier").map(str::to_owned),
            proven: self.proven_key().map(str::to_owned),
            now,
        };
        let (key, grants) = (code_key(code), Kind::Grant.all());
        // A made-up code of an account that does not exist must not make it.
        let handle = self.inner.store.account(&account);
        let row = row_at::<CodeRow>(&handle, &key).await?;
        let row = row.ok_or_else(|| invalid_grant(NO_SUCH_CODE))?;
        let grant = self.new_grant_id();
        let refresh = row.refresh.then(|| {
            let (keys, random) = (&self.inner.keys, &self.inner.random);
            opaque::new_refresh(keys, &account, &grant, random)
        });
        let given = GrantRow {
            client: row.client.clone(),
            scope: row.scope.clone(),
            created: now,
            used: now,
            ends: after(now, self.inner.config.token_lifetime),
            refresh: refresh.as_ref().map(|text| opaque::hash(text.expose())),
            rotated: None,
            refresh_ends: client.refresh_ends(now),
            key: self.refresh_key(client),
            revoked: None,
        };
        let issue = Issue {
            account: &account,
            client,
            grant: &grant,
            scopes: Scopes::parse_known(&row.scope),
            nonce: row.nonce.as_deref(),
            auth_time: row.auth_time,
            refresh,
        };
        // All that can be refused or fail comes before the code is spent.
        let answer = match form.check(&row) {
            Redeemed::Good(()) => Some(self.issue(issue, now).await?),
            Redeemed::Refused(error) => return Err(error.about(&account)),
            Redeemed::Reused(_) => None,
        };
        let (prefix, new_grant) = (key.clone(), grant.clone());
        let redeem = move |rows: &mut Rows| {
            let Some(mut row) = rows::read::<CodeRow>(rows, &key)? else {
                return Ok(Redeemed::Refused(invalid_grant(NO_SUCH_CODE)));
            };
            match form.check(&row) {
                Redeemed::Good(()) => {}
                Redeemed::Refused(error) => return Ok(Redeemed::Refused(error)),
                Redeemed::Reused(grant) => {
                    end_grant(rows, &Kind::Grant.key(&grant), now)?;
                    return Ok(Redeemed::Reused(grant));
                }
            }
            row.used = Some(new_grant.clone());
            rows::write(rows, &key, &row)?;
            let evicted = add_grant(rows, &new_grant, &given, now)?;
            Ok::<_, IdentityError>(Redeemed::Good(evicted))
        };
        let evicted = match handle.update(&[&prefix, &grants], redeem).await? {
            Redeemed::Good(evicted) => evicted,
            Redeemed::Refused(error) => return Err(error.about(&account)),
            Redeemed::Reused(grant) => {
                self.announce_grant(&account, &grant, CAME_TWICE);
                let act = Act::new(Deed::GrantEnded, now).app(Arc::clone(&client.name));
                self.record(&account, act.detail(CAME_TWICE));
                return Err(used_before().about(&account));
            }
        };
        self.announce_evicted(&account, &client.id, evicted, now);
        answer.ok_or_else(|| used_before().about(&account))
    }

    async fn refresh(
        &self,
        client: &Client,
        params: &Params<'_>,
        now: Millis,
    ) -> Result<TokenResponse> {
        let token = required(params, "refresh_token")?;
        let named = opaque::read_refresh(&self.inner.keys, token)
            .ok_or_else(|| invalid_grant("this server never gave such a refresh token"))?;
        let account = named.0.clone();
        let answer = self.refresh_of(client, named, params, now).await;
        answer.map_err(|error| error.about(&account))
    }

    async fn refresh_of(
        &self,
        client: &Client,
        (account, grant): (AccountId, String),
        params: &Params<'_>,
        now: Millis,
    ) -> Result<TokenResponse> {
        let token = required(params, "refresh_token")?;
        let form = RefreshForm {
            client: client.id.to_string(),
            grant: grant.clone(),
            hash: opaque::hash(token),
            proven: self.proven_key().map(str::to_owned),
            narrower: params.get("scope").map(read_scopes).transpose()?,
            unused: millis(self.inner.config.refresh_unused),
            arrived: self.has_arrived(&grant),
            now,
        };
        let key = Kind::Grant.key(&grant);
        let handle = self.inner.store.account(&account);
        let row = row_at::<GrantRow>(&handle, &key).await?;
        let row = row.ok_or_else(|| invalid_grant(GRANT_IS_GONE))?;
        let rotate = client.kind != ClientKind::Web || !client.is_confidential();
        let next = rotate
            .then(|| opaque::new_refresh(&self.inner.keys, &account, &grant, &self.inner.random));
        let next_hash = next.as_ref().map(|text| opaque::hash(text.expose()));
        // All that can be refused or fail comes before the token is spent.
        let answer = match form.check(&row) {
            Redeemed::Good(good) => {
                let issue = Issue {
                    account: &account,
                    client,
                    grant: &grant,
                    scopes: good.scopes,
                    nonce: None,
                    auth_time: None,
                    refresh: next,
                };
                Some(self.issue(issue, now).await?)
            }
            Redeemed::Refused(error) => return Err(error),
            Redeemed::Reused(_) => None,
        };
        let (prefix, bound) = (key.clone(), self.refresh_key(client));
        let ends = after(now, self.inner.config.token_lifetime);
        let redeem = move |rows: &mut Rows| {
            let Some(mut row) = rows::read::<GrantRow>(rows, &key)? else {
                return Ok(Redeemed::Refused(invalid_grant(GRANT_IS_GONE)));
            };
            let good = match form.check(&row) {
                Redeemed::Good(good) => good,
                Redeemed::Refused(error) => return Ok(Redeemed::Refused(error)),
                Redeemed::Reused(grant) => {
                    end_grant(rows, &key, now)?;
                    return Ok(Redeemed::Reused(grant));
                }
            };
            row.used = now;
            row.ends = row.ends.max(ends);
            if next_hash.is_some() {
                (row.refresh, row.rotated) = (next_hash, Some(good.rotated));
            }
            row.key = row.key.or(bound.clone());
            rows::write(rows, &key, &row)?;
            Ok::<_, IdentityError>(Redeemed::Good(good.again))
        };
        let again = match handle.update(&[&prefix], redeem).await? {
            Redeemed::Good(again) => again,
            Redeemed::Refused(error) => return Err(error),
            Redeemed::Reused(grant) => {
                self.announce_grant(&account, &grant, TWO_HOLD_IT);
                let act = Act::new(Deed::GrantEnded, now).app(Arc::clone(&client.name));
                self.record(&account, act.detail(TWO_HOLD_IT));
                return Err(invalid_grant(TWO_HOLD_IT));
            }
        };
        let answer = answer.ok_or_else(|| invalid_grant(TWO_HOLD_IT))?;
        if rotate {
            self.note_answer(&grant, &answer.access_token, again, now);
        }
        Ok(answer)
    }

    /// How a person stands to whom tokens are about to be given.
    pub(crate) async fn may_be_given(&self, account: &AccountId) -> Result<Arc<Standing>> {
        let refused = |refusal: Refusal| match refusal.kind {
            RefusalKind::Temporary => {
                TokenError::new(ErrorCode::ServerError, "The server failed. Try again.")
            }
            _ => invalid_grant(refusal.cause).about(account),
        };
        let standing = self.standing(account).await.map_err(refused)?;
        standing.allows(crate::Service::Web).map_err(refused)?;
        Ok(standing)
    }

    /// Makes an answer, with everything that can be refused or fail. The caller then commits what it rests on, and sends it.
    pub(crate) async fn issue(&self, new: Issue<'_>, now: Millis) -> Result<TokenResponse> {
        let life = self.inner.config.token_lifetime;
        let standing = self.may_be_given(new.account).await?;
        // Taken off the list of those who try it out since they agreed. A service account asks nobody.
        if new.client.kind != ClientKind::Service && !new.client.admits(&standing.address) {
            return Err(invalid_grant(NOT_ON_THE_LIST).about(new.account));
        }
        self.note_use(new.client, now).await?;
        self.first_use((&new.account.0, &new.client.id), now)?;
        let access = NewAccess {
            account: new.account,
            grant: new.grant,
            client: &new.client.id,
            scope: new.scopes.to_string(),
            issued: now,
            ends: after(now, life),
            key: self.proven_key(),
        };
        let access_token = self.sign_access(access, now).await?;
        let id_token = match new.scopes.has(Scope::OpenId) {
            false => None,
            true => {
                let mut claims = json!({
                    "iss": self.inner.config.issuer,
                    "sub": *new.account.0,
                    "aud": *new.client.id,
                    "azp": *new.client.id,
                    "iat": now.div_euclid(1000),
                    "exp": after(now, life).div_euclid(1000),
                    // OpenID Connect Core §3.1.3.6: the left half of the hash.
                    "at_hash": BASE64.encode(&opaque::hash(access_token.expose())[..16]),
                });
                if new.scopes.has(Scope::Email) {
                    claims["email"] = json!(*standing.address);
                    claims["email_verified"] = json!(true);
                }
                if new.scopes.has(Scope::Profile) {
                    claims["preferred_username"] = json!(*standing.address);
                }
                if let Some(time) = new.auth_time {
                    claims["auth_time"] = json!(time.div_euclid(1000));
                }
                if let Some(nonce) = new.nonce {
                    claims["nonce"] = json!(nonce);
                }
                let keys = self.inner.keys.ring().await?;
                Some(Secret::new(keys.sign_id(&claims, now)?))
            }
        };
        Ok(TokenResponse {
            access_token,
            expires_in: life.as_secs(),
            refresh_token: new.refresh,
            scope: new.scopes.to_string(),
            token_type: token_type(self.proof.is_some()),
            id_token,
        })
    }

    /// The key a new refresh token is bound to: a program with a secret proves itself with that (RFC 9449 §5).
    pub(crate) fn refresh_key(&self, client: &Client) -> Option<String> {
        let public = !client.is_confidential();
        self.proven_key().filter(|_| public).map(str::to_owned)
    }
}

/// A code that was good once. Who can show it again, with all that it is bound to, may know.
pub(crate) fn used_before() -> TokenError {
    TokenError::new(ErrorCode::InvalidGrant, "The code was used before.")
}

/// What a passed check gives.
pub(crate) struct Issue<'a> {
    pub account: &'a AccountId,
    pub client: &'a Client,
    pub grant: &'a str,
    pub scopes: Scopes,
    pub nonce: Option<&'a str>,
    /// When the person signed in, if it is known.
    pub auth_time: Option<Millis>,
    pub refresh: Option<Secret>,
}

/// A row of an account that may not exist, or whose name no account can have.
async fn row_at<T: DeserializeOwned>(account: &Account, key: &[u8]) -> Result<Option<T>> {
    let row = match account.get(key).await {
        Err(StoreError::NoSuchAccount) => None,
        other => other?,
    };
    Ok(row.map(|row| rows::decode(&row)).transpose()?)
}

/// How the token is sent (RFC 6750, RFC 9449 §5).
pub(crate) fn token_type(bound: bool) -> &'static str {
    if bound { "DPoP" } else { "Bearer" }
}

/// RFC 7636 §4.6; a verifier nobody asked for is refused too, or PKCE could be taken away (RFC 9700 §4.8.2).
pub(crate) fn check_verifier(
    challenge: Option<&str>,
    verifier: Option<&str>,
) -> Result<(), &'static str> {
    match (challenge, verifier) {
        (None, None) => Ok(()),
        (Some(_), None) => Err("code_verifier is missing."),
        (None, Some(_)) => Err("code_verifier was sent, but no code_challenge before."),
        (Some(challenge), Some(verifier)) => {
            let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(legal) {
                return Err("code_verifier is not 43 to 128 unreserved characters.");
            }
            let hash = BASE64.encode(opaque::hash(verifier));
            match opaque::same(hash.as_bytes(), challenge.as_bytes()) {
                true => Ok(()),
                false => Err("code_verifier does not fit code_challenge."),
            }
        }
    }
}

/// Word that asks to go on without the person (OpenID Connect Core §11); no scope of its own.
pub(crate) const OFFLINE_ACCESS: &str = "offline_access";

/// Scopes that a person can grant. Words that nobody here knows are passed over (OpenID Connect Core §3.1.2.1); the answer
/// says what was granted (RFC 6749 §3.3). Not so a scope that is no person's to give, nor a list with nothing that is known.
pub(crate) fn read_scopes(text: &str) -> Result<Scopes> {
    let refused = |text: String| Err(TokenError::new(ErrorCode::InvalidScope, text));
    let mut scopes = Scopes::default();
    for word in words(text) {
        match Scope::parse(word) {
            Some(scope) if Scope::OF_PEOPLE.contains(&scope) => scopes = scopes.with(scope),
            Some(_) => return refused(format!("scope {word:?} is no person's to give")),
            None => {}
        }
    }
    match words(text).next() {
        None => refused("scope is empty".into()),
        Some(word) if scopes.is_empty() => refused(format!("scope {word:?} is not known")),
        Some(_) => Ok(scopes),
    }
}

/// Any scopes, each of them known: nobody looks at the answer of a service account.
pub(crate) fn read_any_scopes(text: &str) -> Result<Scopes> {
    let mut scopes = Scopes::default();
    for word in words(text) {
        let scope = Scope::parse(word).ok_or_else(|| {
            TokenError::new(
                ErrorCode::InvalidScope,
                format!("scope {word:?} is not known"),
            )
        })?;
        scopes = scopes.with(scope);
    }
    if scopes.is_empty() {
        return Err(TokenError::new(ErrorCode::InvalidScope, "scope is empty"));
    }
    Ok(scopes)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(' ')
        .filter(|word| !word.is_empty() && *word != OFFLINE_ACCESS)
}
