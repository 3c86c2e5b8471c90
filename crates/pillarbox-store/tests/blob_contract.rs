//! The contract of blobs, run on memory and on segments, and what only files can suffer: torn ends, flipped bits, a program
//! that dies, a compaction.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::{
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use pillarbox_store::{
    blob::{
        BLOB_BYTES_MAX, BlobError, BlobId, Blobs, MemoryBlobs, OWN_FILE_BYTES, READ_BYTES_MAX, Stat,
    },
    engine::{Embedded, Options},
};
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const ALL: std::ops::Range<u64> = 0..u64::MAX;

fn open(folder: &Path) -> Embedded {
    let mut drawn = 0_u8;
    Embedded::open(
        folder,
        Options::new(move || {
            drawn = drawn.wrapping_add(1);
            [drawn; 32]
        }),
    )
    .unwrap()
}

fn on_each(clause: impl AsyncFn(&dyn Blobs)) {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(clause(&MemoryBlobs::new()));
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    runtime.block_on(clause(&*store.blobs));
}

fn id(at_ms: u64, n: u8) -> BlobId {
    BlobId::new(at_ms, [n; 10])
}

fn body(n: u8, bytes: usize) -> Bytes {
    (0..bytes)
        .map(|at| (at * 31) as u8 ^ n)
        .collect::<Vec<_>>()
        .into()
}

/// What a program that dies now leaves: a copy of all files as they are, taken while the store is open and at rest.
fn died(folder: &Path) -> TempDir {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let to = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                copy(&entry.path(), &to);
            } else {
                fs::copy(entry.path(), to).unwrap();
            }
        }
    }
    let after = TempDir::new().unwrap();
    copy(folder, after.path());
    after
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder.join("bodies/segments")).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

async fn problems(store: &Embedded) -> Vec<String> {
    store
        .blobs
        .check(Box::new(|_, _| ()))
        .await
        .unwrap()
        .problems
}

#[test]
fn what_was_put_comes_back_whole_and_in_ranges() {
    on_each(async |blobs| {
        for (n, bytes) in [
            (1, 0),
            (2, 1),
            (3, 20_000),
            (4, OWN_FILE_BYTES as usize),
            (5, 1_048_577),
        ] {
            let (id, body) = (id(1, n), body(n, bytes));
            let pieces = vec![
                body.slice(..bytes / 3),
                Bytes::new(),
                body.slice(bytes / 3..),
            ];
            blobs.put(id, pieces).await.unwrap();
            assert_eq!(blobs.get(id, ALL).await.unwrap(), body);
            let length = bytes as u64;
            assert_eq!(blobs.stat(id).await, Ok(Some(Stat { bytes: length })));
            for range in [
                0..0,
                0..length / 2,
                length / 2..length,
                length / 3..length * 2,
                length..length + 9,
                length + 5..length + 9,
            ] {
                let from = range.start.min(length) as usize;
                let to = range.end.min(length) as usize;
                assert_eq!(blobs.get(id, range).await.unwrap(), body.slice(from..to));
            }
        }
        assert_eq!(
            blobs.get(id(1, 99), ALL).await,
            Err(BlobError::Missing(id(1, 99)))
        );
        assert_eq!(blobs.stat(id(1, 99)).await, Ok(None));
    });
}

#[test]
fn putting_again_is_nothing_and_another_body_is_refused() {
    on_each(async |blobs| {
        for (n, bytes) in [(1, 100), (2, 1_048_577)] {
            let (id, body) = (id(1, n), body(n, bytes));
            let (one, two) = tokio::join!(
                blobs.put(id, vec![body.clone()]),
                blobs.put(id, vec![body.clone()])
            );
            assert_eq!((one, two), (Ok(()), Ok(())));
            assert_eq!(blobs.get(id, ALL).await.unwrap(), body);
        }
        for (n, bytes) in [(1, 100), (1, 1_048_577), (2, 1_048_578), (2, 100)] {
            let taken = blobs.put(id(1, n), vec![body(9, bytes)]).await;
            assert_eq!(taken, Err(BlobError::Taken(id(1, n))), "{n}, {bytes}");
        }
    });
}

#[test]
fn a_body_in_pieces_is_there_when_it_is_finished_and_gone_when_dropped() {
    on_each(async |blobs| {
        let whole = body(7, 3_500_000);
        let mut writer = blobs.writer(id(1, 1)).await.unwrap();
        for piece in whole.chunks(60_000) {
            writer.write(whole.slice_ref(piece)).await.unwrap();
        }
        assert_eq!(writer.bytes(), 3_500_000);
        assert_eq!(blobs.stat(id(1, 1)).await, Ok(None), "not yet");
        assert_eq!(writer.finish().await, Ok(Stat { bytes: 3_500_000 }));
        let mut read = Vec::new();
        while read.len() < whole.len() {
            let at = read.len() as u64;
            read.extend_from_slice(&blobs.get(id(1, 1), at..at + 256 * 1024).await.unwrap());
        }
        assert!(read == whole);

        let mut writer = blobs.writer(id(1, 2)).await.unwrap();
        writer.write(whole.clone()).await.unwrap();
        drop(writer);
        assert_eq!(blobs.stat(id(1, 2)).await, Ok(None));
        assert_eq!(
            blobs.writer(id(1, 3)).await.unwrap().finish().await,
            Ok(Stat { bytes: 0 })
        );
        assert_eq!(blobs.get(id(1, 3), ALL).await, Ok(Bytes::new()));
    });
}

#[test]
fn sizes_have_bounds() {
    on_each(async |blobs| {
        let piece = Bytes::from(vec![0; 64 * 1024 * 1024]);
        let most = BLOB_BYTES_MAX;
        let bytes = 5 * 64 * 1024 * 1024;
        let put = blobs.put(id(1, 1), vec![piece.clone(); 5]).await;
        assert_eq!(put, Err(BlobError::TooLarge { bytes, most }));
        blobs
            .put(id(1, 2), vec![piece, Bytes::from_static(b"x")])
            .await
            .unwrap();
        let get = blobs.get(id(1, 2), ALL).await;
        let (bytes, most) = (READ_BYTES_MAX + 1, READ_BYTES_MAX);
        assert_eq!(get, Err(BlobError::TooLarge { bytes, most }));
    });
}

#[test]
fn compaction_drops_the_dead_and_spares_the_living_and_the_young() {
    on_each(async |blobs| {
        for n in 0..40 {
            let bytes = if n % 10 == 9 { 1_100_000 } else { 10_000 };
            blobs
                .put(id(u64::from(n), n), vec![body(n, bytes)])
                .await
                .unwrap();
        }
        let kept = |n: u8| n.is_multiple_of(3) || n >= 35;
        let alive = |id: BlobId| id.at_ms().is_multiple_of(3);
        let done = blobs.compact(Box::new(alive), 35).await.unwrap();
        assert_eq!(done.dropped, (0..40).filter(|n| !kept(*n)).count() as u64);
        assert!(done.freed_bytes > 200_000);
        for n in 0..40 {
            let found = blobs.get(id(u64::from(n), n), ALL).await;
            assert_eq!(found.is_ok(), kept(n), "{n}");
        }
        let again = blobs.compact(Box::new(alive), 35).await.unwrap();
        assert_eq!((again.dropped, again.moved), (0, 0));
        let checked = blobs.check(Box::new(|_, _| ())).await.unwrap();
        assert_eq!(checked.blobs, (0..40).filter(|n| kept(*n)).count() as u64);
        assert_eq!(checked.problems, Vec::<String>::new());
    });
}

#[tokio::test]
async fn everything_is_there_after_closing_and_after_dying() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    for n in 0..30 {
        let bytes = if n == 7 {
            2_000_000
        } else {
            usize::from(n) * 500
        };
        store
            .blobs
            .put(id(1, n), vec![body(n, bytes)])
            .await
            .unwrap();
    }
    let after = died(folder.path());
    drop(store);
    for folder in [after.path(), folder.path()] {
        for _ in 0..2 {
            let store = open(folder);
            for n in 0..30 {
                let bytes = if n == 7 {
                    2_000_000
                } else {
                    usize::from(n) * 500
                };
                assert_eq!(
                    store.blobs.get(id(1, n), ALL).await.unwrap(),
                    body(n, bytes),
                    "{n}"
                );
            }
            assert_eq!(problems(&store).await, Vec::<String>::new());
        }
    }
}

#[tokio::test]
async fn a_torn_end_costs_the_last_body_only() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    store.blobs.put(id(1, 1), vec![body(1, 300)]).await.unwrap();
    store.blobs.put(id(1, 2), vec![body(2, 40)]).await.unwrap();
    // Of a header of 64 bytes and a body of 40: all, none, and parts. Every byte is tried where files are not needed.
    for lost in [1, 39, 40, 41, 103, 104] {
        let after = died(folder.path());
        let segment = fs::File::options()
            .write(true)
            .open(&segments(after.path())[0])
            .unwrap();
        segment
            .set_len(segment.metadata().unwrap().len() - lost)
            .unwrap();
        let store = open(after.path());
        assert_eq!(
            store.blobs.get(id(1, 1), ALL).await.unwrap(),
            body(1, 300),
            "{lost}"
        );
        assert_eq!(store.blobs.stat(id(1, 2)).await, Ok(None), "{lost}");
        assert_eq!(problems(&store).await, Vec::<String>::new());
        store.blobs.put(id(1, 2), vec![body(2, 40)]).await.unwrap();
        assert_eq!(
            store.blobs.get(id(1, 2), ALL).await.unwrap(),
            body(2, 40),
            "{lost}"
        );
        assert_eq!(
            segments(after.path()).len(),
            2,
            "a start begins a new segment"
        );
    }
}

#[tokio::test]
async fn a_flipped_bit_is_found_by_check_and_never_sent() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    for n in 0..3 {
        store
            .blobs
            .put(id(1, n), vec![body(n, 1_000)])
            .await
            .unwrap();
    }
    store
        .blobs
        .put(id(1, 9), vec![body(9, 1_100_000)])
        .await
        .unwrap();
    let flip = |path: &Path, at: u64| {
        let file = fs::File::options()
            .read(true)
            .write(true)
            .open(path)
            .unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 4], at).unwrap();
    };
    flip(&segments(folder.path())[0], 64 + 64 + 1_000 + 64 + 500);
    flip(
        &folder.path().join(format!("bodies/own/{}.body", id(1, 9))),
        64 + 1_000_000,
    );
    let after = died(folder.path());
    for store in [store, open(after.path())] {
        let found = store.blobs.check(Box::new(|_, _| ())).await.unwrap();
        // A start that has to search the segment leaves the damaged body out.
        assert!((1..=2).contains(&found.problems.len()), "{found:?}");
        assert_eq!(found.blobs, 2);
        assert!(
            found
                .problems
                .iter()
                .any(|text| text.contains(&id(1, 9).to_string()))
        );
        assert!(store.blobs.get(id(1, 1), ALL).await.is_err());
        assert!(store.blobs.get(id(1, 9), ALL).await.is_err());
        assert_eq!(
            store.blobs.get(id(1, 2), ALL).await.unwrap(),
            body(2, 1_000)
        );
    }
}

#[tokio::test]
async fn compaction_gives_files_back_and_survives_dying_behind_it() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    for n in 0..100 {
        store
            .blobs
            .put(id(1, n), vec![body(n, 50_000)])
            .await
            .unwrap();
    }
    let before: u64 = segments(folder.path())
        .iter()
        .map(|f| f.metadata().unwrap().len())
        .sum();
    let alive = |id: BlobId| id.0[15].is_multiple_of(2);
    let done = store.blobs.compact(Box::new(alive), 9).await.unwrap();
    let after: u64 = segments(folder.path())
        .iter()
        .map(|f| f.metadata().unwrap().len())
        .sum();
    assert!(after <= before * 55 / 100, "{before} to {after}, {done:?}");
    let dead = died(folder.path());
    drop(store);
    for folder in [dead.path(), folder.path()] {
        let store = open(folder);
        for n in 0..100 {
            let found = store.blobs.get(id(1, n), ALL).await;
            assert_eq!(found.ok(), alive(id(1, n)).then(|| body(n, 50_000)), "{n}");
        }
        assert_eq!(problems(&store).await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_and_writers_go_on_while_it_compacts() {
    let folder = TempDir::new().unwrap();
    let store = Arc::new(open(folder.path()));
    for n in 0..200 {
        store
            .blobs
            .put(id(1, n), vec![body(n, 20_000)])
            .await
            .unwrap();
    }
    let done = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn({
        let (store, done) = (Arc::clone(&store), Arc::clone(&done));
        async move {
            let mut rounds = 0;
            while !done.load(Ordering::SeqCst) || rounds == 0 {
                for n in (0..200).step_by(4) {
                    let found = store.blobs.get(id(1, n), ALL).await;
                    assert_eq!(found.unwrap(), body(n, 20_000), "{n}");
                }
                rounds += 1;
            }
        }
    });
    let writer = tokio::spawn({
        let (store, done) = (Arc::clone(&store), Arc::clone(&done));
        async move {
            let mut written = 0_u64;
            while !done.load(Ordering::SeqCst) || written == 0 {
                let young = id(100 + written, 0);
                store.blobs.put(young, vec![body(1, 5_000)]).await.unwrap();
                written += 1;
            }
            written
        }
    });
    // Each round leaves fewer alive, down to those that are read.
    for every in [2, 4] {
        let alive = move |id: BlobId| id.0[15].is_multiple_of(every);
        let compacted = store.blobs.compact(Box::new(alive), 100).await.unwrap();
        assert!(compacted.moved > 0, "{compacted:?}");
    }
    done.store(true, Ordering::SeqCst);
    reader.await.unwrap();
    for n in 0..writer.await.unwrap() {
        let found = store.blobs.get(id(100 + n, 0), ALL).await;
        assert_eq!(found.unwrap(), body(1, 5_000), "{n}");
    }
    assert_eq!(problems(&store).await, Vec::<String>::new());
}

#[tokio::test]
async fn segments_end_at_64_mb_and_many_puts_at_once_are_all_stored() {
    let folder = TempDir::new().unwrap();
    let store = Arc::new(open(folder.path()));
    let whole = body(0, 500_000);
    let mut running = tokio::task::JoinSet::new();
    for n in 0..200 {
        let (store, body) = (Arc::clone(&store), whole.slice(usize::from(n)..));
        running.spawn(async move { store.blobs.put(id(1, n), vec![body]).await });
    }
    assert!(running.join_all().await.iter().all(Result::is_ok));
    let files = segments(folder.path());
    assert_eq!(files.len(), 2);
    assert!(
        files
            .iter()
            .all(|file| file.metadata().unwrap().len() <= 64 * 1024 * 1024)
    );
    for n in 0..200 {
        let found = store.blobs.get(id(1, n), ALL).await.unwrap();
        assert_eq!(found, whole.slice(usize::from(n)..));
    }
}

#[tokio::test]
async fn what_was_still_coming_in_is_swept_at_the_next_start() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    let mut writer = store.blobs.writer(id(1, 1)).await.unwrap();
    writer.write(body(1, 2_000_000)).await.unwrap();
    let after = died(folder.path());
    let parts = |folder: &Path| {
        fs::read_dir(folder.join("bodies/incoming"))
            .unwrap()
            .count()
    };
    assert_eq!(parts(after.path()), 1);
    drop(writer);
    assert_eq!(parts(folder.path()), 0, "dropped");
    let store = open(after.path());
    assert_eq!(parts(after.path()), 0, "swept");
    assert_eq!(store.blobs.stat(id(1, 1)).await, Ok(None));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]
    #[test]
    fn random_work_is_done_as_in_memory(
        steps in proptest::collection::vec((0..8_u8, 0..30_u8, 0..3_000_usize), 1..60)
    ) {
        Runtime::new().unwrap().block_on(async {
            let folder = TempDir::new().unwrap();
            let mut store = Some(open(folder.path()));
            let memory = MemoryBlobs::new();
            for (what, n, bytes) in steps {
                let blobs = &store.as_ref().unwrap().blobs;
                match what {
                    0 => {
                        drop(store.take());
                        store = Some(open(folder.path()));
                    }
                    1..=4 => {
                        let body = vec![body(n, bytes)];
                        let done = blobs.put(id(1, n), body.clone()).await;
                        assert_eq!(done, memory.put(id(1, n), body).await);
                    }
                    _ => {
                        let range = bytes as u64 / 2..bytes as u64;
                        let found = blobs.get(id(1, n), range.clone()).await;
                        assert_eq!(found, memory.get(id(1, n), range).await);
                    }
                }
            }
        });
    }
}
