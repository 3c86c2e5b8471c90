//! What POP sessions see (wire §4.4).

use pillarbox_store::{MessageId, PopDisposition, PopMode, PopWindow, Role, SystemFlags};

use crate::house::{House, NOW, row};

async fn listed(house: &House, mode: PopMode) -> Vec<MessageId> {
    let items = house.ada.maildrop(mode, NOW).await.unwrap();
    items.into_iter().map(|item| item.message).collect()
}

async fn arrive(house: &House, name: &str, at: i64) -> MessageId {
    let mail = house.mail(&format!("Message-ID: <{name}@t>\r\n"), at).await;
    let landed = house.ada.deliver(&[Role::Inbox], mail, None).await.unwrap();
    landed.message
}

#[tokio::test]
async fn what_was_popped_is_not_listed_again_but_in_recent_mode() {
    let house = House::new().await;
    let new = arrive(&house, "new", NOW).await;
    let old = arrive(&house, "old", NOW - 40 * 86_400_000).await;
    house.put(Role::Junk, "spam").await;
    let sent = house.mail("Message-ID: <sent@t>\r\n", NOW + 1).await;
    let sent = house.ada.deliver(&[Role::Sent], sent, None).await.unwrap();
    assert_eq!(listed(&house, PopMode::Normal).await, [old, new]);
    house.ada.pop_done(&[old], &[], NOW).await.unwrap();
    assert_eq!(listed(&house, PopMode::Normal).await, [new]);
    house.ada.pop_done(&[new], &[], NOW).await.unwrap();
    assert_eq!(listed(&house, PopMode::Normal).await, []);
    assert_eq!(listed(&house, PopMode::Recent).await, [new, sent.message]);
    // Older mail that comes later is listed, though popping has passed its date.
    let late = arrive(&house, "late", NOW - 1000).await;
    assert_eq!(listed(&house, PopMode::Normal).await, [late]);
    // So is what comes out of Spam.
    let (junk, inbox) = (house.of(Role::Junk).await, house.of(Role::Inbox).await);
    let uids = [pillarbox_store::Uid(1)];
    house.ada.r#move(junk, &uids, inbox, NOW).await.unwrap();
    assert_eq!(listed(&house, PopMode::Normal).await.len(), 2);
    house.is_sound().await;
}

#[tokio::test]
async fn dispositions_and_windows() {
    use PopDisposition::{Archive, Keep, MarkRead, Trash};
    for (disposition, place) in [
        (Keep, Role::Inbox),
        (MarkRead, Role::Inbox),
        (Archive, Role::All),
        (Trash, Role::Trash),
    ] {
        let house = House::new().await;
        let mut settings = house.ada.settings().await.unwrap();
        settings.pop_disposition = disposition;
        settings.pop_window = PopWindow::From(NOW);
        house.ada.set_settings(settings).await.unwrap();
        arrive(&house, "before", NOW - 1).await;
        let one = arrive(&house, "one", NOW).await;
        assert_eq!(listed(&house, PopMode::Normal).await, [one]);
        house.ada.pop_done(&[one], &[], NOW).await.unwrap();
        let labels = house.ada.labels(&[one]).await.unwrap();
        let first = labels[0][0];
        assert_eq!(first, house.of(place).await, "{disposition:?}");
        if disposition == MarkRead {
            let row = row(&house.ada, first, pillarbox_store::Uid(2)).await;
            assert_eq!(row.flags.system.0, SystemFlags::SEEN);
        }
        house.is_sound().await;
    }
}

#[tokio::test]
async fn deleting_where_mail_is_kept_moves_it_to_trash() {
    let house = House::new().await;
    let one = arrive(&house, "one", NOW).await;
    house.ada.pop_done(&[one], &[one], NOW).await.unwrap();
    assert_eq!(house.uids(Role::Trash).await, [1]);
}

#[tokio::test]
async fn a_session_lists_250_conversations_the_next_the_rest() {
    let house = House::new().await;
    for n in 0..260 {
        arrive(&house, &n.to_string(), NOW + n).await;
    }
    let first = listed(&house, PopMode::Normal).await;
    assert_eq!(first.len(), 250);
    house.ada.pop_done(&first, &[], NOW).await.unwrap();
    assert_eq!(listed(&house, PopMode::Normal).await.len(), 10);
}
