//! What the printer says, the reader of replies understands; and no reply makes it panic.

use pillarbox_wire::imap::command::{Section, SectionText, StatusItem};
use pillarbox_wire::imap::reply::{
    self, FetchData, Reply, ReplyFramer, Status, TooLong, Untagged, Value,
};
use pillarbox_wire::imap::{
    BodyName, By, Code, DateTime, EsearchLine, FetchLine, Flag, Keyword, Kind, Label, ListLine,
    NumberSet, Printer, Tag,
};
use proptest::prelude::*;

use crate::round_trips;

fn printed(print: impl FnOnce(&mut Printer<'_>)) -> String {
    let mut out = Vec::new();
    print(&mut Printer::new(&mut out, false));
    String::from_utf8(out).unwrap()
}

fn untagged(line: &str) -> Untagged {
    match reply::parse(line.strip_suffix("\r\n").unwrap().as_bytes(), false) {
        Ok(Reply::Untagged(it)) => it,
        other => panic!("{line}: {other:?}"),
    }
}

fn set(numbers: &[u32]) -> NumberSet {
    numbers.iter().copied().collect()
}

fn tag() -> Tag {
    Tag::parse(b"a5").unwrap()
}

fn codes() -> Vec<(Code, &'static str)> {
    let flags = vec![Flag::Answered, Flag::parse(b"$Phishing").unwrap()];
    vec![
        (Code::Alert, "ALERT"),
        (Code::ReadOnly, "READ-ONLY"),
        (Code::ClientBug, "CLIENTBUG"),
        (
            Code::BadCharset(vec!["US-ASCII".into(), "UTF-8".into()]),
            "BADCHARSET (US-ASCII UTF-8)",
        ),
        (Code::BadCharset(vec![]), "BADCHARSET"),
        (
            Code::Capability(vec!["IMAP4rev1".into(), "AUTH=PLAIN".into()]),
            "CAPABILITY IMAP4rev1 AUTH=PLAIN",
        ),
        (
            Code::PermanentFlags {
                flags: flags.clone(),
                new_keywords: true,
            },
            "PERMANENTFLAGS (\\Answered $Phishing \\*)",
        ),
        (
            Code::PermanentFlags {
                flags,
                new_keywords: false,
            },
            "PERMANENTFLAGS (\\Answered $Phishing)",
        ),
        (
            Code::PermanentFlags {
                flags: vec![],
                new_keywords: false,
            },
            "PERMANENTFLAGS ()",
        ),
        (Code::UidNext(66), "UIDNEXT 66"),
        (Code::UidValidity(4), "UIDVALIDITY 4"),
        (Code::Unseen(12), "UNSEEN 12"),
        (Code::HighestModSeq(22748), "HIGHESTMODSEQ 22748"),
        (Code::AppendUid(23, set(&[27])), "APPENDUID 23 27"),
        (
            Code::CopyUid {
                uid_validity: 23,
                from: set(&[5, 6, 7]),
                to: set(&[90, 92]),
            },
            "COPYUID 23 5:7 90,92",
        ),
        (Code::Modified(set(&[636])), "MODIFIED 636"),
        (Code::MailboxId("F2-x".into()), "MAILBOXID (F2-x)"),
        (
            Code::WebAlert("https://h.example/a".into()),
            "WEBALERT https://h.example/a",
        ),
        (
            Code::Other(Keyword::parse(b"THROTTLED").unwrap(), None),
            "THROTTLED",
        ),
        (
            Code::Other(Keyword::parse(b"X").unwrap(), Some("1 2".into())),
            "X 1 2",
        ),
    ]
}

#[test]
fn status_replies_carry_codes() {
    for (code, text) in codes() {
        let line = printed(|p| p.tagged(&tag(), Kind::No, Some(&code), "What it is (Failure)"));
        assert_eq!(line, format!("a5 NO [{text}] What it is (Failure)\r\n"));
        let status = Status {
            kind: Kind::No,
            code: Some(code),
            text: "What it is (Failure)".into(),
        };
        assert_eq!(
            reply::parse(line.trim_end().as_bytes(), false),
            Ok(Reply::Tagged(tag(), status))
        );
    }
    let line = printed(|p| p.untagged(Kind::Bye, None, "Session expired, please login again."));
    assert_eq!(line, "* BYE Session expired, please login again.\r\n");
    assert!(matches!(
        untagged(&line),
        Untagged::Status(Status {
            kind: Kind::Bye,
            code: None,
            ..
        })
    ));
    assert_eq!(printed(|p| p.continuation("")), "+ \r\n");
    assert_eq!(
        reply::parse(b"+ idling", false),
        Ok(Reply::Continue(b"idling".to_vec()))
    );
    // Gmail sends no text behind this one.
    assert!(matches!(
        untagged("* OK [HIGHESTMODSEQ 7]\r\n"),
        Untagged::Status(Status {
            code: Some(Code::HighestModSeq(7)),
            ..
        })
    ));
}

#[test]
fn no_text_breaks_a_line() {
    let evil = Code::WebAlert("x]\r\n* BYE".into());
    let line = printed(|p| p.untagged(Kind::No, Some(&evil), "a\r\n* 1 EXISTS é\0"));
    assert_eq!(line, "* NO [WEBALERT x%5D  * BYE] a  * 1 EXISTS ? \r\n");
    let list = ListLine {
        name: "LIST",
        attributes: &[],
        delimiter: Some('/'),
        mailbox: "a\r\nb",
        child_info_subscribed: false,
    };
    assert_eq!(
        printed(|p| p.list_line(&list)),
        "* LIST () \"/\" \"a&AA0ACg-b\"\r\n"
    );
    let mut out = Vec::new();
    Printer::new(&mut out, true).list_line(&list);
    assert_eq!(out, b"* LIST () \"/\" {4}\r\na\r\nb\r\n");
}

#[test]
fn mailbox_data_reads_as_it_was_printed() {
    let check = |line: String, text: &str, expected: Untagged| {
        assert_eq!(line, text);
        assert_eq!(untagged(&line), expected);
    };
    let names = ["IMAP4rev1".to_owned(), "X-GM-EXT-1".to_owned()];
    check(
        printed(|p| p.capability(&names)),
        "* CAPABILITY IMAP4rev1 X-GM-EXT-1\r\n",
        Untagged::Capability(names.to_vec()),
    );
    check(
        printed(|p| p.enabled(&["UTF8=ACCEPT"])),
        "* ENABLED UTF8=ACCEPT\r\n",
        Untagged::Enabled(vec!["UTF8=ACCEPT".into()]),
    );
    check(
        printed(|p| p.exists(65)),
        "* 65 EXISTS\r\n",
        Untagged::Exists(65),
    );
    check(
        printed(|p| p.recent(0)),
        "* 0 RECENT\r\n",
        Untagged::Recent(0),
    );
    check(
        printed(|p| p.expunge(7)),
        "* 7 EXPUNGE\r\n",
        Untagged::Expunge(7),
    );
    let vanished = Untagged::Vanished {
        earlier: true,
        uids: set(&[41, 43, 44]),
    };
    check(
        printed(|p| p.vanished(true, &set(&[41, 43, 44]))),
        "* VANISHED (EARLIER) 41,43:44\r\n",
        vanished,
    );
    assert_eq!(printed(|p| p.vanished(false, &set(&[]))), "");
    check(
        printed(|p| p.flags_line(&[Flag::Seen])),
        "* FLAGS (\\Seen)\r\n",
        Untagged::Flags(vec![Flag::Seen]),
    );
    check(
        printed(|p| p.search_line([2, 84], None)),
        "* SEARCH 2 84\r\n",
        Untagged::Search(vec![2, 84], None),
    );
    check(
        printed(|p| p.search_line([], None)),
        "* SEARCH\r\n",
        Untagged::Search(vec![], None),
    );
    check(
        printed(|p| p.search_line([2], Some(9))),
        "* SEARCH 2 (MODSEQ 9)\r\n",
        Untagged::Search(vec![2], Some(9)),
    );
    let items = vec![(StatusItem::Messages, 231), (StatusItem::Size, 1 << 40)];
    let status = Untagged::MailboxStatus("é".into(), items.clone());
    check(
        printed(|p| p.status_line("é", &items)),
        "* STATUS \"&AOk-\" (MESSAGES 231 SIZE 1099511627776)\r\n",
        status,
    );
    check(
        printed(|p| p.id_line(&[("name", "Pillar\"box")])),
        "* ID (\"name\" \"Pillar\\\"box\")\r\n",
        Untagged::Id(vec![("name".into(), Some("Pillar\"box".into()))]),
    );
    check(
        printed(|p| p.quota_line("", &[("STORAGE", 450, 31_457_280)])),
        "* QUOTA \"\" (STORAGE 450 31457280)\r\n",
        Untagged::Quota(String::new(), vec![("STORAGE".into(), 450, 31_457_280)]),
    );
    check(
        printed(|p| p.quota_root_line("INBOX", "")),
        "* QUOTAROOT \"INBOX\" \"\"\r\n",
        Untagged::QuotaRoot("INBOX".into(), vec![String::new()]),
    );
    let namespace = Untagged::Other(b"NAMESPACE ((\"\" \"/\")) NIL NIL".to_vec());
    check(
        printed(|p| p.namespace_line("", '/')),
        "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n",
        namespace,
    );
}

#[test]
fn lists_and_extended_searches_read_as_printed() {
    let attributes = ["\\All", "\\HasNoChildren"];
    let line = ListLine {
        name: "LIST",
        attributes: &attributes,
        delimiter: Some('/'),
        mailbox: "[Gmail]/All Mail",
        child_info_subscribed: false,
    };
    let text = printed(|p| p.list_line(&line));
    assert_eq!(
        text,
        "* LIST (\\All \\HasNoChildren) \"/\" \"[Gmail]/All Mail\"\r\n"
    );
    let Untagged::List(listed) = untagged(&text) else {
        panic!()
    };
    assert_eq!(
        (listed.attributes, listed.mailbox, listed.delimiter),
        (
            attributes.map(str::to_owned).to_vec(),
            line.mailbox.to_owned(),
            Some('/')
        )
    );
    let text = printed(|p| {
        p.list_line(&ListLine {
            child_info_subscribed: true,
            delimiter: None,
            ..line
        })
    });
    assert!(text.ends_with(" NIL \"[Gmail]/All Mail\" (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"));
    let Untagged::List(listed) = untagged(&text) else {
        panic!()
    };
    assert_eq!(
        (listed.delimiter, listed.extended.unwrap().len()),
        (None, 2)
    );

    let (tag, all) = (tag(), set(&[1, 2, 3, 9]));
    let line = EsearchLine {
        tag: &tag,
        by: By::Uid,
        min: Some(1),
        max: Some(9),
        all: Some(&all),
        count: Some(4),
        mod_seq: Some(917),
    };
    let text = printed(|p| p.esearch_line(&line));
    assert_eq!(
        text,
        "* ESEARCH (TAG \"a5\") UID MIN 1 MAX 9 COUNT 4 ALL 1:3,9 MODSEQ 917\r\n"
    );
    let Untagged::Esearch(read) = untagged(&text) else {
        panic!()
    };
    assert_eq!(
        (read.tag.as_ref(), read.by, read.min, read.max),
        (Some(&tag), By::Uid, Some(1), Some(9))
    );
    assert_eq!(
        (read.all, read.count, read.mod_seq),
        (all, Some(4), Some(917))
    );
}

const ENVELOPE: &str = "(\"Mon, 2 Mar 2026 09:15:04 +0000\" \"Hi\" ((\"Ada\" NIL \"ada\" \"example.com\")(NIL NIL \"b\" \"c\")) NIL NIL NIL NIL NIL NIL \"<1@x>\")";
const STRUCTURE: &str = "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"utf-8\") NIL NIL \"7BIT\" 12 1)";

#[test]
fn a_fetch_reads_as_it_was_printed() {
    let header = Section {
        part: vec![],
        text: SectionText::HeaderFields(vec!["From".into(), "X Y".into()]),
    };
    let date = DateTime::utc(1_772_442_904);
    let mut out = Vec::new();
    let mut printer = Printer::new(&mut out, false);
    let mut line = printer.fetch(7);
    line.uid(41);
    line.flags(&[Flag::Seen, Flag::Recent]);
    line.mod_seq(20509);
    line.internal_date(date);
    line.size(310);
    line.envelope(ENVELOPE.as_bytes());
    line.body_structure(STRUCTURE.as_bytes());
    line.gm_msg_id(u64::MAX);
    line.gm_thr_id(1);
    line.gm_labels(
        &["\\Inbox", "Receipts", "work/project x", "é", "[x]"].map(|l| Label::new(l).unwrap()),
    );
    line.body_bytes(
        BodyName::Section(&header, Some(0)),
        Some(b"From: a\r\n)\r\n"),
    );
    line.body_bytes(BodyName::Rfc822Text, None);
    line.preview(Some("say \"hi\""));
    line.email_id("M1");
    line.thread_id(None);
    line.body_header(BodyName::Rfc822, 5);
    out.extend(b"hello");
    FetchLine::resume(&mut out, false).end();

    assert!(String::from_utf8_lossy(&out).contains("X-GM-LABELS (\"\\\\Inbox\" Receipts \"work/project x\" &AOk- \"[x]\") BODY[HEADER.FIELDS (From \"X Y\")]<0> {12}"));
    let Untagged::Fetch(7, items) = untagged(&String::from_utf8(out).unwrap()) else {
        panic!()
    };
    let FetchData::Envelope(Value::List(envelope)) = &items[5] else {
        panic!()
    };
    assert_eq!(envelope.len(), 10);
    assert!(matches!(&envelope[2], Value::List(from) if from.len() == 2));
    assert!(matches!(&items[6], FetchData::BodyStructure(Value::List(parts)) if parts.len() == 8));
    let labels = ["\\Inbox", "Receipts", "work/project x", "é", "[x]"]
        .map(str::to_owned)
        .to_vec();
    assert_eq!(
        items[..5],
        [
            FetchData::Uid(41),
            FetchData::Flags(vec![Flag::Seen, Flag::Recent]),
            FetchData::ModSeq(20509),
            FetchData::InternalDate(date),
            FetchData::Size(310)
        ]
    );
    assert_eq!(
        items[7..13],
        [
            FetchData::GmMsgId(u64::MAX),
            FetchData::GmThrId(1),
            FetchData::GmLabels(labels),
            FetchData::Section(header, Some(0), Some(b"From: a\r\n)\r\n".to_vec())),
            FetchData::Rfc822Text(None),
            FetchData::Preview(Some(b"say \"hi\"".to_vec())),
        ]
    );
    assert_eq!(items[15], FetchData::Rfc822(Some(b"hello".to_vec())));
}

#[test]
fn a_reply_is_too_long_in_every_cut() {
    let input = [&b"* OK "[..], &[b'x'; 100], b"\r\n"].concat();
    for size in [1, 7, 1000] {
        let mut framer = ReplyFramer::new(100);
        let mut last = Ok(None);
        for piece in input.chunks(size) {
            framer.receive(piece);
            last = framer.next();
            if last.is_err() {
                break;
            }
        }
        assert_eq!(last, Err(TooLong(100)), "in {size}");
    }
}

#[test]
fn replies_are_framed_however_they_arrive() {
    let input = b"* 1 FETCH (BODY[] {10}\r\na\r\n* {5}\r\nX {3}\r\nabc)\r\na OK {x}\r\n";
    for size in [1, 2, 5, 100] {
        let mut framer = ReplyFramer::new(100);
        let mut replies = Vec::new();
        for piece in input.chunks(size) {
            framer.receive(piece);
            while let Some(reply) = framer.next().unwrap() {
                replies.push(String::from_utf8(reply).unwrap());
            }
        }
        assert_eq!(
            replies,
            [
                "* 1 FETCH (BODY[] {10}\r\na\r\n* {5}\r\nX {3}\r\nabc)",
                "a OK {x}"
            ]
            .map(str::to_owned),
            "{size}"
        );
    }
    for endless in ["* OK {99999999999999999999999}\r\n", &"x".repeat(101)] {
        let mut framer = ReplyFramer::new(100);
        framer.receive(endless.as_bytes());
        assert!(framer.next().is_err());
    }
}

proptest! {
    #[test]
    fn flags_dates_labels_and_sections_come_back(
        flags in prop::collection::vec(round_trips::flag(), 0..4),
        labels in prop::collection::vec(round_trips::label(), 0..4),
        date in round_trips::date_time(),
        section in round_trips::section(),
        bytes in prop::collection::vec(any::<u8>(), 0..40),
        utf8: bool,
    ) {
        let mut out = Vec::new();
        let mut printer = Printer::new(&mut out, utf8);
        let mut line = printer.fetch(1);
        line.flags(&flags);
        line.gm_labels(&labels);
        line.internal_date(date);
        line.body_bytes(BodyName::Section(&section, None), Some(&bytes));
        line.end();
        let mut framer = ReplyFramer::new(10_000);
        framer.receive(&out);
        let reply = framer.next().unwrap().unwrap();
        let labels = labels.iter().map(|l| l.as_str().to_owned()).collect();
        let items = vec![FetchData::Flags(flags), FetchData::GmLabels(labels), FetchData::InternalDate(date), FetchData::Section(section, None, Some(bytes))];
        prop_assert_eq!(reply::parse(&reply, utf8), Ok(Reply::Untagged(Untagged::Fetch(1, items))));
    }

    #[test]
    fn mailbox_names_come_back(name in round_trips::mailbox(), utf8: bool) {
        let mut out = Vec::new();
        let line = ListLine { name: "LIST", attributes: &[], delimiter: None, mailbox: name.as_str(), child_info_subscribed: false };
        Printer::new(&mut out, utf8).list_line(&line);
        match reply::parse(out.strip_suffix(b"\r\n").unwrap(), utf8) {
            Ok(Reply::Untagged(Untagged::List(listed))) => prop_assert_eq!(listed.mailbox, name.as_str()),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn no_reply_makes_it_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..100),
        text in "(\\* |a |\\+ )(OK|NO|[0-9]{0,3} FETCH |LIST|ESEARCH|STATUS|SEARCH|FLAGS|ID|QUOTA|VANISHED)([ (){}\\[\\]<>\"\\\\\r\n0-9:,*]|NIL|BODY|UIDNEXT|[a-z]){0,30}",
    ) {
        let _ = reply::parse(&bytes, false);
        let _ = reply::parse(text.as_bytes(), true);
    }
}

#[test]
fn nested_values_are_bounded() {
    assert!(
        reply::parse(
            format!("* 1 FETCH (BODY {}", "(".repeat(100_000)).as_bytes(),
            false
        )
        .is_err()
    );
}
