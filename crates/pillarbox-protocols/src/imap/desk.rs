//! What a job works with: who is signed in, and the view of the selected mailbox. It is lent to one job at a time.

use super::Context;
use super::view::View;
use pillarbox_store::mail::{Account, Mailbox};
use std::sync::Arc;

/// The authenticated state of RFC 3501 §3, and with a view the selected state.
pub struct Desk {
    /// Who is here.
    pub signed: Signed,
    /// The selected mailbox.
    pub view: Option<View>,
}

/// A signed-in session without its mailbox.
pub struct Signed {
    /// What all connections share.
    pub context: Arc<Context>,
    /// Whose mail it is.
    pub account: Account,
    /// Whether anything may be changed; what the token's scope says.
    pub may_write: bool,
    /// Whether hidden mailboxes show, and all of them whole whatever their limit (scope `gmail.imap_admin`).
    pub sees_hidden: bool,
    /// ENABLE UTF8=ACCEPT was sent (RFC 6855 §3).
    pub utf8: bool,
    /// A CONDSTORE-enabling command was sent (RFC 7162 §3.1).
    pub condstore: bool,
}

impl Signed {
    /// Whether a mailbox is there for this session: people hide labels from IMAP (wire §3.6).
    pub fn shows(&self, mailbox: &Mailbox) -> bool {
        mailbox.visible || self.sees_hidden
    }
}
