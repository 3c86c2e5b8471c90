//! The one place that draws random numbers; floors below are handed [`source`].

use std::sync::Arc;

/// Fills a buffer with unpredictable bytes.
pub type Source = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// The system's randomness, by way of the crypto library.
pub fn source() -> Source {
    Arc::new(|buffer: &mut [u8]| {
        // Without randomness nothing here is safe to do, and on the systems we run on this cannot fail after start.
        #[expect(clippy::expect_used, reason = "see above")]
        aws_lc_rs::rand::fill(buffer).expect("the system has no randomness");
    })
}

/// One random number.
pub fn number() -> u64 {
    let mut bytes = [0; 8];
    source()(&mut bytes);
    u64::from_ne_bytes(bytes)
}
