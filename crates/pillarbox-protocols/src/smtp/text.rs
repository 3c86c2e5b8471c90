//! The text of a message on its way from DATA or BDAT to the delivery floor, and what happens to one that is too large
//! or that nobody wanted: it is read to its end and dropped, and the connection goes on.

use super::replies::TOO_LARGE;
use bytes::{Bytes, BytesMut};
use pillarbox_delivery::Acceptance;
use pillarbox_wire::dot::DataReader;
use pillarbox_wire::line::LineReader;
use pillarbox_wire::smtp::{ChunkReader, Reply};
use std::time::Duration;

/// A text being received.
pub(super) struct Text {
    pub kind: Kind,
    /// None while a job has it, and when the text is dropped.
    pub acceptance: Option<Box<Acceptance>>,
    /// Why it is dropped, told at its end.
    pub refusal: Option<Reply>,
    /// It is dropped for its size: the transaction ends with it.
    pub is_too_large: bool,
    /// All of it has been taken.
    pub done: bool,
    /// Octets of earlier chunks.
    pub before: u64,
    /// When it must have come, on the monotonic clock.
    pub deadline: Duration,
}

/// How its end is found.
pub(super) enum Kind {
    /// By a dot.
    Data(DataReader),
    /// By counting.
    Chunk {
        reader: ChunkReader,
        /// Octets of the chunk so far.
        bytes: u64,
        /// The message ends with it.
        last: bool,
    },
}

impl Text {
    /// Octets of the message so far.
    pub fn bytes(&self) -> u64 {
        self.before
            + match &self.kind {
                Kind::Data(reader) => reader.bytes(),
                Kind::Chunk { bytes, .. } => *bytes,
            }
    }

    /// Whether the message ends where this text does.
    pub fn is_last(&self) -> bool {
        match &self.kind {
            Kind::Data(_) => true,
            Kind::Chunk { last, .. } => *last,
        }
    }

    /// Drops it from now on.
    pub fn too_large(&mut self) {
        let (code, enhanced, text) = TOO_LARGE;
        self.acceptance = None;
        self.is_too_large |= self.refusal.is_none();
        self.refusal
            .get_or_insert_with(|| Reply::new(code, Some(enhanced), text));
    }

    /// Takes what has arrived of it.
    pub fn take(&mut self, lines: &mut LineReader) -> Bytes {
        let keep = self.acceptance.is_some();
        match &mut self.kind {
            Kind::Data(reader) => {
                let mut piece = BytesMut::new();
                if keep {
                    piece.reserve(lines.pending().len());
                }
                let progress = reader.read(lines.pending(), |run| {
                    if keep {
                        piece.extend_from_slice(run);
                    }
                });
                lines.consume(progress.used);
                self.done = progress.done;
                piece.freeze()
            }
            Kind::Chunk { reader, bytes, .. } => {
                let part = reader.take(lines.pending());
                let piece = if keep {
                    Bytes::copy_from_slice(part)
                } else {
                    Bytes::new()
                };
                let used = part.len();
                *bytes += used as u64;
                lines.consume(used);
                self.done = reader.is_done();
                piece
            }
        }
    }
}
