//! A program that writes is killed with SIGKILL at some moment; what it had acknowledged is there at the next start.
//!
//! The writing program is this test binary itself, run again with a variable that names the folder.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use bytes::Bytes;
use pillarbox_store::{
    blob::{BlobId, Blobs},
    engine::{AccountKey, Batch, CommitId, Embedded, Engine, Options, Outcome, Scan},
};
use tempfile::TempDir;

const FOLDER: &str = "PILLARBOX_TEST_KILLED_FOLDER";
const CLIENTS: u8 = 20;
/// Acknowledgements awaited before the kill, different in each round.
const ROUNDS: [usize; 5] = [1, 37, 211, 800, 1_500];

fn open(folder: &Path) -> Embedded {
    Embedded::open(folder, Options::new(|| [8; 32])).unwrap()
}

fn account(client: u8) -> AccountKey {
    AccountKey::new(vec![b'c', client]).unwrap()
}

/// Made of what it is found by, so that the other side can tell what it should be. Some get a file of their own.
fn body(client: u8, version: u64) -> Bytes {
    let bytes = if version % 50 == 7 { 1_100_000 } else { 5_000 };
    vec![client ^ version as u8; bytes].into()
}

fn blob(client: u8, version: u64) -> BlobId {
    let mut random = [client; 10];
    random[2..].copy_from_slice(&version.to_be_bytes());
    BlobId::new(1, random)
}

async fn write_for_ever(store: Arc<Embedded>, client: u8) {
    let (mut version, _) = store
        .engine
        .read(&account(client), Scan::prefix(""), 0)
        .await
        .unwrap();
    loop {
        version += 1;
        let id = blob(client, version);
        store
            .blobs
            .put(id, vec![body(client, version)])
            .await
            .unwrap();
        let mut batch = Batch::new(0);
        batch.put(version.to_be_bytes().to_vec(), id.0.to_vec());
        batch.put("newest", version.to_be_bytes().to_vec());
        let (account, commit) = (account(client), CommitId(id.0));
        let done = store
            .engine
            .commit(&account, version - 1, commit, batch)
            .await;
        assert_eq!(done, Ok(Outcome::Committed(version)));
        let mut out = std::io::stdout().lock();
        writeln!(out, "acknowledged {client} {version}").unwrap();
        out.flush().unwrap();
    }
}

#[test]
#[ignore = "the program that is killed; the other test runs it"]
fn writer() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Arc::new(open(Path::new(&folder)));
        let mut running = tokio::task::JoinSet::new();
        for client in 0..CLIENTS {
            running.spawn(write_for_ever(Arc::clone(&store), client));
        }
        running.join_all().await;
    });
}

/// Runs the writer until it has acknowledged `count` more, kills it, and keeps what it said.
fn run_and_kill(folder: &Path, count: usize, newest: &mut [u64]) {
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args(["writer", "--exact", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    let mut heard = 0;
    for line in lines {
        let line = line.unwrap();
        // The test harness writes to the same pipe, and the last line may be cut.
        let Some((_, said)) = line.split_once("acknowledged ") else {
            continue;
        };
        heard += 1;
        if heard == count {
            writer.kill().unwrap();
        }
        if let Some((client, version)) = said.split_once(' ') {
            newest[client.parse::<usize>().unwrap()] = version.parse().unwrap();
        }
    }
    writer.wait().unwrap();
    assert!(heard >= count, "it ended by itself after {heard}");
}

#[tokio::test]
async fn what_was_acknowledged_outlives_sigkill() {
    let folder = TempDir::new().unwrap();
    let mut newest = [0; CLIENTS as usize];
    for count in ROUNDS {
        run_and_kill(folder.path(), count, &mut newest);
        let store = open(folder.path());
        for (client, acknowledged) in (0..CLIENTS).zip(newest) {
            let account = account(client);
            let (version, rows) = store
                .engine
                .read(&account, Scan::prefix(""), acknowledged)
                .await
                .unwrap();
            assert!(version <= acknowledged + 1, "one was under way at most");
            assert_eq!(rows.len() as u64, if version > 0 { version + 1 } else { 0 });
            for version in 1..=version {
                let found = store.blobs.get(blob(client, version), 0..u64::MAX).await;
                assert_eq!(found.unwrap(), body(client, version), "{client} {version}");
            }
        }
        let bodies = store.blobs.check(Box::new(|_, _| ())).await.unwrap();
        assert_eq!(bodies.problems, Vec::<String>::new());
        let rows = store.engine.check(Box::new(|_| ())).await.unwrap();
        assert_eq!(rows.problems, Vec::<String>::new());
    }
}
