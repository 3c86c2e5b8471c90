//! From an accepted connection to the conversation or the pages that serve it.

use crate::doors::{Doors, Inside};
use crate::driver::{self, Driver};
use crate::house::House;
use crate::journal::Level;
use crate::listen::{Open, Service};
use crate::tls;
use anyhow::Result;
use pillarbox_protocols::sessions::{Protocol, Seat};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// How long accepting pauses when the system has no more files or memory; those waiting stay in the backlog.
const OUT_OF_FILES_PAUSE: Duration = Duration::from_millis(50);

/// All services of a server. Cheap to clone.
#[derive(Clone)]
pub struct Services(Arc<Inner>);

struct Inner {
    house: Arc<House>,
    driver: Driver,
    doors: [Doors; Service::ALL.len()],
    /// Held by every connection; see [`crate::serve::Running`].
    alive: mpsc::Sender<()>,
}

impl Services {
    /// What connections need, made once.
    pub fn new(house: &Arc<House>, tls: &tls::Configs, alive: mpsc::Sender<()>) -> Result<Self> {
        let driver = Driver {
            clock: house.clock.clone(),
            tls: tls.mail.clone(),
            limits: driver::Limits::default(),
        };
        let doors = std::array::from_fn(|_| Doors::new(crate::doors::Limits::default()));
        Ok(Self(Arc::new(Inner {
            house: house.clone(),
            driver,
            doors,
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
        let _ = (service, socket, peer, &self.driver);
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
