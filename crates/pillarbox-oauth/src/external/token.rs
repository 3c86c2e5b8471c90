//! Mail sign-in with an access token that a provider issued: a JWT (RFC 9068), or one the provider is asked about (RFC 7662).
//! The session it opens ends with it.

use super::claims::Claims;
use super::jwt::Jwt;
use super::{Done, No, Provider, WhyNot};
use crate::access::TOKEN_BYTES_MAX;
use crate::attempts::Guess;
use crate::principal::Rights;
use crate::scope::Access;
use crate::words::ago;
use crate::{Credential, Identity, Principal, Refusal, RefusalKind, Scope, Scopes, Service};
use pillarbox_store::mail::Millis;
use serde_json::Value;
use std::sync::Arc;

/// Shortest text that is taken for an opaque token, in bytes: 128 bits in base64.
const OPAQUE_BYTES_MIN: usize = 22;
/// Longest name of a provider's client that is shown, in characters.
const CLIENT_CHARS_MAX: usize = 60;
/// What an external token can open at all: administration stays ours.
const OPENABLE: [Scope; 5] = [
    Scope::Mail,
    Scope::Imap,
    Scope::Pop,
    Scope::Smtp,
    Scope::Read,
];

/// What a token is, as far as it shows from outside.
enum Form<'a> {
    Signed(Arc<Provider>, Jwt<'a>),
    Opaque(Arc<Provider>),
}

impl Identity {
    /// Checks an access token of an external provider; None if it is none, and ours to judge.
    pub(crate) async fn external_bearer(
        &self,
        user: &str,
        token: &str,
        service: Service,
        now: Millis,
    ) -> Option<Result<Principal, Refusal>> {
        let principal = match self.external_form(token)? {
            Form::Signed(provider, jwt) if jwt.is_access_token() => {
                let claims = provider.open_access_token(jwt, now).await;
                self.external_principal(&provider, claims, user, service, now)
                    .await
            }
            Form::Signed(provider, _) | Form::Opaque(provider) if provider.config.introspection => {
                self.introspected(&provider, token, user, service, now)
                    .await
            }
            Form::Signed(_, jwt) => {
                let typ = jwt.type_in_words();
                let cause = format!("the token's type is {typ}, not at+jwt (RFC 9068)");
                Err(Refusal::new(RefusalKind::Invalid, cause))
            }
            Form::Opaque(_) => return None,
        };
        Some(principal)
    }

    fn external_form<'a>(&self, token: &'a str) -> Option<Form<'a>> {
        let all = &self.inner.external.all;
        if all.is_empty() || token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        if let Some(jwt) = Jwt::read(token) {
            // The word of somebody unknown, and used for nothing but this choice: the signature must be by a key of the
            // one it names.
            let issuer = jwt.alleged_issuer()?;
            let provider = all.iter().find(|one| one.config.issuer == issuer)?;
            return Some(Form::Signed(Arc::clone(provider), jwt));
        }
        // What somebody put in the wrong place is no provider's to see: refresh tokens and codes of ours, passwords.
        if token.contains('~') || !is_opaque_token(token) {
            return None;
        }
        let provider = all.iter().find(|one| one.config.introspection)?;
        Some(Form::Opaque(Arc::clone(provider)))
    }

    /// The provider that a signed token says it is from, by its name for people. Only its word: nothing is checked.
    pub(crate) fn provider_named_by(&self, token: &str) -> Option<Arc<str>> {
        let jwt = Jwt::read(token)?;
        let issuer = jwt.alleged_issuer()?;
        let all = &self.inner.external.all;
        let found = all.iter().find(|one| one.config.issuer == issuer)?;
        Some(Arc::clone(&found.config.label))
    }

    /// Guesses cost a question to the provider, so they are slowed down like passwords, and apart from them.
    async fn introspected(
        &self,
        provider: &Provider,
        token: &str,
        user: &str,
        service: Service,
        now: Millis,
    ) -> Result<Principal, Refusal> {
        self.slow_down(Guess::Token, user, now)?;
        let claims = provider.introspect(token, now).await;
        let found = self
            .external_principal(provider, claims, user, service, now)
            .await;
        self.count(Guess::Token, user, &found, now);
        found
    }

    async fn external_principal(
        &self,
        provider: &Provider,
        claims: Done<Claims>,
        user: &str,
        service: Service,
        now: Millis,
    ) -> Result<Principal, Refusal> {
        let (claims, config) = (claims?, &provider.config);
        if service == Service::Web {
            return Err(Refusal::invalid("the web pages take no bearer tokens"));
        }
        let until = check_access(provider, &claims, now)?;
        let access = opens(provider, &claims, service)?;
        let account = self.person_of(provider, &claims, now).await?;
        let standing = self.standing(&account).await?;
        let address = &standing.address;
        if !address.eq_ignore_ascii_case(user)
            && self.inner.store.account_of(user).await?.as_ref() != Some(&account)
        {
            return Err(Refusal::invalid(format!("the token belongs to {address}")));
        }
        standing.allows(service)?;
        self.note_network(address, now);
        let client = claims.text("client_id").or(claims.text("azp"));
        let client: String = client
            .unwrap_or("a program")
            .chars()
            .filter(|letter| !letter.is_control())
            .take(CLIENT_CHARS_MAX)
            .collect();
        Ok(Principal {
            address: Arc::clone(address),
            credential: Credential::External(Arc::clone(&config.name)),
            app: Some(format!("{client} ({})", config.label).into()),
            until: Some(until),
            rights: Rights {
                read_only: access == Access::Read,
                ..Rights::default()
            },
            account,
        })
    }
}

/// Whether it can be a token nobody can guess (RFC 6750 §2.1, RFC 6749 §10.10), and so no password of people.
fn is_opaque_token(text: &str) -> bool {
    let of_tokens = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    text.len() >= OPAQUE_BYTES_MIN && text.bytes().all(of_tokens)
}

/// What must hold of every access token, however it was opened; when it ends.
pub(super) fn check_access(provider: &Provider, claims: &Claims, now: Millis) -> Done<Millis> {
    let audience = &provider.config.audience;
    if !claims.is_for(audience) {
        let cause = format!("the token is for another audience, not {audience}");
        return Err(No::refused(cause));
    }
    // Bound to a key of its holder's (RFC 7800, RFC 9449 §7): somebody who merely has it proves nothing.
    if claims.has("cnf") {
        return Err(No::refused(
            "the token is bound to a key, and came without its proof",
        ));
    }
    claims.check_begun(now)?;
    // No leeway here: the session ends when the token does.
    let ends = claims.time("exp")?.saturating_mul(1000);
    if ends <= now {
        let since = ago(now.saturating_sub(ends));
        return Err(No::refused(format!("the token expired {since}")));
    }
    Ok(ends)
}

pub(super) fn opens(provider: &Provider, claims: &Claims, service: Service) -> Done<Access> {
    let text = claims.text("scope").unwrap_or_default();
    let known = Scopes::parse_known(text);
    let granted = OPENABLE.into_iter().filter(|scope| known.has(*scope));
    let mut scopes = granted.fold(Scopes::default(), Scopes::with);
    let mail = provider.config.mail_scope.as_deref();
    if mail.is_some_and(|mail| text.split(' ').any(|word| word == mail)) {
        scopes = scopes.with(Scope::Mail);
    }
    scopes.opens(service).ok_or_else(|| {
        No::refused(format!(
            "scope {text:?} is not enough for {}",
            service.name()
        ))
    })
}

impl Provider {
    pub(super) async fn open_access_token(&self, jwt: Jwt<'_>, now: Millis) -> Done<Claims> {
        let key = self.key(&jwt.header, now).await?;
        let claims = jwt.open(&key)?;
        claims.check_issuer(&self.config.issuer)?;
        Ok(claims)
    }

    /// RFC 7662 §2. The answer comes from the provider itself, so it need not name its issuer; if it does, it must be right.
    async fn introspect(&self, token: &str, now: Millis) -> Done<Claims> {
        let label = &self.config.label;
        let unreachable = |text: &str| No::new(WhyNot::Unreachable, format!("{label}: {text}"));
        let documents = self.documents(now).await?;
        let metadata = &documents.metadata;
        let address = metadata.introspection.as_deref();
        let address =
            address.ok_or_else(|| unreachable("its metadata names no introspection endpoint"))?;
        let form = vec![("token", token), ("token_type_hint", "access_token")];
        let (good, answer) = self.ask_as_client(address, form, metadata.basic).await?;
        if !good {
            let error = answer.get("error").and_then(Value::as_str);
            let word: String = error.unwrap_or("nothing").chars().take(60).collect();
            return Err(unreachable(&format!("introspection is refused: {word:?}")));
        }
        let claims = Claims::read(answer).unwrap_or_default();
        if !claims.is_true("active") {
            return Err(No::refused(format!(
                "{label} says that the token is not active"
            )));
        }
        if claims.has("iss") {
            claims.check_issuer(&self.config.issuer)?;
        }
        let kind = claims.text("token_type");
        if kind.is_some_and(|kind| !kind.eq_ignore_ascii_case("Bearer")) {
            return Err(No::refused("the token is not a bearer token"));
        }
        Ok(claims)
    }
}
