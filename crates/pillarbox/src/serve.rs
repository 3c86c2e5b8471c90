//! Starts a server whole or not at all, runs it, and ends it in order. `dev` and `serve` differ only in the plan.

use crate::admin::server::Socket;
use crate::clock::Clock;
use crate::config::{self, Config, Layers, Passwords, TlsMode};
use crate::dns::Dns;
use crate::failure::Failure;
use crate::faults::Faults;
use crate::house::{self, Development, House};
use crate::journal::{Journal, Level};
use crate::listen::{self, Open, Service};
use crate::services::{self, Services};
use crate::wire_log::WireLog;
use crate::{admin, at_rest, external, random, tls, traces, trail, upkeep};
use anyhow::{Context, Result};
use pillarbox_oauth::{Client, Hashing, Identity, IdentityConfig};
use pillarbox_protocols::sessions::{Registry, Which};
use pillarbox_store::blob::{Blobs, MemoryBlobs};
use pillarbox_store::engine::{Embedded, Engine, MemoryEngine, Options};
use pillarbox_store::mail::{Naming, Store};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// Time for conversations to say their last words; with what comes after, the end takes at most five seconds.
const LAST_WORDS: Duration = Duration::from_secs(4);

/// What to start.
pub struct Plan {
    /// Checked.
    pub config: Config,
    /// Open, but nobody accepts yet.
    pub listeners: Vec<Open>,
    /// The certificate.
    pub served: Arc<tls::Served>,
    /// The embedded store's folder; None keeps mail in memory.
    pub store: Option<PathBuf>,
    /// The local socket.
    pub admin: PathBuf,
    /// A development server has this authority's certificate to show.
    pub development: Option<PathBuf>,
}

/// A server that accepts connections.
pub struct Running {
    /// Its parts.
    pub house: Arc<House>,
    tasks: JoinSet<()>,
    /// Closes when the last connection is gone.
    gone: mpsc::Receiver<()>,
}

/// Opens the store, makes the parts, and accepts.
pub async fn start(plan: Plan, clock: Clock, journal: Journal) -> Result<Running> {
    raise_open_files(&journal);
    traces::into(journal.clone());
    report_bugs(journal.clone());
    let tls = tls::configs(&plan.served)?;
    let socket = Socket::open(&plan.admin)?;
    let (engine, blobs) = open_store(plan.store.clone()).await?;
    let store = Store::open(engine, blobs, random::source())
        .await
        .context("the store cannot be opened")?;
    store.hear_time(clock.wall());
    let is_development = plan.development.is_some();
    let naming = if is_development {
        Naming::Gmail
    } else {
        Naming::Plain
    };
    let mut settings = identity_config(&plan.config, is_development);
    settings.external = external::open(&plan.config, naming)?;
    let identity = Identity::open(store.clone(), settings, random::source(), clock.wall()).await?;
    let listening = listen::ports(&plan.listeners);
    let registry = Registry::default();
    let stopping = watch::channel(false).0;
    let development = match &plan.development {
        Some(ca) => {
            let issuer = plan.config.issuer();
            let faults = Faults::new(
                clock.clone(),
                journal.clone(),
                registry.clone(),
                issuer,
                stopping.subscribe(),
            );
            Some(people(&plan, ca, &store, &identity, naming, &clock, faults).await?)
        }
        None => None,
    };
    let mail = services::mail(&plan.config, &listening);
    let dns = Dns::new(&plan.config, is_development, &journal);
    let house = Arc::new(House {
        mail,
        clock,
        journal,
        registry,
        store,
        identity,
        dns,
        config: plan.config,
        naming,
        development,
        stopping,
        sessions: house::first_session(),
    });
    let (alive, gone) = mpsc::channel(1);
    let services = Services::open(&house, &tls, alive).await?;
    let mut tasks = JoinSet::new();
    for open in plan.listeners {
        tasks.spawn(services.clone().accept(open));
    }
    drop(services); // it holds what `gone` waits for
    tasks.spawn(socket.serve(house.clone()));
    tasks.spawn(house.clock.clone().watch_system());
    tasks.spawn(end_revoked(house.clone()));
    tasks.spawn(crate::keys::end_withdrawn(house.clone()));
    tasks.spawn(upkeep::keep(house.clone()));
    tasks.spawn(trail::keep(house.clone()));
    Ok(Running { house, tasks, gone })
}

impl Running {
    /// Ends it: no more connections, last words to those there are, everything written.
    pub async fn end(mut self) {
        let begun = Instant::now();
        let live = self.house.registry.list().len();
        self.house.stop();
        self.tasks.abort_all();
        while self.tasks.join_next().await.is_some() {}
        self.house.registry.shut_down();
        let all_gone = tokio::time::timeout(LAST_WORDS, self.gone.recv())
            .await
            .is_ok();
        self.house.identity.write_activity().await;
        let how = if all_gone {
            ""
        } else {
            ", some without their last words"
        };
        let took = begun.elapsed().as_millis();
        self.house.journal.note(
            Level::Info,
            "server",
            &format!("stopped: {live} mail sessions ended in {took} ms{how}"),
        );
        self.house.journal.flush();
    }
}

/// SIGTERM and Ctrl-C, heard from the moment this is made: before anybody is told that the server is ready.
pub struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    /// Begins to listen.
    pub fn listen() -> Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
        })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }

    /// Waits for one of them, or `stop` over the local socket. After that, a second signal ends at once.
    pub async fn until_stopped(mut self, house: &House) {
        let mut stopping = house.stopping.subscribe();
        tokio::select! {
            () = self.any() => {}
            // The sender lives in the house.
            _ = stopping.wait_for(|stop| *stop) => {}
        }
        tokio::spawn(async move {
            self.any().await;
            std::process::exit(130);
        });
    }
}

/// `pillarbox serve`.
pub async fn serve(file: Option<&Path>) -> Result<()> {
    let file = config::file_to_read(file)?.ok_or_else(|| {
        Failure::could_not(format!(
            "there is no {}; name another with --config, or try: pillarbox dev",
            config::DEFAULT_FILE
        ))
    })?;
    let config = read(&file)?;
    at_rest::prepare(&config.data)?;
    let signals = Signals::listen()?;
    let clock = Clock::new();
    let journal = Journal::new(clock.clone(), config.log_format, config.log_level);
    let listeners = listen::open_all(&config.listen, "")?;
    let served = tls::Served::new(certificate(&config)?);
    let plan = Plan {
        store: Some(config.data.join("store")),
        admin: admin::place::serve_socket(&config.data)?,
        config: config.clone(),
        listeners,
        served: served.clone(),
        development: None,
    };
    let mut running = start(plan, clock, journal).await?;
    running
        .tasks
        .spawn(reload_on_hangup(running.house.clone(), file, served));
    announce(&running.house);
    signals.until_stopped(&running.house).await;
    running.end().await;
    Ok(())
}

/// Reads and checks a real installation's configuration.
pub fn read(file: &Path) -> Result<Config, Failure> {
    let resolved = Layers {
        file: Some(file),
        ..Layers::default()
    }
    .resolve(config::environment)?;
    resolved.config.check_installation()?;
    Ok(resolved.config)
}

/// The certificate the configuration asks for.
pub fn certificate(config: &Config) -> Result<rustls::sign::CertifiedKey> {
    match config.tls_mode {
        TlsMode::Files => {
            at_rest::check_key_file(&config.key_file)?;
            tls::from_files(&config.certificate_file, &config.key_file)
        }
        TlsMode::Private => tls::Authority::open_or_make(&config.data.join("authority"))?
            .issue(std::slice::from_ref(&config.host)),
        TlsMode::Acme => Err(Failure::could_not("tls.mode = \"acme\" is not built yet").into()),
    }
}

fn announce(house: &House) {
    let of = |service: Service| {
        let ports = house
            .config
            .listen
            .iter()
            .filter(|one| one.service == service);
        ports
            .map(|one| format!(" {} {}", service.name(), one.address))
            .collect::<String>()
    };
    let all: String = Service::ALL.into_iter().map(of).collect();
    let version = env!("CARGO_PKG_VERSION");
    house.journal.note(
        Level::Info,
        "server",
        &format!(
            "Pillarbox {version} for {} is ready:{all}",
            house.config.domain
        ),
    );
}

/// The embedded store of a folder, or one in memory.
pub async fn open_store(folder: Option<PathBuf>) -> Result<(Arc<dyn Engine>, Arc<dyn Blobs>)> {
    let Some(folder) = folder else {
        return Ok((Arc::new(MemoryEngine::new()), Arc::new(MemoryBlobs::new())));
    };
    let source = random::source();
    let options = Options::new(move || {
        let mut bytes = [0; 32];
        source(&mut bytes);
        bytes
    });
    let opened = tokio::task::spawn_blocking(move || Embedded::open(&folder, options)).await?;
    // Its words are sentences for the operator already.
    let Embedded { engine, blobs } =
        opened.map_err(|error| Failure::could_not(error.to_string()))?;
    Ok((engine, blobs))
}

fn identity_config(config: &Config, development: bool) -> IdentityConfig {
    let mut settings = IdentityConfig::new(config.issuer(), config.host.clone());
    settings.token_lifetime = config.token;
    settings.passwords = match config.passwords {
        Passwords::App => pillarbox_oauth::Passwords::App,
        Passwords::Account => pillarbox_oauth::Passwords::Account,
        Passwords::Never => pillarbox_oauth::Passwords::Never,
    };
    settings.registration = match config.registration {
        config::Registration::Off => pillarbox_oauth::Registration::Off,
        config::Registration::Approval => pillarbox_oauth::Registration::Approval,
        config::Registration::Open => pillarbox_oauth::Registration::Open,
    };
    settings.clients = Client::built_in();
    if development {
        settings.clients = Client::development();
        settings.slow_down = false;
        settings.remember_issued = true;
        // Its passwords are printed on screen; hashing them dearly would only slow down tests.
        settings.hashing = Hashing {
            memory_kib: 1_024,
            passes: 1,
            ..Hashing::default()
        };
    }
    settings
}

/// Ada and Bob, made if this store does not have them yet.
async fn people(
    plan: &Plan,
    ca: &Path,
    store: &Store,
    identity: &Identity,
    naming: Naming,
    clock: &Clock,
    faults: Faults,
) -> Result<Development> {
    const VARIABLES: &str = "for the variables of pillarbox dev env";
    for name in ["bob", "ada"] {
        let address = format!("{name}@{}", plan.config.domain);
        if store.account_of(&address).await?.is_none() {
            identity
                .create_person(&address, Some("pillarbox"), naming, clock.wall())
                .await?;
        }
    }
    let user = format!("ada@{}", plan.config.domain);
    let account = store
        .account_of(&user)
        .await?
        .context("the account that was just made is not there")?;
    if !identity.is_administrator(&account).await? {
        identity
            .set_administrator(&account, true, clock.wall())
            .await?;
    }
    for old in identity.list_app_passwords(&account).await? {
        if &*old.name == VARIABLES {
            identity.revoke_app_password(&account, &old.id).await?;
        }
    }
    let (_, app_password) = identity
        .add_app_password(&account, VARIABLES, clock.wall())
        .await?;
    let ports = listen::ports(&plan.listeners);
    Ok(Development {
        ports,
        ca: ca.to_owned(),
        admin: plan.admin.clone(),
        user,
        account,
        app_password,
        faults,
        wire: WireLog::default(),
    })
}

/// Why everybody's sessions end when revocations were lost.
const TOO_MUCH: &str =
    "too much was revoked at once to know which sessions were meant: everybody signs in again";

/// Ends live sessions whose authority was revoked, at once.
async fn end_revoked(house: Arc<House>) {
    let mut revocations = house.identity.revocations();
    let mut clients = house.identity.ended_clients();
    loop {
        let revoked = tokio::select! {
            revoked = revocations.recv() => revoked.map(|revoked| {
                let which = match revoked.credential {
                    None => Which::Account(revoked.account),
                    Some(credential) => Which::Credential(revoked.account, credential),
                };
                (which, revoked.because)
            }),
            ended = clients.recv() => ended.map(|ended| {
                let which = match ended.left {
                    None => Which::Client(ended.client),
                    Some(left) => Which::Beyond(ended.client, left),
                };
                (which, ended.because)
            }),
        };
        let (which, because) = match revoked {
            Ok(known) => known,
            // Which ones is no longer known: everybody signs in again, and only the rightful succeed.
            Err(RecvError::Lagged(_)) => (Which::SignedIn, TOO_MUCH.into()),
            Err(RecvError::Closed) => return,
        };
        house.registry.end(&which, because);
    }
}

/// SIGHUP: reads the configuration again; takes what can change while running, names what cannot.
async fn reload_on_hangup(house: Arc<House>, file: PathBuf, served: Arc<tls::Served>) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else {
        return;
    };
    let mut current = Layers {
        file: Some(&file),
        ..Layers::default()
    }
    .resolve(config::environment)
    .ok();
    while hangup.recv().await.is_some() {
        let layers = Layers {
            file: Some(&file),
            ..Layers::default()
        };
        let fresh = layers
            .resolve(config::environment)
            .and_then(|fresh| fresh.config.check_installation().map(|()| fresh));
        let fresh = match fresh {
            Ok(fresh) => fresh,
            Err(why) => {
                house.journal.note(
                    Level::Error,
                    "server",
                    &format!("not reloaded, all stays as it was: {why}"),
                );
                continue;
            }
        };
        match certificate(&fresh.config) {
            Ok(certificate) => served.swap(certificate),
            Err(why) => {
                house.journal.note(
                    Level::Error,
                    "server",
                    &format!("not reloaded, all stays as it was: {why:#}"),
                );
                continue;
            }
        }
        house
            .journal
            .set(fresh.config.log_format, fresh.config.log_level);
        let waiting: Vec<&str> = match &current {
            Some(before) => fresh.needing_restart(before),
            None => Vec::new(),
        };
        let rest = match waiting.as_slice() {
            [] => String::new(),
            keys => format!("; these wait for a restart: {}", keys.join(", ")),
        };
        house.journal.note(
            Level::Info,
            "server",
            &format!("certificate and log settings read again{rest}"),
        );
        current = current.or(Some(fresh));
    }
}

/// A panic ends the task it happens in, which is one connection; the owner should know and tell us.
fn report_bugs(journal: Journal) {
    std::panic::set_hook(Box::new(move |bug| {
        journal.note(
            Level::Error,
            "server",
            &format!("a bug ended one connection: {bug}"),
        );
    }));
}

/// A connection is an open file; the usual soft limit of 1,024 is for programs that use select(2), which we do not.
fn raise_open_files(journal: &Journal) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        journal.note(
            Level::Warn,
            "server",
            &format!("the limit of open files stays as it is: {error}"),
        );
    }
}
