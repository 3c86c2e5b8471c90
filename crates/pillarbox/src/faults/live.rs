//! The table of the running development server: with its clock, its randomness and its log.

use super::names::{Service, Target};
use super::{Kind, Occasion, Rule, Rules, Strike, Wanted};
use crate::clock::{Clock, rfc3339};
use crate::failure::Failure;
use crate::journal::{Entry, Journal, Level};
use crate::random;
use pillarbox_protocols::events::{Event, What};
use pillarbox_protocols::sessions::Registry;
use pillarbox_store::mail::Millis;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// Cheap to clone; all clones are one table.
#[derive(Clone)]
pub struct Faults(Arc<Inner>);

struct Inner {
    rules: Mutex<Rules>,
    clock: Clock,
    journal: Journal,
    registry: Registry,
    stopping: watch::Receiver<bool>,
    /// Told when a rule may have gone.
    gone: watch::Sender<()>,
    /// OAUTHBEARER's refusal names it (RFC 7628 §3.2.2).
    issuer: String,
    /// SMTP's refusals point there.
    help_url: String,
}

/// A fault as the command line sends it.
pub struct Asked {
    /// `imap.login`.
    pub target: String,
    /// `delay`.
    pub kind: String,
    /// `5s`.
    pub value: Option<String>,
    /// How often.
    pub times: Option<u32>,
    /// Whose.
    pub account: Option<String>,
    /// How likely.
    pub probability: Option<f64>,
    /// How much later.
    pub after: Option<Duration>,
}

impl Faults {
    /// Nothing goes wrong yet.
    pub fn new(
        clock: Clock,
        journal: Journal,
        registry: Registry,
        issuer: String,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self(Arc::new(Inner {
            rules: Mutex::default(),
            clock,
            journal,
            registry,
            stopping,
            gone: watch::Sender::new(()),
            help_url: format!("{issuer}/help"),
            issuer,
        }))
    }

    /// The authorization server's URL.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The wall clock.
    pub fn now(&self) -> Millis {
        self.0.clock.wall()
    }

    /// Where refusals point.
    pub fn help_url(&self) -> &str {
        &self.0.help_url
    }

    /// Sets one; as listed.
    ///
    /// # Errors
    /// Wrong usage, with what was meant.
    pub fn set(&self, asked: Asked) -> Result<Value, Failure> {
        let rule = self.add(asked).map_err(Failure::usage)?;
        Ok(rule_json(&rule, self.0.clock.wall()))
    }

    /// Sets one; as it stands in the table.
    ///
    /// # Errors
    /// A sentence.
    pub fn add(&self, asked: Asked) -> Result<Rule, String> {
        let after = asked.after.map_or(0, |after| {
            i64::try_from(after.as_millis()).unwrap_or(i64::MAX)
        });
        let wanted = || -> Result<Wanted, String> {
            Ok(Wanted {
                target: Target::parse(&asked.target)?,
                kind: Kind::parse(&asked.kind, asked.value.as_deref())?,
                times: asked.times,
                account: asked.account,
                probability: asked.probability.unwrap_or(1.0),
                not_before: self.0.clock.wall().saturating_add(after),
            })
        };
        let wanted: Wanted = wanted()?;
        let set = self.rules().set(wanted).cloned();
        // It may have taken another's place.
        self.0.gone.send_replace(());
        set
    }

    /// All of them, in the order in which they are asked.
    pub fn list(&self) -> Value {
        let now = self.0.clock.wall();
        let rules = self.rules();
        rules
            .list()
            .iter()
            .map(|rule| rule_json(rule, now))
            .collect()
    }

    /// The same as they stand in the table.
    pub fn rules_set(&self) -> Vec<Rule> {
        self.rules().list().to_vec()
    }

    /// Clears all, those of a target, or the one with this number, and releases what they hold.
    ///
    /// # Errors
    /// Nothing was meant by that.
    pub fn clear(&self, which: Option<&str>) -> Result<usize, Failure> {
        let cleared = self.remove(which);
        self.0.gone.send_replace(());
        cleared
    }

    fn remove(&self, which: Option<&str>) -> Result<usize, Failure> {
        let mut rules = self.rules();
        let Some(which) = which else {
            return Ok(rules.clear(|_| true));
        };
        let cleared = match which.parse::<u64>() {
            Ok(id) => rules.clear(|rule| rule.id == id),
            Err(_) => {
                let target = Target::parse(which).map_err(Failure::usage)?;
                rules.clear(|rule| rule.wanted.target == target)
            }
        };
        match cleared {
            0 => Err(Failure::no(format!("no fault {which} is set"))),
            cleared => Ok(cleared),
        }
    }

    /// Whether something goes wrong now. `accounts` is asked only if a rule wants to know.
    pub fn strike(
        &self,
        service: Service,
        commands: &[&'static str],
        accounts: impl FnOnce() -> Vec<String>,
    ) -> Option<Strike> {
        let mut rules = self.rules();
        let accounts = match asks_whose(&rules, service) {
            true => accounts(),
            false => Vec::new(),
        };
        let occasion = Occasion {
            service,
            commands,
            accounts: &accounts,
            now: self.0.clock.wall(),
        };
        rules.strike(&occasion, chance)
    }

    /// Whether a rule wants to know whose a request is.
    pub fn asks_whose(&self, service: Service) -> bool {
        asks_whose(&self.rules(), service)
    }

    /// Waits so long, or until the rule that wants it is gone, or the server stops: a delay does not hold it up.
    pub async fn pause(&self, by: Duration, rule: u64) {
        let mut gone = self.0.gone.subscribe();
        let mut stopping = self.0.stopping.clone();
        tokio::select! {
            () = sleep(by) => {}
            _ = gone.wait_for(|()| !self.holds(rule)) => {}
            // An error is a server that is gone.
            _ = stopping.wait_for(|stop| *stop) => {}
        }
    }

    /// Whether what this rule began goes on: it was neither cleared nor replaced. One that is spent still stands.
    pub fn holds(&self, rule: u64) -> bool {
        self.rules().list().iter().any(|own| own.id == rule)
    }

    /// The address a mail session is signed in to.
    pub fn signed_in(&self, session: &str) -> Option<String> {
        let session = self.0.registry.session(session)?;
        let (who, _) = session.signed_in?;
        Some(who.address().to_string())
    }

    /// Notes what went wrong in a mail session.
    pub fn note(&self, mut event: Event, strike: &Strike, told: Option<String>) {
        event.what = What::Fault {
            fault: strike.text.clone(),
            told,
        };
        self.0.journal.event(Entry::Mail(event));
    }

    /// Notes that something which went wrong closed a session.
    pub fn note_end(&self, event: Event) {
        self.0.journal.event(Entry::Mail(event));
    }

    /// Notes what went wrong at an endpoint.
    pub fn note_page(&self, strike: &Strike) {
        let text = format!("fault {}", strike.text);
        self.0.journal.note(Level::Info, "oauth", &text);
    }

    fn rules(&self) -> MutexGuard<'_, Rules> {
        // Nothing panics while holding it; a poisoned table is still whole.
        self.0.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn asks_whose(rules: &Rules, service: Service) -> bool {
    let mut rules = rules.list().iter().map(|rule| &rule.wanted);
    rules.any(|wanted| wanted.target.service == service && wanted.account.is_some())
}

/// From 0 up to but not including 1.
fn chance() -> f64 {
    // 53 bits are what such a number holds.
    (random::number() >> 11) as f64 / (1_u64 << 53) as f64
}

fn rule_json(rule: &Rule, now: Millis) -> Value {
    let wanted = &rule.wanted;
    json!({
        "id": rule.id,
        "target": wanted.target.to_string(),
        "kind": wanted.kind.to_string(),
        "left": wanted.times,
        "struck": rule.struck,
        "account": wanted.account,
        "probability": wanted.probability,
        "from": rfc3339(wanted.not_before),
        "waits": now < wanted.not_before,
    })
}
