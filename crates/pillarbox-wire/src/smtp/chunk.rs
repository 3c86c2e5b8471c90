//! The bytes after a BDAT command (RFC 3030 §2): counted, not searched.

/// Takes exactly as many bytes as BDAT announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkReader {
    remaining: u64,
}

impl ChunkReader {
    /// A chunk of `size` bytes. The size is a claim: allocate for what arrives, not for it.
    #[must_use]
    pub fn new(size: u64) -> Self {
        Self { remaining: size }
    }

    /// The part of `input` that belongs to the chunk; the rest is the next command.
    pub fn take<'a>(&mut self, input: &'a [u8]) -> &'a [u8] {
        let count = usize::try_from(self.remaining)
            .unwrap_or(usize::MAX)
            .min(input.len());
        self.remaining -= count as u64;
        &input[..count]
    }

    /// Bytes still to come.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.remaining
    }

    /// Whether the whole chunk has been taken; true at once for `BDAT 0 LAST`.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.remaining == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_was_announced() {
        let mut chunk = ChunkReader::new(7);
        assert_eq!(chunk.take(b"\r\n.\r\n"), b"\r\n.\r\n");
        assert!(!chunk.is_done());
        assert_eq!(chunk.take(b"abQUIT\r\n"), b"ab");
        assert!(chunk.is_done());
        assert_eq!(chunk.take(b"QUIT\r\n"), b"");
        assert!(ChunkReader::new(0).is_done());
        assert_eq!(ChunkReader::new(u64::MAX).take(b"x"), b"x");
    }
}
