//! What the RFCs say about commands, as data; capabilities follow from it.

/// When a command is legal (RFC 3501 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Always.
    Any,
    /// Before sign-in.
    NotAuthenticated,
    /// After sign-in, with a mailbox selected or not.
    Authenticated,
    /// With a mailbox selected.
    Selected,
}

/// May an untagged EXPUNGE be sent when this ends? (RFC 3501 §7.4.1)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// FETCH, STORE and SEARCH: clients may have sent more of them, with numbers of before.
    HoldStill,
    /// All others.
    MayShift,
}

/// One command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// As [`Body::name`](pillarbox_wire::imap::Body::name) has it.
    pub name: &'static str,
    /// See [`When`].
    pub when: When,
    /// See [`Numbers`].
    pub numbers: Numbers,
    /// What a client must see announced to use it; empty for what every server has.
    pub capability: &'static str,
    /// Where it is defined.
    pub rfc: &'static str,
}

impl Spec {
    /// Whether it changes the account, whatever mailbox is selected. What changes the selected mailbox alone (STORE, MOVE,
    /// EXPUNGE) is refused there, because it is open read-only.
    pub fn changes(&self) -> bool {
        matches!(
            self.name,
            "CREATE"
                | "DELETE"
                | "RENAME"
                | "SUBSCRIBE"
                | "UNSUBSCRIBE"
                | "APPEND"
                | "COPY"
                | "UID COPY"
        )
    }
}

use Numbers::{HoldStill, MayShift};
use When::{Any, Authenticated, NotAuthenticated, Selected};

const fn spec(
    name: &'static str,
    when: When,
    numbers: Numbers,
    capability: &'static str,
    rfc: &'static str,
) -> Spec {
    Spec {
        name,
        when,
        numbers,
        capability,
        rfc,
    }
}

/// Every command we know.
#[rustfmt::skip] // a table is read down its columns
pub const COMMANDS: &[Spec] = &[
    spec("CAPABILITY",   Any,              MayShift,  "",             "3501 §6.1.1"),
    spec("NOOP",         Any,              MayShift,  "",             "3501 §6.1.2"),
    spec("LOGOUT",       Any,              MayShift,  "",             "3501 §6.1.3"),
    spec("ID",           Any,              MayShift,  "ID",           "2971 §3.1"),
    spec("AUTHENTICATE", NotAuthenticated, MayShift,  "",             "3501 §6.2.2"),
    spec("LOGIN",        NotAuthenticated, MayShift,  "",             "3501 §6.2.3"),
    spec("ENABLE",       Authenticated,    MayShift,  "ENABLE",       "5161 §3.1"),
    spec("SELECT",       Authenticated,    MayShift,  "",             "3501 §6.3.1"),
    spec("EXAMINE",      Authenticated,    MayShift,  "",             "3501 §6.3.2"),
    spec("CREATE",       Authenticated,    MayShift,  "",             "3501 §6.3.3"),
    spec("DELETE",       Authenticated,    MayShift,  "",             "3501 §6.3.4"),
    spec("RENAME",       Authenticated,    MayShift,  "",             "3501 §6.3.5"),
    spec("SUBSCRIBE",    Authenticated,    MayShift,  "",             "3501 §6.3.6"),
    spec("UNSUBSCRIBE",  Authenticated,    MayShift,  "",             "3501 §6.3.7"),
    spec("LIST",         Authenticated,    MayShift,  "",             "3501 §6.3.8"),
    spec("LSUB",         Authenticated,    MayShift,  "",             "3501 §6.3.9"),
    spec("XLIST",        Authenticated,    MayShift,  "XLIST",        "wire §3.5"),
    spec("NAMESPACE",    Authenticated,    MayShift,  "NAMESPACE",    "2342 §5"),
    spec("STATUS",       Authenticated,    MayShift,  "",             "3501 §6.3.10"),
    spec("APPEND",       Authenticated,    MayShift,  "",             "3501 §6.3.11"),
    spec("GETQUOTA",     Authenticated,    MayShift,  "QUOTA",        "9208 §4.1.1"),
    spec("GETQUOTAROOT", Authenticated,    MayShift,  "QUOTA",        "9208 §4.1.2"),
    spec("IDLE",         Authenticated,    MayShift,  "IDLE",         "2177 §3"),
    spec("CHECK",        Selected,         MayShift,  "",             "3501 §6.4.1"),
    spec("CLOSE",        Selected,         MayShift,  "",             "3501 §6.4.2"),
    spec("UNSELECT",     Selected,         MayShift,  "UNSELECT",     "3691 §2"),
    spec("EXPUNGE",      Selected,         MayShift,  "",             "3501 §6.4.3"),
    spec("UID EXPUNGE",  Selected,         MayShift,  "UIDPLUS",      "4315 §2.1"),
    spec("SEARCH",       Selected,         HoldStill, "",             "3501 §6.4.4"),
    spec("UID SEARCH",   Selected,         MayShift,  "",             "3501 §6.4.8"),
    spec("FETCH",        Selected,         HoldStill, "",             "3501 §6.4.5"),
    spec("UID FETCH",    Selected,         MayShift,  "",             "3501 §6.4.8"),
    spec("STORE",        Selected,         HoldStill, "",             "3501 §6.4.6"),
    spec("UID STORE",    Selected,         MayShift,  "",             "3501 §6.4.8"),
    spec("COPY",         Selected,         MayShift,  "",             "3501 §6.4.7"),
    spec("UID COPY",     Selected,         MayShift,  "",             "3501 §6.4.8"),
    spec("MOVE",         Selected,         MayShift,  "MOVE",         "6851 §3.1"),
    spec("UID MOVE",     Selected,         MayShift,  "MOVE",         "6851 §3.2"),
];

/// The facts about a command; `None` for what the grammar knows and we do not offer (STARTTLS, COMPRESS).
pub fn find(name: &str) -> Option<&'static Spec> {
    COMMANDS.iter().find(|spec| spec.name == name)
}

/// The facts about a command that is in the table.
pub fn get(name: &str) -> &'static Spec {
    // The first row stands in for a name that is not there; a test holds every name used against the table.
    find(name).unwrap_or(&COMMANDS[0])
}

/// Announced before and after sign-in alike, in the order of wire §3.1.
const ALWAYS: &str = "IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1";
/// Announced after sign-in only, in the order of wire §3.1. COMPRESS=DEFLATE is not there: it is not built.
const SIGNED_IN: &str = "UIDPLUS ENABLE MOVE CONDSTORE ESEARCH UTF8=ACCEPT LIST-EXTENDED LIST-STATUS LITERAL- SPECIAL-USE";

/// The list of CAPABILITY before sign-in.
pub fn capabilities_before(mechanisms: &[pillarbox_wire::sasl::Mechanism]) -> String {
    let mut all = ALWAYS.to_owned();
    all.push_str(" SASL-IR");
    if !mechanisms.contains(&pillarbox_wire::sasl::Mechanism::Plain) {
        all.push_str(" LOGINDISABLED"); // wire §3.2: only where the administrator turned passwords off
    }
    for mechanism in mechanisms {
        all.push_str(" AUTH=");
        all.push_str(mechanism.name());
    }
    all
}

/// The list of CAPABILITY after sign-in.
pub fn capabilities_after(append_bytes_max: u64) -> String {
    format!("{ALWAYS} {SIGNED_IN} APPENDLIMIT={append_bytes_max}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use pillarbox_wire::sasl::Mechanism;

    #[test]
    fn every_capability_a_command_needs_is_announced() {
        let announced = capabilities_after(1);
        for spec in COMMANDS.iter().filter(|spec| !spec.capability.is_empty()) {
            assert!(
                announced.split(' ').any(|word| word == spec.capability),
                "{}",
                spec.name
            );
        }
    }

    #[test]
    fn names_taken_from_the_table_are_in_it() {
        for name in ["IDLE", "APPEND"] {
            assert_eq!(get(name).name, name);
        }
    }

    #[test]
    fn the_lists_are_those_of_wire_3_1_less_what_is_not_built() {
        assert_eq!(
            capabilities_before(&[Mechanism::Xoauth2, Mechanism::Plain, Mechanism::OauthBearer]),
            "IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 SASL-IR AUTH=XOAUTH2 AUTH=PLAIN AUTH=OAUTHBEARER"
        );
        assert_eq!(
            capabilities_after(35_651_584),
            "IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 UIDPLUS ENABLE MOVE CONDSTORE ESEARCH \
             UTF8=ACCEPT LIST-EXTENDED LIST-STATUS LITERAL- SPECIAL-USE APPENDLIMIT=35651584"
        );
    }

    #[test]
    fn only_what_names_sequence_numbers_makes_them_hold_still() {
        let held: Vec<_> = COMMANDS
            .iter()
            .filter(|spec| spec.numbers == HoldStill)
            .map(|spec| spec.name)
            .collect();
        assert_eq!(held, ["SEARCH", "FETCH", "STORE"]); // RFC 3501 §7.4.1
    }
}
