//! The delivery floor's refusals in SMTP's words (wire §5.3): what the peer is told, and what the owner wants to know.

use super::replies;
use pillarbox_delivery::Refused;
use pillarbox_store::mail::StoreError;
use pillarbox_wire::smtp::Enhanced;

/// The reply.
pub(super) fn reply(refused: &Refused) -> (u16, Enhanced, String) {
    let policy = |text: &str| (550, Enhanced(5, 7, 1), text.to_owned());
    let (code, enhanced, text) = match refused {
        Refused::NoSuchUser | Refused::Store(StoreError::NoSuchAccount) => (
            550,
            Enhanced(5, 1, 1),
            "The email account that you tried to reach does not exist.",
        ),
        Refused::Suspended => (
            550,
            Enhanced(5, 2, 1),
            "The email account that you tried to reach is disabled.",
        ),
        Refused::SenderSuspended => return policy("Your account is disabled."),
        Refused::OverQuota | Refused::Store(StoreError::OverQuota) => (
            452,
            Enhanced(4, 2, 2),
            "The email account that you tried to reach is over quota.",
        ),
        Refused::SenderOverQuota => (
            552,
            Enhanced(5, 2, 2),
            "Your mailbox is full; no copy could be kept in Sent.",
        ),
        Refused::NotRelayed => return policy("This server does not relay mail."),
        Refused::NoOutgoing => return policy("Outgoing mail is not available on this server yet."),
        Refused::NoFrom => return policy("The 'From' header is missing or has no address."),
        Refused::ManyFrom => {
            return policy(
                "Messages with multiple addresses in the 'From' header are not accepted.",
            );
        }
        Refused::Repeated(name) => {
            return policy(&format!(
                "Messages with more than one '{name}' header are not accepted."
            ));
        }
        Refused::TooManyHops => (
            554,
            Enhanced(5, 4, 6),
            "Message exceeded 50 hops, this may indicate a mail loop.",
        ),
        Refused::HeaderTooLong => (
            552,
            Enhanced(5, 3, 4),
            "The message header exceeded our size limits.",
        ),
        Refused::BareLineFeed => (
            554,
            Enhanced(5, 6, 0),
            "Mail message is malformed: bare line feed.",
        ),
        Refused::Store(StoreError::TooMany(_)) => (
            replies::TOO_LARGE.0,
            replies::TOO_LARGE.1,
            replies::TOO_LARGE.2,
        ),
        Refused::Store(_) => (
            451,
            Enhanced(4, 3, 0),
            "Temporary System Problem. Try again later",
        ),
    };
    (code, enhanced, text.to_owned())
}

/// Whether the log says it by itself: faults of ours and full mailboxes, not what senders do wrong.
pub(super) fn concerns_owner(refused: &Refused) -> bool {
    matches!(
        refused,
        Refused::Store(_)
            | Refused::SenderSuspended
            | Refused::OverQuota
            | Refused::SenderOverQuota
            | Refused::NoOutgoing
            | Refused::TooManyHops
    )
}
