//! A client that sends anything to a conversation: it must not panic, must come to rest, may hand out only so much at a time, and must
//! close when the client has left.

use crate::pieces;
use crate::player::World;
use pillarbox_protocols::conversation::{Conversation, News, Now, Step};
use std::cell::OnceCell;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Most bytes handed out to be sent at once: twice what an IMAP command's step gathers, and nothing in these worlds is larger.
const SENT_BYTES_MAX: usize = 512 * 1024;
/// Steps between two reads. A short input may hold a hundred commands, each some steps long.
const STEPS_MAX: usize = 100_000;
/// The longest input played: a fuzzer's inputs are about single commands, and long ones only cost runs.
pub const INPUT_BYTES_MAX: usize = 2000;

thread_local! {
    static RUNTIME: OnceCell<tokio::runtime::Runtime> = const { OnceCell::new() };
}

/// Plays one input to its end on a runtime that is kept.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    RUNTIME.with(|kept| {
        let runtime = kept.get_or_init(|| {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            builder.enable_time().build().expect("a runtime")
        });
        runtime.block_on(work)
    })
}

/// Sends everything, cut as `how` says, and then hangs up. `hello` goes first, uncut: it signs in.
pub async fn talk<C: Conversation>(
    mut conversation: C,
    world: &World,
    hello: &[u8],
    bytes: &[u8],
    how: usize,
) {
    let mut now = world.now();
    let greeted = std::iter::once(hello).filter(|hello| !hello.is_empty());
    let mut open = settle(&mut conversation, &mut now).await;
    for piece in greeted.chain(pieces(bytes, how)) {
        if !open {
            return;
        }
        conversation.receive(piece);
        open = settle(&mut conversation, &mut now).await;
    }
    if open {
        conversation.receive(b"");
        assert!(
            !settle(&mut conversation, &mut now).await,
            "the client left and it stays"
        );
    }
}

/// What a person types to sign in, expanded.
pub async fn hello(world: &World, text: &str) -> Vec<u8> {
    world
        .expand(text, &Default::default())
        .await
        .expect("the macros are right")
}

/// Goes on until the conversation reads or closes; whether it is still open.
async fn settle<C: Conversation>(conversation: &mut C, now: &mut Now) -> bool {
    for _ in 0..STEPS_MAX {
        match conversation.advance(*now) {
            Step::Run(job) => {
                let answer = job.await;
                conversation.answer(answer, *now);
            }
            Step::Rest(until) => now.mono = until,
            Step::Send(bytes) => assert!(
                bytes.len() <= SENT_BYTES_MAX,
                "{} bytes at once",
                bytes.len()
            ),
            Step::UpgradeTls => conversation.secured(),
            Step::Close => return false,
            Step::Read(_) => match ready(conversation.seat().news()) {
                Some(news) => conversation.hear(news),
                None => return true,
            },
        }
    }
    panic!("it does not come to rest");
}

fn ready(future: impl Future<Output = News>) -> Option<News> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(news) => Some(news),
        Poll::Pending => None,
    }
}
