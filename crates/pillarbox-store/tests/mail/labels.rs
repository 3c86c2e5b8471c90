//! Each label rule of DESIGN "Labels" and wire §3.6, §3.7, §3.9.

use pillarbox_store::{How, LabelName, LastLabel, Role, StoreError, SystemFlags, Uid};

use crate::house::{House, NOW, flags, row, uids};

const DELETED: u8 = SystemFlags::DELETED;

#[tokio::test]
async fn what_arrives_is_in_all_mail_too() {
    let house = House::new().await;
    let one = house.put(Role::Inbox, "one").await;
    assert_eq!(one.uid, Uid(1));
    assert_eq!(house.uids(Role::All).await, [1]);
    let record = house.ada.records(&[one.message]).await.unwrap();
    assert_eq!(record[0].as_ref().unwrap().places.len(), 2);
    assert_eq!(house.ada.usage().await.unwrap().1, 1);
    house.is_sound().await;
}

#[tokio::test]
async fn starred_follows_flagged_both_ways() {
    let house = House::new().await;
    let one = house.put(Role::Inbox, "one").await;
    let inbox = house.of(Role::Inbox).await;
    let star = flags(SystemFlags::FLAGGED, &[]);
    let ada = &house.ada;
    let at = [one.uid];
    let stored = ada.set_flags(inbox, &at, How::Add, &star, None, NOW);
    assert_eq!(stored.await.unwrap().rows[0].flags, star);
    assert_eq!(house.uids(Role::Starred).await, [1]);
    let starred = house.of(Role::Starred).await;
    let off = ada.set_flags(starred, &[Uid(1)], How::Remove, &star, None, NOW);
    assert_eq!(off.await.unwrap().expunged, [Uid(1)]);
    assert_eq!(row(ada, inbox, one.uid).await.flags, flags(0, &[]));
    // COPY to Starred stars; a second copy answers with the UID that is there.
    let copied = ada.copy(inbox, &[one.uid], starred, NOW).await.unwrap();
    let again = ada.copy(inbox, &[one.uid], starred, NOW).await.unwrap();
    assert_eq!(copied.pairs, [(one.uid, Uid(2))]);
    assert_eq!(again.pairs, copied.pairs);
    // EXPUNGE in Starred takes the star.
    let gone = flags(DELETED, &[]);
    let mark = ada.set_flags(starred, &[Uid(2)], How::Add, &gone, None, NOW);
    mark.await.unwrap();
    assert_eq!(row(ada, inbox, one.uid).await.flags.system.0, 1 << 2);
    let (_, expunged) = ada.expunge(starred, None, NOW).await.unwrap();
    assert_eq!(expunged, [Uid(2)]);
    assert_eq!(row(ada, inbox, one.uid).await.flags.system.0, 0);
    house.is_sound().await;
}

#[tokio::test]
async fn trash_and_spam_exclude_every_other_label() {
    let house = House::new().await;
    let one = house.put(Role::Inbox, "one").await;
    let label = house.label("Receipts").await.id;
    let inbox = house.of(Role::Inbox).await;
    let ada = &house.ada;
    ada.copy(inbox, &[one.uid], label, NOW).await.unwrap();
    for role in [Role::Trash, Role::Junk] {
        let from = if role == Role::Trash {
            inbox
        } else {
            house.of(Role::Trash).await
        };
        let to = house.of(role).await;
        let moved = if role == Role::Trash {
            ada.copy(from, &[one.uid], to, NOW).await.unwrap()
        } else {
            ada.r#move(from, &[Uid(1)], to, NOW).await.unwrap()
        };
        assert_eq!(moved.expunged.len(), 1);
        assert_eq!(uids(ada, to).await, [1]);
        assert_eq!(ada.labels(&[one.message]).await.unwrap(), [vec![to]]);
    }
    assert_eq!(house.uids(Role::All).await, [0; 0]);
    assert_eq!(house.uids(Role::Trash).await, [0; 0]);
    // Out again by MOVE: the message itself. By COPY: another over the same body.
    let junk = house.of(Role::Junk).await;
    ada.copy(junk, &[Uid(1)], label, NOW).await.unwrap();
    assert_eq!(house.uids(Role::Junk).await, [1]);
    let back = ada.r#move(junk, &[Uid(1)], inbox, NOW).await.unwrap();
    assert_eq!(back.expunged, [Uid(1)]);
    assert_eq!(row(ada, inbox, Uid(2)).await.message, one.message);
    assert_ne!(row(ada, label, Uid(2)).await.message, one.message);
    assert_eq!(ada.usage().await.unwrap().1, 2);
    house.is_sound().await;
}

#[tokio::test]
async fn copying_to_where_it_is_arrives_again() {
    let house = House::new().await;
    let one = house.put(Role::Inbox, "one").await;
    let inbox = house.of(Role::Inbox).await;
    let copied = house.ada.copy(inbox, &[one.uid], inbox, NOW).await.unwrap();
    assert_eq!(copied.pairs, [(Uid(1), Uid(2))]);
    assert_eq!(copied.expunged, []);
    let copy = row(&house.ada, inbox, Uid(2)).await;
    assert_ne!(copy.message, one.message);
    let records = house
        .ada
        .records(&[one.message, copy.message])
        .await
        .unwrap();
    let blobs: Vec<_> = records.iter().flatten().map(|record| record.blob).collect();
    assert_eq!(blobs[0], blobs[1]);
    // MOVE onto itself gives the same message a new UID.
    let moved = house
        .ada
        .r#move(inbox, &[Uid(1)], inbox, NOW)
        .await
        .unwrap();
    assert_eq!(moved.pairs, [(Uid(1), Uid(3))]);
    assert_eq!(row(&house.ada, inbox, Uid(3)).await.message, one.message);
    house.is_sound().await;
}

#[tokio::test]
async fn moving_to_all_mail_archives() {
    let house = House::new().await;
    let one = house.put(Role::Inbox, "one").await;
    let (inbox, all) = (house.of(Role::Inbox).await, house.of(Role::All).await);
    let moved = house.ada.r#move(inbox, &[one.uid], all, NOW).await.unwrap();
    assert_eq!(moved.pairs, [(one.uid, Uid(1))]);
    assert_eq!(moved.expunged, [one.uid]);
    assert_eq!(house.ada.labels(&[one.message]).await.unwrap(), [vec![all]]);
    house.is_sound().await;
}

/// Marks and expunges the only message of `role`, under a setting; answers where it then is (none: gone for good).
async fn expunged(role: Role, setting: LastLabel) -> Vec<Role> {
    let house = House::new().await;
    let ada = &house.ada;
    let mut settings = ada.settings().await.unwrap();
    settings.last_label = setting;
    ada.set_settings(settings).await.unwrap();
    let from = if role == Role::All { Role::Inbox } else { role };
    let one = house.put(from, "one").await;
    let mailbox = house.of(role).await;
    let uid = Uid(uids(ada, mailbox).await[0]);
    let gone = flags(DELETED, &[]);
    ada.set_flags(mailbox, &[uid], How::Add, &gone, None, NOW)
        .await
        .unwrap();
    let (_, out) = ada.expunge(mailbox, None, NOW).await.unwrap();
    assert_eq!(out, [uid]);
    house.is_sound().await;
    // Who still sees it can read it.
    let (_, rows) = ada.rows_or_tombs(mailbox, &[1..=9]).await.unwrap();
    assert_eq!(rows[0].message, one.message);
    let record = ada.records(&[one.message]).await.unwrap().pop().unwrap();
    let record = record.unwrap();
    assert!(ada.body(record.blob, 0..9).await.is_ok());
    let mut roles = Vec::new();
    for (place, _) in record.places {
        roles.extend(ada.mailbox_by_id(place).await.unwrap().unwrap().role);
    }
    assert_eq!(ada.usage().await.unwrap().1, u64::from(!roles.is_empty()));
    roles
}

#[tokio::test]
async fn expunge_depends_on_mailbox_and_setting() {
    use LastLabel::{Archive, Delete, Trash};
    assert_eq!(expunged(Role::Inbox, Archive).await, [Role::All]);
    assert_eq!(expunged(Role::Inbox, Trash).await, [Role::Trash]);
    assert_eq!(expunged(Role::Inbox, Delete).await, []);
    assert_eq!(expunged(Role::Sent, Archive).await, [Role::All]);
    assert_eq!(expunged(Role::Drafts, Archive).await, []);
    assert_eq!(expunged(Role::All, Archive).await, [Role::Trash]);
    assert_eq!(expunged(Role::All, Delete).await, []);
    assert_eq!(expunged(Role::Important, Delete).await, [Role::All]);
    assert_eq!(expunged(Role::Trash, Archive).await, []);
    assert_eq!(expunged(Role::Junk, Trash).await, []);
}

#[tokio::test]
async fn the_last_label_is_the_last_that_people_gave() {
    let house = House::new().await;
    let ada = &house.ada;
    let mut settings = ada.settings().await.unwrap();
    (settings.last_label, settings.auto_expunge) = (LastLabel::Trash, true);
    ada.set_settings(settings).await.unwrap();
    let one = house.put(Role::Inbox, "one").await;
    let inbox = house.of(Role::Inbox).await;
    let label = house.label("Receipts").await.id;
    ada.copy(inbox, &[one.uid], label, NOW).await.unwrap();
    // auto-expunge acts at once (wire §3.6).
    let gone = flags(DELETED, &[]);
    let at = [one.uid];
    let stored = ada.set_flags(inbox, &at, How::Add, &gone, None, NOW);
    assert_eq!(stored.await.unwrap().expunged, [one.uid]);
    assert_eq!(house.uids(Role::Trash).await, [0; 0]);
    let stored = ada.set_flags(label, &[Uid(1)], How::Add, &gone, None, NOW);
    assert_eq!(stored.await.unwrap().expunged, [Uid(1)]);
    assert_eq!(house.uids(Role::Trash).await, [1]);
    house.is_sound().await;
}

#[tokio::test]
async fn labels_as_x_gm_labels_stores_them() {
    let house = House::new().await;
    let ada = &house.ada;
    let one = house.put(Role::Inbox, "one").await;
    let inbox = house.of(Role::Inbox).await;
    let taxes = LabelName::User("Taxes 2026".into());
    let given = [
        LabelName::Role(Role::Starred),
        taxes.clone(),
        LabelName::Role(Role::Sent),
    ];
    let stored = ada
        .set_labels(inbox, &[one.uid], How::Add, &given, None, NOW)
        .await
        .unwrap();
    assert_eq!(stored.rows[0].flags.system.0, SystemFlags::FLAGGED);
    let label = ada.mailbox("Taxes 2026").await.unwrap().unwrap();
    assert_eq!(label.messages, 1);
    assert_eq!(house.uids(Role::Sent).await, [0; 0]);
    // Replacing leaves the label of the mailbox itself alone.
    let other = [LabelName::User("Other".into())];
    let stored = ada
        .set_labels(inbox, &[one.uid], How::Replace, &other, None, NOW)
        .await
        .unwrap();
    assert_eq!(stored.rows.len(), 1);
    assert_eq!(uids(ada, label.id).await, [0; 0]);
    assert_eq!(house.uids(Role::Starred).await, [0; 0]);
    // Removing the label of the mailbox itself expunges there.
    let own = [LabelName::Role(Role::Inbox)];
    let stored = ada
        .set_labels(inbox, &[one.uid], How::Remove, &own, None, NOW)
        .await
        .unwrap();
    assert_eq!(stored.expunged, [one.uid]);
    let bad = [LabelName::User("\\Mine".into())];
    let all = house.of(Role::All).await;
    let refused = ada.set_labels(all, &[Uid(1)], How::Add, &bad, None, NOW);
    assert!(matches!(refused.await, Err(StoreError::BadName(_))));
    let trash = [LabelName::Role(Role::Trash)];
    let stored = ada
        .set_labels(all, &[Uid(1)], How::Add, &trash, None, NOW)
        .await
        .unwrap();
    assert_eq!(stored.expunged, [Uid(1)]);
    assert_eq!(house.uids(Role::Trash).await, [1]);
    house.is_sound().await;
}

#[tokio::test]
async fn the_same_bytes_again_only_get_the_label() {
    let house = House::new().await;
    let ada = &house.ada;
    let head = "Message-ID: <draft@t>\r\nSubject: x\r\n";
    let sent = house.mail(head, NOW).await;
    let first = ada
        .deliver(&[Role::Sent], sent.clone(), None)
        .await
        .unwrap();
    let again = house.mail(head, NOW + 5).await;
    let second = ada
        .append(house.of(Role::Sent).await, again.clone())
        .await
        .unwrap();
    assert_eq!((second.uid, second.message), (first.uid, first.message));
    let label = house.label("Copies").await.id;
    let third = ada.append(label, again.clone()).await.unwrap();
    assert_eq!((third.uid, third.message), (Uid(1), first.message));
    // Into Trash it is another message: the first stays where it is.
    let fourth = ada
        .append(house.of(Role::Trash).await, again)
        .await
        .unwrap();
    assert_ne!(fourth.message, first.message);
    // Other bytes under the same Message-ID are another message (wire §3.9).
    let changed = house.mail(&format!("{head}X-Edited: yes\r\n"), NOW).await;
    let fifth = ada.append(label, changed).await.unwrap();
    assert_ne!(fifth.message, first.message);
    assert_eq!(ada.by_message_id("draft@t").await.unwrap().len(), 3);
    house.is_sound().await;
}

#[tokio::test]
async fn mailboxes_come_and_go_and_their_messages_stay() {
    let house = House::new().await;
    let ada = &house.ada;
    let one = house.put(Role::Inbox, "one").await;
    let inbox = house.of(Role::Inbox).await;
    let a = house.label("a/b").await;
    house.label("a").await;
    ada.copy(inbox, &[one.uid], a.id, NOW).await.unwrap();
    ada.rename("a", "c", NOW).await.unwrap();
    let renamed = ada.mailbox("c/b").await.unwrap().unwrap();
    assert_eq!((renamed.id, renamed.uid_validity), (a.id, a.uid_validity));
    let taken = ada.rename("c", "INBOX", NOW).await;
    assert!(matches!(taken, Err(StoreError::MailboxExists)));
    let system = ada.rename("Trash", "Bin", NOW).await;
    assert!(matches!(system, Err(StoreError::SystemMailbox)));
    ada.delete("c/b", NOW).await.unwrap();
    assert!(matches!(
        ada.uids(a.id).await,
        Err(StoreError::NoSuchMailbox)
    ));
    assert_eq!(house.uids(Role::All).await, [1]);
    let anew = house.label("c/b").await;
    assert!(anew.uid_validity > a.uid_validity);
    // RFC 3501 §6.3.5: INBOX is emptied, and stays.
    ada.rename("inbox", "old", NOW).await.unwrap();
    assert_eq!(house.uids(Role::Inbox).await, [0; 0]);
    assert_eq!(ada.mailbox("old").await.unwrap().unwrap().messages, 1);
    assert_eq!(
        ada.mailbox("InBoX").await.unwrap().unwrap().uid_next,
        Uid(2)
    );
    for bad in ["", "a//b", "/a", "a\u{7}", "inbox/x", "\\Seen"] {
        let made = ada.create(bad, None, NOW).await;
        assert!(matches!(made, Err(StoreError::BadName(_))), "{bad:?}");
    }
    house.is_sound().await;
}

#[tokio::test]
async fn unchanged_since_refuses_what_changed_and_versions_are_modseqs() {
    let house = House::new().await;
    let ada = &house.ada;
    let (one, two) = (
        house.put(Role::Inbox, "1").await,
        house.put(Role::Inbox, "2").await,
    );
    let inbox = house.of(Role::Inbox).await;
    let since = ada.version().await.unwrap();
    let mark = flags(SystemFlags::SEEN, &["Work", "$Junk"]);
    let stored = ada
        .set_flags(inbox, &[one.uid], How::Replace, &mark, None, NOW)
        .await
        .unwrap();
    assert_eq!(stored.rows[0].modseq, stored.version);
    assert_eq!(stored.version, since + 1);
    let both = [one.uid, two.uid, Uid(9)];
    let more = flags(0, &["work", "new"]);
    let stored = ada
        .set_flags(inbox, &both, How::Add, &more, Some(since), NOW)
        .await
        .unwrap();
    assert_eq!(stored.modified, [one.uid]);
    // As first spelled in the account.
    let names: Vec<_> = stored.rows[0].flags.keywords.iter().map(|k| &**k).collect();
    assert_eq!(names, ["Work", "new"]);
    let counted = ada.mailbox_by_id(inbox).await.unwrap().unwrap();
    assert_eq!((counted.messages, counted.unseen), (2, 1));
    assert_eq!(counted.highest_modseq, stored.version);
    // Changing nothing makes no version.
    let at = [two.uid];
    let again = ada.set_flags(inbox, &at, How::Add, &more, None, NOW);
    assert_eq!(again.await.unwrap().version, stored.version);
    house.is_sound().await;
}

#[tokio::test]
async fn quota_and_recent() {
    let house = House::new().await;
    let ada = &house.ada;
    house.put(Role::Inbox, "one").await;
    let inbox = house.of(Role::Inbox).await;
    assert_eq!(ada.claim_recent(inbox, Uid(1)), Uid(1));
    assert_eq!(ada.claim_recent(inbox, Uid(1)), Uid(2));
    let mut settings = ada.settings().await.unwrap();
    settings.quota = Some(ada.usage().await.unwrap().0 + 10);
    ada.set_settings(settings).await.unwrap();
    let mail = house.mail("Subject: too much\r\n", NOW).await;
    let refused = ada.append(inbox, mail).await;
    assert!(matches!(refused, Err(StoreError::OverQuota)));
    let refused = ada.copy(inbox, &[Uid(1)], inbox, NOW).await;
    assert!(matches!(refused, Err(StoreError::OverQuota)));
    assert_eq!(house.uids(Role::Inbox).await, [1]);
    house.is_sound().await;
}
