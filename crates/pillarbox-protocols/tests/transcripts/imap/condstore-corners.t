# RFC 7162: what enables it, what is conditional, what is answered with a mod-sequence
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
C: a2 STORE 1 +FLAGS (\Seen)
S: * 1 FETCH (FLAGS (\Seen \Recent))
S: a2 OK Success
C: a3 FETCH 1:3 (FLAGS MODSEQ)
S: * 1 FETCH (MODSEQ (6) FLAGS (\Seen \Recent))
S: * 2 FETCH (MODSEQ (3) FLAGS (\Recent))
S: * 3 FETCH (MODSEQ (4) FLAGS (\Recent))
S: a3 OK Success
# from here on every change is told with its mod-sequence (§3.1)
C: a4 STORE 2 +FLAGS (\Seen)
S: * 2 FETCH (MODSEQ (7) FLAGS (\Seen \Recent))
S: a4 OK Success
C: a5 STORE 2 +FLAGS.SILENT (\Answered)
S: * 2 FETCH (UID 2 MODSEQ (8))
S: a5 OK Success
C: a6 STORE 3 (UNCHANGEDSINCE 0) +FLAGS (\Seen)
S: a6 OK [MODIFIED 3] Conditional Store Failed (Success)
C: a7 STORE 1:3 (UNCHANGEDSINCE 6) FLAGS.SILENT (\Draft)
S: * 1 FETCH (UID 1 MODSEQ (9))
S: * 3 FETCH (UID 3 MODSEQ (9))
S: a7 OK [MODIFIED 2] Conditional Store Failed (Success)
C: a8 FETCH 1 BODY[TEXT]
S: * 1 FETCH (MODSEQ (10) FLAGS (\Seen \Draft \Recent) BODY[TEXT] {9}
S: Body 1.
S: )
S: a8 OK Success
C: a9 SEARCH MODSEQ 99999
S: * SEARCH
S: a9 OK SEARCH completed (Success)
C: b1 SEARCH MODSEQ "/flags/\\Seen" all 1
S: * SEARCH 1 2 3 (MODSEQ 10)
S: b1 OK SEARCH completed (Success)
C: b2 SEARCH RETURN (ALL) MODSEQ 99999
S: * ESEARCH (TAG "b2")
S: b2 OK SEARCH completed (Success)
C: b3 UID FETCH 1:* (FLAGS) (CHANGEDSINCE 99999)
S: b3 OK Success
C: b4 STATUS INBOX (HIGHESTMODSEQ)
S: * STATUS "INBOX" (HIGHESTMODSEQ 10)
S: b4 OK Success
C: b5 UID STORE 3 (UNCHANGEDSINCE 5) +FLAGS (\Seen)
S: b5 OK [MODIFIED 3] Conditional Store Failed (Success)
C: b6 STORE 1 +FLAGS (\Deleted)
S: * 1 FETCH (MODSEQ (11) FLAGS (\Seen \Draft \Deleted \Recent))
S: b6 OK Success
C: b7 EXPUNGE
S: * 1 EXPUNGE
S: * 2 EXISTS
S: b7 OK Success
C: b8 UID STORE 9 (UNCHANGEDSINCE 1) +FLAGS (\Seen)
S: b8 OK Success
C: b9 ENABLE CONDSTORE
S: * OK [HIGHESTMODSEQ 12] Highest mod-sequence.
S: * ENABLED CONDSTORE
S: b9 OK Success
C: c1 CLOSE
S: c1 OK Returned to authenticated state. (Success)
C: c2 EXAMINE INBOX (CONDSTORE)
S: * FLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing)
S: * OK [PERMANENTFLAGS ()] No flags permitted.
S: * OK [UIDVALIDITY 1772442904] UIDs valid.
S: * 2 EXISTS
S: * 0 RECENT
S: * OK [UIDNEXT 4] Predicted next UID.
S: * OK [HIGHESTMODSEQ 12] Highest mod-sequence.
S: c2 OK [READ-ONLY] INBOX selected. (Success)
C: c3 FETCH 1 (FLAGS) (CHANGEDSINCE 0)
S: * 1 FETCH (MODSEQ (8) FLAGS (\Seen \Answered))
S: c3 OK Success
C: c4 SELECT INBOX (NOSUCH)
S: c4 BAD Could not parse command
