//! The web sign-in as a provider's relying party: the code flow with PKCE, `state` and `nonce` (OpenID Connect Core §3.1,
//! RFC 9700 §2.1 and §4.4).
//!
//! Nothing is kept on the server while somebody is away at the provider. The browser holds a ticket with our mark on it;
//! `state`, `nonce` and the PKCE verifier are made from the ticket by our own key. So an answer without the ticket it
//! belongs to is refused, whoever brings it, and nobody can fill our memory by beginning. How recent the sign-in must be
//! stands in the ticket, too: people can change the address they are sent to, and the provider's word is what counts.

use super::claims::Claims;
use super::jwt::Jwt;
use super::{Done, No, Provider, SKEW_S, Shows};
use crate::attempts::Guess;
use crate::authorize::{BadParams, Params};
use crate::principal::{Rights, SignedIn};
use crate::words::ago;
use crate::{
    Act, Credential, Deed, FirstFactor, Identity, Principal, Refusal, Secret, Service, opaque,
};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use pillarbox_store::mail::{AccountId, Millis};
use serde_json::Value;
use std::sync::Arc;
use url::{Url, form_urlencoded};

/// How long somebody may be away at the provider, in milliseconds.
const AWAY_MS: Millis = 15 * 60 * 1000;
/// What asks for `auth_time` where `max_age` is not heeded (OpenID Connect Core §5.5); whoever does not know it passes it over.
const CLAIMS: &str = r#"{"id_token":{"auth_time":{"essential":true}}}"#;
/// Longest ticket looked at, in bytes.
const TICKET_BYTES_MAX: usize = 256;
/// An id token is as new as the sign-in, in seconds.
const ID_TOKEN_AGE_S: i64 = 10 * 60;

/// Where somebody goes to sign in elsewhere, and what their browser keeps meanwhile.
#[derive(Clone, Debug)]
pub struct ExternalBegun {
    /// The provider's page.
    pub address: String,
    /// Goes into a cookie, and back into [`Identity::finish_external`].
    pub ticket: Secret,
}

/// How recent somebody's sign-in at a provider must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recency {
    /// As the provider likes.
    Any,
    /// The provider is asked to have them sign in anew, and not held to it.
    Asked,
    /// By the provider's own word (`auth_time`), no more than so many milliseconds before it was begun here.
    Within(Millis),
}

impl Recency {
    /// Not before it was begun here.
    pub const ANEW: Self = Self::Within(0);

    /// The longest age it bears, in milliseconds; None is any.
    fn age(self) -> Option<Millis> {
        match self {
            Self::Any | Self::Asked => None,
            Self::Within(age) => Some(age),
        }
    }
}

/// Why somebody who signs in elsewhere does not get in. The cause is for the log.
#[derive(Clone, Debug)]
pub struct ExternalRefusal {
    /// Decides what they are told.
    pub why: WhyNot,
    /// The true cause, in words, without secrets.
    pub cause: String,
}

/// See [`ExternalRefusal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyNot {
    /// There is no such provider.
    NoProvider,
    /// The provider does not answer, or not sensibly.
    Unreachable,
    /// This browser did not begin it, or too long ago.
    NotBegun,
    /// They, or the provider, did not want to.
    Cancelled,
    /// The provider has not verified the address.
    Unverified,
    /// The provider knows them; there is no mailbox for them here.
    NoMailbox,
    /// They must sign in there anew, and the provider let them through without.
    NotAnew,
    /// It matters when they signed in there, and the provider does not say.
    Unsaid,
    /// What the provider says cannot be accepted.
    Refused,
    /// Too many answers from this network could not be accepted.
    TooOften,
    /// Our own fault; try again.
    Ourselves,
}

impl From<No> for ExternalRefusal {
    fn from(no: No) -> Self {
        Self {
            why: no.why,
            cause: no.cause,
        }
    }
}

/// What belongs to one ticket.
struct Bound {
    state: String,
    nonce: String,
    verifier: String,
    /// The longest age of the sign-in, in milliseconds, and the time before which it is too old.
    age: Option<(Millis, Millis)>,
}

impl Identity {
    /// The providers people can choose from: name and label.
    pub fn external_providers(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.inner.external.all.iter();
        all.map(|one| (&*one.config.name, &*one.config.label))
    }

    /// Begins a sign-in at a provider. `hint` is whom it expects.
    ///
    /// # Errors
    /// [`ExternalRefusal`].
    pub async fn begin_external(
        &self,
        provider: &str,
        hint: Option<&str>,
        recency: Recency,
        now: Millis,
    ) -> Result<ExternalBegun, ExternalRefusal> {
        let provider = self.provider(provider)?;
        let documents = provider.documents(now).await?;
        let config = &provider.config;
        let ends = now.saturating_add(AWAY_MS);
        let random = opaque::random_text(&self.inner.random, 32);
        let age = recency.age();
        let ticket = match age {
            Some(age) => format!("{random}.{ends}.{age}"),
            None => format!("{random}.{ends}"),
        };
        let bound = self.bound(config.name.as_ref(), &ticket, None);
        let mark = self.mark_text("external ticket", &config.name, &ticket);
        let refused = || No::refused("the authorization endpoint is not an address");
        let mut address = Url::parse(&documents.metadata.authorization).map_err(|_| refused())?;
        let challenge = digest(&SHA256, bound.verifier.as_bytes());
        let mut query = address.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &config.client_id)
            .append_pair("redirect_uri", &self.return_address(&config.name))
            .append_pair("scope", &config.scope)
            .append_pair("state", &bound.state)
            .append_pair("nonce", &bound.nonce)
            .append_pair("code_challenge", &BASE64.encode(challenge))
            .append_pair("code_challenge_method", "S256");
        if let Some(hint) = hint.filter(|hint| !hint.is_empty()) {
            query.append_pair("login_hint", hint);
        }
        if matches!(recency, Recency::Asked | Recency::ANEW) {
            query.append_pair("prompt", "login");
        }
        // With max_age the answer has auth_time (OpenID Connect Core §2), which prompt alone does not promise.
        if let Some(age) = age {
            query
                .append_pair("max_age", &age.div_euclid(1000).to_string())
                .append_pair("claims", CLAIMS);
        }
        drop(query);
        Ok(ExternalBegun {
            address: address.into(),
            ticket: Secret::new(format!("{ticket}.{mark}")),
        })
    }

    /// Ends it: the browser is back with the provider's answer. What the person has shown is a first factor. `wanted` is
    /// what waits for it wants now: a ticket that was given for less does not do.
    ///
    /// # Errors
    /// [`ExternalRefusal`].
    pub async fn finish_external(
        &self,
        provider: &str,
        ticket: &str,
        params: &[(String, String)],
        wanted: Recency,
        now: Millis,
    ) -> Result<FirstFactor, ExternalRefusal> {
        let provider = self.provider(provider)?;
        let bound = self.open_ticket(&provider.config.name, ticket, now)?;
        if let Some(wanted) = wanted.age()
            && bound.age.is_none_or(|(age, _)| age > wanted)
        {
            let cause = "the sign-in was begun for something else";
            return Err(No::new(WhyNot::NotBegun, cause).into());
        }
        // Each answer is a question to the provider, and whoever begins one sign-in can invent many.
        let counted = format!("external\0{}", provider.config.name);
        self.slow_down(Guess::Token, &counted, now)
            .map_err(No::from)?;
        let returned = self.returned(&provider, &bound, params, now).await;
        if let Err(no) = &returned
            && no.why == WhyNot::Refused
        {
            let refused = Err(Refusal::invalid(no.cause.as_str()));
            self.count(Guess::Token, &counted, &refused, now);
        }
        let (account, signed_in) = returned?;
        let label = &provider.config.label;
        let standing = self.standing(&account).await.map_err(No::from)?;
        let act = |deed| Act {
            service: Some(Service::Web),
            method: Some(Arc::clone(label)),
            ..Act::new(deed, now)
        };
        if let Err(refusal) = standing.allows(Service::Web) {
            self.record(&account, act(Deed::Refused).detail(refusal.cause.as_str()));
            return Err(No::from(refusal).into());
        }
        let person = Principal {
            account,
            address: Arc::clone(&standing.address),
            credential: Credential::Password,
            app: None,
            until: None,
            rights: Rights {
                signed_in,
                peer: self.peer,
                ..Rights::default()
            },
        };
        let ticket = self.second_step(&person, now).await.map_err(No::from)?;
        if let Some(ticket) = ticket {
            return Ok(FirstFactor::HalfWay(ticket));
        }
        self.note_network(&person.address, now);
        self.record(&person.account, act(Deed::SignedIn));
        Ok(FirstFactor::Enough(person))
    }

    fn provider(&self, name: &str) -> Done<Arc<Provider>> {
        let found = self.inner.external.named(name);
        found
            .cloned()
            .ok_or_else(|| No::new(WhyNot::NoProvider, "there is no such provider"))
    }

    /// A redirect address for each provider alone, so that an answer meant for one is never taken for another's
    /// (RFC 9700 §4.4.2.2).
    fn return_address(&self, name: &str) -> String {
        format!("{}/signin/external/{name}/back", self.inner.config.issuer)
    }

    fn mark_text(&self, purpose: &str, name: &str, ticket: &str) -> String {
        let mark = self.inner.keys.mark(purpose, &format!("{name}\0{ticket}"));
        BASE64.encode(mark)
    }

    fn bound(&self, name: &str, ticket: &str, age: Option<(Millis, Millis)>) -> Bound {
        Bound {
            state: self.mark_text("external state", name, ticket),
            nonce: self.mark_text("external nonce", name, ticket),
            verifier: self.mark_text("external verifier", name, ticket),
            age,
        }
    }

    fn open_ticket(&self, name: &str, ticket: &str, now: Millis) -> Done<Bound> {
        let not_begun = |cause: &str| No::new(WhyNot::NotBegun, cause);
        let unknown = || not_begun("this browser has begun no sign-in with this provider");
        if ticket.len() > TICKET_BYTES_MAX {
            return Err(unknown());
        }
        let (body, mark) = ticket.rsplit_once('.').ok_or_else(unknown)?;
        let ours = self.mark_text("external ticket", name, body);
        if !opaque::same(ours.as_bytes(), mark.as_bytes()) {
            return Err(unknown());
        }
        let mut parts = body.split('.').skip(1).map(str::parse::<Millis>);
        let Some(Ok(ends)) = parts.next() else {
            return Err(unknown());
        };
        let age = parts.next().transpose().map_err(|_| unknown())?;
        if ends <= now {
            return Err(not_begun("the sign-in was begun too long ago"));
        }
        let begun = ends.saturating_sub(AWAY_MS);
        let age = age.map(|age| (age, begun.saturating_sub(age)));
        Ok(self.bound(name, body, age))
    }

    /// From the provider's answer to the account, and when the person signed in there.
    async fn returned(
        &self,
        provider: &Provider,
        bound: &Bound,
        params: &[(String, String)],
        now: Millis,
    ) -> Done<(AccountId, SignedIn)> {
        let params = Params::new(params).map_err(|bad| match bad {
            BadParams::Twice(name) => No::refused(format!("the answer has {name:?} twice")),
            BadParams::TooMany => No::refused(BadParams::TOO_MANY),
        })?;
        let state = params.get("state").unwrap_or_default();
        if !opaque::same(state.as_bytes(), bound.state.as_bytes()) {
            let cause = "the answer's state is not of the sign-in this browser began";
            return Err(No::new(WhyNot::NotBegun, cause));
        }
        let documents = provider.documents(now).await?;
        let metadata = &documents.metadata;
        let (config, label) = (&provider.config, &provider.config.label);
        match params.get("iss") {
            Some(iss) if iss == config.issuer => {}
            None if !metadata.names_itself => {}
            Some(_) => return Err(No::refused("the answer is another issuer's (RFC 9207)")),
            None => {
                return Err(No::refused(
                    "the answer does not say whose it is (RFC 9207)",
                ));
            }
        }
        if let Some(error) = params.get("error") {
            return Err(refused_there(label, error));
        }
        let code = params
            .get("code")
            .ok_or_else(|| No::refused("the answer has no code"))?;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("code_verifier", &bound.verifier),
        ];
        let back = self.return_address(&config.name);
        form.push(("redirect_uri", &back));
        let (good, answer) = provider
            .ask_as_client(&metadata.token, form, metadata.basic)
            .await?;
        if !good {
            let error = answer.get("error").and_then(Value::as_str);
            return Err(refused_there(label, error.unwrap_or("nothing")));
        }
        let text = |name: &str| answer.get(name).and_then(Value::as_str);
        let id_token = text("id_token").ok_or_else(|| No::refused("there is no id token"))?;
        let mut claims = provider.open_id_token(id_token, &bound.nonce, now).await?;
        if !claims.has(&config.account_claim) {
            let more = provider
                .userinfo(metadata, text("access_token"), &claims)
                .await?;
            claims.0.extend(more.0);
        }
        let signed_in = signed_in(&claims, bound, now)?;
        Ok((self.person_of(provider, &claims, now).await?, signed_in))
    }
}

/// When the person signed in there; refuses what is too old for the sign-in that was begun. Clocks may differ.
fn signed_in(claims: &Claims, bound: &Bound, now: Millis) -> Done<SignedIn> {
    let said = claims.time_if_any("auth_time")?;
    let said = said.map(|seconds| seconds.saturating_mul(1000).min(now));
    match (said, bound.age) {
        (None, Some(_)) => {
            let cause = "the id token has no auth_time, though max_age asked for it";
            Err(No::new(WhyNot::Unsaid, cause))
        }
        (Some(at), Some((_, since))) if at < since.saturating_sub(SKEW_S * 1000) => {
            let since = ago(now.saturating_sub(at));
            let cause = format!("the person signed in there {since}, and was not asked anew");
            Err(No::new(WhyNot::NotAnew, cause))
        }
        (Some(at), _) => Ok(SignedIn::At(at)),
        (None, None) => Ok(SignedIn::Unsaid),
    }
}

/// An error of RFC 6749 §4.1.2.1 or §5.2; OpenID Connect Core §3.1.2.6.
fn refused_there(label: &str, error: &str) -> No {
    let word: String = error
        .chars()
        .take(60)
        .filter(|c| c.is_ascii_graphic())
        .collect();
    let why = match &*word {
        "access_denied" | "login_required" | "interaction_required" | "consent_required" => {
            WhyNot::Cancelled
        }
        "server_error" | "temporarily_unavailable" => WhyNot::Unreachable,
        _ => WhyNot::Refused,
    };
    No::new(why, format!("{label} answers with the error {word}"))
}

impl Provider {
    /// Sends a form and says who we are: beside it, or in it.
    pub(super) async fn ask_as_client(
        &self,
        address: &str,
        form: Vec<(&str, &str)>,
        basic: bool,
    ) -> Done<(bool, Value)> {
        let (form, shows) = self.as_client(form, basic);
        self.ask(address, Some(form), shows).await
    }

    fn as_client(&self, form: Vec<(&str, &str)>, basic: bool) -> (String, Shows) {
        let config = &self.config;
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(form);
        let shows = match &config.client_secret {
            Some(secret) if basic => Shows::Client(config.client_id.clone(), secret.clone()),
            secret => {
                body.append_pair("client_id", &config.client_id);
                if let Some(secret) = secret {
                    body.append_pair("client_secret", secret.expose());
                }
                Shows::Nothing
            }
        };
        (body.finish(), shows)
    }

    /// Everything OpenID Connect Core §3.1.3.7 wants checked.
    pub(super) async fn open_id_token(
        &self,
        token: &str,
        nonce: &str,
        now: Millis,
    ) -> Done<Claims> {
        let config = &self.config;
        let jwt = Jwt::read(token).ok_or_else(|| No::refused("the id token is no signed JWT"))?;
        if !jwt.may_be_id_token() {
            let typ = jwt.type_in_words();
            return Err(No::refused(format!("the id token's type is {typ}")));
        }
        let key = self.key(&jwt.header, now).await?;
        let claims = jwt.open(&key)?;
        claims.check_issuer(&config.issuer)?;
        let party = claims.text("azp");
        if !claims.is_for(&config.client_id)
            || party.is_some_and(|party| party != config.client_id)
            || (claims.audiences() > 1 && party.is_none())
        {
            return Err(No::refused("the id token is for another audience"));
        }
        claims.check_begun(now)?;
        let seconds = now.div_euclid(1000);
        if claims.time("exp")? <= seconds.saturating_sub(SKEW_S) {
            return Err(No::refused("the id token has expired"));
        }
        if claims.time("iat")? < seconds.saturating_sub(ID_TOKEN_AGE_S + SKEW_S) {
            return Err(No::refused("the id token is an old one"));
        }
        if !opaque::same(claims.required("nonce")?.as_bytes(), nonce.as_bytes()) {
            return Err(No::refused("the id token's nonce is another sign-in's"));
        }
        Ok(claims)
    }

    /// What the id token left out (OpenID Connect Core §5.3, §5.4); only about the same person.
    async fn userinfo(
        &self,
        metadata: &super::documents::Metadata,
        token: Option<&str>,
        about: &Claims,
    ) -> Done<Claims> {
        let (Some(address), Some(token)) = (&metadata.userinfo, token) else {
            return Ok(Claims::default());
        };
        let shows = Shows::Token(Secret::new(token));
        let (good, document) = self.ask(address, None, shows).await?;
        let claims = Claims::read(document).filter(|_| good);
        let claims = claims.ok_or_else(|| No::refused("userinfo answers with an error"))?;
        if claims.required("sub")? != about.required("sub")? {
            return Err(No::refused("userinfo is about somebody else"));
        }
        let mut claims = claims;
        // These are the id token's to say.
        for name in ["auth_time", "iss", "aud", "sub"] {
            claims.0.remove(name);
        }
        Ok(claims)
    }
}
