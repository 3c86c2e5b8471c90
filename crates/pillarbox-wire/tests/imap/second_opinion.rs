//! Other people's parsers: what they read, we read alike; what we print, they read.

use imap_codec::decode::Decoder;
use imap_codec::encode::Encoder;
use imap_codec::{CommandCodec, ResponseCodec};
use pillarbox_wire::imap::command::{Body, Section, SectionText, StatusItem};
use pillarbox_wire::imap::{
    BodyName, Code, DateTime, Flag, Kind, Label, ListLine, Literals, NumberSet, Printer, Tag, parse,
};
use proptest::prelude::*;

use crate::round_trips;

/// The command as imap-codec understands and writes it, if it does.
fn theirs(bytes: &[u8]) -> Option<Vec<u8>> {
    let codec = CommandCodec::default();
    let (rest, command) = codec.decode(bytes).ok()?;
    assert!(rest.is_empty());
    Some(codec.encode(&command).dump())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn commands_are_read_alike(command in round_trips::command()) {
        // imap-codec reads an APPEND only with its message.
        if !matches!(command.body, Body::Append(_)) {
            let bytes = command.print(false, Literals::NonSync(4096)).concat();
            if let Some(theirs) = theirs(&bytes) {
                let ours = parse(theirs.strip_suffix(b"\r\n").unwrap(), false);
                prop_assert_eq!(ours, Ok(command), "{} / {}", String::from_utf8_lossy(&bytes), String::from_utf8_lossy(&theirs));
            }
        }
    }

    #[test]
    fn what_they_read_of_noise_we_read(
        line in "(NOOP|LOGIN|SELECT|LIST|STATUS|FETCH|STORE|SEARCH|COPY|UID FETCH|ID|ENABLE)( (1|2:\\*|x|\"a\\\\\\\\b\"|\\(UID\\)|FLAGS|\\(\\\\Seen\\)|\\+FLAGS|BODY\\[\\]|ALL|SEEN|NOT|OR|\\*|\"\"|\\(MESSAGES\\)|INBOX|%|NIL|ON|1-Feb-1994|\"1-Feb-1994\")){0,4}",
    ) {
        let line = format!("a {line}\r\n");
        if let Some(theirs) = theirs(line.as_bytes()) {
            let ours = parse(line.trim_end_matches("\r\n").as_bytes(), false);
            prop_assert!(ours.is_ok(), "{}: {:?}", line, ours);
            prop_assert_eq!(parse(theirs.strip_suffix(b"\r\n").unwrap(), false), ours, "{}", line);
        }
    }
}

#[test]
fn the_comparison_compares() {
    let read = |text: &str| theirs(format!("a {text}\r\n").as_bytes()).is_some();
    for text in [
        "UID FETCH 1:*,5 (FLAGS BODY.PEEK[1.HEADER.FIELDS (From)]<0.9>) (CHANGEDSINCE 5)",
        "SEARCH OR SEEN NOT (DRAFT FROM x)",
        "STATUS x (SIZE)",
        "SELECT x (CONDSTORE)",
        "LOGIN a {1+}\r\nb",
    ] {
        assert!(read(text), "{text}");
    }
}

fn replies() -> Vec<Vec<u8>> {
    let mut replies: Vec<Vec<u8>> = Vec::new();
    let mut add = |print: &dyn Fn(&mut Printer<'_>)| {
        let mut out = Vec::new();
        print(&mut Printer::new(&mut out, false));
        replies.push(out);
    };
    let tag = Tag::parse(b"a5").unwrap();
    let set: NumberSet = [5, 6, 7].into_iter().collect();
    for code in [
        Code::Alert,
        Code::PermanentFlags {
            flags: vec![Flag::Answered, Flag::Seen],
            new_keywords: true,
        },
        Code::UidNext(66),
        Code::UidValidity(4),
        Code::HighestModSeq(22748),
        Code::ReadWrite,
        Code::TryCreate,
        Code::AppendUid(23, [27].into_iter().collect()),
        Code::CopyUid {
            uid_validity: 23,
            from: set.clone(),
            to: set.clone(),
        },
        Code::BadCharset(vec!["UTF-8".into()]),
        Code::Capability(vec!["IMAP4rev1".into()]),
        Code::AuthenticationFailed,
        Code::NonExistent,
    ] {
        add(&|p| p.tagged(&tag, Kind::Ok, Some(&code), "Success"));
        add(&|p| p.untagged(Kind::No, Some(&code), "Success"));
    }
    add(&|p| p.untagged(Kind::Bye, None, "LOGOUT Requested"));
    add(&|p| {
        p.capability(&[
            "IMAP4rev1",
            "X-GM-EXT-1",
            "AUTH=XOAUTH2",
            "APPENDLIMIT=35651584",
        ])
    });
    add(&|p| p.enabled(&["CONDSTORE"]));
    add(&|p| p.exists(65));
    add(&|p| p.recent(0));
    add(&|p| p.expunge(7));
    add(&|p| p.vanished(true, &set));
    add(&|p| p.flags_line(&[Flag::Seen, Flag::parse(b"$Phishing").unwrap()]));
    add(&|p| {
        p.status_line(
            "é",
            &[(StatusItem::Messages, 1), (StatusItem::HighestModSeq, 9)],
        )
    });
    add(&|p| p.search_line([1, 2], None));
    add(&|p| p.search_line([1, 2], Some(917)));
    add(&|p| p.id_line(&[("name", "Pillarbox")]));
    add(&|p| p.quota_line("", &[("STORAGE", 450, 1000)]));
    add(&|p| p.quota_root_line("INBOX", ""));
    for mailbox in ["INBOX", "[Gmail]/All Mail", "a\"\\b", "日本"] {
        add(&|p| {
            p.list_line(&ListLine {
                name: "LIST",
                attributes: &["\\All", "\\HasNoChildren"],
                delimiter: Some('/'),
                mailbox,
                child_info_subscribed: false,
            })
        });
    }
    add(&fetch_reply);
    add(&|p| p.continuation("go ahead"));
    replies
}

fn fetch_reply(p: &mut Printer<'_>) {
    let section = Section {
        part: vec![],
        text: SectionText::HeaderFields(vec!["From".into()]),
    };
    let mut line = p.fetch(7);
    line.uid(41);
    line.flags(&[Flag::Seen, Flag::Recent]);
    line.mod_seq(20509);
    line.internal_date(DateTime::utc(1_772_442_904));
    line.size(310);
    line.envelope(b"(\"date\" \"Hi\" ((\"Ada\" NIL \"ada\" \"example.com\")) NIL NIL NIL NIL NIL NIL \"<1@x>\")");
    line.body_structure(b"(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"utf-8\") NIL NIL \"7BIT\" 12 1)");
    line.body_bytes(BodyName::Section(&section, Some(0)), Some(b"From: a\r\n"));
    line.body_bytes(BodyName::Rfc822Text, Some(b""));
    line.end();
}

#[test]
fn imap_proto_reads_what_we_print() {
    for reply in replies() {
        let shown = String::from_utf8_lossy(&reply);
        if shown.contains("(MODSEQ 917)") {
            continue; // RFC 7162 §3.1.5 is unknown to imap-proto.
        }
        match imap_proto::Response::parse(&reply) {
            Ok((rest, _)) => assert!(rest.is_empty(), "{shown}"),
            Err(error) => panic!("{shown}: {error:?}"),
        }
    }
    let mut out = Vec::new();
    let mut printer = Printer::new(&mut out, false);
    let mut line = printer.fetch(7);
    line.gm_labels(&["\\Inbox", "Receipts", "work/project x"].map(|l| Label::new(l).unwrap()));
    line.gm_msg_id(1_858_626_270_653_385_518);
    line.end();
    assert!(imap_proto::Response::parse(&out).unwrap().0.is_empty());
}

#[test]
fn imap_codec_reads_what_we_print() {
    for reply in replies() {
        let shown = String::from_utf8_lossy(&reply);
        match ResponseCodec::default().decode(&reply) {
            Ok((rest, _)) => assert!(rest.is_empty(), "{shown}"),
            Err(error) => panic!("{shown}: {error:?}"),
        }
    }
}
