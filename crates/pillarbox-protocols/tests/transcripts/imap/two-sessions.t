# RFC 3501 §5.2, §7.4.1: each is told of what the other does; numbers hold still during FETCH, STORE and SEARCH
given ada has 4 messages in INBOX
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a0 LOGIN ada@example.com $app(ada)
S: * CAPABILITY ...
S: a0 OK ada@example.com authenticated (Success)
C: a1 SELECT INBOX
S: * FLAGS ...
S: * OK [PERMANENTFLAGS ...
S: * OK [UIDVALIDITY ...
S: * 4 EXISTS
S: * 4 RECENT
S: * OK [UIDNEXT ...
S: * OK [HIGHESTMODSEQ ...
S: a1 OK [READ-WRITE] INBOX selected. (Success)
2S: * OK Pillarbox ready for requests from 203.0.113.7 t-2
2C: a0 LOGIN ada@example.com $app(ada)
2S: * CAPABILITY ...
2S: a0 OK ada@example.com authenticated (Success)
2C: a1 SELECT INBOX
2S: * FLAGS ...
2S: * OK [PERMANENTFLAGS ...
2S: * OK [UIDVALIDITY ...
2S: * 4 EXISTS
2S: * 0 RECENT
2S: * OK [UIDNEXT ...
2S: * OK [HIGHESTMODSEQ ...
2S: a1 OK [READ-WRITE] INBOX selected. (Success)
2C: b1 IDLE
2S: + idling
C: a2 STORE 2 +FLAGS (\Deleted)
S: * 2 FETCH (FLAGS (\Deleted \Recent))
S: a2 OK Success
2S: * 2 FETCH (FLAGS (\Deleted))
C: a3 EXPUNGE
S: * 2 EXPUNGE
S: * 3 EXISTS
S: a3 OK Success
2S: * 2 EXPUNGE
2S: * 3 EXISTS
2C: DONE
2S: b1 OK IDLE terminated (Success)
C: a4 STORE 1 +FLAGS.SILENT (\Deleted)
S: a4 OK Success
C: a5 EXPUNGE
S: * 1 EXPUNGE
S: * 2 EXISTS
S: a5 OK Success
2C: b2 FETCH 1:3 (UID FLAGS)
2S: * 1 FETCH (UID 1 FLAGS (\Deleted))
2S: * 2 FETCH (UID 3 FLAGS ())
2S: * 3 FETCH (UID 4 FLAGS ())
2S: b2 OK Success
2C: b3 SEARCH ALL
2S: * SEARCH 2 3
2S: b3 OK SEARCH completed (Success)
2C: b4 STORE 1 +FLAGS (\Seen)
2S: b4 NO [EXPUNGEISSUED] Some of the messages no longer exist (Failure)
2C: b5 UID SEARCH ALL
2S: * SEARCH 3 4
2S: * 1 EXPUNGE
2S: * 2 EXISTS
2S: b5 OK SEARCH completed (Success)
given ada has in INBOX
| Subject: new
|
| x
2C: b6 FETCH 1 UID
2S: * 1 FETCH (UID 3)
2S: * 3 EXISTS
2S: * 1 RECENT
2S: b6 OK Success
C: a6 NOOP
S: * 3 EXISTS
S: a6 OK Success
# COPY hides only what it did itself: what another session changed before it is still told
C: a7 STORE 1 +FLAGS.SILENT (\Answered)
S: a7 OK Success
2C: b7 COPY 1 "[Gmail]/Important"
2S: * 1 FETCH (FLAGS (\Answered))
2S: b7 OK [COPYUID 1772442907 3 1] (Success)
