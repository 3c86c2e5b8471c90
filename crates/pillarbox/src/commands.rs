//! What each command asks of the running server, and how its answer is shown. Data goes to standard output, talk to
//! standard error.

use crate::admin::client::Client;
use crate::admin::{Request, place, tokens};
use crate::cli::{
    AccountVerb, AppPasswordVerb, ClockVerb, Command, DevVerb, DomainVerb, FaultSet, FaultVerb,
    GrantVerb, Issue, LogVerb, SessionVerb, StoreVerb, Token, TokenVerb, Why,
};
use crate::dev;
use crate::failure::Failure;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, IsTerminal, Read, Write};
use std::path::Path;

/// Longest password or token read from standard input.
const SECRET_OCTETS_MAX: u64 = 64 * 1_024;

/// Where the server is to be found.
pub struct Where<'a> {
    /// Named on the command line or by its variable.
    pub admin: Option<&'a Path>,
    /// The configuration that was named.
    pub config: Option<&'a Path>,
}

impl Where<'_> {
    /// One question, one answer.
    pub fn ask(&self, request: &Request) -> Result<Value, Failure> {
        self.client()?.ask(request)
    }

    fn client(&self) -> Result<Client, Failure> {
        Client::connect(&place::find(self.admin, self.config)?)
    }
}

/// Commands that talk to the running server.
pub fn run(command: Command, server: &Where<'_>) -> Result<(), Failure> {
    match command {
        Command::Account(verb) => account(verb, server),
        Command::AppPassword(verb) => app_password(verb, server),
        Command::ClientCertificate(verb) => crate::certificates::run(verb, server),
        Command::App(verb) => crate::apps::run(verb, server),
        Command::Key(verb) => crate::keys::run(verb, server),
        Command::Grant(verb) => grant(verb, server),
        Command::Token(token) => self::token(token, server),
        Command::Label(verb) => crate::labels::run(verb, server),
        Command::Domain(verb) => domain(verb, server),
        Command::Session(verb) => session(verb, server),
        Command::Store(StoreVerb::Check { json, .. }) => {
            store_report(&server.ask(&Request::StoreCheck)?, json)
        }
        Command::Log(LogVerb::Follow) => log_follow(server),
        Command::Log(LogVerb::Changes { json }) => activity(None, None, json, server),
        Command::Health { json } => health(json, server),
        Command::Log(LogVerb::Why(why)) | Command::Why(why) => self::why(why, server),
        Command::Clock(verb) => clock(&verb, server),
        Command::Fault(verb) => fault(verb, server),
        Command::Version => say(&format!("pillarbox {}", env!("CARGO_PKG_VERSION"))),
        // These start a server or read files; main knows them.
        Command::Dev(_)
        | Command::Serve
        | Command::Config(_)
        | Command::Login(_)
        | Command::Logout(_)
        | Command::Mail(_) => Err(Failure::usage("not a command of the running server")),
    }
}

/// `dev env` and `dev stop`.
pub fn dev_verb(verb: &DevVerb, server: &Where<'_>) -> Result<(), Failure> {
    match verb {
        DevVerb::Env => match server.ask(&Request::Facts)? {
            Value::Object(facts) => say(&dev::exports(&facts)),
            _ => Err(Failure::could_not("the server told nothing about itself")),
        },
        DevVerb::Stop => stop(server),
    }
}

/// Asks it to stop, and waits until it has.
fn stop(server: &Where<'_>) -> Result<(), Failure> {
    let mut client = server.client()?;
    client.ask(&Request::Facts)?; // refuses what is not a development server
    client.ask(&Request::Stop)?;
    // Its end of the socket closes when it is gone.
    match client.ask(&Request::ClockShow) {
        Ok(_) | Err(_) => Ok(()),
    }
}

fn account(verb: AccountVerb, server: &Where<'_>) -> Result<(), Failure> {
    match verb {
        AccountVerb::Add {
            address,
            administrator,
        } => {
            let password = secret("Password (empty for none): ")?;
            let password = Some(password).filter(|password| !password.is_empty());
            let made = server.ask(&Request::AccountAdd {
                address: address.clone(),
                password,
                administrator,
            })?;
            tell(&format!("Made {address}."))?;
            match made.get("new_domain").and_then(Value::as_str) {
                Some(domain) => tell(&format!(
                    "No account was in {domain} before: from now on this server takes mail for it. If that is a slip, remove the account."
                )),
                None => Ok(()),
            }
        }
        AccountVerb::Invite { address } => {
            let made = server.ask(&Request::AccountInvite { address })?;
            tell(&format!(
                "Works once, until {}. Hand it to the owner:",
                text_of(&made, "until")
            ))?;
            say(text_of(&made, "link"))
        }
        AccountVerb::Activity {
            address,
            only,
            json,
        } => activity(Some(address), only, json, server),
        AccountVerb::Admin { address, switch } => {
            let administrator = switch == "on";
            server.ask(&Request::AccountAdmin {
                address: address.clone(),
                administrator,
            })?;
            let word = if administrator { "now" } else { "no longer" };
            tell(&format!("{address} is {word} an administrator."))
        }
        AccountVerb::List { json } => {
            let all = server.ask(&Request::AccountList)?;
            show(&all, json, &["address"])
        }
        AccountVerb::Show { address, json } => {
            let one = server.ask(&Request::AccountShow { address })?;
            show_one(&one, json)
        }
        AccountVerb::Password { address } => {
            let password = secret("New password: ")?;
            server.ask(&Request::AccountPassword {
                address: address.clone(),
                password,
            })?;
            tell(&format!(
                "The password of {address} is set; its programs must sign in again."
            ))
        }
        AccountVerb::ResetFactor { address, passkeys } => {
            let done = server.ask(&Request::AccountResetFactor {
                address: address.clone(),
                passkeys,
            })?;
            let was_on = done["was_on"].as_bool() == Some(true);
            tell(&match was_on {
                true => format!("The password of {address} alone opens the pages again."),
                false => format!("{address} had no second factor."),
            })?;
            match done["passkeys"].as_u64() {
                Some(count) if passkeys => tell(&format!("Passkeys removed: {count}.")),
                _ => Ok(()),
            }
        }
        AccountVerb::Suspend { address } => {
            server.ask(&Request::AccountSuspend {
                address: address.clone(),
                suspended: true,
            })?;
            tell(&format!("{address} is suspended; its sessions have ended."))
        }
        AccountVerb::Resume { address } => {
            server.ask(&Request::AccountSuspend {
                address: address.clone(),
                suspended: false,
            })?;
            tell(&format!("{address} may sign in again."))
        }
        AccountVerb::Unbind { address } => {
            let done = server.ask(&Request::AccountUnbind {
                address: address.clone(),
            })?;
            tell(&match done["providers"].as_u64() {
                Some(1..) => format!(
                    "{address} belongs to whom the external providers send next with this address."
                ),
                _ => format!("{address} was tied to nobody at an external provider."),
            })
        }
        AccountVerb::Remove { address, yes } => {
            if !yes {
                confirm(&format!("Remove {address} and all its mail, for good?"))?;
            }
            server.ask(&Request::AccountRemove {
                address: address.clone(),
            })?;
            tell(&format!("{address} is removed."))
        }
    }
}

fn app_password(verb: AppPasswordVerb, server: &Where<'_>) -> Result<(), Failure> {
    match verb {
        AppPasswordVerb::Add {
            address,
            name,
            only,
            from,
            until,
        } => {
            let made = server.ask(&Request::AppPasswordAdd {
                address,
                name,
                only,
                from: from.iter().map(ToString::to_string).collect(),
                until: until.and_then(crate::admin::limits::midnight),
            })?;
            tell("Shown this once; programs use it in place of the password:")?;
            say(text_of(&made, "password"))
        }
        AppPasswordVerb::List { address, json } => {
            let all = server.ask(&Request::AppPasswordList { address })?;
            show(
                &all,
                json,
                &["id", "name", "created", "only", "from", "until"],
            )
        }
        AppPasswordVerb::Revoke { address, id } => {
            server.ask(&Request::AppPasswordRevoke {
                address,
                id: id.clone(),
            })?;
            tell(&format!(
                "{id} is revoked, and the sessions it opened have ended."
            ))
        }
    }
}

fn grant(verb: GrantVerb, server: &Where<'_>) -> Result<(), Failure> {
    match verb {
        GrantVerb::List { address, json } => {
            let all = server.ask(&Request::GrantList { address })?;
            show(
                &all,
                json,
                &["id", "app", "scope", "created", "last_used", "revoked"],
            )
        }
        GrantVerb::Revoke { address, id } => {
            server.ask(&Request::GrantRevoke {
                address,
                id: id.clone(),
            })?;
            tell(&format!(
                "{id} is revoked, with its tokens, and the sessions they opened have ended."
            ))
        }
    }
}

fn token(token: Token, server: &Where<'_>) -> Result<(), Failure> {
    let verb = match (token.verb, token.issue) {
        (Some(verb), _) => verb,
        (None, Some(issue)) => TokenVerb::Issue(issue),
        (None, None) => return Err(whose_token()),
    };
    match verb {
        TokenVerb::Issue(Issue {
            address,
            lifetime,
            expired,
            revoked,
            scope,
            refresh,
        }) => {
            let address = address.ok_or_else(whose_token)?;
            let lifetime = lifetime.map(|lifetime| lifetime.as_secs());
            let made = server.ask(&Request::TokenIssue {
                address,
                lifetime,
                expired,
                revoked,
                scope,
                refresh,
            })?;
            say(text_of(
                &made,
                if refresh {
                    "refresh_token"
                } else {
                    "access_token"
                },
            ))
        }
        TokenVerb::Inspect { json } => {
            let token = pasted_token()?;
            let found = server.ask(&Request::TokenInspect { token })?;
            show_one(&found, json)?;
            if found.get("good") == Some(&Value::Bool(true)) {
                Ok(())
            } else {
                Err(Failure::no(""))
            }
        }
        TokenVerb::Revoke => {
            let token = pasted_token()?;
            let done = server.ask(&Request::TokenRevoke { token })?;
            tell(&tokens::in_words(&done))
        }
    }
}

fn pasted_token() -> Result<String, Failure> {
    let text = secret("Token: ")?;
    match tokens::pasted(&text) {
        "" => Err(Failure::usage("no token came on standard input")),
        token => Ok(token.to_owned()),
    }
}

fn whose_token() -> Failure {
    Failure::usage("whose token? Try: pillarbox token ada@example.test")
}

fn domain(verb: DomainVerb, server: &Where<'_>) -> Result<(), Failure> {
    match verb {
        DomainVerb::List { json } => {
            let all = server.ask(&Request::DomainList)?;
            show(&all, json, &["domain", "accounts"])
        }
        DomainVerb::Dns { domain, json } => {
            let all = server.ask(&Request::DomainDns { domain })?;
            if json {
                return say(&all.to_string());
            }
            let mut records = all.as_array().into_iter().flatten();
            records.try_for_each(|one| say(text_of(one, "line")))
        }
        DomainVerb::Check { domain, json } => {
            let all = server.ask(&Request::DomainCheck { domain })?;
            if json {
                say(&all.to_string())?;
            }
            let all = all.as_array().map(Vec::as_slice).unwrap_or_default();
            if !json {
                let mut said = BTreeSet::new();
                all.iter()
                    .try_for_each(|one| show_checked(one, &mut said))?;
            }
            judge_checked(all)
        }
    }
}

/// How a record stands when nobody was asked.
const NOT_ASKED: &str = "not-asked";

/// A record, how it stands, what there is to say about it that was not said before, and what was found in its place.
fn show_checked<'a>(one: &'a Value, said: &mut BTreeSet<&'a str>) -> Result<(), Failure> {
    let (name, kind) = (text_of(one, "name"), text_of(one, "type"));
    let published = text_of(one, "published");
    say(format!("{published:<10}  {name} {kind} {}", text_of(one, "value")).trim_end())?;
    let note = text_of(one, "note");
    if !note.is_empty() && published != NOT_ASKED && said.insert(note) {
        say(&format!("{:12}{note}", ""))?;
    }
    let found = one.get("found").and_then(Value::as_array);
    let mut found = found.into_iter().flatten().filter_map(Value::as_str);
    found.try_for_each(|line| say(&format!("{:12}found: {line}", "")))
}

/// The exit status of a check: what is wrong weighs more than what could not be asked.
fn judge_checked(all: &[Value]) -> Result<(), Failure> {
    let published = |one: &Value| text_of(one, "published").to_owned();
    let count = |name: &str| all.iter().filter(|one| published(one) == name).count();
    let (wrong, unknown, of) = (
        count("missing") + count("different"),
        count("unknown"),
        all.len(),
    );
    if wrong > 0 {
        let text = format!("{wrong} of {of} records are missing or different");
        return Err(Failure::no(text));
    }
    if unknown > 0 {
        let text = format!("{unknown} of {of} records could not be asked for");
        return Err(Failure::could_not(text));
    }
    match all.iter().find(|one| published(one) == NOT_ASKED) {
        Some(one) => Err(Failure::could_not(text_of(one, "note"))),
        None => Ok(()),
    }
}

fn session(verb: SessionVerb, server: &Where<'_>) -> Result<(), Failure> {
    match verb {
        SessionVerb::List { address, json } => {
            let mut all = server.ask(&Request::SessionList { address })?;
            if !json {
                for one in all.as_array_mut().into_iter().flatten() {
                    one["credential"] = credential_in_words(&one["credential"]).into();
                }
            }
            // The first seven came first; what scripts cut out of a line stays where it was.
            let columns = [
                "session",
                "protocol",
                "peer",
                "address",
                "app",
                "since",
                "until",
                "program",
                "credential",
                "because",
            ];
            show(&all, json, &columns)
        }
        SessionVerb::End { which } => {
            let ended = server.ask(&Request::SessionEnd { which })?;
            tell(&format!(
                "{} ended.",
                ended.get("ended").unwrap_or(&Value::Null)
            ))
        }
    }
}

/// What a list says opened a session: the kind and, where it has one, the id that revokes it.
fn credential_in_words(credential: &Value) -> Option<String> {
    let kind = credential["kind"].as_str()?;
    Some(match credential["id"].as_str() {
        Some(id) => format!("{kind} {id}"),
        None => kind.to_owned(),
    })
}

/// What `store check` found; the answer is no if there are problems.
pub fn store_report(report: &Value, json: bool) -> Result<(), Failure> {
    let problems = report
        .get("problems")
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    if json {
        say(&report.to_string())?;
    } else {
        for problem in report
            .get("problems")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            say(problem.as_str().unwrap_or_default())?;
        }
        let count = |name: &str| report.get(name).and_then(Value::as_u64).unwrap_or(0);
        say(&format!(
            "{} accounts, {} messages, {} bodies, {problems} problems",
            count("accounts"),
            count("messages"),
            count("bodies")
        ))?;
    }
    if problems == 0 {
        Ok(())
    } else {
        Err(Failure::no(""))
    }
}

fn activity(
    address: Option<String>,
    only: Option<String>,
    json: bool,
    server: &Where<'_>,
) -> Result<(), Failure> {
    let limit = pillarbox_oauth::ACTIVITY_MAX;
    let all = server.ask(&Request::Activity {
        address,
        limit,
        only,
    })?;
    show(
        &all,
        json,
        &[
            "at", "deed", "service", "app", "peer", "others", "times", "detail",
        ],
    )
}

/// The answer is no if something needs attention.
fn health(json: bool, server: &Where<'_>) -> Result<(), Failure> {
    let found = server.ask(&Request::Health)?;
    let good = found.get("good") == Some(&Value::Bool(true));
    if json {
        say(&found.to_string())?;
    } else {
        show(
            found.get("conditions").unwrap_or(&Value::Null),
            false,
            &["name", "text"],
        )?;
    }
    match good {
        true => Ok(()),
        false => Err(Failure::no("")),
    }
}

fn log_follow(server: &Where<'_>) -> Result<(), Failure> {
    server
        .client()?
        .follow(&Request::LogFollow, |line| say(line).is_ok())
}

fn why(why: Why, server: &Where<'_>) -> Result<(), Failure> {
    let story = server.ask(&Request::Why { session: why.id })?;
    say(story.as_str().unwrap_or_default().trim_end())
}

fn clock(verb: &ClockVerb, server: &Where<'_>) -> Result<(), Failure> {
    let request = match verb {
        ClockVerb::Show => Request::ClockShow,
        ClockVerb::Advance { by } => Request::ClockAdvance {
            seconds: by.as_secs(),
        },
        ClockVerb::Reset => Request::ClockReset,
    };
    say(server.ask(&request)?.as_str().unwrap_or_default())
}

fn fault(verb: FaultVerb, server: &Where<'_>) -> Result<(), Failure> {
    match verb {
        FaultVerb::List { json } => {
            let mut all = server.ask(&Request::FaultList)?;
            if json {
                return show(&all, json, &[]);
            }
            let rules = all.as_array_mut();
            for rule in rules.into_iter().flatten() {
                rule["more"] = fault_in_words(rule).into();
            }
            if all.as_array().is_some_and(Vec::is_empty) {
                return tell("Nothing goes wrong on purpose.");
            }
            show(&all, json, &["id", "target", "kind", "more"])
        }
        FaultVerb::Set(fault) => {
            let FaultSet {
                target,
                kind,
                value,
                times,
                account,
                probability,
                after,
            } = fault;
            let set = server.ask(&Request::FaultSet {
                target,
                kind,
                value,
                times,
                account,
                probability,
                after: after.and_then(|after| u64::try_from(after.as_millis()).ok()),
            })?;
            let often = match times {
                Some(1) => "once".to_owned(),
                Some(times) => format!("{times} times"),
                None => "until it is cleared".to_owned(),
            };
            let id = set.get("id").unwrap_or(&Value::Null);
            let (target, kind) = (text_of(&set, "target"), text_of(&set, "kind"));
            tell(&format!("Fault {id}: {target} {kind}, {often}."))?;
            match text_of(&set, "note") {
                "" => Ok(()),
                note => tell(&format!("Note: {note}")),
            }
        }
        FaultVerb::Clear { which } => {
            let cleared = server.ask(&Request::FaultClear { which })?;
            match cleared.get("cleared").and_then(Value::as_u64).unwrap_or(0) {
                0 => tell("There were none."),
                1 => tell("1 fault cleared."),
                many => tell(&format!("{many} faults cleared.")),
            }
        }
    }
}

/// What a list says of a fault behind its name.
fn fault_in_words(rule: &Value) -> String {
    let times = |count: u64| match count {
        1 => "1 time".to_owned(),
        many => format!("{many} times"),
    };
    let count = |field: &str| rule.get(field).and_then(Value::as_u64);
    let mut words = vec![match count("left") {
        Some(left) => format!("{} left", times(left)),
        None => "until it is cleared".to_owned(),
    }];
    words.push(format!("happened {}", times(count("struck").unwrap_or(0))));
    if let Some(account) = rule.get("account").and_then(Value::as_str) {
        words.push(format!("only {account}"));
    }
    let probability = rule.get("probability").and_then(Value::as_f64);
    if let Some(probability) = probability.filter(|probability| *probability < 1.0) {
        words.push(format!("probability {probability}"));
    }
    if rule.get("waits") == Some(&Value::Bool(true)) {
        words.push(format!("not before {}", text_of(rule, "from")));
    }
    words.join(", ")
}

/// One line of standard input. Secrets never travel in arguments.
fn secret(prompt: &str) -> Result<String, Failure> {
    let stdin = std::io::stdin();
    let hidden = stdin.is_terminal().then(|| {
        let _ = tell_same_line(prompt);
        Hidden::begin()
    });
    let mut line = String::new();
    let read = stdin.lock().take(SECRET_OCTETS_MAX).read_line(&mut line);
    if hidden.is_some() {
        drop(hidden);
        tell("")?;
    }
    read.map_err(|error| Failure::could_not(format!("standard input cannot be read: {error}")))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// A terminal that does not show what is typed, until dropped.
struct Hidden(Option<nix::sys::termios::Termios>);

impl Hidden {
    fn begin() -> Self {
        use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
        let stdin = std::io::stdin();
        let Ok(before) = tcgetattr(&stdin) else {
            return Self(None);
        };
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        Self(
            tcsetattr(&stdin, SetArg::TCSANOW, &silent)
                .is_ok()
                .then_some(before),
        )
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        use nix::sys::termios::{SetArg, tcsetattr};
        if let Some(before) = &self.0 {
            // If this fails there is no terminal left to restore.
            let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, before);
        }
    }
}

/// A yes, typed.
pub fn confirm(question: &str) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(format!("{question} Say so with --yes.")));
    }
    tell_same_line(&format!("{question} (yes/no) "))?;
    let mut line = String::new();
    let read = std::io::stdin().lock().take(64).read_line(&mut line);
    if read.is_ok() && line.trim() == "yes" {
        Ok(())
    } else {
        Err(Failure::no("nothing was removed"))
    }
}

/// A list: for programs as JSON, for people as columns, which have headings where somebody looks at them. Scripts that read
/// them find rows only.
pub fn show(list: &Value, json: bool, columns: &[&str]) -> Result<(), Failure> {
    if json {
        return say(&list.to_string());
    }
    let mut rows: Vec<Vec<String>> = list
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| {
            columns
                .iter()
                .map(|column| plain(row.get(*column).unwrap_or(&Value::Null)))
                .collect()
        })
        .collect();
    if !rows.is_empty() && std::io::stdout().is_terminal() {
        let heading = |column: &&str| column.replace('_', " ").to_uppercase();
        rows.insert(0, columns.iter().map(heading).collect());
    }
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| {
            rows.iter()
                .map(|row| row[at].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    for row in rows {
        let cells: Vec<_> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        say(cells.join("  ").trim_end())?;
    }
    Ok(())
}

/// One thing: for programs as JSON, for people as lines.
pub fn show_one(one: &Value, json: bool) -> Result<(), Failure> {
    if json {
        return say(&one.to_string());
    }
    for (name, value) in one.as_object().into_iter().flatten() {
        say(&format!("{:<12} {}", name.replace('_', " "), plain(value)))?;
    }
    Ok(())
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A text of an answer.
pub fn text_of<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Data. A reader that closed early (`| head`) ends the command in peace.
pub fn say(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(|_| Failure::with_status(0, ""))
}

/// Talk.
pub fn tell(text: &str) -> Result<(), Failure> {
    tell_same_line(&format!("{text}\n"))
}

/// Talk that goes on.
pub fn tell_same_line(text: &str) -> Result<(), Failure> {
    // Nobody listening to talk is no fault.
    let _ = std::io::stderr().write_all(text.as_bytes());
    Ok(())
}
