//! The POP3 transcripts (wire §2, §4, §6).

mod player;

use pillarbox_protocols::pop3::{Context, Conversation, Limits};
use pillarbox_protocols::sessions::Protocol;
use pillarbox_wire::sasl::Mechanism;
use player::{Driven, Peer, World};
use std::sync::Arc;

fn connect(world: &World, number: usize) -> Box<dyn Peer> {
    let context = Context {
        store: world.store.clone(),
        identity: world.identity.clone(),
        limits: Limits::default(),
        journal: world.journal(),
        product: "Pillarbox".into(),
        help_url: "https://mail.example.com/help".into(),
        issuer: "https://accounts.example.com".into(),
        mechanisms: vec![Mechanism::Plain, Mechanism::Xoauth2, Mechanism::OauthBearer],
    };
    let seat = world.seat(Protocol::Pop3, number);
    Box::new(Driven(Conversation::new(
        Arc::new(context),
        seat,
        world.peer(),
        world.now(),
    )))
}

#[test]
fn transcripts() {
    player::play_folder("pop3", connect);
}
