//! The POP3 transcripts (wire §2, §4, §6).

mod player;

use pillarbox_protocols::conversation::Conversation as _;
use pillarbox_protocols::pop3::{Context, Conversation, Limits};
use pillarbox_protocols::sessions::Protocol;
use pillarbox_wire::sasl::Mechanism;
use player::{Driven, Peer, World};
use std::sync::Arc;

fn connect(world: &World, number: usize) -> Box<dyn Peer> {
    let mechanisms = vec![Mechanism::Plain, Mechanism::Xoauth2, Mechanism::OauthBearer];
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
        help_url: "https://mail.example.com/help".into(),
        issuer: "https://accounts.example.com".into(),
        mechanisms,
    };
    let seat = world.seat(Protocol::Pop3, number);
    Conversation::new(Arc::new(context), seat, world.peer(), world.now())
}

#[test]
fn external() {
    player::play_folder("pop3/external", connect_external);
}

#[test]
fn transcripts() {
    player::play_folder("pop3", connect);
}

#[test]
fn scram() {
    player::play_folder("pop3/scram", connect_scram);
}
