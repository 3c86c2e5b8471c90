//! Argon2id of passwords people chose: off the async threads, few at a time, the same work whether or not there is a hash
//! to compare with.

use crate::{Hashing, IdentityError, Random, Result};
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Most sign-ins that wait for a turn; further ones are told to come back.
const WAITING_MAX: usize = 256;

/// Makes and compares hashes.
pub(crate) struct Hasher {
    argon: Argon2<'static>,
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
    /// Compared with when there is no hash; no password fits it.
    nobody: String,
}

/// Too many are waiting.
pub(crate) struct Busy;

impl Hasher {
    pub(crate) async fn new(cost: Hashing, random: &Random) -> Result<Self> {
        let params = Params::new(cost.memory_kib, cost.passes, 1, None)
            .map_err(|fault| IdentityError::Config(format!("password hashing: {fault}")))?;
        let mut hasher = Self {
            argon: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            turns: Arc::new(Semaphore::new(cost.parallel.max(1))),
            places: Arc::new(Semaphore::new(WAITING_MAX)),
            nobody: String::new(),
        };
        let unknowable = crate::opaque::random_text(random, 32);
        hasher.nobody = hasher.hash(&unknowable, random).await?;
        Ok(hasher)
    }

    /// Hashes a password; the answer is a PHC string.
    pub(crate) async fn hash(&self, password: &str, random: &Random) -> Result<String> {
        let mut salt = [0; 16];
        random(&mut salt);
        let (argon, password) = (self.argon.clone(), password.to_owned());
        let hash = self.in_turn(move || {
            let hash: PasswordHash = argon
                .hash_password_with_salt(password.as_bytes(), &salt)
                .ok()?;
            Some(hash.to_string())
        });
        hash.await
            .flatten()
            .ok_or(IdentityError::Broken("password hashing"))
    }

    /// Whether a password fits a hash; with none, the same work and no.
    pub(crate) async fn fits(&self, password: &str, phc: Option<&str>) -> Result<bool, Busy> {
        let _place = self.places.try_acquire().map_err(|_| Busy)?;
        let known = phc.is_some();
        let phc = phc.unwrap_or(&self.nobody).to_owned();
        let (argon, password) = (self.argon.clone(), password.to_owned());
        let fits = self.in_turn(move || {
            let hash = PasswordHash::new(&phc);
            hash.is_ok_and(|hash| argon.verify_password(password.as_bytes(), &hash).is_ok())
        });
        Ok(fits.await == Some(true) && known)
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        // Held by the work itself: a caller that leaves does not let another in early.
        let turn = Arc::clone(&self.turns).acquire_owned().await.ok()?;
        let work = move || {
            let _turn = turn;
            work()
        };
        tokio::task::spawn_blocking(work).await.ok()
    }
}
