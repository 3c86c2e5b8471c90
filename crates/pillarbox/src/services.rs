//! From an accepted connection to the conversation or the pages that serve it.

use crate::admin;
use crate::config::{self, Mechanism};
use crate::doors::{Doors, Inside};
use crate::driver::{self, Driver, Wire};
use crate::faults::faulty::Faulty;
use crate::house::House;
use crate::journal::{Entry, Level};
use crate::listen::{Open, Service};
use crate::pages::Pages;
use crate::random;
use crate::tls;
use crate::trail;
use crate::web::Web;
use crate::wire_log::watched::Watched;
use anyhow::{Context, Result};
use pillarbox_delivery::{Delivery, Outbox};
use pillarbox_protocols::conversation::Conversation;
use pillarbox_protocols::events;
use pillarbox_protocols::sessions::{Protocol, Seat};
use pillarbox_protocols::smtp::Role;
use pillarbox_protocols::{imap, pop3, smtp};
use pillarbox_web::MailServices;
use pillarbox_wire::sasl;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// How long accepting pauses when the system has no more files or memory; those waiting stay in the backlog.
const OUT_OF_FILES_PAUSE: Duration = Duration::from_millis(50);

/// A refused sign-in of a browser is answered no sooner: longer than the hash of a password and a cold read from disk take
/// together, so that the clock does not tell who has an account.
const WEB_REFUSED_AFTER: Duration = Duration::from_millis(100);

/// The product's name on the wire.
const PRODUCT: &str = "Pillarbox";
/// The word behind the session token in SMTP's replies (wire §5.1).
const SOURCE: &str = "pillarbox";

/// All services of a server. Cheap to clone.
#[derive(Clone)]
pub struct Services(Arc<Inner>);

struct Inner {
    house: Arc<House>,
    driver: Driver,
    /// The same for services that ask clients for a certificate.
    asking: Driver,
    imap: Arc<imap::Context>,
    pop3: Arc<pop3::Context>,
    smtp: Arc<smtp::Context>,
    web: Web,
    doors: [Doors; Service::ALL.len()],
    /// Held by every connection; see [`crate::serve::Running`].
    alive: mpsc::Sender<()>,
}

impl Services {
    /// What connections need, made once.
    pub async fn open(
        house: &Arc<House>,
        tls: &tls::Configs,
        alive: mpsc::Sender<()>,
    ) -> Result<Self> {
        // Where no service offers what is bound to the connection, all are spared the work.
        let binds = house.config.offers(Mechanism::ScramSha256Plus);
        let driver = Driver {
            clock: house.clock.clone(),
            tls: tls.mail.clone(),
            bound_to: binds.then(|| tls.served.clone()),
            asks: false,
            limits: driver::Limits::default(),
        };
        let asking = Driver {
            tls: tls.asking.clone(),
            asks: true,
            ..driver.clone()
        };
        let delivery = delivery(house).await.context("mail cannot be delivered")?;
        Ok(Self(Arc::new(Inner {
            driver,
            asking,
            imap: Arc::new(imap_context(house)),
            pop3: Arc::new(pop3_context(house)),
            smtp: Arc::new(smtp_context(house, delivery)),
            web: pages(house, tls),
            doors: std::array::from_fn(|_| Doors::new(crate::doors::Limits::default())),
            house: house.clone(),
            alive,
        })))
    }

    /// Accepts for ever.
    pub async fn accept(self, open: Open) {
        let inner = self.0;
        let doors = &inner.doors[open.service as usize];
        loop {
            let (socket, peer) = match open.listener.accept().await {
                Ok(accepted) => accepted,
                // A connection that was reset before we took it fails alone; anything else needs a pause.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => continue,
                Err(error) => {
                    inner.house.journal.note(
                        Level::Error,
                        open.service.name(),
                        &format!("cannot accept: {error}"),
                    );
                    tokio::time::sleep(OUT_OF_FILES_PAUSE).await;
                    continue;
                }
            };
            match doors.enter(peer.ip()) {
                Some(inside) => {
                    tokio::spawn(connection(
                        inner.clone(),
                        open.service,
                        socket,
                        peer,
                        inside,
                    ));
                }
                None => {
                    let text = format!(
                        "{} turned away: too many connections",
                        peer.ip().to_canonical()
                    );
                    inner
                        .house
                        .journal
                        .note(Level::Warn, open.service.name(), &text);
                }
            }
        }
    }
}

/// One connection, from the handshake to its end. If it panics, this task ends and nothing else.
async fn connection(
    inner: Arc<Inner>,
    service: Service,
    socket: TcpStream,
    peer: SocketAddr,
    inside: Inside,
) {
    let alive = inner.alive.clone();
    inner.talk(service, socket, peer).await;
    drop((inside, alive));
}

impl Inner {
    async fn talk(&self, service: Service, socket: TcpStream, peer: SocketAddr) {
        let (driver, ip) = (self.driver(service), peer.ip().to_canonical());
        let now = || self.house.clock.now();
        match service {
            Service::Imap => {
                let Ok(wire) = driver.handshake(socket).await else {
                    return;
                };
                let seat = self.seat(Protocol::Imap, peer);
                let conversation = imap::Conversation::new(self.imap.clone(), seat, ip, now());
                self.drive(driver, conversation, wire, Protocol::Imap, ip)
                    .await;
            }
            Service::Pop => {
                let Ok(wire) = driver.handshake(socket).await else {
                    return;
                };
                let seat = self.seat(Protocol::Pop3, peer);
                let conversation = pop3::Conversation::new(self.pop3.clone(), seat, ip, now());
                self.drive(driver, conversation, wire, Protocol::Pop3, ip)
                    .await;
            }
            Service::Smtps => {
                let Ok(wire) = driver.handshake(socket).await else {
                    return;
                };
                self.talk_smtp(driver, Role::Submission, wire, peer).await;
            }
            Service::Submission => {
                let (role, wire) = (Role::SubmissionStartTls, Wire::Plain(socket));
                self.talk_smtp(driver, role, wire, peer).await;
            }
            Service::Incoming => {
                let (role, wire) = (Role::Incoming { tls: true }, Wire::Plain(socket));
                self.talk_smtp(driver, role, wire, peer).await;
            }
            Service::Web => {
                let stopping = self.house.stopping.subscribe();
                self.web.serve(socket, peer, stopping).await;
            }
        }
    }

    /// Asks for a certificate where it could be used.
    fn driver(&self, service: Service) -> &Driver {
        let mechanisms = match service {
            Service::Imap => &self.imap.mechanisms,
            Service::Pop => &self.pop3.mechanisms,
            Service::Smtps | Service::Submission => &self.smtp.mechanisms,
            Service::Incoming | Service::Web => return &self.driver,
        };
        match mechanisms.contains(&sasl::Mechanism::External) {
            true => &self.asking,
            false => &self.driver,
        }
    }

    async fn talk_smtp(&self, driver: &Driver, role: Role, wire: Wire, peer: SocketAddr) {
        let seat = self.seat(role.protocol(), peer);
        let ip = peer.ip().to_canonical();
        let now = self.house.clock.now();
        let conversation = smtp::Conversation::new(self.smtp.clone(), role, seat, ip, now);
        self.drive(driver, conversation, wire, role.protocol(), ip)
            .await;
    }

    /// Drives a conversation; in a development server, one in which things can go wrong, and which is written
    /// down.
    async fn drive<C: Conversation>(
        &self,
        driver: &Driver,
        real: C,
        wire: Wire,
        protocol: Protocol,
        peer: IpAddr,
    ) {
        let Some(development) = &self.house.development else {
            return driver.drive(real, wire).await;
        };
        let faults = development.faults.clone();
        let secure = matches!(wire, Wire::Tls(_));
        let now = self.house.clock.now();
        let faulty = Faulty::new(real, faults, protocol, secure, peer, now);
        let watched = Watched::new(faulty, &development.wire, protocol, peer, now);
        // Boxed: connections of real servers do not pay for its size.
        Box::pin(driver.drive(watched, wire)).await;
    }

    /// A place in the registry for a new connection.
    fn seat(&self, protocol: Protocol, peer: SocketAddr) -> Seat {
        let token = self.house.session_token();
        self.house.registry.connect(
            protocol,
            peer.ip().to_canonical(),
            &token,
            self.house.clock.wall(),
        )
    }
}

async fn delivery(house: &House) -> Result<Delivery, pillarbox_store::mail::StoreError> {
    let config = &house.config;
    let settings = pillarbox_delivery::Config {
        domains: vec![config.domain.clone()],
        outbox: match &house.development {
            Some(_) => Outbox::Captured(format!("outbox@{}", config.domain)),
            None => Outbox::Refuse,
        },
        ..pillarbox_delivery::Config::new(&config.host, PRODUCT)
    };
    Delivery::open(
        house.store.clone(),
        settings,
        random::source(),
        house.clock.wall(),
    )
    .await
}

fn imap_context(house: &House) -> imap::Context {
    let config = &house.config;
    imap::Context {
        store: house.store.clone(),
        identity: house.identity.clone(),
        limits: imap::Limits {
            connections_of_account_max: config.imap_per_account,
            session: config.imap_session,
            ..imap::Limits::default()
        },
        journal: journal(house),
        product: PRODUCT.into(),
        vendor: PRODUCT.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        help_url: help_url(config),
        issuer: config.issuer(),
        mechanisms: mechanisms(
            config
                .imap_mechanisms
                .as_ref()
                .unwrap_or(&config.mechanisms),
        ),
    }
}

fn pop3_context(house: &House) -> pop3::Context {
    let config = &house.config;
    pop3::Context {
        store: house.store.clone(),
        identity: house.identity.clone(),
        limits: pop3::Limits {
            session: config.pop_session,
            ..pop3::Limits::default()
        },
        journal: journal(house),
        product: PRODUCT.into(),
        help_url: help_url(config),
        issuer: config.issuer(),
        mechanisms: mechanisms(config.pop_mechanisms.as_ref().unwrap_or(&config.mechanisms)),
    }
}

fn smtp_context(house: &House, delivery: Delivery) -> smtp::Context {
    let config = &house.config;
    smtp::Context {
        delivery,
        identity: house.identity.clone(),
        limits: smtp::Limits {
            message_bytes_max: on_the_wire(config.message_octets),
            recipients_max: config.recipients,
            session: config.smtp_session,
            ..smtp::Limits::default()
        },
        journal: journal(house),
        host: config.host.clone(),
        source: SOURCE.into(),
        help_url: help_url(config),
        issuer: config.issuer(),
        mechanisms: match &config.smtp_mechanisms {
            Some(listed) => mechanisms(listed),
            None => with_login(mechanisms(&config.mechanisms)),
        },
    }
}

/// Attachments in base64, 57 octets a line of 78, with room for headers: 25 MiB become SIZE 35882577 (wire §5.1).
fn on_the_wire(octets: u64) -> u64 {
    octets.div_ceil(57) * 78 + 10_221
}

/// Where the mail services are, as far as they listen.
pub fn mail(config: &config::Config, listening: &[(Service, u16)]) -> MailServices {
    let port = |service| {
        listening
            .iter()
            .find(|(other, _)| *other == service)
            .map(|(_, port)| *port)
    };
    MailServices {
        host: config.host.clone(),
        imap: port(Service::Imap),
        pop: port(Service::Pop),
        smtps: port(Service::Smtps),
        submission: port(Service::Submission),
    }
}

fn pages(house: &Arc<House>, tls: &tls::Configs) -> Web {
    let clock = house.clock.clone();
    let web = pillarbox_web::Web {
        identity: house.identity.clone(),
        store: house.store.clone(),
        clock: Arc::new(move || clock.wall()),
        // Its end is fixed when it begins.
        pause: Arc::new(|| Box::pin(tokio::time::sleep(WEB_REFUSED_AFTER))),
        product: PRODUCT.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        dev: house.development.is_some(),
        mail: house.mail.clone(),
        control: Arc::new(Pages(house.clone())),
    };
    let development = house.development.as_ref();
    let faults =
        development.map(|development| (development.faults.clone(), house.identity.clone()));
    let api = admin::api::router(house.clone());
    let pages = pillarbox_web::router_with(web, api);
    Web::new(pages, tls.web.clone(), faults)
}

fn journal(house: &House) -> events::Journal {
    let (journal, identity) = (house.journal.clone(), house.identity.clone());
    Arc::new(move |event| {
        trail::feed(&identity, &event);
        journal.event(Entry::Mail(event));
    })
}

fn help_url(config: &config::Config) -> String {
    format!("{}/help", config.issuer())
}

/// LOGIN comes with PLAIN, as IMAP's LOGIN and POP's USER do: old programs know nothing else (wire §5.1). A list for
/// submission alone is taken as it is written.
fn with_login(mut mechanisms: Vec<sasl::Mechanism>) -> Vec<sasl::Mechanism> {
    let plain = mechanisms
        .iter()
        .position(|one| *one == sasl::Mechanism::Plain);
    if let Some(at) = plain.filter(|_| !mechanisms.contains(&sasl::Mechanism::Login)) {
        mechanisms.insert(at, sasl::Mechanism::Login);
    }
    mechanisms
}

fn mechanisms(configured: &[Mechanism]) -> Vec<sasl::Mechanism> {
    let one = |mechanism: &Mechanism| match mechanism {
        Mechanism::XOAuth2 => sasl::Mechanism::Xoauth2,
        Mechanism::OAuthBearer => sasl::Mechanism::OauthBearer,
        Mechanism::Plain => sasl::Mechanism::Plain,
        Mechanism::Login => sasl::Mechanism::Login,
        Mechanism::ScramSha256 => sasl::Mechanism::ScramSha256,
        Mechanism::ScramSha256Plus => sasl::Mechanism::ScramSha256Plus,
        Mechanism::External => sasl::Mechanism::External,
    };
    configured.iter().map(one).collect()
}
