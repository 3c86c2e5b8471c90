//! SCRAM-SHA-256 (RFC 5802, RFC 7677) for app passwords: what is kept of one, and the check of a proof.
//!
//! A client names only itself, and an account may have many app passwords. So their verifiers share one salt, and a proof is
//! tried against each: two HMACs a piece, no iteration. Where there is none, an empty one is tried; that a hundred take longer
//! is hidden by who answers (the mail services hold each refusal back for longer than that).
//!
//! The salt is our mark on the name that was given, for anybody who is asked for: no read, nothing to tell an unknown person
//! from a known one. A salt of the account's would be the same under each of its aliases and so tell that they exist; therefore
//! SCRAM takes the account's own address only. Random salts protect people's passwords from tables made beforehand; ours is a
//! keyed hash, and 75 random bits are in no table.
//!
//! The account's own password is not here: only its Argon2id hash is kept, and SCRAM would need a second, weaker one.

use crate::attempts::Guess;
use crate::rows::ScramRow;
use crate::{Identity, Passwords, Principal, Refusal, Result, Service, opaque};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pillarbox_store::mail::Millis;
use std::borrow::Cow;
use std::num::NonZeroU32;

/// RFC 7677 §4's least. More would slow down clients, not guesses: an app password is random.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).expect("not zero");
/// Octets of the salt.
const SALT_BYTES: usize = 16;
/// Random octets of our part of the nonce: 144 bits.
const NONCE_BYTES: usize = 18;
/// HMACs that trying a verifier costs: the signature, and at the end the server's, counted with each.
const HMACS_A_TRY: u64 = 2;

/// What the server says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScramChallenge {
    /// Our part of the nonce.
    pub nonce: String,
    /// The salt of the user's app passwords, be there such a user or not.
    pub salt: [u8; 16],
    /// How often to hash.
    pub iterations: u32,
}

impl Identity {
    /// What a client needs to prove an app password of `user`; anybody gets an answer of the same form.
    ///
    /// # Errors
    /// A [`Refusal`] for too many attempts, or where passwords are switched off.
    pub fn scram_challenge(&self, user: &str, now: Millis) -> Result<ScramChallenge, Refusal> {
        self.scram_is_on()?;
        self.slow_down(Guess::Mail, user, now)?;
        let mut nonce = [0; NONCE_BYTES];
        (self.inner.random)(&mut nonce);
        Ok(ScramChallenge {
            nonce: STANDARD.encode(nonce),
            salt: self.scram_salt(user),
            iterations: ITERATIONS.get(),
        })
    }

    /// Checks a proof over `signed`, RFC 5802's `AuthMessage`; gives the server's signature over the same.
    ///
    /// # Errors
    /// A [`Refusal`] whose cause is precise.
    pub async fn scram(
        &self,
        user: &str,
        signed: &str,
        proof: &[u8; 32],
        service: Service,
        now: Millis,
    ) -> Result<(Principal, [u8; 32]), Refusal> {
        self.scram_is_on()?;
        self.slow_down(Guess::Mail, user, now)?;
        let found = self.check_scram(user, signed, proof, service, now).await;
        let (found, signature) = match found {
            Ok((who, signature)) => (Ok(who), signature),
            Err(refusal) => (Err(refusal), [0; 32]),
        };
        self.count(Guess::Mail, user, &found, now);
        found.map(|who| (who, signature))
    }

    async fn check_scram(
        &self,
        user: &str,
        signed: &str,
        proof: &[u8; 32],
        service: Service,
        now: Millis,
    ) -> Result<(Principal, [u8; 32]), Refusal> {
        let account = self.inner.store.account_of(user).await?;
        let rows = self.app_rows_or_none(account.as_ref()).await?;
        let nobody = ScramRow::default();
        let verifier = |index: usize| {
            rows.get(index)
                .and_then(|(_, row)| row.scram.as_ref())
                .filter(|scram| scram.iterations == ITERATIONS.get())
        };
        let mut fits = None;
        for index in 0..rows.len().max(1) {
            let known = verifier(index);
            let signature = try_one(known.unwrap_or(&nobody), signed, proof);
            self.inner.work.quick(HMACS_A_TRY);
            if let (Some(signature), Some(_)) = (signature, known) {
                fits = Some((index, signature));
            }
        }
        let Some(account) = account else {
            return Err(Refusal::invalid("there is no such account"));
        };
        let Some((row, signature)) = fits.and_then(|(index, signature)| {
            let row = rows.into_iter().nth(index)?;
            Some((row, signature))
        }) else {
            let cause = "no app password of this account gives this proof; SCRAM takes the account's own address only";
            return Err(Refusal::invalid(cause));
        };
        let who = self.app_password_opens(account, row, service, now).await?;
        Ok((who, signature))
    }

    /// What is kept of an app password for SCRAM.
    pub(crate) fn scram_row(&self, address: &str, letters: &str) -> ScramRow {
        let password = prepared(letters);
        let salt = self.scram_salt(address);
        let mut salted = [0; 32];
        pbkdf2::derive(
            PBKDF2_HMAC_SHA256,
            ITERATIONS,
            &salt,
            password.as_bytes(),
            &mut salted,
        );
        let client = mac(&salted, "Client Key");
        ScramRow {
            iterations: ITERATIONS.get(),
            stored: sha256(&client),
            server: mac(&salted, "Server Key"),
        }
    }

    fn scram_salt(&self, user: &str) -> [u8; SALT_BYTES] {
        self.inner.work.quick(1);
        let user = prepared(user).to_lowercase();
        let mark = self.inner.keys.mark("scram salt", &user);
        let mut salt = [0; SALT_BYTES];
        salt.copy_from_slice(&mark[..SALT_BYTES]);
        salt
    }

    fn scram_is_on(&self) -> Result<(), Refusal> {
        match self.inner.config.passwords {
            Passwords::Never => Err(Refusal::invalid(
                "passwords are switched off on this server",
            )),
            Passwords::App | Passwords::Account => Ok(()),
        }
    }
}

/// The server's signature, if the proof fits (RFC 5802 §3). The same work either way.
fn try_one(row: &ScramRow, signed: &str, proof: &[u8; 32]) -> Option<[u8; 32]> {
    let mut client = mac(&row.stored, signed);
    for (byte, proof) in client.iter_mut().zip(proof) {
        *byte ^= proof;
    }
    let signature = mac(&row.server, signed);
    opaque::same(&sha256(&client), &row.stored).then_some(signature)
}

/// SASLprep (RFC 4013), as RFC 5802 §5.1 asks for; a text that it refuses is taken as it is and fits nothing.
fn prepared(text: &str) -> Cow<'_, str> {
    stringprep::saslprep(text).unwrap_or(Cow::Borrowed(text))
}

fn mac(key: &[u8; 32], text: &str) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(hmac::sign(&hmac::Key::new(HMAC_SHA256, key), text.as_bytes()).as_ref());
    out
}

fn sha256(bytes: &[u8; 32]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)] // a failed unwrap is a failed test
    use super::*;

    /// A client's proof and the signature it expects.
    pub(crate) fn client(
        password: &str,
        salt: &[u8],
        iterations: u32,
        signed: &str,
    ) -> ([u8; 32], [u8; 32]) {
        let iterations = NonZeroU32::new(iterations).unwrap();
        let mut salted = [0; 32];
        pbkdf2::derive(
            PBKDF2_HMAC_SHA256,
            iterations,
            salt,
            password.as_bytes(),
            &mut salted,
        );
        let mut proof = mac(&salted, "Client Key");
        let signature = mac(&sha256(&proof), signed);
        proof.iter_mut().zip(signature).for_each(|(a, b)| *a ^= b);
        (proof, mac(&mac(&salted, "Server Key"), signed))
    }

    /// RFC 7677 §3.
    #[test]
    fn the_example_of_rfc_7677() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let signed = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                      s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let (proof, expected) = client("pencil", &salt, 4096, signed);
        assert_eq!(
            STANDARD.encode(proof),
            "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        let mut salted = [0; 32];
        pbkdf2::derive(
            PBKDF2_HMAC_SHA256,
            ITERATIONS,
            &salt,
            b"pencil",
            &mut salted,
        );
        let row = ScramRow {
            iterations: 4096,
            stored: sha256(&mac(&salted, "Client Key")),
            server: mac(&salted, "Server Key"),
        };
        let signature = try_one(&row, signed, &proof).unwrap();
        assert_eq!(signature, expected);
        assert_eq!(
            STANDARD.encode(signature),
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        );
        assert_eq!(
            try_one(&row, &signed.replace("i=4096", "i=4097"), &proof),
            None
        );
        assert_eq!(try_one(&ScramRow::default(), signed, &proof), None);
    }

    #[test]
    fn names_are_prepared() {
        assert_eq!(prepared("I\u{ad}X"), "IX");
        assert_eq!(prepared("\u{2168}"), "IX");
        assert_eq!(prepared("a\u{7}"), "a\u{7}");
    }
}
