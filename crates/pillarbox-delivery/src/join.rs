//! Several futures at once in one task: commits of many accounts share one flush. Results in the order given.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

enum Slot<'a, T> {
    Running(Pin<Box<dyn Future<Output = T> + Send + 'a>>),
    Done(Option<T>),
}

/// Runs all to their ends. At most a hundred recipients, so polling each of them again costs little.
pub(crate) async fn all<'a, T, F>(futures: impl IntoIterator<Item = F>) -> Vec<T>
where
    F: Future<Output = T> + Send + 'a,
    T: Unpin,
{
    let mut slots: Vec<Slot<'a, T>> = futures
        .into_iter()
        .map(|future| Slot::Running(Box::pin(future)))
        .collect();
    poll_fn(|context| {
        let mut ready = true;
        for slot in &mut slots {
            if let Slot::Running(future) = slot {
                match future.as_mut().poll(context) {
                    Poll::Ready(value) => *slot = Slot::Done(Some(value)),
                    Poll::Pending => ready = false,
                }
            }
        }
        if ready {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    slots
        .into_iter()
        .filter_map(|slot| match slot {
            Slot::Done(value) => value,
            Slot::Running(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn order_is_kept_and_they_run_together() {
        let (send, receive) = tokio::sync::oneshot::channel::<u8>();
        let first: Pin<Box<dyn Future<Output = Option<u8>> + Send>> =
            Box::pin(async { receive.await.ok() });
        let second: Pin<Box<dyn Future<Output = Option<u8>> + Send>> =
            Box::pin(async { send.send(7).ok().map(|()| 8) });
        assert_eq!(all([first, second]).await, [Some(7), Some(8)]);
    }
}
