//! A POP client that sends anything, before and after sign-in.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pillarbox_fuzz::choice;
use pillarbox_fuzz::player::World;
use pillarbox_fuzz::talk::{INPUT_BYTES_MAX, block_on, hello, talk};
use pillarbox_protocols::pop3::{Context, Conversation, Limits};
use pillarbox_protocols::sessions::Protocol;
use pillarbox_wire::sasl::Mechanism;
use std::sync::Arc;

fuzz_target!(|data: &[u8]| {
    let Some((how, bytes)) = choice(data).filter(|(_, bytes)| bytes.len() <= INPUT_BYTES_MAX)
    else {
        return;
    };
    block_on(async {
        let mut world = World::new().await;
        let given = world.given("ada has 3 messages in INBOX", &[]).await;
        given.expect("messages are delivered");
        let first = match how & 1 {
            1 => hello(&world, "AUTH XOAUTH2 $xoauth2(ada)\r\n").await,
            _ => Vec::new(),
        };
        talk(open(&world), &world, &first, bytes, how >> 1).await;
    });
});

fn open(world: &World) -> Conversation {
    let context = Context {
        store: world.store.clone(),
        identity: world.identity.clone(),
        limits: Limits {
            bad_commands_max: 1000,
            ..Limits::default()
        },
        journal: world.journal(),
        product: "Pillarbox".into(),
        help_url: "https://mail.example.com/help".into(),
        issuer: "https://accounts.example.com".into(),
        mechanisms: Mechanism::ALL.to_vec(),
    };
    let seat = world.seat(Protocol::Pop3, 1);
    Conversation::new(Arc::new(context), seat, world.peer(), world.now())
}
