# wire §3.5: SELECT in this order
given ada has 2 messages in INBOX
S: ...
C: a1 LOGIN ada@example.com $app(ada)
S: * CAPABILITY ...
S: a1 OK ada@example.com authenticated (Success)
C: a5 SELECT INBOX
S: * FLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing \*)] Flags permitted.
S: * OK [UIDVALIDITY ...] UIDs valid.
S: * 2 EXISTS
S: * 2 RECENT
S: * OK [UIDNEXT 3] Predicted next UID.
S: * OK [HIGHESTMODSEQ ...] Highest mod-sequence.
S: a5 OK [READ-WRITE] INBOX selected. (Success)
C: a6 FETCH 1:* (UID FLAGS ENVELOPE RFC822.SIZE BODY[])
S: * 1 FETCH (UID 1 RFC822.SIZE 154 FLAGS (\Seen \Recent) ENVELOPE ("Mon, 2 Mar 2026 09:15:04 +0000" "Message 1" (("Bob" NIL "bob" "example.com")) (("Bob" NIL "bob" "example.com")) (("Bob" NIL "bob" "example.com")) ((NIL NIL "ada" "example.com")) NIL NIL NIL "<1.INBOX@example.com>") BODY[] {154}
S: From: Bob <bob@example.com>
S: To: ada@example.com
S: Subject: Message 1
S: Message-ID: <1.INBOX@example.com>
S: Date: Mon, 2 Mar 2026 09:15:04 +0000
S: 
S: Body 1.
S: )
S: * 2 FETCH (UID 2 RFC822.SIZE 154 FLAGS (\Seen \Recent) ENVELOPE ("Mon, 2 Mar 2026 09:15:04 +0000" "Message 2" (("Bob" NIL "bob" "example.com")) (("Bob" NIL "bob" "example.com")) (("Bob" NIL "bob" "example.com")) ((NIL NIL "ada" "example.com")) NIL NIL NIL "<2.INBOX@example.com>") BODY[] {154}
S: From: Bob <bob@example.com>
S: To: ada@example.com
S: Subject: Message 2
S: Message-ID: <2.INBOX@example.com>
S: Date: Mon, 2 Mar 2026 09:15:04 +0000
S: 
S: Body 2.
S: )
S: a6 OK Success
