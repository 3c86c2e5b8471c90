//! Measures durable writes: clients that each put a body, then commit rows that refer to it, and wait for both.
//!
//! `durable FOLDER [CLIENTS] [BODY_BYTES] [SECONDS]`, FOLDER on the disk in question. Prints commits and their latency.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement: it prints, and fails loudly"
)]

use std::{
    hash::{BuildHasher, RandomState},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use pillarbox_store::{
    blob::{BlobId, Blobs},
    engine::{AccountKey, Batch, CommitId, Embedded, Engine, Options, Outcome, Scan},
};

/// Unpredictable enough for a measurement.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    for chunk in bytes.chunks_mut(8) {
        let word = RandomState::new().hash_one(0).to_ne_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
    bytes
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_millis() as u64
}

async fn client(store: Arc<Embedded>, name: String, body: Bytes, until: Instant) -> Vec<Duration> {
    let account = AccountKey::new(name.into_bytes()).unwrap();
    let (mut version, _) = store
        .engine
        .read(&account, Scan::prefix("").limit(1), 0)
        .await
        .unwrap();
    let mut took = Vec::new();
    while Instant::now() < until {
        let begun = Instant::now();
        let id = BlobId::new(now_ms(), random());
        store.blobs.put(id, vec![body.clone()]).await.unwrap();
        let mut batch = Batch::new(now_ms());
        batch.put("head", version.to_be_bytes().to_vec());
        batch.put("mailbox", vec![1; 60]);
        for (kind, length) in [("row", 40), ("message", 900), ("index", 16)] {
            batch.put(format!("{kind}{version:020}"), vec![2; length]);
        }
        batch.log(vec![3; 20]);
        let done = store
            .engine
            .commit(&account, version, CommitId(random()), batch)
            .await;
        version += 1;
        assert_eq!(done, Ok(Outcome::Committed(version)));
        took.push(begun.elapsed());
    }
    took
}

async fn read_back(store: &Embedded) {
    let account = AccountKey::new("reader").unwrap();
    let (mut version, _) = store
        .engine
        .read(&account, Scan::prefix("").limit(1), 0)
        .await
        .unwrap();
    for part in 0..5_u32 {
        let mut batch = Batch::new(now_ms());
        for row in 0..4_000_u32 {
            batch.put((part * 4_000 + row).to_be_bytes().to_vec(), vec![7; 40]);
        }
        store
            .engine
            .commit(&account, version, CommitId(random()), batch)
            .await
            .unwrap();
        version += 1;
    }
    let begun = Instant::now();
    let (_, rows) = store
        .engine
        .read(&account, Scan::prefix(""), 0)
        .await
        .unwrap();
    println!("{} rows read in {:?}", rows.len(), begun.elapsed());
    let keys: Vec<Bytes> = rows.iter().map(|row| row.key.clone()).collect();
    let begun = Instant::now();
    store.engine.get(&account, &keys, 0).await.unwrap();
    println!("{} rows got by key in {:?}", keys.len(), begun.elapsed());
}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().unwrap_or_else(|| "durable-store".into()));
    let mut number = |default: u64| args.next().map_or(default, |text| text.parse().unwrap());
    let (clients, bytes, seconds) = (number(20), number(20_000), number(10));

    let store = Arc::new(Embedded::open(&folder, Options::new(random)).unwrap());
    let body = Bytes::from((0..bytes).map(|n| (n * 7 % 251) as u8).collect::<Vec<_>>());
    let begun = Instant::now();
    let until = begun + Duration::from_secs(seconds);
    let mut running = tokio::task::JoinSet::new();
    for n in 0..clients {
        running.spawn(client(
            Arc::clone(&store),
            format!("client {n}"),
            body.clone(),
            until,
        ));
    }
    let mut took = running.join_all().await.concat();
    let elapsed = begun.elapsed();
    took.sort_unstable();
    let at = |part: f64| took[(part * (took.len() - 1) as f64) as usize];
    println!(
        "{clients} clients, bodies of {bytes} bytes: {:.0} commits/s, p50 {:?}, p99 {:?}, longest {:?}",
        took.len() as f64 / elapsed.as_secs_f64(),
        at(0.5),
        at(0.99),
        at(1.0),
    );
    read_back(&store).await;
}
