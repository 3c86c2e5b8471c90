//! What a running server does without being asked: tells the store the time, replaces signing keys when their time has come,
//! forgets programs that nobody used, removes what outlived its grace, gives the room of bodies nobody refers to back to the disk.

use crate::house::House;
use crate::journal::Level;
use pillarbox_store::mail::StoreError;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often the store hears the time.
const TIME_EVERY: Duration = Duration::from_secs(5);
/// How often it is cleaned.
const CLEAN_EVERY: Duration = Duration::from_secs(24 * 3_600);
/// The first time, when a start's own work is done.
const CLEAN_FIRST: Duration = Duration::from_secs(600);
/// Bodies younger than this may still be on their way into an account: more than any session may hold one back.
const BODY_SETTLED_MILLIS: i64 = 24 * 3_600 * 1_000;

/// Runs for ever.
pub async fn keep(house: Arc<House>) {
    let mut moved = house.clock.moved();
    let mut clean_at = Instant::now() + CLEAN_FIRST;
    loop {
        tokio::select! {
            () = tokio::time::sleep(TIME_EVERY) => {}
            _ = moved.changed() => {}
        }
        house.store.hear_time(house.clock.wall());
        crate::keys::keep(&house).await;
        crate::apps::forget_unused(&house).await;
        if Instant::now() < clean_at {
            continue;
        }
        clean_at = Instant::now() + CLEAN_EVERY;
        if let Err(error) = clean(&house).await {
            let text = format!("cannot be cleaned, nothing is lost by that: {error}");
            house.journal.note(Level::Error, "store", &text);
        }
    }
}

async fn clean(house: &House) -> Result<(), StoreError> {
    let rows = house.store.purge(house.clock.wall()).await?;
    // The system's time: a clock that was moved makes bodies look older than they are.
    let before = house.clock.wall() - house.clock.offset() - BODY_SETTLED_MILLIS;
    let mut alive = HashSet::new();
    house
        .store
        .live_blobs(&mut |blob| {
            alive.insert(blob);
        })
        .await?;
    let before = u64::try_from(before).unwrap_or(0);
    let compacted = house
        .store
        .blobs()
        .compact(Box::new(move |blob| alive.contains(&blob)), before)
        .await;
    let compacted = compacted.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    if rows > 0 || compacted.dropped > 0 {
        let (dropped, freed) = (compacted.dropped, compacted.freed_bytes);
        let text = format!("cleaned: {rows} rows, {dropped} bodies, {freed} bytes given back");
        house.journal.note(Level::Info, "store", &text);
    }
    Ok(())
}
