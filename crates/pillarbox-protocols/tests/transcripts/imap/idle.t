# wire §3.9: IDLE pushes EXISTS, EXPUNGE and FETCH FLAGS as they happen
given ada has 2 messages in INBOX
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a0 LOGIN ada@example.com $app(ada)
S: * CAPABILITY ...
S: a0 OK ada@example.com authenticated (Success)
C: a1 EXAMINE INBOX
S: * FLAGS ...
S: * OK [PERMANENTFLAGS ()] No flags permitted.
S: * OK [UIDVALIDITY ...
S: * 2 EXISTS
S: * 2 RECENT
S: * OK [UIDNEXT ...
S: * OK [HIGHESTMODSEQ ...
S: a1 OK [READ-ONLY] INBOX selected. (Success)
C: b1 IDLE
S: + idling
given ada has in INBOX
| Subject: third
|
| x
S: * 3 EXISTS
2S: * OK ...
2C: a0 LOGIN ada@example.com $app(ada)
2S: * CAPABILITY ...
2S: a0 OK ada@example.com authenticated (Success)
2C: a1 SELECT INBOX
2S: * FLAGS ...
2S: * OK [PERMANENTFLAGS ...
2S: * OK [UIDVALIDITY ...
2S: * 3 EXISTS
2S: * 3 RECENT
2S: * OK [UIDNEXT ...
2S: * OK [HIGHESTMODSEQ ...
2S: a1 OK [READ-WRITE] INBOX selected. (Success)
2C: a2 UID STORE 2 +FLAGS.SILENT (\Flagged)
2S: a2 OK Success
S: * 2 FETCH (FLAGS (\Flagged \Recent))
2C: a3 UID MOVE 1,3 "[Gmail]/Trash"
2S: * 3 EXPUNGE
2S: * 1 EXPUNGE
2S: * 1 EXISTS
2S: a3 OK [COPYUID ... 1,3 1:2] (Success)
S: * 3 EXPUNGE
S: * 1 EXPUNGE
S: * 1 EXISTS
C: DONE
S: b1 OK IDLE terminated (Success)
C: b2 IDLE
S: + idling
C: b3 NOOP
S: b2 BAD Could not parse command
C: b4 NOOP
S: b4 OK Success
