//! From what a client claims to a principal, the same for every protocol; what a refusal sounds like is theirs.

use pillarbox_oauth::{Identity, Principal, Refusal, RefusalKind, Service};
use pillarbox_store::mail::{Millis, Settings, Store};
use pillarbox_wire::sasl::{Credentials, Password};

/// Longest offered user name an event shows, in characters.
const OFFERED_CHARS_MAX: usize = 128;

/// The user name as offered, for events; empty where a token alone names its mailbox.
#[must_use]
pub fn offered(credentials: &Credentials) -> String {
    let user = match credentials {
        Credentials::Bearer(bearer) => bearer.user().unwrap_or_default(),
        Credentials::Password(password) => password.user(),
    };
    user.chars().take(OFFERED_CHARS_MAX).collect()
}

/// Checks credentials. `user` is the name to check them for: the one offered, less what a protocol puts in front of it.
///
/// # Errors
/// The refusal, with its true cause for the log.
pub async fn check(
    store: &Store,
    identity: &Identity,
    credentials: &Credentials,
    user: &str,
    service: Service,
    now: Millis,
) -> Result<(Principal, Settings), Refusal> {
    let principal = match credentials {
        Credentials::Bearer(bearer) => {
            identity
                .bearer(user, bearer.token().reveal(), service, now)
                .await?
        }
        Credentials::Password(password) => {
            by_password(identity, password, user, service, now).await?
        }
    };
    match store.account(principal.account()).settings().await {
        Ok(settings) => Ok((principal, settings)),
        Err(fault) => Err(Refusal {
            kind: RefusalKind::Temporary,
            cause: fault.to_string(),
        }),
    }
}

async fn by_password(
    identity: &Identity,
    password: &Password,
    user: &str,
    service: Service,
    now: Millis,
) -> Result<Principal, Refusal> {
    let acts_as_other = |other: &str| !other.eq_ignore_ascii_case(password.user());
    if password.act_as().is_some_and(acts_as_other) {
        return Err(Refusal {
            kind: RefusalKind::Invalid,
            cause: "asked to act as somebody else".into(),
        });
    }
    identity
        .password(user, password.password().reveal(), service, now)
        .await
}
