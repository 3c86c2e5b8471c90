//! The IMAP transcripts (wire §2, §3, §6).
#![allow(clippy::unwrap_used)] // a failing test shall stop

mod player;

use pillarbox_protocols::conversation::Conversation as _;
use pillarbox_protocols::imap::{Context, Conversation, Limits};
use pillarbox_protocols::sessions::Protocol;
use pillarbox_wire::sasl::Mechanism;
use player::{Driven, Peer, World};
use std::sync::Arc;

fn connect(world: &World, number: usize) -> Box<dyn Peer> {
    let mechanisms = vec![Mechanism::Xoauth2, Mechanism::Plain, Mechanism::OauthBearer];
    Box::new(Driven::new(conversation(world, number, mechanisms)))
}

/// Connections from the third on are bound to nothing.
fn connect_scram(world: &World, number: usize) -> Box<dyn Peer> {
    let mechanisms = vec![
        Mechanism::Plain,
        Mechanism::ScramSha256,
        Mechanism::ScramSha256Plus,
    ];
    let mut conversation = conversation(world, number, mechanisms);
    if number < 3 {
        conversation.bind(player::bound());
    }
    Box::new(Driven::new(conversation))
}

/// See `player/external.rs`.
fn connect_external(world: &World, number: usize) -> Box<dyn Peer> {
    let mechanisms = vec![Mechanism::Plain, Mechanism::External];
    let mut conversation = conversation(world, number, mechanisms);
    conversation.bind(player::shown(number));
    Box::new(Driven::new(conversation))
}

fn conversation(world: &World, number: usize, mechanisms: Vec<Mechanism>) -> Conversation {
    let context = Context {
        store: world.store.clone(),
        identity: world.identity.clone(),
        limits: Limits::default(),
        journal: world.journal(),
        product: "Pillarbox".into(),
        vendor: "Pillarbox".into(),
        version: "0.1.0".into(),
        help_url: "https://mail.example.com/help".into(),
        issuer: "https://accounts.example.com".into(),
        mechanisms,
    };
    let seat = world.seat(Protocol::Imap, number);
    Conversation::new(Arc::new(context), seat, world.peer(), world.now())
}

#[test]
fn transcripts() {
    player::play_folder("imap", connect);
}

#[test]
fn scram() {
    player::play_folder("imap/scram", connect_scram);
}

#[test]
fn external() {
    player::play_folder("imap/external", connect_external);
}

#[tokio::test]
async fn a_password_in_place_of_the_name_is_in_no_event() {
    use pillarbox_protocols::events::What;
    let world = World::new().await;
    let mut peer = connect(&world, 1);
    for line in [
        "a LOGIN Hunter2Hunter2 x",
        "b AUTHENTICATE PLAIN AEh1bnRlcjJIdW50ZXIyAHg=",
        "c LOGIN Hunter2Hunter2@example.com x",
        "d LOGIN ADA@example.com x",
    ] {
        let bytes = world.expand(line, &Default::default()).await.unwrap();
        peer.receive(&[&bytes, &b"\r\n"[..]].concat());
        peer.settle(world.now()).await;
    }
    let events = world.events.lock().unwrap().clone();
    assert!(!format!("{events:?}").contains("Hunter2"), "{events:?}");
    let offered = events.iter().filter_map(|event| match &event.what {
        What::Refused { offered, .. } => Some(offered.as_str()),
        _ => None,
    });
    assert_eq!(
        offered.collect::<Vec<_>>(),
        [
            "an unknown name",
            "an unknown name",
            "an unknown address",
            "ADA@example.com"
        ]
    );
}

#[tokio::test]
async fn the_journal_names_causes_the_wire_does_not_and_no_secrets() {
    use pillarbox_protocols::events::What;
    let mut world = World::new().await;
    world.given("token old of ada expired", &[]).await.unwrap();
    let mut peer = connect(&world, 1);
    for line in [
        "a AUTHENTICATE XOAUTH2 $xoauth2(ada, old)",
        "",
        "b LOGIN ada@example.com aaaabbbbccccdddd",
        "c LOGIN ada@example.com $app(ada)",
        "d LOGOUT",
    ] {
        let bytes = world.expand(line, &Default::default()).await.unwrap();
        peer.receive(&[&bytes, &b"\r\n"[..]].concat());
        peer.settle(world.now()).await;
    }
    let events = world.events.lock().unwrap().clone();
    let shown = format!("{events:?}");
    assert!(
        !shown.contains("aaaabbbbccccdddd") && !shown.contains("eyJ"),
        "a secret in {shown}"
    );
    let kinds: Vec<String> = events
        .iter()
        .map(|event| match &event.what {
            What::Connected => "connected".into(),
            What::SignedIn {
                address, mechanism, ..
            } => format!("{address} by {mechanism}"),
            What::Refused {
                offered,
                mechanism,
                cause,
                told,
            } => {
                assert!(
                    !cause.is_empty() && !told.contains(cause.as_str()),
                    "{told} tells {cause}"
                );
                format!("refused {offered} by {mechanism}")
            }
            What::Closed { reason } => reason.to_string(),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "connected",
            "refused ada@example.com by XOAUTH2",
            "refused ada@example.com by LOGIN",
            "ada@example.com by LOGIN",
            "client left",
        ]
    );
}
