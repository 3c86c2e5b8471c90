//! The IMAP transcripts (wire §2, §3, §6).

mod player;

use pillarbox_protocols::imap::{Context, Conversation, Limits};
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
        vendor: "Pillarbox".into(),
        version: "0.1.0".into(),
        help_url: "https://mail.example.com/help".into(),
        issuer: "https://accounts.example.com".into(),
        mechanisms: vec![Mechanism::Xoauth2, Mechanism::Plain, Mechanism::OauthBearer],
    };
    let seat = world.seat(Protocol::Imap, number);
    Box::new(Driven(Conversation::new(
        Arc::new(context),
        seat,
        world.peer(),
        world.now(),
    )))
}

#[test]
fn transcripts() {
    player::play_folder("imap", connect);
}
