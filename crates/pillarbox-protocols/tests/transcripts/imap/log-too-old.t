# A session that slept past the end of the change log compares instead, and is told the same
given ada has 3 messages in INBOX
S: * OK ...
C: a0 LOGIN ada@example.com $app(ada)
S: * CAPABILITY ...
S: a0 OK ada@example.com authenticated (Success)
C: a1 SELECT INBOX
S: * FLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing \*)] Flags permitted.
S: * OK [UIDVALIDITY 1772442904] UIDs valid.
S: * 3 EXISTS
S: * 3 RECENT
S: * OK [UIDNEXT 4] Predicted next UID.
S: * OK [HIGHESTMODSEQ 5] Highest mod-sequence.
S: a1 OK [READ-WRITE] INBOX selected. (Success)
2S: * OK Pillarbox ready for requests from 203.0.113.7 t-2
2C: a0 LOGIN ada@example.com $app(ada)
2S: * CAPABILITY IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 UIDPLUS ENABLE MOVE CONDSTORE ESEARCH UTF8=ACCEPT LIST-EXTENDED LIST-STATUS LITERAL- SPECIAL-USE APPENDLIMIT=35651584
2S: a0 OK ada@example.com authenticated (Success)
2C: a1 SELECT INBOX
2S: * FLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing)
2S: * OK [PERMANENTFLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing \*)] Flags permitted.
2S: * OK [UIDVALIDITY 1772442904] UIDs valid.
2S: * 3 EXISTS
2S: * 0 RECENT
2S: * OK [UIDNEXT 4] Predicted next UID.
2S: * OK [HIGHESTMODSEQ 5] Highest mod-sequence.
2S: a1 OK [READ-WRITE] INBOX selected. (Success)
2C: a2 STORE 1 +FLAGS.SILENT (\Deleted)
2S: a2 OK Success
2C: a3 EXPUNGE
2S: * 1 EXPUNGE
2S: * 2 EXISTS
2S: a3 OK Success
2C: a4 STORE 1 +FLAGS (\Seen)
2S: * 1 FETCH (FLAGS (\Seen))
2S: a4 OK Success
2C: a5 COPY 2 INBOX
2S: * 3 EXISTS
2S: * 1 RECENT
2S: a5 OK [COPYUID 1772442904 3 4] (Success)
@forget ada
C: a2 FETCH 1:* (UID FLAGS)
S: * 2 FETCH (UID 2 FLAGS (\Seen \Recent))
S: * 3 FETCH (UID 3 FLAGS (\Recent))
S: * 4 EXISTS
S: * 2 FETCH (FLAGS (\Seen \Recent))
S: * 4 FETCH (FLAGS ())
S: a2 OK Success
C: a3 NOOP
S: * 1 EXPUNGE
S: * 3 EXISTS
S: a3 OK Success
C: a4 FETCH 1:* (UID FLAGS)
S: * 1 FETCH (UID 2 FLAGS (\Seen \Recent))
S: * 2 FETCH (UID 3 FLAGS (\Recent))
S: * 3 FETCH (UID 4 FLAGS ())
S: a4 OK Success
2C: b1 NOOP
2S: b1 OK Success
@forget ada
2C: b2 NOOP
2S: b2 OK Success
