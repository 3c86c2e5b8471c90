//! Threads, ids, and delivering once.

use pillarbox_store::{Role, Uid};

use crate::house::{House, NOW, row};

async fn thread(house: &House, head: &str) -> (u64, u64) {
    let mail = house.mail(head, NOW).await;
    let landed = house.ada.deliver(&[Role::Inbox], mail, None).await.unwrap();
    let row = row(&house.ada, house.of(Role::Inbox).await, landed.uid).await;
    (row.message.0, row.thread.0)
}

#[tokio::test]
async fn a_thread_is_that_of_the_nearest_ancestor() {
    let house = House::new().await;
    let (a, thread_a) = thread(&house, "Message-ID: <a@t>\r\nSubject: plan\r\n").await;
    assert_eq!(a, thread_a);
    let reply = "Message-ID: <b@t>\r\nIn-Reply-To: <a@t>\r\nSubject: other words\r\n";
    assert_eq!(thread(&house, reply).await.1, a);
    let deep = "Message-ID: <c@t>\r\nReferences: <x@t> <a@t> <b@t> <lost@t>\r\nSubject: y\r\n";
    assert_eq!(thread(&house, deep).await.1, a);
    // The lost one arrives late, and finds its child.
    let late = "Message-ID: <lost@t>\r\nSubject: late\r\n";
    assert_eq!(thread(&house, late).await.1, a);
    // By subject only for a reply that names nobody known.
    let by_subject = "Message-ID: <d@t>\r\nSubject: Re: PLAN\r\n";
    assert_eq!(thread(&house, by_subject).await.1, a);
    let same_words = thread(&house, "Message-ID: <e@t>\r\nSubject: plan\r\n").await;
    assert_eq!(same_words.0, same_words.1);
    assert_ne!(same_words.1, a);
    house.is_sound().await;
}

#[tokio::test]
async fn ids_carry_their_millisecond_and_are_unique() {
    let house = House::new().await;
    let mut ids = Vec::new();
    for n in 0..50 {
        ids.push(thread(&house, &format!("Message-ID: <{n}@t>\r\n")).await.0);
    }
    assert!(ids.iter().all(|id| id >> 20 == NOW as u64));
    assert!(ids.is_sorted_by(|a, b| a < b));
}

#[tokio::test]
async fn a_delivery_repeated_answers_as_the_first_for_a_week() {
    let house = House::new().await;
    let ada = &house.ada;
    let mail = house.mail("Subject: once\r\n", NOW).await;
    let dedup = Some([7; 32]);
    let first = ada
        .deliver(&[Role::Inbox], mail.clone(), dedup)
        .await
        .unwrap();
    let again = ada
        .deliver(&[Role::Inbox], mail.clone(), dedup)
        .await
        .unwrap();
    assert_eq!((first.uid, first.message), (again.uid, again.message));
    assert_eq!(house.uids(Role::Inbox).await, [1]);
    let week = 7 * 24 * 60 * 60 * 1000;
    assert_eq!(house.store.purge(NOW + week - 1).await.unwrap(), 0);
    assert_eq!(house.store.purge(NOW + week).await.unwrap(), 1);
    let third = ada.deliver(&[Role::Inbox], mail, dedup).await.unwrap();
    assert_eq!(third.uid, Uid(2));
}
