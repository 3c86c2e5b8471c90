//! The embedded store's folder: one program at a time, no newer format, nothing foreign; and what a failing disk leaves.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::{
    fs, io,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use pillarbox_store::{
    blob::{BlobError, BlobId, Blobs},
    door::{Deed, Door},
    engine::{
        AccountKey, Batch, CommitId, Embedded, Engine, EngineError, OpenError, Options, Outcome,
        Scan, Version,
    },
};
use tempfile::TempDir;

fn options() -> Options {
    Options::new(|| [5; 32])
}

fn refused(folder: &Path) -> String {
    match Embedded::open(folder, options()) {
        Ok(_) => panic!("it was opened"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_second_program_is_refused_until_the_first_has_closed() {
    let folder = TempDir::new().unwrap();
    let first = Embedded::open(folder.path(), options()).unwrap();
    assert!(matches!(
        Embedded::open(folder.path(), options()),
        Err(OpenError::InUse(_))
    ));
    assert!(refused(folder.path()).contains("is in use by another program"));
    drop(first);
    Embedded::open(folder.path(), options()).unwrap();
}

#[test]
fn a_newer_format_is_refused_in_words_and_left_alone() {
    let folder = TempDir::new().unwrap();
    drop(Embedded::open(folder.path(), options()).unwrap());
    fs::write(folder.path().join("FORMAT"), "pillarbox store 2\n").unwrap();
    assert!(refused(folder.path()).contains("has format 2, this program knows formats up to 1"));
    fs::write(folder.path().join("FORMAT"), "pillarbox store 1\n").unwrap();
    Embedded::open(folder.path(), options()).unwrap();
}

#[test]
fn a_folder_of_something_else_is_refused() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("holiday.jpg"), "x").unwrap();
    assert!(refused(folder.path()).contains("is not a Pillarbox store"));
    assert!(!folder.path().join("rows").exists());
}

/// What was acknowledged while the disk failed at times.
#[derive(Default)]
struct Acknowledged {
    bodies: Vec<(BlobId, Bytes)>,
    commits: Vec<Version>,
}

fn body(n: u64, bytes: usize) -> Bytes {
    (0..bytes)
        .map(|at| (at as u64 * 31 + n) as u8)
        .collect::<Vec<_>>()
        .into()
}

fn ada() -> AccountKey {
    AccountKey::new("ada").unwrap()
}

/// Small bodies, a large one, commits, a compaction: everything that writes.
async fn work(store: &Embedded, acknowledged: &mut Acknowledged) {
    let account = ada();
    let mut version = 0;
    for n in 0..6_u64 {
        let id = BlobId::new(1_000 + n, [n as u8; 10]);
        let body = body(n, if n == 3 { 1_500_000 } else { 3_000 });
        if store.blobs.put(id, vec![body.clone()]).await.is_ok() {
            acknowledged.bodies.push((id, body));
        }
        let mut batch = Batch::new(0);
        batch.put(n.to_be_bytes().to_vec(), id.0.to_vec());
        let commit = store
            .engine
            .commit(&account, version, CommitId([n as u8; 16]), batch);
        if let Ok(Outcome::Committed(now)) = commit.await {
            version = now;
            acknowledged.commits.push(now);
        }
        if n == 4 {
            // Bodies 0 and 1 die; the rest is written anew elsewhere.
            let alive = Box::new(|id: BlobId| id.at_ms() >= 1_002);
            let compacted = store.blobs.compact(alive, u64::MAX).await;
            acknowledged.bodies.retain(|(id, _)| id.at_ms() >= 1_002);
            drop(compacted);
        }
    }
}

async fn all_there(folder: &Path, acknowledged: &Acknowledged, context: &str) {
    let store = Embedded::open(folder, options()).unwrap();
    for (id, body) in &acknowledged.bodies {
        let found = store.blobs.get(*id, 0..u64::MAX).await;
        assert_eq!(found.as_ref(), Ok(body), "{context}: {id}");
    }
    let newest = acknowledged.commits.last().copied().unwrap_or(0);
    let (version, _) = store
        .engine
        .read(&ada(), Scan::prefix(""), newest)
        .await
        .unwrap();
    assert!(
        version <= newest + 1,
        "{context}: at most the one of unknown outcome more"
    );
    let bodies = store.blobs.check(Box::new(|_, _| ())).await.unwrap();
    assert_eq!(bodies.problems, Vec::<String>::new(), "{context}");
    let rows = store.engine.check(Box::new(|_| ())).await.unwrap();
    assert_eq!(rows.problems, Vec::<String>::new(), "{context}");
}

/// Runs the work with the n-th deed failing, for every n, until there is no n-th deed.
async fn fail_each(once: bool, kind: io::ErrorKind) {
    for n in 0.. {
        let folder = TempDir::new().unwrap();
        let seen = Arc::new(AtomicUsize::new(0));
        let failed = Arc::new(Mutex::new(None));
        let door = Door::new({
            let (seen, failed) = (Arc::clone(&seen), Arc::clone(&failed));
            move |deed| {
                let at = seen.fetch_add(1, Ordering::SeqCst);
                if at == n || (at > n && !once) {
                    failed.lock().unwrap().get_or_insert(deed);
                    return Err(kind.into());
                }
                Ok(())
            }
        });
        let mut acknowledged = Acknowledged::default();
        let opened = Embedded::open(folder.path(), Options { door, ..options() });
        if let Ok(store) = opened {
            work(&store, &mut acknowledged).await;
        }
        let failed = *failed.lock().unwrap();
        all_there(
            folder.path(),
            &acknowledged,
            &format!("deed {n}, {failed:?}"),
        )
        .await;
        if failed.is_none() {
            assert!(n > 25, "only {n} deeds");
            assert_eq!(acknowledged.commits.len(), 6);
            return;
        }
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_any_one_write_fails() {
    fail_each(true, io::ErrorKind::Other).await;
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_disk_is_full_from_any_moment_on() {
    fail_each(false, io::ErrorKind::StorageFull).await;
}

#[tokio::test]
async fn after_a_failed_commit_nothing_more_is_written_and_reading_goes_on() {
    let folder = TempDir::new().unwrap();
    let jam = Arc::new(AtomicUsize::new(0));
    let door = Door::new({
        let jam = Arc::clone(&jam);
        move |deed| match deed {
            Deed::CommitRows if jam.load(Ordering::SeqCst) == 1 => {
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => Ok(()),
        }
    });
    let store = Embedded::open(folder.path(), Options { door, ..options() }).unwrap();
    let account = ada();
    let commit = |version, id| {
        let mut batch = Batch::new(0);
        batch.put("k", vec![id]);
        store
            .engine
            .commit(&account, version, CommitId([id; 16]), batch)
    };
    assert_eq!(commit(0, 1).await, Ok(Outcome::Committed(1)));
    jam.store(1, Ordering::SeqCst);
    assert!(matches!(commit(1, 2).await, Err(EngineError::Unknown(_))));
    jam.store(0, Ordering::SeqCst);
    let broken = commit(1, 3).await.unwrap_err();
    assert!(
        broken
            .to_string()
            .contains("takes no more changes until it is restarted"),
        "{broken}"
    );
    let (version, _) = store
        .engine
        .read(&ada(), Scan::prefix(""), 1)
        .await
        .unwrap();
    assert_eq!(version, 1);
}

#[tokio::test]
async fn bodies_are_taken_again_when_there_is_room_again() {
    let folder = TempDir::new().unwrap();
    let full = Arc::new(AtomicUsize::new(0));
    let door = Door::new({
        let full = Arc::clone(&full);
        move |deed| match deed {
            Deed::Write if full.load(Ordering::SeqCst) == 1 => {
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => Ok(()),
        }
    });
    let store = Embedded::open(folder.path(), Options { door, ..options() }).unwrap();
    let put = |n: u8| store.blobs.put(BlobId([n; 16]), vec![body(n.into(), 100)]);
    put(1).await.unwrap();
    full.store(1, Ordering::SeqCst);
    assert!(matches!(put(2).await, Err(BlobError::NoSpace(_))));
    assert_eq!(store.blobs.stat(BlobId([2; 16])).await, Ok(None));
    full.store(0, Ordering::SeqCst);
    put(2).await.unwrap();
    for n in [1, 2] {
        let found = store.blobs.get(BlobId([n; 16]), 0..u64::MAX).await;
        assert_eq!(found, Ok(body(n.into(), 100)));
    }
    let segments = fs::read_dir(folder.path().join("bodies/segments")).unwrap();
    assert_eq!(segments.count(), 2, "the failed segment is not used again");
}
