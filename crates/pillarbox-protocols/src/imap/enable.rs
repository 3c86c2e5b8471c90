//! ENABLE (RFC 5161): CONDSTORE and UTF8=ACCEPT.

use super::desk::Desk;
use super::out::Out;
use super::refuse::Refused;
use super::task::{Worked, success};

/// Switches on what is known; anything else is passed over (RFC 5161 §3.1).
pub fn run(names: &[String], desk: &mut Desk, out: &mut Out) -> Result<Worked, Refused> {
    let mut enabled = String::new();
    for name in names {
        match name.as_str() {
            "CONDSTORE" => {
                desk.signed.condstore = true;
                if let Some(view) = &desk.view {
                    // RFC 7162 §3.1.2.1
                    out.line(format_args!(
                        "* OK [HIGHESTMODSEQ {}] Highest mod-sequence.",
                        view.version()
                    ));
                }
            }
            // RFC 6855 §3: only in the authenticated state; with a mailbox selected names were already spoken of.
            "UTF8=ACCEPT" if desk.view.is_none() => desk.signed.utf8 = true,
            _ => continue,
        }
        enabled.push(' ');
        enabled.push_str(name);
    }
    out.line(format_args!("* ENABLED{enabled}"));
    success()
}
