# RFC 3501 §6.3.2: nothing changes in a mailbox that is only examined
given ada has 1 messages in INBOX
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a0 LOGIN ada@example.com $app(ada)
S: * CAPABILITY ...
S: a0 OK ada@example.com authenticated (Success)
C: a1 EXAMINE INBOX
S: * FLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing)
S: * OK [PERMANENTFLAGS ()] No flags permitted.
S: * OK [UIDVALIDITY ...] UIDs valid.
S: * 1 EXISTS
S: * 1 RECENT
S: * OK [UIDNEXT 2] Predicted next UID.
S: * OK [HIGHESTMODSEQ ...] Highest mod-sequence.
S: a1 OK [READ-ONLY] INBOX selected. (Success)
C: a2 FETCH 1 (FLAGS BODY[]<0.4>)
S: * 1 FETCH (FLAGS (\Recent) BODY[]<0> {4}
S: From)
S: a2 OK Success
C: a3 STORE 1 +FLAGS (\Seen)
S: a3 NO [CANNOT] Mailbox is selected read-only (Failure)
C: a4 EXPUNGE
S: a4 NO [CANNOT] Mailbox is selected read-only (Failure)
C: a5 MOVE 1 "[Gmail]/Trash"
S: a5 NO [CANNOT] Mailbox is selected read-only (Failure)
C: a6 CLOSE
S: a6 OK Returned to authenticated state. (Success)
