//! The DNS as this server asks it: which servers, how many questions at once, until when; and in words why there is no answer.
//! A development server asks nobody unless it is told whom.

use crate::config::Config;
use crate::journal::{Journal, Level};
use pillarbox_delivery::dns::{Kind, Record, Resolver, Unanswered};
use pillarbox_web::{Answer, Found, Question, RecordKind};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// Time for all questions of one page or command together.
const DEADLINE: Duration = Duration::from_secs(5);
/// Questions on their way at once, of all pages and commands together.
const QUESTIONS_AT_ONCE: usize = 32;

/// Who is asked.
pub struct Dns {
    servers: Vec<SocketAddr>,
    /// A development server without servers of its own.
    nobody: bool,
    /// Made when it is first needed: what the system says may be put right while this server runs.
    resolver: Mutex<Option<Resolver>>,
    places: Arc<Semaphore>,
}

impl Dns {
    /// As configured. Nobody is asked yet; what will prevent that is logged.
    pub fn new(config: &Config, development: bool, journal: &Journal) -> Self {
        let dns = Self {
            servers: config.dns_servers.clone(),
            nobody: development && config.dns_servers.is_empty(),
            resolver: Mutex::new(None),
            places: Arc::new(Semaphore::new(QUESTIONS_AT_ONCE)),
        };
        if !dns.nobody
            && let Err(why) = dns.resolver()
        {
            journal.note(Level::Warn, "dns", &why);
        }
        dns
    }

    /// Answers in the order of the questions; or in a sentence why nobody is asked.
    pub async fn look_up(&self, questions: Vec<Question>) -> Result<Vec<Answer>, String> {
        if self.nobody {
            return Err(
                "Not asked: this is a development server, from which nothing leaves this machine. \
                        Set dns.servers to ask a name server."
                    .to_owned(),
            );
        }
        let resolver = match self.resolver() {
            Ok(resolver) => resolver,
            Err(why) => return Ok(questions.iter().map(|_| Err(why.clone())).collect()),
        };
        let mut answers: Vec<Answer> = vec![Err(words(&Unanswered::Late)); questions.len()];
        let end = Instant::now() + DEADLINE;
        let mut asking = JoinSet::new(); // whoever goes away takes the questions along
        for (at, question) in questions.into_iter().enumerate() {
            let (resolver, places) = (resolver.clone(), self.places.clone());
            asking.spawn(async move {
                let answer = timeout_at(end, async {
                    // It is never closed.
                    let _place = places.acquire_owned().await;
                    resolver.ask(&question.name, kind(question.kind)).await
                });
                (at, answer.await.unwrap_or(Err(Unanswered::Late)))
            });
        }
        while let Some(done) = asking.join_next().await {
            if let Ok((at, answer)) = done {
                answers[at] = match answer {
                    Ok(records) => Ok(records.into_iter().map(found).collect()),
                    Err(why) => Err(words(&why)),
                };
            }
        }
        Ok(answers)
    }

    fn resolver(&self) -> Result<Resolver, String> {
        let mut made = self.resolver.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(resolver) = &*made {
            return Ok(resolver.clone());
        }
        let fresh = match self.servers.as_slice() {
            [] => Resolver::of_this_machine(),
            servers => Resolver::of(servers),
        };
        let fresh = fresh.map_err(|why| {
            format!("No name server is known: {why}. Mend it, or set dns.servers.")
        })?;
        *made = Some(fresh.clone());
        Ok(fresh)
    }
}

/// Why there is no answer, and what to do about it.
fn words(why: &Unanswered) -> String {
    match why {
        Unanswered::Late => format!(
            "No name server answered within {} seconds: see that it runs and can be reached (port 53, UDP and TCP), \
             or set dns.servers to another.",
            DEADLINE.as_secs()
        ),
        Unanswered::Failed => "The name server could not find out (SERVFAIL): the domain’s own name servers do not answer, \
                               or its signatures (DNSSEC) are wrong. Ask whoever keeps them."
            .to_owned(),
        Unanswered::Refused => "The name server refuses to answer this server (REFUSED): set dns.servers to one that does.".to_owned(),
        Unanswered::Name => "This is not a name that the DNS can have.".to_owned(),
        Unanswered::TooMany(count) => {
            format!("The answer has {count} records, more than are read: remove those that are not needed.")
        }
        Unanswered::Other(why) => format!("The name server could not be asked: {why}. See that it runs, or set dns.servers to another."),
    }
}

fn kind(kind: RecordKind) -> Kind {
    match kind {
        RecordKind::A => Kind::A,
        RecordKind::Aaaa => Kind::Aaaa,
        RecordKind::Cname => Kind::Cname,
        RecordKind::Mx => Kind::Mx,
        RecordKind::Srv => Kind::Srv,
        RecordKind::Txt => Kind::Txt,
    }
}

fn found(record: Record) -> Found {
    match record {
        Record::Address(address) => Found::Address(address),
        Record::Alias(host) => Found::Alias(host),
        Record::Exchange { preference, host } => Found::Exchange { preference, host },
        Record::Service {
            priority,
            weight,
            port,
            host,
        } => Found::Service {
            priority,
            weight,
            port,
            host,
        },
        Record::Text(text) => Found::Text(text),
    }
}
