//! Signing in: from AUTH, or USER and PASS, to an open maildrop or to one of the refusals of wire §4.3.

use super::{Answer, BAD_COMMAND, Conversation, Doing, Done, State, TEMPORARY, Transaction};
use crate::events::What;
use crate::pop3::{Context, Maildrop};
use crate::sign_in::{self, Outcome, Passed};
use pillarbox_oauth::{Principal, Refusal, RefusalKind, ScramChallenge, Service};
use pillarbox_store::mail::{Millis, PopItem, PopMode, PopWindow, Settings};
use pillarbox_wire::pop3::Reply;
use pillarbox_wire::sasl::scram::HASH_BYTES;
use pillarbox_wire::sasl::{self, Credentials, Dummy, Exchange, Failure};
use std::sync::Arc;

/// In front of a user name: all mail of the last 30 days (wire §4.4).
const RECENT: &str = "recent:";

/// What a check led to.
pub(super) enum Found {
    /// SCRAM's first half.
    Challenge(ScramChallenge),
    Opened(Box<Opened>),
}

/// A maildrop that a credential opened.
pub(super) struct Opened {
    who: Principal,
    settings: Settings,
    items: Vec<PopItem>,
    /// SCRAM: that we know the secret too.
    signature: Option<[u8; HASH_BYTES]>,
}

/// A sign-in under way: AUTH has an exchange, USER and PASS have none.
pub(super) struct Attempt {
    pub(super) exchange: Option<Exchange>,
    pub(super) mechanism: &'static str,
    pub(super) offered: String,
    /// What the client will be told, once the exchange is over.
    pub(super) refusal: Option<Reply>,
    /// What will be opened, once the exchange is over.
    pub(super) opened: Option<Box<Opened>>,
}

impl Attempt {
    /// Whether only the dummy of wire §2.2 is missing.
    pub(super) fn awaits_dummy(&self) -> bool {
        let exchange = self.exchange.as_ref();
        exchange.is_some_and(Exchange::awaits_dummy)
    }
}

impl Conversation {
    pub(super) fn auth(&mut self, name: &str, initial: Option<&sasl::Secret>) {
        let initial = initial.map(|text| text.reveal().as_bytes());
        let (offered, channel) = (&self.context.mechanisms, &self.channel);
        let Some((exchange, step)) = sign_in::begin(name, initial, offered, channel) else {
            return self.bad();
        };
        let attempt = Attempt {
            mechanism: exchange.mechanism().name(),
            exchange: Some(exchange),
            offered: String::new(),
            refusal: None,
            opened: None,
        };
        self.exchange(attempt, step);
    }

    pub(super) fn exchange(&mut self, attempt: Attempt, step: sasl::Step) {
        match step {
            sasl::Step::Challenge(text) => {
                self.reply(&Reply::Continue(text));
                self.doing = Doing::Sasl(Box::new(attempt));
            }
            sasl::Step::Check(credentials) => self.check(attempt, credentials),
            sasl::Step::Fail(failure) => self.failed(attempt, failure),
            sasl::Step::Done => self.welcome(attempt),
        }
    }

    pub(super) fn check(&mut self, mut attempt: Attempt, credentials: Credentials) {
        self.seat.checking();
        self.hold.begin(self.now);
        let context = Arc::clone(&self.context);
        let (identity, channel, wall) =
            (self.identity.clone(), self.channel.clone(), self.now.wall);
        self.doing = Doing::Job(Box::pin(async move {
            let (user, mode) = name_and_mode(&credentials);
            let checked = sign_in::check(
                &context.store,
                &identity,
                &channel,
                &credentials,
                user,
                Service::Pop3,
                wall,
            )
            .await;
            attempt.offered = checked.offered;
            let found = match checked.outcome {
                Ok(Outcome::Challenge(challenge)) => Ok(Found::Challenge(challenge)),
                Ok(Outcome::Passed(passed)) => open(&context, passed, mode, wall).await,
                Err(refusal) => Err(refusal),
            };
            Answer(Done::Checked(Box::new(attempt), found))
        }));
    }

    pub(super) fn checked(&mut self, mut attempt: Attempt, outcome: Result<Found, Refusal>) {
        let refusal = match outcome {
            Ok(Found::Challenge(challenge)) => return self.challenge(attempt, &challenge),
            Ok(Found::Opened(opened)) => match self.enter(&opened.who) {
                Ok(()) => {
                    let exchange = attempt.exchange.as_mut();
                    let step = exchange.map(|exchange| exchange.accepted(opened.signature));
                    attempt.opened = Some(opened);
                    return match step {
                        Some(step) => self.exchange(attempt, step),
                        None => self.welcome(attempt),
                    };
                }
                Err(refusal) => refusal,
            },
            Err(refusal) => refusal,
        };
        self.hold.refuse();
        let reply = self.refused(&attempt, &refusal);
        // Now, not when the client has answered the challenge: what it costs lies before the rest.
        self.note_refused(&attempt, refusal.cause, &reply);
        attempt.refusal = Some(reply);
        match attempt.exchange.take() {
            Some(mut exchange) => {
                let step = exchange.refused(&self.context.issuer);
                attempt.exchange = Some(exchange);
                self.exchange(attempt, step);
            }
            None => self.failed(attempt, Failure::Refused(Dummy::NotAsked)),
        }
    }

    fn challenge(&mut self, mut attempt: Attempt, challenge: &ScramChallenge) {
        if let Some(exchange) = &mut attempt.exchange {
            let step = sign_in::challenged(exchange, challenge);
            self.exchange(attempt, step);
        }
    }

    /// The exchange ended well.
    fn welcome(&mut self, mut attempt: Attempt) {
        let Some(opened) = attempt.opened.take() else {
            return self.bad();
        };
        self.note(What::SignedIn {
            address: Arc::clone(opened.who.address()),
            mechanism: attempt.mechanism,
            app: opened.who.app().cloned(),
            until: self.until.unwrap_or_default(),
            credential: opened.who.credential().clone(),
        });
        self.state = State::Transaction(Box::new(Transaction {
            account: self.context.store.account(opened.who.account()),
            settings: opened.settings,
            drop: Maildrop::new(opened.items),
            may_write: opened.who.may_write(),
        }));
        self.ok("Welcome.");
    }

    /// Takes the seat; a refusal if there are too many sessions, or the session ended meanwhile.
    fn enter(&mut self, who: &Principal) -> Result<(), Refusal> {
        let limits = &self.context.limits;
        let (most, session) = (limits.connections_of_account_max, limits.session);
        let seated = sign_in::take(&mut self.seat, who, most, session, self.now.wall);
        let until = seated.map_err(|_| Refusal {
            kind: RefusalKind::Temporary,
            cause: "too many simultaneous connections".into(),
        })?;
        self.until = Some(until);
        Ok(())
    }

    /// What a client is told (wire §4.3).
    fn refused(&self, attempt: &Attempt, refusal: &Refusal) -> Reply {
        let bearer = attempt
            .exchange
            .as_ref()
            .is_some_and(|exchange| exchange.mechanism().is_bearer());
        match refusal.kind {
            RefusalKind::Invalid | RefusalKind::NoMailbox if bearer => {
                Reply::err_code("AUTH", "Invalid credentials.")
            }
            RefusalKind::Invalid | RefusalKind::NoMailbox => {
                Reply::err_code("AUTH", "Username and password not accepted.")
            }
            RefusalKind::AppPasswordRequired => Reply::err_code(
                "AUTH",
                format!(
                    "Application-specific password required: {}",
                    self.context.help_url
                ),
            ),
            RefusalKind::ServiceOff => Reply::err_code(
                "SYS/PERM",
                format!(
                    "Your account is not enabled for POP access. Please visit your {} settings page and enable your \
                     account for POP access.",
                    self.context.product
                ),
            ),
            RefusalKind::TooManyAttempts => Reply::err_code(
                "SYS/TEMP",
                "Too many login attempts, please try again later.",
            ),
            RefusalKind::Temporary => Reply::err_code("SYS/TEMP", TEMPORARY),
        }
    }

    fn note_refused(&self, attempt: &Attempt, cause: String, reply: &Reply) {
        let mut told = Vec::new();
        reply.print(&mut told);
        self.note(What::Refused {
            offered: attempt.offered.clone(),
            mechanism: attempt.mechanism,
            cause,
            told: String::from_utf8_lossy(&told).trim_end().to_owned(),
        });
    }

    /// The exchange is over without success.
    pub(super) fn failed(&mut self, attempt: Attempt, failure: Failure) {
        let reply = match (&failure, &attempt.refusal) {
            (Failure::Refused(Dummy::Usual | Dummy::NotAsked), Some(reply)) => reply.clone(),
            _ => Reply::err(BAD_COMMAND),
        };
        self.reply(&reply);
        if attempt.refusal.is_none() {
            let cause = match failure {
                Failure::Malformed(what) => what.to_string(),
                Failure::Aborted => "the client gave up".into(),
                Failure::OutOfStep | Failure::Refused(_) => "out of step".into(),
            };
            self.note_refused(&attempt, cause, &reply);
        }
        if attempt.opened.is_some() {
            // It has its seat already, and does not believe that we are we.
            self.close(sign_in::NOT_BELIEVED);
        }
        self.failures += 1;
        if self.failures >= self.context.limits.sign_in_failures_max {
            self.close("too many failed sign-ins");
        }
    }
}

/// Whose maildrop, and which part of it (wire §4.4).
fn name_and_mode(credentials: &Credentials) -> (&str, PopMode) {
    let user = credentials.user();
    match user.get(..RECENT.len()) {
        Some(prefix) if prefix.eq_ignore_ascii_case(RECENT) => {
            (&user[RECENT.len()..], PopMode::Recent)
        }
        _ => (user, PopMode::Normal),
    }
}

/// Opens the maildrop.
async fn open(
    context: &Context,
    passed: Passed,
    mode: PopMode,
    now: Millis,
) -> Result<Found, Refusal> {
    let Passed {
        principal: who,
        settings,
        signature,
    } = passed;
    if settings.pop_window == PopWindow::Disabled {
        let cause = "POP is off for this account".into();
        return Err(Refusal {
            kind: RefusalKind::ServiceOff,
            cause,
        });
    }
    match context
        .store
        .account(who.account())
        .maildrop(mode, now)
        .await
    {
        Ok(items) => Ok(Found::Opened(Box::new(Opened {
            who,
            settings,
            items,
            signature,
        }))),
        Err(fault) => Err(Refusal {
            kind: RefusalKind::Temporary,
            cause: fault.to_string(),
        }),
    }
}
