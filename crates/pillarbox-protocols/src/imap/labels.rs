//! X-GM-LABELS (wire §3.7): mailboxes as labels, in both directions.

use super::desk::Signed;
use super::out::Out;
use super::refuse::Refused;
use pillarbox_store::mail::{LabelName, MailboxId, Role, StoreError};
use pillarbox_wire::imap::{Label, mutf7};
use std::collections::HashMap;
use std::sync::Arc;

/// The name a system label is shown with; All Mail is none.
fn shown(role: Role) -> Option<&'static str> {
    Some(match role {
        Role::Inbox => "\\Inbox",
        Role::Sent => "\\Sent",
        Role::Drafts => "\\Draft",
        Role::Important => "\\Important",
        Role::Starred => "\\Starred",
        Role::Trash => "\\Trash",
        Role::Junk => "\\Spam",
        Role::All => return None,
    })
}

/// The role a system label names, synonyms included.
pub fn role_of(name: &str) -> Option<Role> {
    const NAMES: [(&str, Role); 10] = [
        ("Inbox", Role::Inbox),
        ("Sent", Role::Sent),
        ("Draft", Role::Drafts),
        ("Drafts", Role::Drafts),
        ("Important", Role::Important),
        ("Starred", Role::Starred),
        ("Flagged", Role::Starred),
        ("Trash", Role::Trash),
        ("Spam", Role::Junk),
        ("Junk", Role::Junk),
    ];
    NAMES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, role)| *role)
}

/// The account's labels, to print those of messages.
pub struct Labels {
    by_id: HashMap<MailboxId, (Option<Role>, Arc<str>)>,
}

impl Labels {
    /// Reads the account's mailboxes.
    pub async fn read(signed: &Signed) -> Result<Self, StoreError> {
        let (_, mailboxes) = signed.account.mailboxes().await?;
        Ok(Self {
            by_id: mailboxes
                .into_iter()
                .map(|mailbox| (mailbox.id, (mailbox.role, mailbox.name)))
                .collect(),
        })
    }

    /// The mailbox a label names, compared without case: the spelling as it is first, then as modified UTF-7
    /// (wire §3.7).
    pub fn find(&self, label: &Label) -> Option<MailboxId> {
        let by_name = |name: &str| {
            let name = name.to_lowercase();
            self.by_id
                .iter()
                .find(|(_, (role, known))| role.is_none() && known.to_lowercase() == name)
                .map(|(id, _)| *id)
        };
        match label.system() {
            Some(system) => {
                let wanted = role_of(system)?;
                self.by_id
                    .iter()
                    .find(|(_, (role, _))| *role == Some(wanted))
                    .map(|(id, _)| *id)
            }
            None => by_name(label.as_str()).or_else(|| {
                mutf7::decode(label.as_str().as_bytes())
                    .ok()
                    .and_then(|name| by_name(&name))
            }),
        }
    }

    /// Every label but All Mail, with the name it is shown by.
    pub fn iter(&self) -> impl Iterator<Item = (MailboxId, &Arc<str>, Option<Role>)> {
        self.by_id
            .iter()
            .map(|(id, (role, name))| (*id, name, *role))
    }

    /// Prints the labels of a message, without that of the selected mailbox: `("\\Inbox" Receipts "work/project x")`.
    pub fn print(
        &self,
        places: impl Iterator<Item = MailboxId>,
        selected: MailboxId,
        utf8: bool,
        out: &mut Out,
    ) {
        let mut system = Vec::new();
        let mut user = Vec::new();
        for id in places.filter(|id| *id != selected) {
            match self.by_id.get(&id) {
                Some((Some(role), _)) => system.extend(shown(*role)),
                Some((None, name)) => user.push(&**name),
                None => {}
            }
        }
        system.sort_unstable();
        user.sort_unstable();
        out.text("(");
        for (index, name) in system.into_iter().chain(user).enumerate() {
            if index > 0 {
                out.text(" ");
            }
            match is_atom(name) {
                true => out.text(name),
                false => out.printer(utf8).mailbox(name),
            }
        }
        out.text(")");
    }
}

/// Whether a name can stand without quotes, in either encoding. NIL could not be told from nothing.
fn is_atom(name: &str) -> bool {
    let legal = |b: u8| b.is_ascii_graphic() && !b"(){%*\"\\]&".contains(&b);
    !name.is_empty() && name.bytes().all(legal) && !name.eq_ignore_ascii_case("NIL")
}

/// What STORE X-GM-LABELS shall change. `\Sent`, `\Draft` and `\Muted` are passed over (wire §3.7).
pub fn to_store(labels: &[Label]) -> Result<Vec<LabelName>, Refused> {
    let mut names = Vec::new();
    for label in labels {
        match label.system() {
            Some(system) => match role_of(system) {
                Some(Role::Sent | Role::Drafts) => {}
                Some(role) => names.push(LabelName::Role(role)),
                None if system.eq_ignore_ascii_case("Muted") => {}
                None => return Err(Refused::no("CANNOT", "Invalid folder name (Failure)")),
            },
            None => names.push(LabelName::User(label.as_str().into())),
        }
    }
    Ok(names)
}
