//! Serves the pages and endpoints over our own TLS listener. What is on them is the web floor's business.

use crate::driver::Limits;
use crate::faults::{self, Faults};
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use pillarbox_oauth::Identity;
use rustls::ServerConfig;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower::{Layer, Service};

/// A request's head must be complete by then.
const HEADERS_WITHIN: Duration = Duration::from_secs(30);
/// A request must be read and answered by then: who sends a body letter by letter gives up before we do.
pub const REQUEST_WITHIN: Duration = Duration::from_secs(60);
/// A connection on which nothing is asked for so long is over, whatever it is in the middle of saying.
const IDLE: Duration = Duration::from_secs(60);
/// Octets of a request's head: a token of 4 kB in a header, cookies, and room.
const HEADER_OCTETS_MAX: usize = 64 * 1_024;
/// Requests one HTTP/2 connection may have open.
const STREAMS_MAX: u32 = 64;
/// A connection may live so long; browsers open another without a word.
const CONNECTION_LIFE: Duration = Duration::from_secs(3_600);

/// HTTP on every connection of a listener.
#[derive(Clone)]
pub struct Web {
    router: Router,
    http: Builder<TokioExecutor>,
    tls: Arc<ServerConfig>,
    /// What goes wrong on purpose, in a development server, and for whom.
    faults: Option<(Faults, Identity)>,
}

impl Web {
    /// With these pages and endpoints.
    pub fn new(router: Router, tls: Arc<ServerConfig>, faults: Option<(Faults, Identity)>) -> Self {
        let mut http = Builder::new(TokioExecutor::new());
        http.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS_WITHIN)
            .max_buf_size(HEADER_OCTETS_MAX);
        http.http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(HEADER_OCTETS_MAX as u32)
            .keep_alive_interval(Some(HEADERS_WITHIN))
            .keep_alive_timeout(HEADERS_WITHIN);
        Self {
            router: router.layer(from_fn(in_time)),
            http,
            tls,
            faults,
        }
    }

    /// Serves one connection until either side is done or the server stops.
    pub async fn serve(
        &self,
        socket: TcpStream,
        peer: SocketAddr,
        mut stopping: watch::Receiver<bool>,
    ) {
        let accept = Box::pin(TlsAcceptor::from(self.tls.clone()).accept(socket));
        let Ok(Ok(stream)) = timeout(Limits::default().handshake, accept).await else {
            return;
        };
        let hang_up = Arc::new(Notify::new());
        let pages = match &self.faults {
            Some((faults, identity)) => faults::pages::around(
                self.router.clone(),
                faults.clone(),
                identity.clone(),
                hang_up.clone(),
            ),
            None => self.router.clone(),
        };
        // So that the web floor counts failures for the right address.
        let service = axum::Extension(pillarbox_web::Peer(peer.ip().to_canonical())).layer(pages);
        let requests = Requests::default();
        let (open, counted) = (requests.0.subscribe(), requests.clone());
        let service = TowerToHyperService::new(tower::service_fn(move |request| {
            let (mut pages, counted) = (service.clone(), counted.one_more());
            async move {
                let answer = pages.call(request).await;
                drop(counted);
                answer
            }
        }));
        let mut connection = pin!(
            self.http
                .serve_connection_with_upgrades(TokioIo::new(stream), service)
        );
        tokio::select! {
            _ = connection.as_mut() => return,
            () = hang_up.notified() => return,
            // The sender lives as long as the server.
            _ = stopping.wait_for(|stop| *stop) => {}
            () = idle(open) => {}
            () = tokio::time::sleep(CONNECTION_LIFE) => {}
        }
        connection.as_mut().graceful_shutdown();
        // An error now is a peer that left first.
        let _ = timeout(HEADERS_WITHIN, connection).await;
    }
}

async fn in_time(request: Request, next: Next) -> Response {
    match timeout(REQUEST_WITHIN, next.run(request)).await {
        Ok(answer) => answer,
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}

/// How many requests of a connection are being answered. The libraries bound the time of a head; not that of a body, nor of
/// a client that begins no request at all.
#[derive(Clone, Default)]
struct Requests(watch::Sender<usize>);

impl Requests {
    fn one_more(&self) -> Counted {
        self.0.send_modify(|count| *count += 1);
        Counted(self.0.clone())
    }
}

/// One of them, until it is answered or given up.
struct Counted(watch::Sender<usize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// Returns when nothing was asked for too long.
async fn idle(mut open: watch::Receiver<usize>) {
    loop {
        let busy = *open.borrow_and_update() > 0;
        let changed = open.changed();
        let gone = match busy {
            true => changed.await.is_err(),
            false => !matches!(timeout(IDLE, changed).await, Ok(Ok(()))),
        };
        if gone {
            return;
        }
    }
}
