//! The pieces of FETCH lines that come from mailbox rows.

use crate::imap::out::Out;
use crate::imap::view::View;
use pillarbox_store::mail::{Flags, Row, SystemFlags};
use pillarbox_wire::imap::DateTime;
use std::sync::Arc;

/// The system flags, as FLAGS of SELECT lists them (wire §3.5).
pub const SYSTEM: &str = "\\Answered \\Flagged \\Draft \\Deleted \\Seen";
/// Keywords listed although nobody used them yet (wire §3.5).
pub const USUAL_KEYWORDS: [&str; 2] = ["$NotPhishing", "$Phishing"];

/// What a line with flags has besides them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extras {
    /// UID
    pub uid: bool,
    /// MODSEQ
    pub modseq: bool,
}

/// `* n FETCH ([UID u] [MODSEQ (m)] FLAGS (...))`
pub fn flags_line(seq: u32, row: &Row, view: &View, extras: Extras, out: &mut Out) {
    begin(seq, out);
    if extras.uid {
        out.text("UID ");
        out.number(u64::from(row.uid.0));
        out.text(" ");
    }
    if extras.modseq {
        modseq(row, out);
        out.text(" ");
    }
    flags(row, view, out);
    out.text(")\r\n");
}

/// `* n FETCH (`
pub fn begin(seq: u32, out: &mut Out) {
    out.text("* ");
    out.number(u64::from(seq));
    out.text(" FETCH (");
}

/// `MODSEQ (m)`
pub fn modseq(row: &Row, out: &mut Out) {
    out.text("MODSEQ (");
    out.number(row.modseq);
    out.text(")");
}

/// `FLAGS (...)`
pub fn flags(row: &Row, view: &View, out: &mut Out) {
    out.text("FLAGS (");
    let mut space = "";
    let mut word = |text: &str| {
        out.text(space);
        out.text(text);
        space = " ";
    };
    const NAMES: [(u8, &str); 5] = [
        (SystemFlags::SEEN, "\\Seen"),
        (SystemFlags::ANSWERED, "\\Answered"),
        (SystemFlags::FLAGGED, "\\Flagged"),
        (SystemFlags::DRAFT, "\\Draft"),
        (SystemFlags::DELETED, "\\Deleted"),
    ];
    for (bit, name) in NAMES {
        if row.flags.system.0 & bit != 0 {
            word(name);
        }
    }
    row.flags.keywords.iter().for_each(|keyword| word(keyword));
    if view.is_recent(row.uid.0) {
        word("\\Recent");
    }
    out.text(")");
}

/// `INTERNALDATE "02-Mar-2026 09:15:04 +0000"`: always in UTC (wire §3.9).
pub fn internal_date(row: &Row, out: &mut Out) {
    out.put(format_args!(
        "INTERNALDATE \"{}\"",
        DateTime::utc(row.received.div_euclid(1000))
    ));
}

/// Tells the client of keywords it has not heard of, before the first line that shows one (RFC 3501 §7.2.6).
pub fn announce_keywords(view: &mut View, flags: &Flags, out: &mut Out) {
    let before = view.keywords.len();
    for keyword in &flags.keywords {
        add_keyword(&mut view.keywords, keyword);
    }
    if view.keywords.len() != before {
        flags_lists(view, out);
    }
}

/// Adds a keyword to a sorted list without regard to case.
pub fn add_keyword(keywords: &mut Vec<Arc<str>>, keyword: &Arc<str>) {
    let known = keywords
        .iter()
        .any(|known| known.eq_ignore_ascii_case(keyword));
    if !known {
        keywords.push(Arc::clone(keyword));
        keywords.sort();
    }
}

/// `* FLAGS (...)` and what of them can be kept.
pub fn flags_lists(view: &View, out: &mut Out) {
    let keywords: Vec<&str> = view.keywords.iter().map(|keyword| &**keyword).collect();
    let all = format!("{SYSTEM} {}", keywords.join(" "));
    out.line(format_args!("* FLAGS ({})", all.trim_end()));
    match view.read_only {
        true => out.text("* OK [PERMANENTFLAGS ()] No flags permitted.\r\n"),
        false => out.line(format_args!(
            "* OK [PERMANENTFLAGS ({} \\*)] Flags permitted.",
            all.trim_end()
        )),
    }
}
