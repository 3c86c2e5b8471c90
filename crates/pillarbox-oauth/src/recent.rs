//! Whether somebody signed in recently enough for a request (`prompt=login` and `max_age`, OpenID Connect Core §3.1.2.1).
//!
//! A browser that comes back from signing in brings a mark of ours: this very session was opened for this very request, then.
//! The mark is made from the session's secret, so neither a program nor a link from elsewhere can bring one, and it says
//! nothing for another request or another session. Nothing is stored.

use crate::external::Recency;
use crate::opaque::same;
use crate::server::AuthorizationRequest;
use crate::{Identity, Principal};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use pillarbox_store::mail::Millis;

/// How long a sign-in counts as done for the request it was done for, in milliseconds: consent is read meanwhile.
const MARK_MS: Millis = 10 * 60 * 1000;
/// How much earlier than their arrival here somebody may have signed in at a provider elsewhere, in milliseconds.
const ELSEWHERE_MS: Millis = 5 * 60 * 1000;

/// What a browser brings with a request.
#[derive(Clone, Copy, Debug)]
pub struct Brought<'a> {
    /// The text of its session.
    pub session: &'a str,
    /// The request as it stood in the address, without the mark.
    pub request: &'a str,
    /// The mark of [`Identity::signed_in_for`]; empty is none.
    pub mark: &'a str,
}

/// How the sign-in of a session stands to what a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignIn {
    /// It is good enough.
    Enough,
    /// The person must sign in for it.
    Wanted,
    /// They just did, and it is still not what was asked for, for this reason: asking once more would not help.
    InVain(&'static str),
}

impl AuthorizationRequest {
    /// Whether it asks for anything that the mark of a sign-in answers.
    pub fn wants_a_mark(&self) -> bool {
        self.prompt.login || self.max_age.is_some() || self.hinted.is_some()
    }

    /// Whether a sign-in anew is asked for, however recent the last one is: `max_age=0` is the same as `prompt=login`.
    pub fn wants_login(&self) -> bool {
        self.prompt.login || self.max_age == Some(0)
    }

    /// How recent a sign-in at a provider elsewhere must be to do for it.
    pub fn recency(&self) -> Recency {
        match self.wants_login() {
            true => Recency::ANEW,
            false => self.max_age.map_or(Recency::Any, Recency::Within),
        }
    }
}

impl Identity {
    /// What the browser takes back to the request for which somebody just signed in.
    pub fn signed_in_for(&self, session: &str, request: &str, now: Millis) -> String {
        format!("{now}.{}", self.mark_of_sign_in(session, request, now))
    }

    /// Whether the person signed in as the request wants it, and is whom it names by an id token.
    pub fn sign_in_for(
        &self,
        request: &AuthorizationRequest,
        person: &Principal,
        brought: Brought<'_>,
        now: Millis,
    ) -> SignIn {
        let signed_in = person.signed_in();
        let within = |age| signed_in.is_some_and(|then| then.saturating_add(age) >= now);
        if request.is_for_another(person) {
            return match self.opened_for(brought, now) {
                None => SignIn::Wanted,
                Some(_) => SignIn::InVain("Somebody else signed in than the person asked for."),
            };
        }
        if !request.wants_login() && request.max_age.is_none_or(within) {
            return SignIn::Enough;
        }
        let Some(opened) = self.opened_for(brought, now) else {
            return SignIn::Wanted;
        };
        match signed_in.is_some_and(|then| then.saturating_add(ELSEWHERE_MS) >= opened) {
            true => SignIn::Enough,
            false => SignIn::InVain("The provider of the sign-in did not ask the person anew."),
        }
    }

    /// When the session was opened for this request, if it was, and lately.
    fn opened_for(&self, brought: Brought<'_>, now: Millis) -> Option<Millis> {
        let (opened, mark) = brought.mark.split_once('.')?;
        let opened = opened.parse().ok()?;
        let right = self.mark_of_sign_in(brought.session, brought.request, opened);
        let good = same(right.as_bytes(), mark.as_bytes());
        (good && now.saturating_sub(opened) <= MARK_MS).then_some(opened)
    }

    fn mark_of_sign_in(&self, session: &str, request: &str, now: Millis) -> String {
        let text = format!("{now}\0{session}\0{request}");
        BASE64.encode(&self.inner.keys.mark("sign-in for a request", &text)[..16])
    }
}
