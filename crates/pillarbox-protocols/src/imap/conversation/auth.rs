//! Signing in: from AUTHENTICATE or LOGIN to a desk, or to one of the refusals of wire §3.3.

use super::{Answer, Conversation, Doing, Result_, State};
use crate::events::What;
use crate::imap::authenticate::{self, Checked, Sasl};
use crate::imap::capability;
use crate::imap::desk::{Desk, Signed};
use crate::sign_in::{self, Outcome};
use pillarbox_oauth::Principal;
use pillarbox_store::mail::Settings;
use pillarbox_wire::imap::Tag;
use pillarbox_wire::sasl;
use std::sync::Arc;

impl Conversation {
    pub(super) fn authenticate(
        &mut self,
        tag: Tag,
        command: &pillarbox_wire::imap::command::Authenticate,
    ) {
        let initial = command
            .initial
            .as_ref()
            .map(pillarbox_wire::imap::Secret::expose);
        let (offered, channel) = (&self.context.mechanisms, &self.channel);
        let begun = sign_in::begin(&command.mechanism, initial, offered, channel);
        let Some((exchange, step)) = begun else {
            return self.tagged(
                &tag,
                "NO [CANNOT] Unsupported authentication mechanism (Failure)",
            );
        };
        self.sasl_step(Sasl::new(tag, exchange), step);
    }

    pub(super) fn sasl_step(&mut self, sasl: Sasl, step: sasl::Step) {
        match step {
            sasl::Step::Challenge(text) => {
                self.send(format!("+ {text}\r\n"));
                self.framer.expect_line();
                self.doing = Doing::Sasl(Box::new(sasl));
            }
            sasl::Step::Check(credentials) => self.check(sasl.offering(credentials)),
            sasl::Step::Done => self.sign_in(sasl),
            sasl::Step::Fail(failure) => self.sasl_failed(&sasl, failure),
        }
    }

    fn check(&mut self, sasl: Sasl) {
        self.seat.checking();
        self.hold.begin(self.now);
        let (context, peer, now) = (Arc::clone(&self.context), self.peer, self.now.wall);
        let channel = self.channel.clone();
        self.doing = Doing::Job(Box::pin(async move {
            Answer(Result_::Checked(Box::new(
                authenticate::check(&context, peer, &channel, sasl, now).await,
            )))
        }));
    }

    pub(super) fn login(&mut self, tag: Tag, user: &str, password: &[u8]) {
        if !self.context.mechanisms.contains(&sasl::Mechanism::Plain) {
            return self.tagged(
                &tag,
                "NO [PRIVACYREQUIRED] Passwords are not accepted here (Failure)",
            );
        }
        let sasl = Sasl::login(tag, user, password);
        self.hold.begin(self.now);
        match sasl.is_readable() {
            true => self.check(sasl),
            false => self.refused(
                sasl,
                authenticate::invalid(),
                "the password cannot be read".into(),
            ),
        }
    }

    pub(super) fn checked(&mut self, checked: Checked) {
        let Checked { mut sasl, outcome } = checked;
        self.doing = Doing::Commands;
        match outcome {
            Err(refusal) => {
                let told = authenticate::told(refusal.kind, &self.context, &self.token);
                self.refused(sasl, told, refusal.cause);
            }
            Ok(Outcome::Challenge(challenge)) => {
                let step = sign_in::challenged(&mut sasl.exchange, &challenge);
                self.sasl_step(sasl, step);
            }
            Ok(Outcome::Passed(passed)) => match self.admit(&passed.principal, &passed.settings) {
                Err((told, cause)) => self.refused(sasl, told, cause),
                Ok(()) => {
                    sasl.principal = Some(passed.principal);
                    let step = sasl.accepted(passed.signature);
                    self.sasl_step(sasl, step);
                }
            },
        }
    }

    /// What is asked of somebody whose credential was good.
    fn admit(
        &mut self,
        principal: &Principal,
        settings: &Settings,
    ) -> Result<(), (String, String)> {
        let kind = pillarbox_oauth::RefusalKind::ServiceOff;
        if settings.suspended || !settings.imap_enabled {
            let cause = if settings.suspended {
                "the account is suspended"
            } else {
                "IMAP is off for the account"
            };
            return Err((
                authenticate::told(kind, &self.context, &self.token),
                cause.into(),
            ));
        }
        let limits = &self.context.limits;
        let (most, session) = (limits.connections_of_account_max, limits.session);
        match sign_in::take(&mut self.seat, principal, most, session, self.now.wall) {
            Ok(until) => {
                self.until = Some(until);
                Ok(())
            }
            Err(_) => Err((
                authenticate::TOO_MANY.into(),
                "too many connections of this account".into(),
            )),
        }
    }

    /// A refusal: bearer mechanisms first get the JSON challenge, whatever the cause (wire §2.2).
    fn refused(&mut self, mut sasl: Sasl, told: String, cause: String) {
        self.note(What::Refused {
            offered: sasl.offered.clone(),
            mechanism: sasl.name(),
            cause,
            told: told.clone(),
        });
        self.hold.refuse();
        let step = sasl.refused(&self.context.issuer);
        sasl.told = told;
        self.sasl_step(sasl, step);
    }

    fn sasl_failed(&mut self, sasl: &Sasl, failure: sasl::Failure) {
        let told = match failure {
            sasl::Failure::Aborted => "BAD Authentication aborted".into(),
            sasl::Failure::Refused(_) => sasl.told.clone(),
            sasl::Failure::Malformed(why) => {
                let told = format!("BAD Invalid SASL argument. {}", self.token);
                let (offered, mechanism) = (String::new(), sasl.name());
                self.note(What::Refused {
                    offered,
                    mechanism,
                    cause: why.to_string(),
                    told: told.clone(),
                });
                told
            }
            sasl::Failure::OutOfStep => format!("BAD Invalid SASL argument. {}", self.token),
        };
        self.tagged(&sasl.tag, &told);
        if sasl.principal.is_some() {
            // It has its seat already, and does not believe that we are we.
            return self.bye("Authentication aborted", sign_in::NOT_BELIEVED);
        }
        self.failures += 1;
        if self.failures >= self.context.limits.sign_in_failures_max {
            self.bye("Too many failed sign-ins", "too many failed sign-ins");
        }
    }

    fn sign_in(&mut self, sasl: Sasl) {
        let Some(principal) = sasl.principal.clone() else {
            return;
        };
        let account = self.context.store.account(principal.account());
        self.seat.listen(account.watch());
        self.note(What::SignedIn {
            address: Arc::clone(principal.address()),
            mechanism: sasl.name(),
            app: principal.app().cloned(),
            until: self.until.unwrap_or_default(),
            credential: principal.credential().clone(),
        });
        let text = capability::run(&self.context, true, &[]);
        self.send(text);
        let address = Arc::clone(principal.address());
        self.tagged(&sasl.tag, &format!("OK {address} authenticated (Success)"));
        self.framer.set_limits(self.context.limits.frame);
        let context = Arc::clone(&self.context);
        let signed = Signed {
            context,
            account,
            may_write: principal.may_write(),
            sees_hidden: principal.sees_hidden(),
            utf8: false,
            condstore: false,
        };
        self.state = State::SignedIn(Box::new(Desk { signed, view: None }));
    }
}
