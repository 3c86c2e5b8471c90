//! Figures, not promises: run by hand with `--ignored --nocapture` in a release build.
#![allow(clippy::disallowed_methods)] // it measures

use std::time::Instant;

use pillarbox_store::{
    MessageId, Role,
    engine::{Embedded, Options},
};

use crate::house::{House, NOW, mail};

fn say(what: &str, began: Instant) {
    eprintln!("{what}: {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints figures"]
async fn figures_on_the_embedded_engine() {
    let folder = tempfile::tempdir().unwrap();
    let mut n = 0u64;
    let options = Options::new(move || {
        n += 1;
        *blake3::hash(&n.to_be_bytes()).as_bytes()
    });
    let parts = Embedded::open(folder.path(), options).unwrap();
    let house = House::over(parts.engine, parts.blobs).await;
    let padding = format!("X-Padding: {}\r\n", "x".repeat(900)).repeat(10);
    for tasks in [1, 20] {
        let began = Instant::now();
        let total = 1000;
        let mut joined = Vec::new();
        for task in 0..tasks {
            let (store, id) = (house.store.clone(), house.id.clone());
            let padding = padding.clone();
            joined.push(tokio::spawn(async move {
                for n in 0..total / tasks {
                    let head =
                        format!("Message-ID: <{tasks}.{task}.{n}@t>\r\nSubject: {n}\r\n{padding}");
                    let new = mail(&store, &head, NOW + n).await;
                    store
                        .account(&id)
                        .deliver(&[Role::Inbox], new, None)
                        .await
                        .unwrap();
                }
            }));
        }
        for task in joined {
            task.await.unwrap();
        }
        say(
            &format!("{total} deliveries of 9 kB by {tasks} tasks"),
            began,
        );
    }
    let inbox = house.of(Role::Inbox).await;
    let began = Instant::now();
    let mut joined = Vec::new();
    for task in 0..100 {
        let (store, id) = (house.store.clone(), house.id.clone());
        joined.push(tokio::spawn(async move {
            let one = mail(&store, "Subject: many\r\n", NOW).await;
            for _ in 0..180 {
                store.account(&id).append(inbox, one.clone()).await.unwrap();
            }
            task
        }));
    }
    for task in joined {
        task.await.unwrap();
    }
    say("18000 appends over 100 bodies by 100 tasks", began);
    for _ in 0..3 {
        let began = Instant::now();
        let (_, _, uids) = house.ada.uids(inbox).await.unwrap();
        say(&format!("uids of {}", uids.len()), began);
        let began = Instant::now();
        let (_, rows) = house.ada.rows(inbox, &[1..=u32::MAX]).await.unwrap();
        say(&format!("rows of {}", rows.len()), began);
        let ids: Vec<MessageId> = rows.iter().map(|row| row.message).collect();
        let began = Instant::now();
        house.ada.labels(&ids).await.unwrap();
        say("labels of all", began);
        let began = Instant::now();
        house.ada.records(&ids).await.unwrap();
        say("records of all", began);
    }
}
