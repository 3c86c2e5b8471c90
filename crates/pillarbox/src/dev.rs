//! `pillarbox dev`: a throw-away server on loopback, with two people whose password everybody knows. It listens nowhere
//! else, whatever it is asked.

use crate::admin::place;
use crate::cli::DevRun;
use crate::clock::Clock;
use crate::config::{self, Config, Layers, Raw};
use crate::failure::Failure;
use crate::house::{Development, House, variable};
use crate::journal::{Journal, Level};
use crate::listen::{self, Open, Service};
use crate::serve::{self, Plan, Signals};
use crate::tls::{Authority, DEVELOPMENT_NAMES, Served};
use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Map, Value};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;
use tokio::process::{Child, Command};

/// What a taken port suggests.
const TRY_AUTO: &str = "pillarbox dev --ports auto";
/// Time a command has to end after it was asked to.
const COMMAND_LAST_WORDS: Duration = Duration::from_secs(5);
/// Variables by which the usual programs find authorities to trust.
const TRUST_VARIABLES: [&str; 4] = [
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
];

/// Starts, runs, ends; the exit status.
pub async fn run(options: &DevRun) -> Result<u8> {
    let mut config = read(options)?;
    let signals = Signals::listen()?;
    let clock = Clock::new();
    let level = quiet_with_a_command(options, &config);
    let journal = Journal::new(clock.clone(), config.log_format, level);
    let listeners = open(options, &config)?;
    let web_port = listeners
        .iter()
        .find(|open| open.service == Service::Web)
        .map_or(0, |open| open.address.port());
    if config.issuer.is_empty() {
        config.issuer = format!("https://localhost:{web_port}");
    }
    let authority = Authority::open_or_make(&place::dev_folder()?)?;
    let names: Vec<String> = DEVELOPMENT_NAMES.map(Into::into).into();
    let plan = Plan {
        store: (!config.data.as_os_str().is_empty()).then(|| config.data.join("store")),
        config,
        listeners,
        served: Served::new(authority.issue(&names)?),
        admin: place::dev_socket(web_port)?,
        development: Some(authority.certificate_file()),
    };
    if let Some(store) = &plan.store {
        std::fs::create_dir_all(store)
            .with_context(|| format!("cannot make folder {}", store.display()))?;
    }
    let running = serve::start(plan, clock, journal).await?;
    let status = tell_and_wait(options, &running.house, signals).await;
    running.end().await;
    if let Some(file) = &options.ready_file {
        std::fs::remove_file(file).ok();
    }
    status
}

/// Says that it is ready, in the way that was asked for, and waits for the end.
async fn tell_and_wait(options: &DevRun, house: &House, signals: Signals) -> Result<u8> {
    let Some(development) = &house.development else {
        return Ok(3);
    };
    let facts = development.facts(house).await?;
    if let Some(file) = &options.ready_file {
        write_whole(file, &facts)?;
    }
    if options.json {
        say(&Value::Object(facts.clone()).to_string());
    } else if options.command.is_empty() {
        say(&summary(house, development));
    }
    if options.command.is_empty() {
        signals.until_stopped(house).await;
        return Ok(0);
    }
    let child = start_command(options, &facts)?;
    wait_for_command(child, house, signals).await
}

fn read(options: &DevRun) -> Result<Config, Failure> {
    let text = |text: &str| Raw::Text(text.into());
    let defaults = [
        ("domain", text("example.test")),
        ("host", text("localhost")),
        ("tls.mode", text("private")),
        ("oauth.registration", text("open")),
        ("listen.imap", Raw::List(Vec::new())),
        ("listen.pop", Raw::List(Vec::new())),
        ("listen.submission", Raw::List(Vec::new())),
        ("listen.incoming", Raw::List(Vec::new())),
        ("listen.web", Raw::List(Vec::new())),
    ];
    let data = options
        .data
        .as_ref()
        .map(|path| ("data", "--data", text(&path.to_string_lossy())));
    let flags: Vec<_> = data.into_iter().collect();
    let layers = Layers {
        file: options.settings.as_deref(),
        defaults: &defaults,
        flags: &flags,
    };
    let config = layers.resolve(config::environment)?.config;
    if let Some(open) = config
        .listen
        .iter()
        .find(|one| !one.address.ip().is_loopback())
    {
        return Err(Failure::usage(format!(
            "the development server listens on loopback only, because everybody knows its passwords and tokens; \
             {} ({}) is not loopback. For a real server see: pillarbox serve",
            open.address,
            open.service.name()
        )));
    }
    Ok(config)
}

/// Both loopback addresses for every service, and where variables say otherwise, there.
fn open(options: &DevRun, config: &Config) -> Result<Vec<Open>, Failure> {
    let offset = if options.ports.is_some() {
        None
    } else {
        Some(options.offset)
    };
    let port = |service: Service| offset.map_or(0, |offset| offset + service.port());
    let named = |service: Service| config.listen.iter().any(|one| one.service == service);
    let mut listeners = listen::open_loopback(|service| !named(service), port, TRY_AUTO)?;
    listeners.extend(listen::open_all(&config.listen, "")?);
    listeners.sort_by_key(|open| open.service as usize);
    Ok(listeners)
}

/// With a command, the terminal is the command's; the log speaks only of trouble, unless somebody asked for more.
fn quiet_with_a_command(options: &DevRun, config: &Config) -> Level {
    let asked = config::environment("PILLARBOX_LOG_LEVEL").is_some();
    if options.command.is_empty() || asked {
        config.log_level
    } else {
        config.log_level.min(Level::Warn)
    }
}

/// The first screen (first five minutes, minute 1).
fn summary(house: &House, development: &Development) -> String {
    let port = |service| development.port(service);
    let domain = &house.config.domain;
    let ca = development.ca.display();
    let mut text = String::new();
    let mut line = |name: &str, rest: String| {
        // Writing to a String does not fail.
        let _ = writeln!(text, "  {name:<10} {rest}");
    };
    line(
        "people",
        format!("ada@{domain}   bob@{domain}        password of both: pillarbox"),
    );
    line("IMAP", format!("localhost:{:<8} TLS", port(Service::Imap)));
    line("POP", format!("localhost:{:<8} TLS", port(Service::Pop)));
    line(
        "SMTP",
        format!(
            "localhost:{:<8} TLS        localhost:{}  STARTTLS",
            port(Service::Smtps),
            port(Service::Submission)
        ),
    );
    line(
        "incoming",
        format!(
            "localhost:{:<8} SMTP, as another mail server would deliver",
            port(Service::Incoming)
        ),
    );
    line(
        "web",
        format!(
            "{:<31} sign in, apps, sessions",
            format!("https://localhost:{}", port(Service::Web))
        ),
    );
    line(
        "console",
        format!(
            "{:<31} tokens, clock, faults, wire log",
            format!("https://localhost:{}/dev", port(Service::Web))
        ),
    );
    line(
        "OAuth",
        format!(
            "issuer {:<24} scope {}",
            house.config.issuer(),
            pillarbox_oauth::MAIL_SCOPE
        ),
    );
    line(
        "",
        "clients  desktop (public, PKCE)   web (secret: pillarbox)   tv (device flow)".into(),
    );
    line("CA", ca.to_string());
    let version = env!("CARGO_PKG_VERSION");
    let mail = if house.config.data.as_os_str().is_empty() {
        "Mail is forgotten when this stops (keep it with --data DIR).".into()
    } else {
        format!("Mail is kept in {}.", house.config.data.display())
    };
    format!(
        "Pillarbox {version}, development server. Listens on loopback only. Nothing leaves this machine.\n\n{text}\n  \
         Shell      eval \"$(pillarbox dev env)\"       then $PILLARBOX_IMAPS and the like are set\n  \
         Tests      pillarbox dev -- pytest           starts, runs, stops; the exit status is pytest's\n\n\
         Ready. {mail} Stop with Ctrl-C."
    )
}

/// `export` lines for a shell, quoted so that nothing in a value is run.
pub fn exports(facts: &Map<String, Value>) -> String {
    let quoted = |value: &str| format!("'{}'", value.replace('\'', r"'\''"));
    let line = |(name, fact): (&String, &Value)| {
        format!(
            "export PILLARBOX_{}={}",
            name.to_uppercase(),
            quoted(&variable(fact))
        )
    };
    facts.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn start_command(options: &DevRun, facts: &Map<String, Value>) -> Result<Child> {
    let Some((program, arguments)) = options.command.split_first() else {
        return Err(Failure::usage("no command").into());
    };
    let mut command = Command::new(program);
    command.args(arguments);
    for (name, fact) in facts {
        command.env(format!("PILLARBOX_{}", name.to_uppercase()), variable(fact));
    }
    if options.trust
        && let Some(ca) = facts.get("ca")
    {
        command.envs(TRUST_VARIABLES.map(|name| (name, variable(ca))));
    }
    command.spawn().map_err(|error| {
        let program = OsStr::to_string_lossy(program);
        Failure::could_not(format!("cannot run {program}: {error}")).into()
    })
}

/// Waits for the command; asked to end, it asks the command first, by its process id.
async fn wait_for_command(mut child: Child, house: &House, signals: Signals) -> Result<u8> {
    let status = tokio::select! {
        status = child.wait() => status?,
        () = signals.until_stopped(house) => {
            if let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()) {
                // It may have ended this very moment, which is what we want.
                let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
            }
            match tokio::time::timeout(COMMAND_LAST_WORDS, child.wait()).await {
                Ok(status) => status?,
                Err(_) => {
                    child.kill().await?;
                    child.wait().await?
                }
            }
        }
    };
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(3);
    Ok(u8::try_from(code).unwrap_or(3))
}

/// Whoever waits for the file finds it whole or not at all.
fn write_whole(file: &Path, facts: &Map<String, Value>) -> Result<()> {
    let cannot = || format!("cannot write {}", file.display());
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let fresh = folder.join(format!(".ready-{:016x}", crate::random::number()));
    let mut text = Value::Object(facts.clone()).to_string();
    text.push('\n');
    std::fs::write(&fresh, text).with_context(cannot)?;
    std::fs::rename(&fresh, file).with_context(cannot)
}

/// To standard output; a reader that left is not our trouble.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exported_values_are_only_values() {
        let mut facts = Map::new();
        facts.insert("user".into(), "it's $(me)".into());
        facts.insert("imap_port".into(), 1993.into());
        assert_eq!(
            exports(&facts),
            "export PILLARBOX_IMAP_PORT='1993'\nexport PILLARBOX_USER='it'\\''s $(me)'"
        );
    }
}
