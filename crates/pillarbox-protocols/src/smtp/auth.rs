//! AUTH (RFC 4954, wire §2, §5.4): the exchange, its refusals, and what follows a good one.

use super::Context;
use super::conversation::{Answer, Conversation, Doing, Result_, Signed};
use super::replies::{self, Line};
use crate::events::What;
use crate::sign_in::{self, Outcome};
use pillarbox_oauth::{Principal, Refusal, RefusalKind, Service};
use pillarbox_wire::line::LineTooLong;
use pillarbox_wire::sasl::{Credentials, Exchange, Failure, Step};
use pillarbox_wire::smtp::{Enhanced, Reply};
use std::sync::Arc;

/// A sign-in under way.
pub(super) struct SignIn {
    exchange: Exchange,
    /// The user name, for events.
    offered: String,
    /// The refusal to send when the exchange is over.
    pub(super) told: Reply,
    principal: Option<Principal>,
}

impl SignIn {
    /// Whether only the dummy of wire §2.2 is missing.
    pub(super) fn awaits_dummy(&self) -> bool {
        self.exchange.awaits_dummy()
    }
}

/// A sign-in whose credential was looked at.
pub(super) struct Checked {
    sign_in: Box<SignIn>,
    outcome: Result<Outcome, Refusal>,
}

impl Conversation {
    pub(super) fn auth(&mut self, mechanism: &str, initial: Option<&[u8]>) {
        if !self.role.is_submission() {
            return self.say(replies::UNIMPLEMENTED);
        }
        if self.signed.is_some() {
            return self.say(replies::SIGNED_IN_ALREADY);
        }
        let (offered, channel) = (&self.context.mechanisms, &self.channel);
        let begun = sign_in::begin(mechanism, initial, offered, channel);
        let Some((exchange, step)) = begun else {
            let old = mechanism == "XOAUTH";
            return self.say(if old {
                replies::NO_XOAUTH
            } else {
                replies::UNKNOWN_MECHANISM
            });
        };
        let told = refusal(RefusalKind::Invalid, &self.context);
        self.sasl_step(
            Box::new(SignIn {
                exchange,
                offered: String::new(),
                told,
                principal: None,
            }),
            step,
        );
    }

    pub(super) fn sasl_line(&mut self, mut sign_in: Box<SignIn>, line: Result<&[u8], LineTooLong>) {
        match line {
            Ok(line) => {
                let step = sign_in.exchange.receive(line);
                self.sasl_step(sign_in, step);
            }
            Err(LineTooLong) => {
                self.say(replies::SASL_TOO_LONG);
                self.count_failure();
                self.close_if_seated(&sign_in);
            }
        }
    }

    fn sasl_step(&mut self, sign_in: Box<SignIn>, step: Step) {
        match step {
            Step::Challenge(text) => {
                self.say_bare(&Reply::new(334, None, text));
                self.doing = Doing::Sasl(sign_in);
            }
            Step::Check(credentials) => self.check(sign_in, credentials),
            Step::Done => self.signed_in(&sign_in),
            Step::Fail(failure) => self.sasl_failed(*sign_in, failure),
        }
    }

    fn check(&mut self, mut sign_in: Box<SignIn>, credentials: Credentials) {
        self.seat.checking();
        self.hold.begin(self.now);
        let (context, peer, now) = (Arc::clone(&self.context), self.peer, self.now.wall);
        let channel = self.channel.clone();
        self.doing = Doing::Job(Box::pin(async move {
            let (store, identity) = (context.delivery.store(), context.identity.from_peer(peer));
            let user = credentials.user();
            let checked = sign_in::check(
                store,
                &identity,
                &channel,
                &credentials,
                user,
                Service::Submission,
                now,
            )
            .await;
            sign_in.offered = checked.offered;
            let outcome = checked.outcome;
            Answer(Result_::Checked(Checked { sign_in, outcome }))
        }));
    }

    pub(super) fn checked(&mut self, checked: Checked) {
        let Checked {
            mut sign_in,
            outcome,
        } = checked;
        self.doing = Doing::Commands;
        let (kind, cause) = match outcome {
            Err(Refusal { kind, cause }) => (kind, cause),
            Ok(Outcome::Challenge(challenge)) => {
                let step = sign_in::challenged(&mut sign_in.exchange, &challenge);
                return self.sasl_step(sign_in, step);
            }
            Ok(Outcome::Passed(passed)) if passed.settings.suspended => {
                (RefusalKind::ServiceOff, "the account is suspended".into())
            }
            Ok(Outcome::Passed(passed)) => match self.take_seat(&passed.principal) {
                Err(cause) => (RefusalKind::TooManyAttempts, cause.into()),
                Ok(()) => {
                    sign_in.principal = Some(passed.principal);
                    let step = sign_in.exchange.accepted(passed.signature);
                    return self.sasl_step(sign_in, step);
                }
            },
        };
        self.refused(sign_in, kind, cause);
    }

    fn take_seat(&mut self, principal: &Principal) -> Result<(), &'static str> {
        let limits = &self.context.limits;
        let (most, session) = (limits.connections_of_account_max, limits.session);
        match sign_in::take(&mut self.seat, principal, most, session, self.now.wall) {
            Ok(until) => {
                self.signed = Some(Box::new(Signed {
                    principal: principal.clone(),
                    until,
                }));
                Ok(())
            }
            Err(_) => Err("too many connections of this account"),
        }
    }

    fn signed_in(&mut self, sign_in: &SignIn) {
        let Some(principal) = &sign_in.principal else {
            return;
        };
        let until = self.signed.as_ref().map_or(0, |signed| signed.until);
        self.note(What::SignedIn {
            address: Arc::clone(principal.address()),
            mechanism: sign_in.exchange.mechanism().name(),
            app: principal.app().cloned(),
            until,
            credential: principal.credential().clone(),
        });
        self.say_short(replies::SIGNED_IN);
    }

    /// A refusal: bearer mechanisms first get the JSON challenge, whatever the cause (wire §2.2).
    fn refused(&mut self, mut sign_in: Box<SignIn>, kind: RefusalKind, cause: String) {
        self.hold.refuse();
        sign_in.told = refusal(kind, &self.context);
        self.note(What::Refused {
            offered: sign_in.offered.clone(),
            mechanism: sign_in.exchange.mechanism().name(),
            cause,
            told: last_line(&sign_in.told),
        });
        let step = sign_in.exchange.refused(&self.context.issuer);
        self.sasl_step(sign_in, step);
    }

    fn sasl_failed(&mut self, sign_in: SignIn, failure: Failure) {
        match failure {
            Failure::Refused(_) => self.say_reply(sign_in.told.clone()),
            Failure::Aborted => self.say(replies::SASL_ABORTED),
            Failure::OutOfStep => self.say(replies::BAD_SASL),
            Failure::Malformed(why) => {
                self.note(What::Refused {
                    offered: String::new(),
                    mechanism: sign_in.exchange.mechanism().name(),
                    cause: why.to_string(),
                    told: format!(
                        "{} {} {}",
                        replies::BAD_SASL.0,
                        replies::BAD_SASL.1,
                        replies::BAD_SASL.2
                    ),
                });
                self.say(replies::BAD_SASL);
            }
        }
        self.count_failure();
        self.close_if_seated(&sign_in);
    }

    /// It has its seat already, and does not believe that we are we.
    fn close_if_seated(&mut self, sign_in: &SignIn) {
        if sign_in.principal.is_some() {
            self.close(sign_in::NOT_BELIEVED);
        }
    }

    fn count_failure(&mut self) {
        self.failures += 1;
        if self.failures >= self.context.limits.sign_in_failures_max {
            self.close("too many failed sign-ins");
        }
    }
}

/// Wire §5.4. Clients match on these words.
fn refusal(kind: RefusalKind, context: &Context) -> Reply {
    let two = |code, enhanced, first: &str, page: &str| Reply {
        code,
        enhanced: Some(enhanced),
        lines: vec![first.to_owned(), format!("{}?p={page}", context.help_url)],
    };
    let one = |(code, enhanced, text): Line| Reply::new(code, Some(enhanced), text);
    match kind {
        RefusalKind::Invalid | RefusalKind::NoMailbox | RefusalKind::ServiceOff => {
            let first = "Username and Password not accepted. Learn more at";
            two(535, Enhanced(5, 7, 8), first, "BadCredentials")
        }
        RefusalKind::AppPasswordRequired => {
            let first = "Application-specific password required. For more information, go to";
            two(534, Enhanced(5, 7, 9), first, "InvalidSecondFactor")
        }
        RefusalKind::TooManyAttempts => one(replies::TOO_MANY_ATTEMPTS),
        RefusalKind::Temporary => one(replies::CANNOT_CHECK),
    }
}

fn last_line(reply: &Reply) -> String {
    let enhanced = reply
        .enhanced
        .map(|enhanced| format!("{enhanced} "))
        .unwrap_or_default();
    format!("{} {enhanced}{}", reply.code, reply.lines.join(" "))
}
