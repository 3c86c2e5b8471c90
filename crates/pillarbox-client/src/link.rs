//! A connection of any kind: bytes out, bytes in, never waiting for ever.

use crate::{Error, Limits};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

/// Read from the connection at once.
const READ_BYTES: usize = 32 * 1024;

/// What a session runs over.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

pub(crate) type Opening<'a> =
    Pin<Box<dyn Future<Output = Result<Box<dyn Stream>, Error>> + Send + 'a>>;

/// Makes connections to one server.
pub(crate) trait Dial: Send + Sync {
    /// A connection in clear.
    fn plain(&self) -> Opening<'_>;
    /// Puts TLS on it.
    fn secure(&self, stream: Box<dyn Stream>) -> Opening<'_>;
    fn limits(&self) -> &Limits;
    /// Host and port.
    fn address(&self) -> (&str, u16);
}

pub(crate) struct Link {
    stream: Box<dyn Stream>,
    /// Not written yet: kept here, so that a wait may be abandoned without cutting a command.
    unsent: Vec<u8>,
    read: Box<[u8]>,
    silence: Duration,
}

impl Link {
    pub(crate) fn new(stream: Box<dyn Stream>, limits: &Limits) -> Self {
        Self {
            stream,
            unsent: Vec::new(),
            read: vec![0; READ_BYTES].into_boxed_slice(),
            silence: limits.silence,
        }
    }

    /// The connection itself, to put TLS on it.
    pub(crate) fn into_stream(self) -> Box<dyn Stream> {
        self.stream
    }

    /// Says this with the next [`Link::flush`].
    pub(crate) fn queue(&mut self, bytes: &[u8]) {
        self.unsent.extend_from_slice(bytes);
    }

    /// Sends what was queued. May be abandoned and called again.
    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        while !self.unsent.is_empty() {
            let write = timeout(self.silence, self.stream.write(&self.unsent));
            let written = write.await.map_err(|_| Error::Timeout("sending"))??;
            if written == 0 {
                return Err(closed());
            }
            self.unsent.drain(..written);
        }
        let flush = timeout(self.silence, self.stream.flush());
        Ok(flush.await.map_err(|_| Error::Timeout("sending"))??)
    }

    /// Sends a large text without copying it.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.flush().await?;
        for piece in bytes.chunks(READ_BYTES) {
            let write = timeout(self.silence, self.stream.write_all(piece));
            write.await.map_err(|_| Error::Timeout("sending"))??;
        }
        self.flush().await
    }

    /// Sends what was queued, then what arrives next, for as long as a server may be silent.
    pub(crate) async fn receive(&mut self, silence: Option<Duration>) -> Result<&[u8], Error> {
        let until = Instant::now() + silence.unwrap_or(self.silence);
        match self.receive_until(until).await? {
            Some(count) => Ok(&self.read[..count]),
            None => Err(Error::Timeout("an answer was due")),
        }
    }

    /// The same until a time; how many bytes of [`Link::received`]. May be abandoned and called again.
    pub(crate) async fn receive_until(&mut self, until: Instant) -> Result<Option<usize>, Error> {
        self.flush().await?;
        match timeout_at(until, self.stream.read(&mut self.read)).await {
            Err(_) => Ok(None),
            Ok(Ok(0)) => Err(closed()),
            Ok(Ok(count)) => Ok(Some(count)),
            // A server that hangs up without TLS's goodbye has still hung up.
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(closed()),
            Ok(Err(error)) => Err(error.into()),
        }
    }

    pub(crate) fn received(&self, count: usize) -> &[u8] {
        &self.read[..count]
    }
}

fn closed() -> Error {
    Error::Ended("the server closed the connection".into())
}
