# RFC 3501 §9, RFC 7888: sets with `*` and of every size; literals where astrings may stand
given ada has 3 messages in INBOX
S: * OK ...
C: a0 LOGIN ada@example.com $app(ada)
S: * CAPABILITY ...
S: a0 OK ada@example.com authenticated (Success)
C: a1 CREATE {4+}
C: Work
S: a1 OK Success
C: a2 SELECT {5+}
C: INBOX
S: * FLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing \*)] Flags permitted.
S: * OK [UIDVALIDITY 1772442904] UIDs valid.
S: * 3 EXISTS
S: * 3 RECENT
S: * OK [UIDNEXT 4] Predicted next UID.
S: * OK [HIGHESTMODSEQ 6] Highest mod-sequence.
S: a2 OK [READ-WRITE] INBOX selected. (Success)
C: a3 FETCH * UID
S: * 3 FETCH (UID 3)
S: a3 OK Success
C: a4 FETCH *:2 UID
S: * 2 FETCH (UID 2)
S: * 3 FETCH (UID 3)
S: a4 OK Success
C: a5 FETCH 4:* UID
S: * 3 FETCH (UID 3)
S: a5 OK Success
C: a6 FETCH 1:4 UID
S: a6 BAD Could not parse command
C: a7 FETCH 4 UID
S: a7 BAD Could not parse command
C: a8 UID FETCH 9:* UID
S: * 3 FETCH (UID 3)
S: a8 OK Success
C: a9 UID FETCH 1:4294967295 UID
S: * 1 FETCH (UID 1)
S: * 2 FETCH (UID 2)
S: * 3 FETCH (UID 3)
S: a9 OK Success
C: b1 UID FETCH 4294967295 UID
S: b1 OK Success
C: b2 UID FETCH 4294967295:* UID
S: * 3 FETCH (UID 3)
S: b2 OK Success
C: b3 UID FETCH 0 UID
S: b3 BAD Could not parse command
C: b4 FETCH 0:3 UID
S: b4 BAD Could not parse command
C: b5 FETCH 4294967296 UID
S: b5 BAD Could not parse command
C: b6 FETCH 3,1,2,1:2,* UID
S: * 1 FETCH (UID 1)
S: * 2 FETCH (UID 2)
S: * 3 FETCH (UID 3)
S: b6 OK Success
C: b7 UID SEARCH UID 2:*
S: * SEARCH 2 3
S: b7 OK SEARCH completed (Success)
C: b8 SEARCH 2:4
S: b8 BAD Could not parse command
C: b9 SEARCH *
S: * SEARCH 3
S: b9 OK SEARCH completed (Success)
C: c2 COPY 1:* {4+}
C: Work
S: c2 OK [COPYUID 1772442912 1:3 1:3] (Success)
C: c3 SEARCH SUBJECT {9+}
C: message 2
S: * SEARCH 2
S: c3 OK SEARCH completed (Success)
C: c4 SEARCH CHARSET UTF-8 SUBJECT {9+}
C: message 2
S: * SEARCH 2
S: c4 OK SEARCH completed (Success)
C: c5 STATUS {4+}
C: Work (MESSAGES)
S: * STATUS "Work" (MESSAGES 3)
S: c5 OK Success
C: c6 LIST {0+}
C:  {2+}
C: W*
S: * LIST (\HasNoChildren) "/" "Work"
S: c6 OK Success
C: c7 RENAME {4+}
C: Work {4+}
C: Wirk
S: c7 OK Success
C: c8 FETCH 1 BODY.PEEK[HEADER.FIELDS ({7+}
C: Subject)]
S: * 1 FETCH (BODY[HEADER.FIELDS (Subject)] {22}
S: Subject: Message 1
S: 
S: )
S: c8 OK Success
C: c9 STORE 1 +X-GM-LABELS ({4+}
C: Wirk)
S: * 1 FETCH (X-GM-LABELS (Wirk))
S: c9 OK Success
C: d1 SEARCH X-GM-RAW {9+}
C: message 2
S: * SEARCH 2
S: d1 OK SEARCH completed (Success)
C: d2 SUBSCRIBE {4+}
C: Wirk
S: d2 OK Success
C: d4 UNSUBSCRIBE {4+}
C: Wirk
S: d4 OK Success
C: d5 DELETE {4+}
C: Wirk
S: * 1 FETCH (FLAGS (\Recent))
S: * 2 FETCH (FLAGS (\Recent))
S: * 3 FETCH (FLAGS (\Recent))
S: d5 OK Success
C: d6 UID EXPUNGE 1:*
S: d6 OK Success
C: d7 UID MOVE 4294967295:* Nowhere
S: d7 NO [TRYCREATE] Unknown Mailbox: Nowhere (Failure)
C: d8 UID COPY 77 INBOX
S: d8 OK Success
C: d9 CREATE {5+}
C: \Mine
S: d9 NO [CANNOT] Invalid folder name (Failure)
C: e1 GETQUOTAROOT {5+}
C: INBOX
S: * QUOTAROOT "INBOX"
S: e1 OK Success
C: e2 APPEND {5+}
C: INBOX {3+}
C: abc
S: * 4 EXISTS
S: * 4 RECENT
S: e2 OK [APPENDUID 1772442904 4] (Success)
C: e3 LOGIN {3+}
C: ada {3+}
C: bob
S: e3 BAD Already authenticated
