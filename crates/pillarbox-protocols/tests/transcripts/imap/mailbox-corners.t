# RFC 3501 §6.3, §6.4: what mailboxes may be called and become, and what is no command
given ada has 2 messages in INBOX
S: * OK ...
C: a0 LOGIN ada@example.com $app(ada)
S: * CAPABILITY ...
S: a0 OK ada@example.com authenticated (Success)
C: a1 CREATE foo/
S: a1 OK Success
C: a2 CREATE foo/bar
S: a2 OK Success
C: a3 DELETE foo
S: a3 OK Success
C: a4 LIST "" foo*
S: * LIST (\HasChildren \Noselect) "/" "foo"
S: * LIST (\HasNoChildren) "/" "foo/bar"
S: a4 OK Success
C: a5 SELECT foo
S: a5 NO [NONEXISTENT] Unknown Mailbox: foo (Failure)
C: a6 DELETE foo
S: a6 NO [NONEXISTENT] Unknown folder.
C: a7 DELETE inbox
S: a7 NO [CANNOT] System folder (Failure)
C: a8 DELETE "[Gmail]"
S: a8 NO [NONEXISTENT] Unknown folder.
C: a9 RENAME foo/bar baz/qux
S: a9 OK Success
C: b1 LIST "" "%"
S: * LIST (\HasNoChildren) "/" "INBOX"
S: * LIST (\HasChildren \Noselect) "/" "[Gmail]"
S: * LIST (\HasChildren \Noselect) "/" "baz"
S: b1 OK Success
C: b2 RENAME baz/qux foo
S: b2 OK Success
C: b3 RENAME foo foo/foo
S: b3 OK Success
C: b4 LIST "" *oo*
S: * LIST (\HasChildren \Noselect) "/" "foo"
S: * LIST (\HasNoChildren) "/" "foo/foo"
S: b4 OK Success
C: b5 RENAME foo/foo INBOX
S: b5 NO [ALREADYEXISTS] Duplicate folder name INBOX (Failure)
C: b6 SUBSCRIBE nothere
S: b6 NO [NONEXISTENT] Unknown Mailbox: nothere (Failure)
C: b7 UNSUBSCRIBE nothere
S: b7 NO [NONEXISTENT] Unknown Mailbox: nothere (Failure)
C: b8 LSUB "" "*"
S: * LSUB (\HasNoChildren) "/" "INBOX"
S: * LSUB (\HasNoChildren) "/" "[Gmail]/All Mail"
S: * LSUB (\HasNoChildren) "/" "[Gmail]/Drafts"
S: * LSUB (\HasNoChildren) "/" "[Gmail]/Important"
S: * LSUB (\HasNoChildren) "/" "[Gmail]/Sent Mail"
S: * LSUB (\HasNoChildren) "/" "[Gmail]/Spam"
S: * LSUB (\HasNoChildren) "/" "[Gmail]/Starred"
S: * LSUB (\HasNoChildren) "/" "[Gmail]/Trash"
S: * LSUB (\HasNoChildren) "/" "foo/foo"
S: b8 OK Success
C: b9 SELECT ""
S: b9 NO [NONEXISTENT] Unknown Mailbox:  (Failure)
C: c1 SELECT INBOX
S: * FLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing \*)] Flags permitted.
S: * OK [UIDVALIDITY 1772442904] UIDs valid.
S: * 2 EXISTS
S: * 2 RECENT
S: * OK [UIDNEXT 3] Predicted next UID.
S: * OK [HIGHESTMODSEQ 11] Highest mod-sequence.
S: c1 OK [READ-WRITE] INBOX selected. (Success)
C: c2 SELECT nothere
S: c2 NO [NONEXISTENT] Unknown Mailbox: nothere (Failure)
C: c3 FETCH 1 UID
S: c3 BAD No mailbox selected
C: c4 LIST "[Gmail]/" "%il"
S: * LIST (\All \HasNoChildren) "/" "[Gmail]/All Mail"
S: * LIST (\HasNoChildren \Sent) "/" "[Gmail]/Sent Mail"
S: c4 OK Success
C: c5 LIST "" ""
S: * LIST (\Noselect) "/" ""
S: c5 OK Success
C: c6 CREATE INBOX
S: c6 NO [ALREADYEXISTS] Duplicate folder name INBOX (Failure)
C: c7 CREATE Inbox/x
S: c7 NO [CANNOT] Invalid folder name (Failure)
C: c8 RENAME INBOX archive
S: c8 OK Success
C: c9 STATUS archive (MESSAGES UIDNEXT UNSEEN RECENT UIDVALIDITY)
S: * STATUS "archive" (MESSAGES 2 UIDNEXT 3 UNSEEN 2 RECENT 2 UIDVALIDITY 1772442914)
S: c9 OK Success
C: d1 STATUS INBOX (MESSAGES UIDNEXT)
S: * STATUS "INBOX" (MESSAGES 0 UIDNEXT 3)
S: d1 OK Success
C: d2 examine archive
S: * FLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing)
S: * OK [PERMANENTFLAGS ()] No flags permitted.
S: * OK [UIDVALIDITY 1772442914] UIDs valid.
S: * 2 EXISTS
S: * 2 RECENT
S: * OK [UIDNEXT 3] Predicted next UID.
S: * OK [HIGHESTMODSEQ 13] Highest mod-sequence.
S: d2 OK [READ-ONLY] archive selected. (Success)
C: d3 STORE 1 +FLAGS (\Seen)
S: d3 NO [CANNOT] Mailbox is selected read-only (Failure)
C: d4 EXPUNGE
S: d4 NO [CANNOT] Mailbox is selected read-only (Failure)
C: d5 UID EXPUNGE 1
S: d5 NO [CANNOT] Mailbox is selected read-only (Failure)
C: d6 MOVE 1 INBOX
S: d6 NO [CANNOT] Mailbox is selected read-only (Failure)
C: d7 FETCH 1 (BODY[TEXT] FLAGS)
S: * 1 FETCH (FLAGS (\Recent) BODY[TEXT] {9}
S: Body 1.
S: )
S: d7 OK Success
C: d8 CLOSE
S: d8 OK Returned to authenticated state. (Success)
C: d9 FETCH 1 UID
S: d9 BAD No mailbox selected
C: e1  NOOP
S: e1 BAD Could not parse command
C: e2 NOOP 
S: e2 OK Success
C: e3 noop
S: e3 OK Success
C: e4 FETCH
S: e4 BAD Could not parse command
C: e+5 NOOP
S: * BAD [CLIENTBUG] Invalid tag
C: * NOOP
S: * BAD [CLIENTBUG] Invalid tag
C: e7 STARTTLS
S: e7 BAD Unknown command
C: e8 COMPRESS DEFLATE
S: e8 BAD Unknown command
C: e9 SELECT archive
S: * FLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing \*)] Flags permitted.
S: * OK [UIDVALIDITY 1772442914] UIDs valid.
S: * 2 EXISTS
S: * 2 RECENT
S: * OK [UIDNEXT 3] Predicted next UID.
S: * OK [HIGHESTMODSEQ 13] Highest mod-sequence.
S: e9 OK [READ-WRITE] archive selected. (Success)
C: f1 FETCH 1 ()
S: f1 BAD Could not parse command
C: f2 FETCH 1 (FLAGS FLAGS UID)
S: * 1 FETCH (UID 1 FLAGS (\Recent))
S: f2 OK Success
C: f3 FETCH 1 (ALL)
S: f3 BAD Could not parse command
C: f4 SEARCH
S: f4 BAD Could not parse command
C: f5 STORE 1 FLAGS (\Recent \Seen)
S: f5 BAD Could not parse command
C: f6 STORE 1 FLAGS (\Nosuch)
S: f6 BAD Could not parse command
C: f7 SEARCH SINCE  1-Mar-2026
S: f7 BAD Could not parse command
C: f8 SEARCH SINCE 1-Mar-2026 BEFORE 3-Mar-2026
S: * SEARCH 1 2
S: f8 OK SEARCH completed (Success)
C: f9 SEARCH ON " 2-Mar-2026"
S: f9 BAD Could not parse command
C: g1 UNSELECT
S: g1 OK Returned to authenticated state. (Success)
C: g2 UNSELECT
S: g2 BAD No mailbox selected
C: g3 LIST "" (INBOX archive) RETURN (SUBSCRIBED CHILDREN STATUS (MESSAGES))
S: * LIST (\HasNoChildren \Subscribed) "/" "INBOX"
S: * STATUS "INBOX" (MESSAGES 0)
S: * LIST (\HasNoChildren \Subscribed) "/" "archive"
S: * STATUS "archive" (MESSAGES 2)
S: g3 OK Success
C: g4 SEARCH CHARSET KOI8-R ALL
S: g4 NO [BADCHARSET (US-ASCII UTF-8)] Unknown charset (Failure)
C: g5 SELECT archive
S: * FLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing \*)] Flags permitted.
S: * OK [UIDVALIDITY 1772442914] UIDs valid.
S: * 2 EXISTS
S: * 0 RECENT
S: * OK [UIDNEXT 3] Predicted next UID.
S: * OK [HIGHESTMODSEQ 13] Highest mod-sequence.
S: g5 OK [READ-WRITE] archive selected. (Success)
C: g6 SEARCH CHARSET KOI8-R ALL
S: g6 NO [BADCHARSET (US-ASCII UTF-8)] Unknown charset (Failure)
C: g7 UID FOO
S: g7 BAD Unknown command
C: g8 GETQUOTAROOT nothere
S: g8 NO [NONEXISTENT] Unknown Mailbox: nothere (Failure)
C: g9 ENABLE NOSUCH
S: * ENABLED
S: g9 OK Success
C: h1 ID NIL
S: * ID ("name" "Pillarbox" "vendor" "Pillarbox" "support-url" "https://mail.example.com/help" "version" "0.1.0" "remote-host" "203.0.113.7")
S: h1 OK Success
C: h2 ID ("a" NIL)
S: * ID ("name" "Pillarbox" "vendor" "Pillarbox" "support-url" "https://mail.example.com/help" "version" "0.1.0" "remote-host" "203.0.113.7")
S: h2 OK Success
C: h3 UID SEARCH RETURN () 1:*
S: * ESEARCH (TAG "h3") UID ALL 1:2
S: h3 OK SEARCH completed (Success)
C: h4 IDLE
S: + idling
C: DONE
S: h4 OK IDLE terminated (Success)
