# RFC 7162: MODSEQ, CHANGEDSINCE, UNCHANGEDSINCE
given ada has 3 messages in INBOX
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a0 LOGIN ada@example.com $app(ada)
S: * CAPABILITY ...
S: a0 OK ada@example.com authenticated (Success)
C: a1 SELECT INBOX (CONDSTORE)
S: * FLAGS ...
S: * OK [PERMANENTFLAGS ...
S: * OK [UIDVALIDITY ...
S: * 3 EXISTS
S: * 3 RECENT
S: * OK [UIDNEXT 4] Predicted next UID.
S: * OK [HIGHESTMODSEQ $highest] Highest mod-sequence.
S: a1 OK [READ-WRITE] INBOX selected. (Success)
C: a2 STORE 2 +FLAGS.SILENT (\Seen)
S: * 2 FETCH (UID 2 MODSEQ ($new))
S: a2 OK Success
C: a3 FETCH 1:* (FLAGS) (CHANGEDSINCE $highest)
S: * 2 FETCH (MODSEQ ($new) FLAGS (\Seen \Recent))
S: a3 OK Success
C: a4 UID STORE 1:2 (UNCHANGEDSINCE $highest) +FLAGS (\Flagged)
S: * 1 FETCH (UID 1 MODSEQ (7) FLAGS (\Flagged \Recent))
S: a4 OK [MODIFIED 2] Conditional Store Failed (Success)
C: a5 SEARCH MODSEQ $new
S: * SEARCH 1 2 (MODSEQ 7)
S: a5 OK SEARCH completed (Success)
C: a6 UID SEARCH RETURN (MIN COUNT) MODSEQ $new
S: * ESEARCH (TAG "a6") UID MIN 1 COUNT 2 MODSEQ 7
S: a6 OK SEARCH completed (Success)
C: a7 FETCH 1 MODSEQ
S: * 1 FETCH (MODSEQ (7))
S: a7 OK Success
