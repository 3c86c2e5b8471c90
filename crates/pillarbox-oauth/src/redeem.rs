//! What makes a code or a refresh token good against its row. Asked twice: before anything is signed, so that whatever else can be
//! refused is refused while nothing has been spent; and once more in the commit that spends it, for somebody may have been faster.

use crate::authorize::CODE_MS;
use crate::rows::{CodeRow, GrantRow, RotatedRow};
use crate::server::{ErrorCode, TokenError};
use crate::token::{check_verifier, invalid_grant};
use crate::{Scopes, opaque};
use pillarbox_store::mail::Millis;

/// What becomes of a code or refresh token. A reuse is committed (it ends the grant it names) and then refused.
pub(crate) enum Redeemed<T> {
    Good(T),
    Reused(String),
    Refused(TokenError),
}

impl<T> Redeemed<T> {
    /// What the program's author can put right, and who has come so far may know.
    fn invalid(text: &str) -> Self {
        Self::Refused(TokenError::new(ErrorCode::InvalidGrant, text))
    }

    /// What only the owner hears.
    fn no_grant(cause: &str) -> Self {
        Self::Refused(invalid_grant(cause))
    }
}

/// What comes with a code.
pub(crate) struct CodeForm {
    /// Of the client that proved itself.
    pub client: String,
    pub redirect_uri: String,
    pub verifier: Option<String>,
    /// The key of the proof, if there is one.
    pub proven: Option<String>,
    pub now: Millis,
}

impl CodeForm {
    pub(crate) fn check(&self, row: &CodeRow) -> Redeemed<()> {
        // Another client's codes are none of this one's business, not even that they exist.
        if row.client != self.client {
            return Redeemed::no_grant("the code was given to another program");
        }
        if row.redirect_uri != self.redirect_uri {
            let text = "redirect_uri differs from the one of the authorization request.";
            return Redeemed::invalid(text);
        }
        if let Err(text) = check_verifier(row.challenge.as_deref(), self.verifier.as_deref()) {
            return Redeemed::invalid(text);
        }
        if row.key.is_some() && row.key != self.proven {
            return Redeemed::invalid("The code is bound to another key (DPoP).");
        }
        // RFC 6749 §4.1.2: whoever comes second may be the owner, so what the first one got ends. Only somebody who
        // passes the checks above counts: a code that leaked without its verifier ends nothing.
        if let Some(grant) = &row.used {
            return Redeemed::Reused(grant.clone());
        }
        if row.ends <= self.now {
            let text = format!("The code has expired; it lives {} s.", CODE_MS / 1000);
            return Redeemed::invalid(&text);
        }
        Redeemed::Good(())
    }
}

/// What comes with a refresh token.
pub(crate) struct RefreshForm {
    /// Of the client that proved itself.
    pub client: String,
    /// The grant that the token names.
    pub grant: String,
    /// Of the token.
    pub hash: [u8; 32],
    /// The key of the proof, if there is one.
    pub proven: Option<String>,
    /// If not all that was granted is asked for.
    pub narrower: Option<Scopes>,
    /// How long it may lie unused, in milliseconds.
    pub unused: Millis,
    /// Whether somebody was seen to have the latest answer.
    pub arrived: bool,
    pub now: Millis,
}

/// A refresh token that is good.
pub(crate) struct Refreshed {
    pub scopes: Scopes,
    /// How the row says that it was used.
    pub rotated: RotatedRow,
    /// Whether it repeats an answer that was lost.
    pub again: bool,
}

impl RefreshForm {
    pub(crate) fn check(&self, row: &GrantRow) -> Redeemed<Refreshed> {
        if row.client != self.client {
            return Redeemed::no_grant("the refresh token was given to another program");
        }
        if row.revoked.is_some() {
            return Redeemed::no_grant("its grant was ended");
        }
        // First of all: without the key nobody ends the grant of somebody else either.
        if row.key.is_some() && row.key != self.proven {
            return Redeemed::invalid("The refresh token is bound to another key (DPoP).");
        }
        let Some(newest) = row.refresh else {
            return Redeemed::no_grant("its grant has no refresh token");
        };
        let (rotated, again) = if opaque::same(&newest, &self.hash) {
            (RotatedRow::first(self.hash, self.now), false)
        } else if let Some(rotated) = self.lost_answer(row) {
            (rotated, true)
        } else {
            // Ours, of this grant, and neither: two hold it, and one of them took it (RFC 9700 §4.14.2).
            return Redeemed::Reused(self.grant.clone());
        };
        if row.refresh_ends.is_some_and(|ends| ends <= self.now) {
            let cause = "the program is being tried out, and its refresh tokens end after 7 days";
            return Redeemed::no_grant(cause);
        }
        if row.used.saturating_add(self.unused) <= self.now {
            return Redeemed::no_grant("the refresh token was not used for too long");
        }
        let granted = Scopes::parse_known(&row.scope);
        let scopes = self.narrower.unwrap_or(granted);
        if !granted.covers(scopes) {
            let text = "The scope is more than was granted.";
            return Redeemed::Refused(TokenError::new(ErrorCode::InvalidScope, text));
        }
        Redeemed::Good(Refreshed {
            scopes,
            rotated,
            again,
        })
    }

    /// Whether a refresh token that was used may be used once more, because its answer seems to have been lost: how the row
    /// then says so.
    fn lost_answer(&self, row: &GrantRow) -> Option<RotatedRow> {
        let rotated = row.rotated.as_ref().filter(|_| !self.arrived)?;
        rotated.again(&self.hash, self.now)
    }
}
