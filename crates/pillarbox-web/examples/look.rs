//! Serves the pages over plain HTTP on loopback, to look at them: `cargo run -p pillarbox-web --example look [PORT]`.
//! Memory only; ada@example.test with the password `pillarbox`.
#![allow(clippy::disallowed_methods)] // a program of its own: time and chance come from it

use pillarbox_oauth::{Client, Hashing, Identity, IdentityConfig};
use pillarbox_store::blob::MemoryBlobs;
use pillarbox_store::engine::MemoryEngine;
use pillarbox_store::mail::{Millis, Naming, Store};
use pillarbox_web::{MailServices, NoControl, Web, router};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

fn now() -> Millis {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::args()
        .nth(1)
        .map_or(Ok(8080), |port| port.parse())?;
    let random = Arc::new(|out: &mut [u8]| {
        // The operating system's source does not fail once it has begun.
        let _ = aws_lc_rs::rand::fill(out);
    });
    let (engine, blobs) = (Arc::new(MemoryEngine::new()), Arc::new(MemoryBlobs::new()));
    let store = Store::open(engine, blobs, random.clone()).await?;
    let config = IdentityConfig {
        clients: Client::development(),
        slow_down: false,
        hashing: Hashing::default(),
        ..IdentityConfig::new(format!("http://localhost:{port}"), "localhost")
    };
    let identity = Identity::open(store.clone(), config, random, now()).await?;
    identity
        .create_person("ada@example.test", Some("pillarbox"), Naming::Gmail, now())
        .await?;
    let web = Web {
        identity,
        store,
        clock: Arc::new(now),
        pause: Arc::new(|| Box::pin(std::future::ready(()))),
        product: "Pillarbox".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        dev: true,
        mail: MailServices {
            host: "localhost".into(),
            imap: Some(1993),
            pop: Some(1995),
            smtps: Some(1465),
            submission: Some(1587),
        },
        control: Arc::new(NoControl),
    };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(listener, router(web)).await?;
    Ok(())
}
