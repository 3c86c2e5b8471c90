//! Tests: servers that say what is written down and hold the client to its lines, over in-process pipes.
//!
//! One text is one connection: `S: ` a line to say, `C: ` the line the client must say, `hang` until the client leaves. At the
//! end of its text the server closes.
#![allow(clippy::unwrap_used)] // a failed unwrap is the failed test

use crate::link::{Dial, Opening, Stream};
use crate::{Error, Limits};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::task::JoinHandle;

pub(crate) struct Play {
    texts: Mutex<VecDeque<String>>,
    played: Mutex<Vec<JoinHandle<()>>>,
    secured: Mutex<usize>,
    limits: Limits,
}

impl Play {
    pub(crate) fn new<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Arc<Self> {
        Self::with_limits(texts, Limits::default())
    }

    pub(crate) fn with_limits<T: AsRef<str>>(
        texts: impl IntoIterator<Item = T>,
        limits: Limits,
    ) -> Arc<Self> {
        Arc::new(Self {
            texts: Mutex::new(texts.into_iter().map(|t| t.as_ref().to_owned()).collect()),
            played: Mutex::default(),
            secured: Mutex::default(),
            limits,
        })
    }

    /// Fails if anything was not played, or not as written.
    pub(crate) async fn end(&self) {
        assert_eq!(self.texts.lock().unwrap().len(), 0, "connections not made");
        let played = std::mem::take(&mut *self.played.lock().unwrap());
        for task in played {
            task.await.unwrap();
        }
    }

    /// How often TLS was begun.
    pub(crate) fn secured(&self) -> usize {
        *self.secured.lock().unwrap()
    }
}

impl Dial for Play {
    fn plain(&self) -> Opening<'_> {
        Box::pin(async {
            let text = self.texts.lock().unwrap().pop_front();
            let text = text.ok_or_else(|| Error::Argument("one connection too many".into()))?;
            // A small pipe: both sides have to take turns.
            let (ours, theirs) = tokio::io::duplex(256);
            self.played
                .lock()
                .unwrap()
                .push(tokio::spawn(play(text, theirs)));
            Ok(Box::new(ours) as Box<dyn Stream>)
        })
    }

    fn secure(&self, stream: Box<dyn Stream>) -> Opening<'_> {
        *self.secured.lock().unwrap() += 1;
        Box::pin(async { Ok(stream) })
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn address(&self) -> (&str, u16) {
        ("mail.example.org", 993)
    }
}

async fn play(text: String, stream: DuplexStream) {
    let mut stream = BufReader::new(stream);
    for line in text.lines().map(str::trim_start).filter(|l| !l.is_empty()) {
        if let Some(said) = line.strip_prefix("S: ") {
            // A client that has seen enough may be gone.
            let _ = stream.write_all(format!("{said}\r\n").as_bytes()).await;
        } else if line == "hang" {
            let mut rest = String::new();
            let read = stream.read_line(&mut rest).await;
            assert!(matches!(read, Ok(0) | Err(_)), "the client said {rest:?}");
        } else {
            let expected = line.strip_prefix("C:").unwrap();
            let expected = expected.strip_prefix(' ').unwrap_or(expected);
            let mut heard = String::new();
            stream.read_line(&mut heard).await.unwrap();
            assert_eq!(heard, format!("{expected}\r\n"));
        }
    }
}
