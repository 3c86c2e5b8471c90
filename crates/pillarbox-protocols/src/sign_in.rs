//! From what a client claims to a principal, the same for every protocol; what a refusal sounds like is theirs.

use crate::conversation::{Channel, Now};
use crate::sessions::{Seat, TooMany};
use pillarbox_oauth::{Identity, Principal, Refusal, RefusalKind, ScramChallenge, Service};
use pillarbox_store::mail::{Millis, Settings, Store};
use pillarbox_wire::sasl::scram::{HASH_BYTES, Proof};
use pillarbox_wire::sasl::{Credentials, Exchange, Mechanism, Offer, Password, Step};
use std::time::Duration;

/// Nothing of a refusal is sent before the check has lasted so long, or a multiple of it, whatever the cause: an unknown
/// person, a wrong secret, a hundred app passwords to compare with, an entry in somebody's trail cannot be told apart by the
/// clock. It covers a cold read from disk, and nobody notices it. The multiples are for checks that last longer, as those of
/// people's own passwords do.
pub const REFUSED_AFTER: Duration = Duration::from_millis(20);

/// Holds refusals back until [`REFUSED_AFTER`]; who is let in never waits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hold {
    begun: Duration,
    refused: bool,
}

impl Hold {
    /// A check begins.
    pub fn begin(&mut self, now: Now) {
        self.begun = now.mono;
    }

    /// It has led to a refusal.
    pub fn refuse(&mut self) {
        self.refused = true;
    }

    /// Once a refusal, to be asked for when all is done for it and before anything of it is sent: the moment of the monotonic
    /// clock to rest until.
    pub fn rest(&mut self, now: Now) -> Option<Duration> {
        if !std::mem::take(&mut self.refused) {
            return None;
        }
        let lasted = now.mono.saturating_sub(self.begun).as_nanos();
        let times = lasted.div_ceil(REFUSED_AFTER.as_nanos()).max(1);
        let times = u32::try_from(times).unwrap_or(u32::MAX);
        Some(
            self.begun
                .saturating_add(REFUSED_AFTER.saturating_mul(times)),
        )
    }
}

/// Why a connection is closed whose client breaks off after our proof.
pub const NOT_BELIEVED: &str = "the client did not take the server's proof";

/// What a check leads to when nothing is wrong.
pub enum Outcome {
    /// SCRAM's first half; there will be a second check.
    Challenge(ScramChallenge),
    /// Somebody is who they say.
    Passed(Passed),
}

impl Outcome {
    /// Who passed, if it is over.
    pub fn who(&self) -> Option<&Principal> {
        match self {
            Self::Challenge(_) => None,
            Self::Passed(passed) => Some(&passed.principal),
        }
    }
}

/// A credential that was looked at.
pub struct Checked {
    /// What it led to; a refusal has its true cause for the log.
    pub outcome: Result<Outcome, Refusal>,
    /// The user name for events: of who passed the account's own, else as [`Identity::offered`] tells it.
    pub offered: String,
}

/// Who was checked, and what the server owes in return.
pub struct Passed {
    /// Who it is.
    pub principal: Principal,
    /// The account's settings.
    pub settings: Settings,
    /// SCRAM: that we know the secret too.
    pub signature: Option<[u8; HASH_BYTES]>,
}

/// The mechanisms to announce on a connection: what is bound to a channel needs one, and EXTERNAL a certificate that is good
/// now.
pub fn announced<'a>(
    configured: &'a [Mechanism],
    channel: &Channel,
    now: Millis,
) -> impl Iterator<Item = Mechanism> + use<'a> {
    let certificate = channel.certificate.as_ref();
    let good = certificate.is_some_and(|certificate| certificate.is_current(now));
    let bound = !channel.bindings.is_empty();
    let offered = move |mechanism: &Mechanism| match mechanism {
        Mechanism::ScramSha256Plus => bound,
        Mechanism::External => good,
        _ => true,
    };
    configured.iter().copied().filter(offered)
}

/// Begins an exchange; None for a mechanism that is not offered. EXTERNAL with a certificate that has ended begins too: its
/// refusal says so to the owner.
#[must_use]
pub fn begin(
    name: &str,
    initial: Option<&[u8]>,
    configured: &[Mechanism],
    channel: &Channel,
) -> Option<(Exchange, Step)> {
    let mechanism = Mechanism::parse(name)?;
    let bindings = &channel.bindings;
    let possible = match mechanism {
        Mechanism::ScramSha256Plus => !bindings.is_empty(),
        Mechanism::External => channel.certificate.is_some(),
        _ => true,
    };
    if !possible || !configured.contains(&mechanism) {
        return None;
    }
    let offer = Offer {
        bindings: bindings.clone(),
        plus: !bindings.is_empty() && configured.contains(&Mechanism::ScramSha256Plus),
    };
    Some(Exchange::start_bound(mechanism, initial, offer))
}

/// Goes on with SCRAM.
pub fn challenged(exchange: &mut Exchange, challenge: &ScramChallenge) -> Step {
    exchange.challenged(&challenge.nonce, &challenge.salt, challenge.iterations)
}

/// Takes the seat for who passed, among `sessions_max` of the account and for `session` at most; when it ends.
///
/// # Errors
/// [`TooMany`].
pub fn take(
    seat: &mut Seat,
    who: &Principal,
    sessions_max: usize,
    session: Duration,
    now: Millis,
) -> Result<Millis, TooMany> {
    let session = Millis::try_from(session.as_millis()).unwrap_or(Millis::MAX);
    let longest = now.saturating_add(session);
    let until = who.until().map_or(longest, |own| own.min(longest));
    seat.sign_in(who, until, Some(sessions_max))?;
    Ok(until)
}

/// Checks credentials offered over `channel`. `user` is the name to check them for: the one offered, less what a protocol
/// puts in front of it.
pub async fn check(
    store: &Store,
    identity: &Identity,
    channel: &Channel,
    credentials: &Credentials,
    user: &str,
    service: Service,
    now: Millis,
) -> Checked {
    let outcome = look_at(store, identity, channel, credentials, user, service, now).await;
    let offered = match outcome.as_ref().ok().and_then(Outcome::who) {
        Some(who) => who.address().to_string(),
        None => identity.offered(user).await,
    };
    Checked { outcome, offered }
}

async fn look_at(
    store: &Store,
    identity: &Identity,
    channel: &Channel,
    credentials: &Credentials,
    user: &str,
    service: Service,
    now: Millis,
) -> Result<Outcome, Refusal> {
    let mut signature = None;
    let principal = match credentials {
        Credentials::Bearer(bearer) => {
            identity
                .bearer(user, bearer.token().reveal(), service, now)
                .await?
        }
        Credentials::Password(password) => {
            by_password(identity, password, user, service, now).await?
        }
        Credentials::Scram(_) => {
            return identity.scram_challenge(user, now).map(Outcome::Challenge);
        }
        Credentials::Proof(proof) => {
            let (principal, ours) = by_proof(identity, proof, user, service, now).await?;
            signature = Some(ours);
            principal
        }
        Credentials::External(_) => by_certificate(identity, channel, user, service, now).await?,
    };
    match store.account(principal.account()).settings().await {
        Ok(settings) => Ok(Outcome::Passed(Passed {
            principal,
            settings,
            signature,
        })),
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
    acts_for_itself(password.act_as(), password.user())?;
    identity
        .password(user, password.password().reveal(), service, now)
        .await
}

async fn by_proof(
    identity: &Identity,
    proof: &Proof,
    user: &str,
    service: Service,
    now: Millis,
) -> Result<(Principal, [u8; HASH_BYTES]), Refusal> {
    let signed = proof.signed();
    acts_for_itself(signed.act_as(), signed.user())?;
    identity
        .scram(user, signed.message(), proof.proof(), service, now)
        .await
}

async fn by_certificate(
    identity: &Identity,
    channel: &Channel,
    user: &str,
    service: Service,
    now: Millis,
) -> Result<Principal, Refusal> {
    match &channel.certificate {
        Some(certificate) => identity.certificate(certificate, user, service, now).await,
        None => Err(Refusal {
            kind: RefusalKind::Invalid,
            cause: "no certificate was shown".into(),
        }),
    }
}

fn acts_for_itself(act_as: Option<&str>, user: &str) -> Result<(), Refusal> {
    match act_as {
        Some(other) if !other.eq_ignore_ascii_case(user) => Err(Refusal {
            kind: RefusalKind::Invalid,
            cause: "asked to act as somebody else".into(),
        }),
        _ => Ok(()),
    }
}
