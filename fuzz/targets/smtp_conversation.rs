//! An SMTP client that sends anything, on each kind of port, before and after sign-in.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pillarbox_delivery::{Config, Delivery, Outbox};
use pillarbox_fuzz::choice;
use pillarbox_fuzz::player::World;
use pillarbox_fuzz::talk::{INPUT_BYTES_MAX, block_on, hello, talk};
use pillarbox_protocols::smtp::{Context, Conversation, Limits, Role};
use pillarbox_wire::sasl::Mechanism;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

fuzz_target!(|data: &[u8]| {
    let Some((how, bytes)) = choice(data).filter(|(_, bytes)| bytes.len() <= INPUT_BYTES_MAX)
    else {
        return;
    };
    let (role, first) = match how & 3 {
        0 => (Role::Incoming { tls: true }, ""),
        1 => (
            Role::Submission,
            "EHLO client.test\r\nAUTH XOAUTH2 $xoauth2(ada)\r\n",
        ),
        2 => (Role::Submission, ""),
        _ => (Role::SubmissionStartTls, ""),
    };
    block_on(async {
        let world = World::new().await;
        let first = hello(&world, first).await;
        let context = context(&world).await;
        let seat = world.seat(role.protocol(), 1);
        let conversation = Conversation::new(context, role, seat, world.peer(), world.now());
        talk(conversation, &world, &first, bytes, how >> 2).await;
    });
});

async fn context(world: &World) -> Arc<Context> {
    let mut config = Config::new("mail.example.com", "Pillarbox");
    config.outbox = Outbox::Refuse;
    let next = AtomicU8::new(1);
    let random =
        Arc::new(move |bytes: &mut [u8]| bytes.fill_with(|| next.fetch_add(37, Ordering::Relaxed)));
    let delivery = Delivery::open(world.store.clone(), config, random, world.now().wall).await;
    Arc::new(Context {
        delivery: delivery.expect("delivery opens"),
        identity: world.identity.clone(),
        limits: Limits {
            unknown_commands_max: 1000,
            unauthenticated_commands_max: 1000,
            ..Limits::default()
        },
        journal: world.journal(),
        host: "smtp.example.com".into(),
        source: "pillarbox".into(),
        help_url: "https://mail.example.com/help".into(),
        issuer: "https://accounts.example.com".into(),
        mechanisms: Mechanism::ALL.to_vec(),
    })
}
