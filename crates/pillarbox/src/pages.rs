//! What the pages see of the running server: its live sessions, its log, how it does, and in development its clock.

use crate::clock::in_words;
use crate::faults::{self, Asked, Rule, names};
use crate::house::House;
use crate::journal::Entry;
use crate::wire_log;
use pillarbox_oauth::EndpointRefusal;
use pillarbox_protocols::events::What;
use pillarbox_protocols::sessions::{Limit, Protocol, Session, Which};
use pillarbox_store::mail::Naming;
use pillarbox_web::{
    Condition, Control, Fault, FaultNames, FaultWanted, Happening, LiveSession, LookingUp,
    Question, SignedIn, Speaker, Wanted, WireConnection, WireLine,
};
use std::sync::Arc;
use std::time::Duration;

/// The house behind the pages.
pub struct Pages(pub Arc<House>);

impl Control for Pages {
    fn sessions(&self) -> Vec<LiveSession> {
        self.0.registry.list().into_iter().map(live).collect()
    }

    fn end_session(&self, token: &str, because: Arc<str>) -> usize {
        let which = Which::Session(token.to_owned());
        self.0.registry.end(&which, because)
    }

    fn happenings(&self, wanted: &Wanted) -> Vec<Happening> {
        recent(&self.0, wanted).into_iter().map(happening).collect()
    }

    fn refused(&self, refusal: EndpointRefusal) {
        let token = self.0.session_token().into();
        self.0.journal.event(Entry::Endpoint(token, refusal));
    }

    fn conditions(&self) -> Vec<Condition> {
        conditions(&self.0)
    }

    fn naming(&self) -> Naming {
        self.0.naming
    }

    fn domain(&self) -> String {
        self.0.config.domain.clone()
    }

    fn look_up(&self, questions: Vec<Question>) -> LookingUp<'_> {
        Box::pin(self.0.dns.look_up(questions))
    }

    fn authority(&self) -> Option<String> {
        let development = self.0.development.as_ref()?;
        Some(development.ca.to_string_lossy().into_owned())
    }

    fn authority_certificate(&self) -> Option<String> {
        std::fs::read_to_string(self.0.authority()?).ok()
    }

    fn clock_ahead(&self) -> Option<Duration> {
        self.0.development.as_ref()?;
        Some(ahead(&self.0))
    }

    fn move_clock(&self, by: Option<Duration>) -> usize {
        if self.0.development.is_none() {
            return 0; // a real server's clock is the system's
        }
        match by {
            Some(by) => self.0.advance(by),
            None => {
                self.0.clock.reset();
                0
            }
        }
    }

    fn faults(&self) -> Vec<Fault> {
        let development = self.0.development.as_ref();
        let rules = development.map(|development| development.faults.rules_set());
        rules.into_iter().flatten().map(fault).collect()
    }

    fn fault_names(&self) -> FaultNames {
        let targets = names::Service::ALL.map(|service| {
            let name = service.name();
            let all = service.commands().iter().copied().chain(["*"]);
            (
                name,
                all.map(|command| format!("{name}.{command}")).collect(),
            )
        });
        FaultNames {
            targets: targets.into(),
            kinds: faults::kinds(),
        }
    }

    fn set_fault(&self, wanted: FaultWanted) -> Result<Fault, String> {
        let development = self.0.development.as_ref();
        let development = development.ok_or("this is a real server")?;
        let after = wanted.after.as_deref().filter(|after| *after != "0s");
        let after = after.map(|text| {
            faults::duration(text).ok_or_else(|| format!("{text} is no duration, like 5s or 1m"))
        });
        let set = development.faults.add(Asked {
            target: wanted.target,
            kind: wanted.kind,
            value: wanted.value,
            times: wanted.times,
            account: wanted.account,
            probability: wanted.probability,
            after: after.transpose()?,
        });
        set.map(fault)
    }

    fn clear_faults(&self, which: Option<&str>) -> Result<usize, String> {
        let development = self.0.development.as_ref();
        let development = development.ok_or("this is a real server")?;
        let cleared = development.faults.clear(which);
        cleared.map_err(|failure| failure.text)
    }

    fn wire(&self, only: Option<&str>, limit: usize) -> Vec<WireConnection> {
        let development = self.0.development.as_ref();
        let found = development.map(|development| development.wire.connections(only, limit));
        found.into_iter().flatten().map(wire).collect()
    }
}

fn fault(rule: Rule) -> Fault {
    let wanted = rule.wanted;
    Fault {
        id: rule.id,
        target: wanted.target.to_string(),
        kind: wanted.kind.to_string(),
        left: wanted.times,
        struck: rule.struck,
        account: wanted.account,
        probability: wanted.probability,
        from: wanted.not_before,
    }
}

fn wire(one: wire_log::Connection) -> WireConnection {
    let line = |line: wire_log::Line| WireLine {
        at: line.at,
        from: match line.from {
            wire_log::From::Client => Speaker::Client,
            wire_log::From::Server => Speaker::Server,
            wire_log::From::Note => Speaker::Nobody,
        },
        text: line.text,
    };
    WireConnection {
        token: one.token,
        protocol: one.protocol.name(),
        peer: one.peer,
        since: one.since,
        open: one.open,
        lost: one.lost,
        lines: one.lines.into_iter().map(line).collect(),
    }
}

fn ahead(house: &House) -> Duration {
    Duration::from_millis(u64::try_from(house.clock.offset()).unwrap_or(0))
}

/// The newest events that are wanted, newest first, each with its sentence.
pub fn recent(house: &House, wanted: &Wanted) -> Vec<(Entry, String)> {
    let text = wanted.text.as_deref().map(str::to_lowercase);
    let connected = |entry: &Entry| match entry {
        Entry::Mail(event) => matches!(event.what, What::Connected),
        Entry::Endpoint(..) => false,
    };
    let pass = |entry: &Entry, sentence: &str| match (&wanted.session, &text) {
        (Some(session), _) => **entry.session() == **session,
        // That somebody connected says nothing until they do something.
        (None, _) if connected(entry) => false,
        (None, Some(text)) => {
            let peer = entry.peer().to_string();
            sentence.to_lowercase().contains(text) || peer.contains(text.as_str())
        }
        (None, None) => true,
    };
    house.journal.recent(wanted.limit, pass)
}

/// How the server does; quick.
pub fn conditions(house: &House) -> Vec<Condition> {
    let good = |name, text| Condition {
        name,
        text,
        good: true,
    };
    let sessions = house.registry.list();
    let signed_in = sessions
        .iter()
        .filter(|session| session.signed_in.is_some());
    let kept = match house.config.data.as_os_str().is_empty() {
        true => "in memory, forgotten at the end".to_owned(),
        false => format!("in {}", house.config.data.display()),
    };
    let mut all = vec![
        good(
            "Connections",
            format!("{}, {} signed in", sessions.len(), signed_in.count()),
        ),
        good("Mail is kept", kept),
        good("Running for", in_words(house.clock.now().mono)),
        good("Version", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    let now = house.clock.wall();
    for provider in house.identity.external_conditions() {
        let label = &provider.label;
        let text = match (provider.failed.clone(), provider.fetched) {
            (Some(cause), _) => cause,
            (None, None) => format!("{label}: not asked yet"),
            (None, Some(fetched)) => {
                let since = u64::try_from(now.saturating_sub(fetched)).unwrap_or(0);
                let since = in_words(Duration::from_millis(since));
                format!("{label}: answered {since} ago")
            }
        };
        all.push(Condition {
            name: "Sign-in elsewhere",
            text,
            good: provider.failed.is_none(),
        });
    }
    let ahead = ahead(house);
    if house.development.is_some() && !ahead.is_zero() {
        let text = format!("{} ahead of the system’s time", in_words(ahead));
        all.push(good("Clock", text));
    }
    all
}

fn live(session: Session) -> LiveSession {
    let signed_in = session.signed_in.map(|(who, until)| SignedIn {
        account: who.account().clone(),
        address: Arc::clone(who.address()),
        credential: who.credential().clone(),
        app: who.app().cloned(),
        until,
        because: Limit::of(&who, until).ahead(),
    });
    LiveSession {
        token: session.token.into(),
        protocol: match session.protocol {
            Protocol::Imap => "IMAP",
            Protocol::Pop3 => "POP",
            Protocol::Submission => "SMTP",
            Protocol::Incoming => "incoming",
        },
        peer: session.peer.to_canonical(),
        since: session.since,
        program: session.program,
        signed_in,
    }
}

fn happening((entry, text): (Entry, String)) -> Happening {
    Happening {
        at: entry.at(),
        about: entry.about(),
        session: entry.session().clone(),
        peer: entry.peer(),
        text,
        trouble: entry.is_trouble(),
        told: entry.told(),
    }
}
