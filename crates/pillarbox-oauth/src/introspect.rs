//! Token introspection (RFC 7662), for servers of our own that cannot check tokens themselves, and tokens for administration
//! (RFC 6749 §4.4), which belong to no person and open no mailbox: they have an audience of their own, so neither kind can be
//! taken for the other.

use crate::access::{self, Claims};
use crate::authorize::Params;
use crate::client::{Client, ClientKind, Status};
use crate::dpop::Confirmation;
use crate::grants::after;
use crate::keys::Ring;
use crate::rows::{self, ClientRow, GrantRow, Kind};
use crate::server::{BasicAuth, ErrorCode, TokenError, TokenResponse};
use crate::token::{checked, read_any_scopes, required};
use crate::{Identity, IdentityError, Refusal, RefusalKind, Scope, Scopes, Secret, opaque};
use pillarbox_store::mail::Millis;
use serde::Serialize;
use std::sync::Arc;

/// What a token is (RFC 7662 §2.2). Serializes to what is sent; of a token that is not good, that and nothing more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)] // each is the member of its name; times are Unix seconds
#[serde(rename_all = "snake_case")]
pub struct Introspection {
    pub active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// Which key it is bound to (RFC 9449 §6.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
}

type Result<T, E = TokenError> = std::result::Result<T, E>;

impl Identity {
    /// The introspection endpoint. Only a client that proves itself may ask; one that is a server of ours about every token,
    /// others about their own. Everything else is not active, whatever the reason (RFC 7662 §2.2).
    ///
    /// # Errors
    /// [`TokenError`] about the client or the form, never about the token.
    pub async fn introspect(
        &self,
        basic: Option<BasicAuth>,
        params: &[(String, String)],
        now: Millis,
    ) -> Result<Introspection> {
        let params = checked(params)?;
        let client = self.authenticate(basic, &params, now).await?;
        if !client.is_confidential() {
            let text = "Only a client with a secret or key may ask.";
            return Err(TokenError::new(ErrorCode::InvalidClient, text));
        }
        let token = required(&params, "token")?;
        let found = match self.introspect_refresh(token, now).await? {
            Some(found) => found,
            None => self.introspect_access(token, now).await,
        };
        let owner = found.client_id.as_deref();
        let may_know = client.introspects || owner == Some(&*client.id);
        Ok(if may_know {
            found
        } else {
            Introspection::default()
        })
    }

    async fn introspect_access(&self, token: &str, now: Millis) -> Introspection {
        let issuer = &self.inner.config.issuer;
        if let Ok((claims, _)) = self.open_administration(token, now).await {
            return described(claims, issuer, None);
        }
        let Ok((claims, _, standing)) = self.live_claims(token, now).await else {
            return Introspection::default();
        };
        let known = self.client(&claims.client_id).is_some();
        if !known || standing.allows(crate::Service::Web).is_err() {
            return Introspection::default();
        }
        described(claims, issuer, Some(standing.address.to_string()))
    }

    async fn introspect_refresh(&self, token: &str, now: Millis) -> Result<Option<Introspection>> {
        let Some((account, grant)) = opaque::read_refresh(&self.inner.keys, token) else {
            return Ok(None);
        };
        let rows = self.inner.store.account(&account);
        let row = rows.get(&Kind::Grant.key(&grant)).await?;
        let row: Option<GrantRow> = row.map(|row| rows::decode(&row)).transpose()?;
        let newest = |row: &GrantRow| {
            row.refresh
                .is_some_and(|hash| opaque::same(&hash, &opaque::hash(token)))
        };
        let live = |row: &GrantRow| row.revoked.is_none() && self.refresh_end(row) > now;
        let Some(row) = row.filter(|row| newest(row) && live(row)) else {
            return Ok(Some(Introspection::default()));
        };
        let standing = self.standing(&account).await;
        let Ok(standing) = standing.and_then(|standing| {
            standing.allows(crate::Service::Web)?;
            Ok(standing)
        }) else {
            return Ok(Some(Introspection::default()));
        };
        Ok(Some(Introspection {
            active: true,
            exp: Some(self.refresh_end(&row).div_euclid(1000)),
            scope: Some(row.scope),
            client_id: Some(row.client),
            username: Some(standing.address.to_string()),
            iat: Some(row.used.div_euclid(1000)),
            sub: Some(account.0.to_string()),
            iss: Some(self.inner.config.issuer.clone()),
            ..Introspection::default()
        }))
    }

    /// When a grant's refresh token ends if it is not used.
    fn refresh_end(&self, row: &GrantRow) -> Millis {
        let unused = after(row.used, self.inner.config.refresh_unused);
        row.refresh_ends.map_or(unused, |ends| ends.min(unused))
    }

    /// The token endpoint's side of client credentials: for administration, and for nothing else.
    pub(crate) async fn administration_token(
        &self,
        client: &Client,
        params: &Params<'_>,
        now: Millis,
    ) -> Result<TokenResponse> {
        let refuse = |text: &str| TokenError::new(ErrorCode::UnauthorizedClient, text);
        if client.kind != ClientKind::Service || !client.is_confidential() {
            return Err(refuse(
                "Only a service account with a secret or key acts in its own name.",
            ));
        }
        if self.proof.is_some() {
            let text =
                "Tokens for administration are not bound to keys: ask without a proof (DPoP).";
            return Err(TokenError::new(ErrorCode::InvalidRequest, text));
        }
        let asked = params.get("scope").unwrap_or(Scope::Admin.name());
        let scopes = read_any_scopes(asked)?;
        if scopes != Scopes::default().with(Scope::Admin) {
            let text = "Without a person there is administration only: pillarbox:admin.";
            return Err(TokenError::new(ErrorCode::InvalidScope, text));
        }
        if !client.delegated.covers(scopes) {
            return Err(refuse(
                "The administrator has not given this client administration.",
            ));
        }
        let life = self.inner.config.token_lifetime;
        let gid = match &client.administration {
            Some(gid) => gid.to_string(),
            None => self.begin_administration(client).await?,
        };
        let keys = self.inner.keys.ring().await?;
        let claims = Claims {
            iss: self.inner.config.issuer.clone(),
            aud: self.administration_audience(),
            sub: client.id.to_string(),
            client_id: client.id.to_string(),
            iat: now.div_euclid(1000),
            exp: after(now, life).div_euclid(1000),
            nbf: None,
            jti: opaque::random_text(&self.inner.random, 9),
            gid,
            scope: scopes.to_string(),
            cnf: None,
        };
        Ok(TokenResponse {
            access_token: Secret::new(access::sign(&keys, &claims, now)?),
            expires_in: life.as_secs(),
            refresh_token: None,
            scope: scopes.to_string(),
            token_type: "Bearer",
            id_token: None,
        })
    }

    /// Checks a token of the administration API: which client may administrate.
    ///
    /// # Errors
    /// A [`Refusal`] whose cause is precise.
    pub async fn administrator(&self, token: &str, now: Millis) -> Result<Arc<Client>, Refusal> {
        Ok(self.open_administration(token, now).await?.1)
    }

    async fn open_administration(
        &self,
        token: &str,
        now: Millis,
    ) -> Result<(Arc<Claims>, Arc<Client>), Refusal> {
        let broken = |fault: IdentityError| Refusal::new(RefusalKind::Temporary, fault.to_string());
        let keys = self.inner.keys.ring().await.map_err(broken)?;
        let claims = self.read_administration(&keys, token);
        let claims = claims.map_err(Refusal::invalid)?;
        access::check_time(&claims, now).map_err(Refusal::invalid)?;
        self.know_clients().await.map_err(broken)?;
        let client = self.client(&claims.client_id);
        // Taking the right back takes effect at once.
        let may = |client: &Arc<Client>| {
            client.status == Status::Active && client.delegated.has(Scope::Admin)
        };
        match client.filter(may) {
            Some(client) if client.administration.as_deref() == Some(&*claims.gid) => {
                Ok((claims, client))
            }
            Some(_) => Err(Refusal::invalid("the token was revoked")),
            None => Err(Refusal::invalid("the client may not administrate any more")),
        }
    }

    /// A genuine token for administration, in time or not.
    pub(crate) fn read_administration(
        &self,
        keys: &Ring,
        token: &str,
    ) -> Result<Arc<Claims>, String> {
        let issuer = &self.inner.config.issuer;
        access::open(keys, token, issuer, &self.administration_audience())
    }

    /// What a client's tokens rest on from now on; it is in its row before anybody gets to see one.
    async fn begin_administration(&self, client: &Client) -> Result<String> {
        let fresh = self.new_grant_id();
        let begin = move |row: &mut ClientRow| {
            row.administration.get_or_insert_with(|| fresh.clone());
            Ok(())
        };
        self.change_client(&client.id, begin).await?;
        self.know_clients().await?;
        let now = self.client(&client.id);
        let gid = now.and_then(|client| client.administration.clone());
        gid.map(|gid| gid.to_string())
            .ok_or_else(|| IdentityError::NoSuch("registered client").into())
    }

    /// Ends the tokens that rest on the same as this one: those of its client until now (RFC 7009 §2.1).
    pub(crate) async fn end_administration(&self, claims: &Claims) -> Result<(), IdentityError> {
        let gid = claims.gid.clone();
        let end = move |row: &mut ClientRow| {
            row.administration.take_if(|now| *now == gid);
            Ok(())
        };
        match self.change_client(&claims.client_id, end).await {
            Ok(()) | Err(IdentityError::NoSuch(_)) => self.know_clients().await,
            Err(fault) => Err(fault),
        }
    }

    pub(crate) fn administration_audience(&self) -> String {
        format!("{}/admin", self.inner.config.issuer)
    }
}

fn described(claims: Arc<Claims>, issuer: &str, username: Option<String>) -> Introspection {
    let claims = Arc::unwrap_or_clone(claims);
    Introspection {
        active: true,
        scope: Some(claims.scope),
        client_id: Some(claims.client_id),
        username,
        token_type: Some(crate::token::token_type(claims.cnf.is_some())),
        exp: Some(claims.exp),
        iat: Some(claims.iat),
        sub: Some(claims.sub),
        aud: Some(claims.aud),
        iss: Some(issuer.to_owned()),
        jti: Some(claims.jti),
        cnf: claims.cnf,
    }
}
