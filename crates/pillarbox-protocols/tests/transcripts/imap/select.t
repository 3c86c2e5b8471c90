# wire §3.5: SELECT in this order; EXAMINE; recent for one session only
given ada has 2 messages in INBOX
given ada has in INBOX (\Seen Fancy)
| Subject: x
|
| y
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a0 LOGIN ada@example.com $app(ada)
S: * CAPABILITY ...
S: a0 OK ada@example.com authenticated (Success)
C: a1 STATUS INBOX (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)
S: * STATUS "INBOX" (MESSAGES 3 RECENT 3 UIDNEXT 4 UIDVALIDITY ... UNSEEN 2)
S: a1 OK Success
C: a4 EXAMINE inbox
S: * FLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing Fancy)
S: * OK [PERMANENTFLAGS ()] No flags permitted.
S: * OK [UIDVALIDITY ...] UIDs valid.
S: * 3 EXISTS
S: * 3 RECENT
S: * OK [UIDNEXT 4] Predicted next UID.
S: * OK [HIGHESTMODSEQ 5] Highest mod-sequence.
S: a4 OK [READ-ONLY] INBOX selected. (Success)
C: a5 SELECT INBOX
S: * FLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing Fancy)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing Fancy \*)] Flags permitted.
S: * OK [UIDVALIDITY ...] UIDs valid.
S: * 3 EXISTS
S: * 3 RECENT
S: * OK [UIDNEXT 4] Predicted next UID.
S: * OK [HIGHESTMODSEQ 5] Highest mod-sequence.
S: a5 OK [READ-WRITE] INBOX selected. (Success)
C: a6 STATUS INBOX (RECENT HIGHESTMODSEQ)
S: * STATUS "INBOX" (RECENT 0 HIGHESTMODSEQ 5)
S: a6 OK Success
C: a7 CLOSE
S: a7 OK Returned to authenticated state. (Success)
C: a8 SELECT INBOX (CONDSTORE)
S: * FLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing Fancy)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing Fancy \*)] Flags permitted.
S: * OK [UIDVALIDITY ...] UIDs valid.
S: * 3 EXISTS
S: * 0 RECENT
S: * OK [UIDNEXT 4] Predicted next UID.
S: * OK [HIGHESTMODSEQ 5] Highest mod-sequence.
S: a8 OK [READ-WRITE] INBOX selected. (Success)
C: a9 UNSELECT
S: a9 OK Returned to authenticated state. (Success)
C: b1 FETCH 1 FLAGS
S: b1 BAD No mailbox selected
