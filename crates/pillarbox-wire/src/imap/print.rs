//! Writes what a server says, appending to a buffer of the caller's.
//!
//! Nothing here can fail, and no argument can break a line: line ends in texts become spaces, and strings that cannot be quoted
//! become literals. Which line to send when is not decided here.

use super::command::{Section, SectionText, StatusItem};
use super::types::{encode_name, is_astring_char, is_atom_char};
use super::{By, Code, DateTime, Flag, Label, NumberSet, Tag};

/// The word of a status reply (RFC 3501 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `OK`
    Ok,
    /// `NO`
    No,
    /// `BAD`
    Bad,
    /// `BYE`, untagged only
    Bye,
    /// `PREAUTH`, the greeting only
    PreAuth,
}

impl Kind {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::No => "NO",
            Self::Bad => "BAD",
            Self::Bye => "BYE",
            Self::PreAuth => "PREAUTH",
        }
    }
}

/// Appends replies to a buffer.
#[derive(Debug)]
pub struct Printer<'a> {
    out: &'a mut Vec<u8>,
    utf8: bool,
}

/// The result of an extended SEARCH (RFC 4731 §3.1); only what was asked for is set.
#[derive(Clone, Copy, Debug)]
pub struct EsearchLine<'a> {
    /// The tag of the SEARCH.
    pub tag: &'a Tag,
    /// What the numbers are.
    pub by: By,
    /// `MIN`; none if nothing was found.
    pub min: Option<u32>,
    /// `MAX`; none if nothing was found.
    pub max: Option<u32>,
    /// `ALL`; left out if empty.
    pub all: Option<&'a NumberSet>,
    /// `COUNT`; 0 is sent.
    pub count: Option<u32>,
    /// `MODSEQ` (RFC 7162 §3.1.10)
    pub mod_seq: Option<u64>,
}

/// One LIST, LSUB or XLIST reply.
#[derive(Clone, Copy, Debug)]
pub struct ListLine<'a> {
    /// `LIST`, `LSUB` or `XLIST`.
    pub name: &'a str,
    /// With their backslashes, in the order to be sent (wire §3.5: alphabetical).
    pub attributes: &'a [&'a str],
    /// The hierarchy delimiter; `None` is NIL.
    pub delimiter: Option<char>,
    /// Decoded.
    pub mailbox: &'a str,
    /// `("CHILDINFO" ("SUBSCRIBED"))` (RFC 5258 §3.5)
    pub child_info_subscribed: bool,
}

impl<'a> Printer<'a> {
    /// Appends to `out`; `utf8` after `ENABLE UTF8=ACCEPT` (RFC 6855 §3).
    pub fn new(out: &'a mut Vec<u8>, utf8: bool) -> Self {
        Self { out, utf8 }
    }

    // Status replies

    /// `tag SP ("OK" / "NO" / "BAD") SP ["[" code "]" SP] text CRLF`
    pub fn tagged(&mut self, tag: &Tag, kind: Kind, code: Option<&Code>, text: &str) {
        self.raw(tag.as_str().as_bytes());
        self.status(kind, code, text);
    }

    /// `"*" SP ("OK" / "NO" / "BAD" / "BYE" / "PREAUTH") SP ["[" code "]" SP] text CRLF`
    pub fn untagged(&mut self, kind: Kind, code: Option<&Code>, text: &str) {
        self.raw(b"*");
        self.status(kind, code, text);
    }

    fn status(&mut self, kind: Kind, code: Option<&Code>, text: &str) {
        self.raw(b" ");
        self.raw(kind.as_str().as_bytes());
        self.raw(b" ");
        if let Some(code) = code {
            self.code(code);
            self.raw(b" ");
        }
        // The grammar wants at least one character of text.
        self.text(if text.is_empty() { "-" } else { text });
        self.raw(b"\r\n");
    }

    /// `"+" SP text CRLF`; with an empty text `+` and a space (wire §3.2).
    pub fn continuation(&mut self, text: &str) {
        self.raw(b"+ ");
        self.text(text);
        self.raw(b"\r\n");
    }

    /// Text for people: what could break the line becomes a space; without UTF8=ACCEPT other than ASCII becomes `?`.
    fn text(&mut self, text: &str) {
        if text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return self.raw(text.as_bytes());
        }
        for c in text.chars() {
            let c = match c {
                '\0'..='\u{1f}' | '\u{7f}' => ' ',
                c if c.is_ascii() || self.utf8 => c,
                _ => '?',
            };
            self.out
                .extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }

    /// `"[" resp-text-code "]"`
    fn code(&mut self, code: &Code) {
        self.raw(b"[");
        self.raw(code.name().as_bytes());
        match code {
            Code::BadCharset(names) if !names.is_empty() => {
                self.raw(b" (");
                self.separated(names, |p, name| p.astring(name.as_bytes()));
                self.raw(b")");
            }
            Code::Capability(names) => {
                for name in names {
                    self.raw(b" ");
                    self.text(name);
                }
            }
            Code::PermanentFlags {
                flags,
                new_keywords,
            } => {
                self.raw(b" (");
                self.separated(flags, Self::flag);
                match (new_keywords, flags.is_empty()) {
                    (true, true) => self.raw(b"\\*"),
                    (true, false) => self.raw(b" \\*"),
                    (false, _) => {}
                }
                self.raw(b")");
            }
            Code::UidNext(n) | Code::UidValidity(n) | Code::Unseen(n) => {
                self.sp_number(u64::from(*n))
            }
            Code::HighestModSeq(n) => self.sp_number(*n),
            Code::AppendUid(validity, uids) => {
                self.sp_number(u64::from(*validity));
                self.sp_numbers(uids);
            }
            Code::CopyUid {
                uid_validity,
                from,
                to,
            } => {
                self.sp_number(u64::from(*uid_validity));
                self.sp_numbers(from);
                self.sp_numbers(to);
            }
            Code::Modified(set) => self.sp_numbers(set),
            Code::MailboxId(id) => {
                self.raw(b" (");
                self.text(id);
                self.raw(b")");
            }
            Code::WebAlert(address) | Code::Other(_, Some(address)) => {
                self.raw(b" ");
                // A bracket would end the code.
                self.text(&address.replace(']', "%5D"));
            }
            _ => {}
        }
        self.raw(b"]");
    }

    // Untagged data

    /// `* CAPABILITY ...`
    pub fn capability<T: AsRef<str>>(&mut self, names: &[T]) {
        self.words("CAPABILITY", names);
    }

    /// `* ENABLED ...` (RFC 5161 §3.2)
    pub fn enabled<T: AsRef<str>>(&mut self, names: &[T]) {
        self.words("ENABLED", names);
    }

    fn words<T: AsRef<str>>(&mut self, name: &str, words: &[T]) {
        self.begin(name);
        for word in words {
            self.raw(b" ");
            self.text(word.as_ref());
        }
        self.raw(b"\r\n");
    }

    /// `* 65 EXISTS`
    pub fn exists(&mut self, count: u32) {
        self.counted(count, "EXISTS");
    }

    /// `* 0 RECENT`
    pub fn recent(&mut self, count: u32) {
        self.counted(count, "RECENT");
    }

    /// `* 7 EXPUNGE`, with the sequence number of this moment
    pub fn expunge(&mut self, sequence: u32) {
        self.counted(sequence, "EXPUNGE");
    }

    fn counted(&mut self, number: u32, name: &str) {
        self.raw(b"* ");
        self.number(u64::from(number));
        self.raw(b" ");
        self.raw(name.as_bytes());
        self.raw(b"\r\n");
    }

    /// `* VANISHED [(EARLIER)] uids` (RFC 7162 §3.2.10); nothing for an empty set.
    pub fn vanished(&mut self, earlier: bool, uids: &NumberSet) {
        if !uids.is_empty() {
            self.begin("VANISHED");
            self.raw(if earlier { b" (EARLIER)" } else { b"" });
            self.sp_numbers(uids);
            self.raw(b"\r\n");
        }
    }

    /// `* FLAGS (...)`
    pub fn flags_line(&mut self, flags: &[Flag]) {
        self.begin("FLAGS");
        self.raw(b" ");
        self.flags(flags);
        self.raw(b"\r\n");
    }

    /// `* LIST (...) "/" "name"`; names are always quoted (wire §3.5).
    pub fn list_line(&mut self, line: &ListLine<'_>) {
        self.begin(line.name);
        self.raw(b" (");
        self.separated(line.attributes, |p, attribute| p.text(attribute));
        self.raw(b") ");
        match line.delimiter {
            Some(delimiter) => self.string(delimiter.encode_utf8(&mut [0; 4]).as_bytes()),
            None => self.raw(b"NIL"),
        }
        self.raw(b" ");
        self.mailbox(line.mailbox);
        if line.child_info_subscribed {
            self.raw(b" (\"CHILDINFO\" (\"SUBSCRIBED\"))");
        }
        self.raw(b"\r\n");
    }

    /// `* STATUS "name" (MESSAGES 3 ...)`
    pub fn status_line(&mut self, mailbox: &str, items: &[(StatusItem, u64)]) {
        self.begin("STATUS");
        self.raw(b" ");
        self.mailbox(mailbox);
        self.raw(b" (");
        self.separated(items, |p, (item, value)| {
            p.raw(item.as_str().as_bytes());
            p.sp_number(*value);
        });
        self.raw(b")\r\n");
    }

    /// `* SEARCH 2 84 882 [(MODSEQ n)]` (RFC 3501 §7.2.5, RFC 7162 §3.1.5)
    pub fn search_line(&mut self, numbers: impl IntoIterator<Item = u32>, mod_seq: Option<u64>) {
        self.begin("SEARCH");
        for number in numbers {
            self.sp_number(u64::from(number));
        }
        if let Some(mod_seq) = mod_seq {
            self.raw(b" (MODSEQ");
            self.sp_number(mod_seq);
            self.raw(b")");
        }
        self.raw(b"\r\n");
    }

    /// `* ESEARCH (TAG "a1") UID MIN 2 ...`
    pub fn esearch_line(&mut self, line: &EsearchLine<'_>) {
        self.begin("ESEARCH");
        self.raw(b" (TAG ");
        self.quoted(line.tag.as_str().as_bytes());
        self.raw(b")");
        self.raw(if line.by == By::Uid { b" UID" } else { b"" });
        let numbers = [("MIN", line.min), ("MAX", line.max), ("COUNT", line.count)];
        for (name, number) in numbers.into_iter().filter_map(|(name, n)| Some((name, n?))) {
            self.raw(b" ");
            self.raw(name.as_bytes());
            self.sp_number(u64::from(number));
        }
        if let Some(all) = line.all.filter(|all| !all.is_empty()) {
            self.raw(b" ALL");
            self.sp_numbers(all);
        }
        if let Some(mod_seq) = line.mod_seq {
            self.raw(b" MODSEQ");
            self.sp_number(mod_seq);
        }
        self.raw(b"\r\n");
    }

    /// `* ID ("name" "value" ...)` (RFC 2971 §3.2)
    pub fn id_line(&mut self, fields: &[(&str, &str)]) {
        self.begin("ID");
        self.raw(b" (");
        self.separated(fields, |p, (name, value)| {
            p.string(name.as_bytes());
            p.raw(b" ");
            p.string(value.as_bytes());
        });
        self.raw(b")\r\n");
    }

    /// `* NAMESPACE (("" "/")) NIL NIL` (RFC 2342 §5): one personal namespace (wire §3.5)
    pub fn namespace_line(&mut self, prefix: &str, delimiter: char) {
        self.begin("NAMESPACE");
        self.raw(b" ((");
        self.mailbox(prefix);
        self.raw(b" ");
        self.string(delimiter.encode_utf8(&mut [0; 4]).as_bytes());
        self.raw(b")) NIL NIL\r\n");
    }

    /// `* QUOTAROOT "INBOX" ""` (RFC 9208 §4.2.2)
    pub fn quota_root_line(&mut self, mailbox: &str, root: &str) {
        self.begin("QUOTAROOT");
        self.raw(b" ");
        self.mailbox(mailbox);
        self.raw(b" ");
        self.string(root.as_bytes());
        self.raw(b"\r\n");
    }

    /// `* QUOTA "" (STORAGE 450 31457280)`: resources with use and limit, storage in KiB (RFC 9208 §4.2.1)
    pub fn quota_line(&mut self, root: &str, resources: &[(&str, u64, u64)]) {
        self.begin("QUOTA");
        self.raw(b" ");
        self.string(root.as_bytes());
        self.raw(b" (");
        self.separated(resources, |p, (name, used, limit)| {
            p.text(name);
            p.sp_number(*used);
            p.sp_number(*limit);
        });
        self.raw(b")\r\n");
    }

    /// `* n FETCH (`, to be continued with the items and [`FetchLine::end`].
    pub fn fetch(&mut self, sequence: u32) -> FetchLine<'_> {
        self.raw(b"* ");
        self.number(u64::from(sequence));
        self.raw(b" FETCH (");
        FetchLine {
            printer: Printer {
                out: self.out,
                utf8: self.utf8,
            },
            first: true,
        }
    }

    // Pieces

    fn begin(&mut self, name: &str) {
        self.raw(b"* ");
        self.raw(name.as_bytes());
    }

    /// These bytes.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// A number.
    pub fn number(&mut self, mut number: u64) {
        // By hand: a FETCH of flags is mostly numbers, and `write!` takes several times as long.
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.raw(&digits[at..]);
    }

    fn sp_number(&mut self, number: u64) {
        self.raw(b" ");
        self.number(number);
    }

    /// A set, as `2,4:7`.
    pub fn numbers(&mut self, set: &NumberSet) {
        for (i, &(first, last)) in set.ranges().iter().enumerate() {
            if i > 0 {
                self.raw(b",");
            }
            self.number(u64::from(first));
            if last != first {
                self.raw(b":");
                self.number(u64::from(last));
            }
        }
    }

    fn sp_numbers(&mut self, set: &NumberSet) {
        self.raw(b" ");
        self.numbers(set);
    }

    fn separated<T>(&mut self, items: &[T], mut print: impl FnMut(&mut Self, &T)) {
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                self.raw(b" ");
            }
            print(self, item);
        }
    }

    fn flag(&mut self, flag: &Flag) {
        if let Flag::Extension(_) = flag {
            self.raw(b"\\");
        }
        self.raw(flag.as_str().as_bytes());
    }

    /// `(\Seen $Phishing)`
    pub fn flags(&mut self, flags: &[Flag]) {
        self.raw(b"(");
        self.separated(flags, Self::flag);
        self.raw(b")");
    }

    /// `string`: quoted if it can be, else a literal.
    pub fn string(&mut self, text: &[u8]) {
        if is_quotable(text, self.utf8) {
            self.quoted(text)
        } else {
            self.literal(text)
        }
    }

    /// `nstring`: `None` is NIL.
    pub fn nstring(&mut self, text: Option<&[u8]>) {
        match text {
            Some(text) => self.string(text),
            None => self.raw(b"NIL"),
        }
    }

    /// `astring`: bare if it is an atom and not NIL, else a string.
    pub fn astring(&mut self, text: &[u8]) {
        if is_bare(text) {
            self.raw(text)
        } else {
            self.string(text)
        }
    }

    /// A mailbox name, decoded; always quoted.
    pub fn mailbox(&mut self, name: &str) {
        if name.bytes().all(|b| (0x20..0x7f).contains(&b) && b != b'&') {
            return self.quoted(name.as_bytes());
        }
        let name = encode_name(name, self.utf8);
        self.string(name.as_bytes());
    }

    /// A label: user labels bare where they are atoms, everything else quoted (wire §3.7).
    fn label(&mut self, label: &Label) {
        let name = encode_name(label.as_str(), self.utf8);
        let bare = is_bare(name.as_bytes()) && name.bytes().all(is_atom_char);
        if bare {
            self.raw(name.as_bytes())
        } else {
            self.string(name.as_bytes())
        }
    }

    fn quoted(&mut self, text: &[u8]) {
        self.raw(b"\"");
        quote(text, self.out);
        self.raw(b"\"");
    }

    /// `{n}` and the bytes
    pub fn literal(&mut self, bytes: &[u8]) {
        self.literal_header(bytes.len() as u64);
        self.raw(bytes);
    }

    fn literal_header(&mut self, size: u64) {
        self.raw(b"{");
        self.number(size);
        self.raw(b"}\r\n");
    }

    /// `[2.HEADER.FIELDS (From)]`, as in a FETCH reply
    pub(crate) fn section(&mut self, section: &Section) {
        self.raw(b"[");
        for (i, number) in section.part.iter().enumerate() {
            if i > 0 {
                self.raw(b".");
            }
            self.number(u64::from(number.get()));
        }
        if !section.part.is_empty() && section.text != SectionText::Whole {
            self.raw(b".");
        }
        match &section.text {
            SectionText::Whole => {}
            SectionText::Header => self.raw(b"HEADER"),
            SectionText::Text => self.raw(b"TEXT"),
            SectionText::Mime => self.raw(b"MIME"),
            SectionText::HeaderFields(names) => self.field_names(b"HEADER.FIELDS (", names),
            SectionText::HeaderFieldsNot(names) => self.field_names(b"HEADER.FIELDS.NOT (", names),
        }
        self.raw(b"]");
    }

    fn field_names(&mut self, before: &[u8], names: &[String]) {
        self.raw(before);
        self.separated(names, |p, name| p.astring(name.as_bytes()));
        self.raw(b")");
    }
}

/// Whose bytes a FETCH reply carries; repeats what was asked for.
#[derive(Clone, Copy, Debug)]
pub enum BodyName<'a> {
    /// `BODY[...]`, and the first byte if a range was asked for
    Section(&'a Section, Option<u32>),
    /// `RFC822`
    Rfc822,
    /// `RFC822.HEADER`
    Rfc822Header,
    /// `RFC822.TEXT`
    Rfc822Text,
}

/// One FETCH reply in the making (RFC 3501 §7.4.2).
#[derive(Debug)]
pub struct FetchLine<'a> {
    printer: Printer<'a>,
    first: bool,
}

impl<'a> FetchLine<'a> {
    /// Goes on in a new buffer, after body bytes announced by [`FetchLine::body_header`] were sent from elsewhere.
    pub fn resume(out: &'a mut Vec<u8>, utf8: bool) -> Self {
        Self {
            printer: Printer::new(out, utf8),
            first: false,
        }
    }

    fn item(&mut self, name: &[u8]) {
        if !self.first {
            self.printer.raw(b" ");
        }
        self.first = false;
        self.printer.raw(name);
    }

    /// `UID n`
    pub fn uid(&mut self, uid: u32) {
        self.item(b"UID ");
        self.printer.number(u64::from(uid));
    }

    /// `FLAGS (...)`
    pub fn flags(&mut self, flags: &[Flag]) {
        self.item(b"FLAGS ");
        self.printer.flags(flags);
    }

    /// `MODSEQ (n)`
    pub fn mod_seq(&mut self, mod_seq: u64) {
        self.item(b"MODSEQ (");
        self.printer.number(mod_seq);
        self.printer.raw(b")");
    }

    /// `INTERNALDATE "..."`
    pub fn internal_date(&mut self, date: DateTime) {
        self.item(b"INTERNALDATE \"");
        self.printer.raw(date.to_string().as_bytes());
        self.printer.raw(b"\"");
    }

    /// `RFC822.SIZE n`
    pub fn size(&mut self, bytes: u64) {
        self.item(b"RFC822.SIZE ");
        self.printer.number(bytes);
    }

    /// `ENVELOPE (...)`, ready-made
    pub fn envelope(&mut self, envelope: &[u8]) {
        self.item(b"ENVELOPE ");
        self.printer.raw(envelope);
    }

    /// `BODY (...)`, ready-made
    pub fn body(&mut self, structure: &[u8]) {
        self.item(b"BODY ");
        self.printer.raw(structure);
    }

    /// `BODYSTRUCTURE (...)`, ready-made
    pub fn body_structure(&mut self, structure: &[u8]) {
        self.item(b"BODYSTRUCTURE ");
        self.printer.raw(structure);
    }

    /// `BODY[...]<n> {size}`: exactly `size` bytes must follow; send them, then [`FetchLine::resume`].
    pub fn body_header(&mut self, name: BodyName<'_>, size: u64) {
        self.body_name(name);
        self.printer.literal_header(size);
    }

    /// `BODY[...]<n>` with bytes; `None` is NIL, a part that does not exist.
    pub fn body_bytes(&mut self, name: BodyName<'_>, bytes: Option<&[u8]>) {
        self.body_name(name);
        match bytes {
            None => self.printer.raw(b"NIL"),
            Some([]) => self.printer.raw(b"\"\""),
            Some(bytes) => self.printer.literal(bytes),
        }
    }

    fn body_name(&mut self, name: BodyName<'_>) {
        match name {
            BodyName::Rfc822 => self.item(b"RFC822"),
            BodyName::Rfc822Header => self.item(b"RFC822.HEADER"),
            BodyName::Rfc822Text => self.item(b"RFC822.TEXT"),
            BodyName::Section(section, origin) => {
                self.item(b"BODY");
                self.printer.section(section);
                if let Some(origin) = origin {
                    self.printer.raw(b"<");
                    self.printer.number(u64::from(origin));
                    self.printer.raw(b">");
                }
            }
        }
        self.printer.raw(b" ");
    }

    /// `X-GM-MSGID n` (wire §3.7)
    pub fn gm_msg_id(&mut self, id: u64) {
        self.item(b"X-GM-MSGID ");
        self.printer.number(id);
    }

    /// `X-GM-THRID n` (wire §3.7)
    pub fn gm_thr_id(&mut self, id: u64) {
        self.item(b"X-GM-THRID ");
        self.printer.number(id);
    }

    /// `X-GM-LABELS (...)` (wire §3.7)
    pub fn gm_labels(&mut self, labels: &[Label]) {
        self.item(b"X-GM-LABELS (");
        self.printer.separated(labels, Printer::label);
        self.printer.raw(b")");
    }

    /// `EMAILID (id)` (RFC 8474 §5.1); the id is 1 to 255 letters, digits, `_`, `-`.
    pub fn email_id(&mut self, id: &str) {
        self.item(b"EMAILID (");
        self.printer.text(id);
        self.printer.raw(b")");
    }

    /// `THREADID (id)`, or NIL (RFC 8474 §5.2)
    pub fn thread_id(&mut self, id: Option<&str>) {
        self.item(b"THREADID ");
        match id {
            Some(id) => {
                self.printer.raw(b"(");
                self.printer.text(id);
                self.printer.raw(b")");
            }
            None => self.printer.raw(b"NIL"),
        }
    }

    /// `PREVIEW "..."`, or NIL (RFC 8970 §3.2)
    pub fn preview(&mut self, text: Option<&str>) {
        self.item(b"PREVIEW ");
        self.printer.nstring(text.map(str::as_bytes));
    }

    /// Closes the reply.
    pub fn end(mut self) {
        self.printer.raw(b")\r\n");
    }
}

/// Whether the text can stand between quotes (RFC 3501 §9 quoted, RFC 6855 §3).
pub(crate) fn is_quotable(text: &[u8], utf8: bool) -> bool {
    let plain = text
        .iter()
        .all(|b| !matches!(b, 0 | b'\r' | b'\n' | 0x80..));
    plain
        || (utf8
            && !text.iter().any(|b| matches!(b, 0 | b'\r' | b'\n'))
            && std::str::from_utf8(text).is_ok())
}

/// Whether the text can stand as an astring without quotes.
pub(crate) fn is_bare(text: &[u8]) -> bool {
    !text.is_empty()
        && !text.eq_ignore_ascii_case(b"NIL")
        && text.iter().all(|b| is_astring_char(*b))
}

/// Appends quotable text, escaped.
pub(crate) fn quote(text: &[u8], out: &mut Vec<u8>) {
    if !text.iter().any(|b| matches!(b, b'"' | b'\\')) {
        return out.extend_from_slice(text);
    }
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
}
