//! Each command, well and badly written.

use pillarbox_wire::imap::command::*;
use pillarbox_wire::imap::{
    By, DateTime, Flag, Label, Literals, Mailbox, Problem, SequenceSet, parse,
};
use proptest::prelude::*;

fn body(text: &str) -> Body {
    parse(format!("a1 {text}").as_bytes(), false)
        .unwrap_or_else(|e| panic!("{text}: {e}"))
        .body
}

/// Reads `text` and writes it again in our spelling.
fn respelled(text: &str) -> String {
    let command =
        parse(format!("a {text}").as_bytes(), false).unwrap_or_else(|e| panic!("{text}: {e}"));
    let bytes = command.print(false, Literals::NonSync(4096)).concat();
    String::from_utf8(bytes)
        .unwrap()
        .strip_prefix("a ")
        .unwrap()
        .trim_end()
        .to_owned()
}

#[test]
fn every_command_is_read() {
    // What is read, and our own spelling of it if that differs.
    for (text, spelled) in [
        ("capability", "CAPABILITY"),
        ("NOOP ", "NOOP"),
        ("LOGOUT", ""),
        ("STARTTLS", ""),
        ("NAMESPACE", ""),
        ("IDLE", ""),
        ("CHECK", ""),
        ("CLOSE", ""),
        ("UNSELECT", ""),
        ("EXPUNGE", ""),
        ("ID NIL", ""),
        ("ID (\"name\" \"probe\" \"version\" NIL)", ""),
        ("id ()", "ID ()"),
        ("AUTHENTICATE XOAUTH2", ""),
        (
            "authenticate xoauth2 dXNlcj1h",
            "AUTHENTICATE XOAUTH2 dXNlcj1h",
        ),
        ("AUTHENTICATE PLAIN =", ""),
        ("LOGIN ada \"pass word\"", ""),
        (
            "LOGIN {3}\r\nada {4+}\r\n\"\\\\\"",
            "LOGIN ada \"\\\"\\\\\\\\\\\"\"",
        ),
        (
            "ENABLE utf8=accept CONDSTORE",
            "ENABLE UTF8=ACCEPT CONDSTORE",
        ),
        ("COMPRESS deflate", "COMPRESS DEFLATE"),
        ("SELECT inbox", "SELECT \"INBOX\""),
        ("SELECT \"\"", ""),
        ("SELECT x (CONDSTORE)", "SELECT \"x\" (CONDSTORE)"),
        (
            "SELECT x (QRESYNC (67890007 20050715194045000 41,43:211 (1:3 4:6)))",
            "SELECT \"x\" (QRESYNC (67890007 20050715194045000 41,43:211 (1:3 4:6)))",
        ),
        (
            "SELECT x (QRESYNC (1 2 (1 2)) CONDSTORE)",
            "SELECT \"x\" (CONDSTORE QRESYNC (1 2 (1 2)))",
        ),
        ("EXAMINE \"[Gmail]/All Mail\"", ""),
        ("CREATE work/", "CREATE \"work\""),
        ("CREATE work//", "CREATE \"work//\""),
        (
            "CREATE x (USE (\\drafts \\Sent))",
            "CREATE \"x\" (USE (\\Drafts \\Sent))",
        ),
        ("DELETE \"a \\\"b\\\"\"", ""),
        ("RENAME a b", "RENAME \"a\" \"b\""),
        ("SUBSCRIBE \"&AOk-\"", ""),
        ("UNSUBSCRIBE R&D", "UNSUBSCRIBE \"R&-D\""),
        ("LIST \"\" *", "LIST \"\" \"*\""),
        (
            "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (INBOX \"w/%\") RETURN (CHILDREN STATUS (MESSAGES SIZE))",
            "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (\"INBOX\" \"w/%\") RETURN (CHILDREN STATUS (MESSAGES SIZE))",
        ),
        (
            "LIST () \"\" % RETURN (special-use)",
            "LIST () \"\" \"%\" RETURN (SPECIAL-USE)",
        ),
        ("LSUB \"\" \"*\"", ""),
        ("XLIST \"\" \"*\"", ""),
        (
            "STATUS x (messages HIGHESTMODSEQ)",
            "STATUS \"x\" (MESSAGES HIGHESTMODSEQ)",
        ),
        ("GETQUOTA \"\"", ""),
        ("GETQUOTAROOT INBOX", "GETQUOTAROOT \"INBOX\""),
        ("UID EXPUNGE 1:*", ""),
        ("COPY 2:4 x", "COPY 2:4 \"x\""),
        ("uid move $ x", "UID MOVE $ \"x\""),
        (
            "STORE 1 +FLAGS \\seen $Phishing",
            "STORE 1 +FLAGS (\\Seen $Phishing)",
        ),
        ("STORE 1 FLAGS ()", ""),
        (
            "UID STORE 1,3 (UNCHANGEDSINCE 0) -FLAGS.SILENT (\\Deleted)",
            "",
        ),
        (
            "UID STORE 41 +X-GM-LABELS (\\Starred \"\\\\Inbox\" \"Taxes 2026\" &AOk-)",
            "UID STORE 41 +X-GM-LABELS (\"\\\\Starred\" \"\\\\Inbox\" \"Taxes 2026\" \"&AOk-\")",
        ),
        (
            "STORE 1 x-gm-labels.silent \\Trash",
            "STORE 1 X-GM-LABELS.SILENT (\"\\\\Trash\")",
        ),
        ("FETCH 1 FAST", "FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE)"),
        (
            "FETCH 1 all",
            "FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)",
        ),
        (
            "FETCH 1 FULL",
            "FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY)",
        ),
        ("FETCH 1:* BODY", "FETCH 1:* (BODY)"),
        ("FETCH 1 BODY[]", "FETCH 1 (BODY[])"),
        (
            "FETCH 1 (RFC822 RFC822.HEADER RFC822.TEXT BODYSTRUCTURE UID MODSEQ EMAILID THREADID PREVIEW PREVIEW (LAZY))",
            "",
        ),
        (
            "FETCH 1 body.peek[2.1.header.fields (From \"X Y\")]<0.100>",
            "FETCH 1 (BODY.PEEK[2.1.HEADER.FIELDS (From \"X Y\")]<0.100>)",
        ),
        (
            "FETCH 1 (BODY[HEADER.FIELDS.NOT (Received)] BODY[1.MIME] BODY[TEXT] BODY[4.HEADER] BODY[4.2.2])",
            "",
        ),
        (
            "UID FETCH 41 (X-GM-MSGID X-GM-THRID X-GM-LABELS FLAGS) (CHANGEDSINCE 12 VANISHED)",
            "",
        ),
        ("SEARCH unseen", "SEARCH UNSEEN"),
        ("SEARCH RETURN (min MAX) ALL", "SEARCH RETURN (MIN MAX) ALL"),
        ("UID SEARCH RETURN () ALL", "UID SEARCH RETURN (ALL) ALL"),
        (
            "UID SEARCH RETURN (SAVE COUNT) UID $",
            "UID SEARCH RETURN (COUNT SAVE) $",
        ),
        (
            "SEARCH CHARSET utf-8 SUBJECT {2}\r\né",
            "SEARCH CHARSET UTF-8 SUBJECT {2+}\r\né",
        ),
        (
            "SEARCH (OR (SEEN DRAFT) (ALL) NOT (1:3)) HEADER X \"\" UID 5:*",
            "SEARCH (OR (SEEN DRAFT) ALL NOT 1:3) HEADER X \"\" UID 5:*",
        ),
        (
            "SEARCH ANSWERED UNANSWERED DELETED UNDELETED DRAFT UNDRAFT FLAGGED UNFLAGGED SEEN RECENT NEW OLD",
            "",
        ),
        (
            "SEARCH BCC a CC b FROM c TO d SUBJECT e BODY f TEXT \"g h\" KEYWORD k UNKEYWORD $l",
            "",
        ),
        (
            "SEARCH BEFORE 1-Feb-1994 ON \"02-feb-1994\" SINCE 3-Feb-1994",
            "SEARCH BEFORE 1-Feb-1994 ON 2-Feb-1994 SINCE 3-Feb-1994",
        ),
        (
            "SEARCH SENTBEFORE 1-Feb-1994 SENTON 2-Feb-1994 SENTSINCE 3-Feb-1994 LARGER 1 SMALLER 0 OLDER 5 YOUNGER 6",
            "",
        ),
        (
            "SEARCH MODSEQ \"/flags/\\\\draft\" all 620162338",
            "SEARCH MODSEQ 620162338",
        ),
        (
            "SEARCH EMAILID M1 THREADID T1 X-GM-MSGID 18446744073709551615 X-GM-THRID 1",
            "",
        ),
        (
            "SEARCH X-GM-LABELS \\Inbox X-GM-LABELS \"\\\\Inbox\" X-GM-RAW \"has:attachment in:unread\"",
            "SEARCH X-GM-LABELS \"\\\\Inbox\" X-GM-LABELS \"\\\\Inbox\" X-GM-RAW \"has:attachment in:unread\"",
        ),
    ] {
        let spelled = if spelled.is_empty() { text } else { spelled };
        assert_eq!(respelled(text), spelled);
        assert_eq!(respelled(spelled), spelled);
        let name = body(text).name();
        assert!(spelled.starts_with(name), "{name}: {spelled}");
    }
}

#[test]
fn what_is_badly_written_is_refused_with_its_tag() {
    for text in [
        "NOOP x",
        "ID",
        "ID (\"a\")",
        "ID (\"a\" \"b\"",
        "AUTHENTICATE",
        "AUTHENTICATE PLAIN = x",
        "LOGIN ada",
        "LOGIN ada {9}\r\nx",
        "LOGIN \"ada x",
        "LOGIN \"a\0b\" c",
        "LOGIN a \"\\x\"",
        "ENABLE",
        "SELECT",
        "CREATE \"\"",
        "RENAME a \"\"",
        "SELECT a b",
        "SELECT x ()",
        "SELECT x (QRESYNC (0 1))",
        "SELECT x (QRESYNC (1 1 1:*))",
        "SELECT \"&AAo-\"",
        "SELECT \"\u{1}\"",
        "CREATE x (USE \\Sent)",
        "CREATE /",
        "RENAME a",
        "LIST \"\"",
        "LIST (RECURSIVEMATCH) \"\" *",
        "LIST (FOO) \"\" *",
        "LIST \"\" ()",
        "LIST \"\" * RETURN (STATUS ())",
        "STATUS x ()",
        "STATUS x MESSAGES",
        "STATUS x (FOO)",
        "COPY x y",
        "COPY 0 y",
        "COPY 1:0 y",
        "COPY 4294967296 y",
        "COPY 1, y",
        "COPY 1",
        "UID",
        "STORE 1 FLAGS",
        "STORE 1 FLAGS (\\Recent)",
        "STORE 1 FLAGS (\\Foo)",
        "STORE 1 *FLAGS (\\Seen)",
        "STORE 1 (UNCHANGEDSINCE x) FLAGS ()",
        "STORE 1 +X-GM-LABELS (\"\\\\\")",
        "FETCH 1",
        "FETCH 1 ()",
        "FETCH 1 (FAST)",
        "FETCH 1 BODY[",
        "FETCH 1 BODY[MIME]",
        "FETCH 1 BODY[1.]",
        "FETCH 1 BODY[0]",
        "FETCH 1 BODY[HEADER.FIELDS ()]",
        "FETCH 1 BODY[]<0.0>",
        "FETCH 1 (UID FOO)",
        "FETCH 1 UID (VANISHED)",
        "UID FETCH 1 UID (VANISHED)",
        "SEARCH",
        "SEARCH FOO",
        "SEARCH NOT",
        "SEARCH OR SEEN",
        "SEARCH ()",
        "SEARCH (SEEN",
        "SEARCH ON 30-Feb-2026",
        "SEARCH LARGER x",
        "SEARCH OLDER 0",
        "SEARCH SUBJECT",
        "SEARCH RETURN (FOO) ALL",
        "SEARCH KEYWORD \\Seen",
        "APPEND x",
        "APPEND x {3",
        "APPEND x \"y\" {3}\r\n",
        "APPEND x UTF8 ({3}\r\n",
        "APPEND x {3}\r\nabc",
        "COMPRESS",
        "GETQUOTA",
    ] {
        let error = parse(format!("a1 {text}").as_bytes(), false).expect_err(text);
        assert_eq!(error.tag.unwrap().as_str(), "a1");
        assert!(
            matches!(error.problem, Problem::Syntax(_)),
            "{text}: {}",
            error.problem
        );
    }
}

#[test]
fn kinds_of_failure_are_told_apart() {
    let problem = |text: &str| parse(text.as_bytes(), false).unwrap_err().problem;
    assert_eq!(problem("a1 FROBNICATE"), Problem::UnknownCommand);
    assert_eq!(problem("a1 UID FROBNICATE 1"), Problem::UnknownCommand);
    assert_eq!(
        problem("a1 ANEXTREMELYLONGNAMEFORACOMMAND"),
        Problem::UnknownCommand
    );
    assert_eq!(problem("a1"), Problem::Syntax("command name"));
    for text in [
        "",
        " NOOP",
        "+ NOOP",
        "a+b NOOP",
        "{3} NOOP",
        "\u{e9} NOOP",
        "\0",
        "(a NOOP",
    ] {
        assert_eq!(problem(text), Problem::NoTag, "{text:?}");
    }
    assert_eq!(
        problem("a SEARCH CHARSET ISO-8859-1 SUBJECT {1}\r\nx"),
        Problem::BadCharset
    );
}

#[test]
fn append_is_read_up_to_its_message() {
    let Body::Append(it) =
        body("APPEND \"Receipts\" (\\Seen $x) \"02-Mar-2026 09:15:04 +0000\" {310}\r\n")
    else {
        panic!()
    };
    assert_eq!(it.mailbox, Mailbox::new("Receipts").unwrap());
    assert_eq!(it.flags, [Flag::Seen, Flag::parse(b"$x").unwrap()]);
    assert_eq!(it.date, DateTime::new(1_772_442_904, 0));
    assert_eq!(
        it.literal,
        AppendLiteral {
            size: 310,
            waits: true,
            form: AppendForm::Plain
        }
    );
    let Body::Append(it) = body("APPEND {5+}\r\ninbox UTF8 (~{7+}\r\n") else {
        panic!()
    };
    assert!(it.mailbox.is_inbox());
    assert_eq!(
        it.literal,
        AppendLiteral {
            size: 7,
            waits: false,
            form: AppendForm::Utf8
        }
    );
}

#[test]
fn secrets_do_not_show() {
    for text in ["LOGIN ada hunter2", "AUTHENTICATE PLAIN aHVudGVyMg=="] {
        let shown = format!("{:?}", body(text));
        assert!(
            shown.contains("[secret]") && !shown.contains("hunter2") && !shown.contains("aHVu"),
            "{shown}"
        );
    }
}

#[test]
fn names_are_utf8_once_that_is_accepted() {
    let read = |utf8| match parse("a SELECT \"&AOk-\"".as_bytes(), utf8).unwrap().body {
        Body::Select(it) => it.mailbox.as_str().to_owned(),
        _ => panic!(),
    };
    assert_eq!((read(false).as_str(), read(true).as_str()), ("é", "&AOk-"));
    let Body::Store(store) = parse("a STORE 1 X-GM-LABELS \"é&\"".as_bytes(), true)
        .unwrap()
        .body
    else {
        panic!()
    };
    assert_eq!(store.what, Marks::Labels(vec![Label::new("é&").unwrap()]));
    assert!(parse(b"a SELECT \"\xff\"", false).is_err());
}

#[test]
fn nesting_is_bounded() {
    for open in ["NOT ", "(", "OR "] {
        assert!(
            parse(
                format!("a SEARCH {}", open.repeat(20_000)).as_bytes(),
                false
            )
            .is_err()
        );
    }
    let deep = format!("a SEARCH {}ALL{}", "(".repeat(60), ")".repeat(60));
    assert!(parse(deep.as_bytes(), false).is_ok());
}

#[test]
fn a_set_means_what_the_mailbox_makes_of_it() {
    let set = |text: &str| SequenceSet::parse(text.as_bytes()).unwrap();
    assert_eq!(set("4:2,9,3:*").resolve(5).to_string(), "2:5,9");
    assert_eq!(set("7:*").resolve(3).to_string(), "3:7");
    assert_eq!(set("*,1:*,2").resolve(0).to_string(), "2");
    assert_eq!(set("1:4294967295").resolve(9).count(), 4_294_967_295);
    assert_eq!(
        (set("2:4,9,*").largest_written(), set("*").largest_written()),
        (9, 0)
    );
    let Body::UidExpunge(Messages::Set(all)) = body("UID EXPUNGE 1:*") else {
        panic!()
    };
    assert_eq!(all, SequenceSet::all());
    assert!(matches!(
        body("UID COPY 1 x"),
        Body::Copy(Transfer { by: By::Uid, .. })
    ));
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), utf8: bool) {
        let _ = parse(&bytes, utf8);
    }

    #[test]
    fn nothing_after_a_command_makes_it_panic(
        name in "(UID )?(FETCH|STORE|SEARCH|COPY|LIST|SELECT|APPEND|STATUS|CREATE|ID|LOGIN|AUTHENTICATE)",
        rest in "([ (){}\\[\\]<>.\"\\\\*%$\r\n+~0-9é]|ALL|BODY|HEADER.FIELDS|NOT |OR |UID |RETURN |QRESYNC |FLAGS |USE |UTF8 |MODSEQ |[a-z]){0,30}",
    ) {
        let _ = parse(format!("a {name} {rest}").as_bytes(), false);
    }
}
