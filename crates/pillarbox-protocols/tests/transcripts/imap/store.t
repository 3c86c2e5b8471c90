# RFC 3501 §6.4.6: STORE in its six forms; another session is told
given ada has 3 messages in INBOX
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a0 LOGIN ada@example.com $app(ada)
S: * CAPABILITY ...
S: a0 OK ada@example.com authenticated (Success)
C: a1 SELECT INBOX
S: * FLAGS ...
S: * OK [PERMANENTFLAGS ...
S: * OK [UIDVALIDITY ...
S: * 3 EXISTS
S: * 3 RECENT
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
2S: * 3 EXISTS
2S: * 0 RECENT
2S: * OK [UIDNEXT ...
2S: * OK [HIGHESTMODSEQ ...
2S: a1 OK [READ-WRITE] INBOX selected. (Success)
C: a2 STORE 1 +FLAGS (\Deleted \Flagged)
S: * 1 FETCH (FLAGS (\Flagged \Deleted \Recent))
S: a2 OK Success
2C: b2 NOOP
2S: * 1 FETCH (FLAGS (\Flagged \Deleted))
2S: b2 OK Success
C: a3 STORE 1 -FLAGS (\Deleted)
S: * 1 FETCH (FLAGS (\Flagged \Recent))
S: a3 OK Success
C: a4 STORE 1:2 FLAGS.SILENT (\Seen Odd)
S: a4 OK Success
2C: b3 NOOP
2S: * FLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing Odd)
2S: * OK [PERMANENTFLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing Odd \*)] Flags permitted.
2S: * 1 FETCH (FLAGS (\Seen Odd))
2S: * 2 FETCH (FLAGS (\Seen Odd))
2S: b3 OK Success
C: a5 UID STORE 2:* FLAGS ()
S: * 2 FETCH (UID 2 FLAGS (\Recent))
S: * 3 FETCH (UID 3 FLAGS (\Recent))
S: a5 OK Success
C: a6 STORE 4 +FLAGS (\Seen)
S: a6 BAD Could not parse command
C: a7 UID STORE 99 +FLAGS (\Seen)
S: a7 OK Success
2C: b4 STORE 3 +FLAGS.SILENT \Seen
2S: * 2 FETCH (FLAGS ())
2S: b4 OK Success
C: a8 NOOP
S: * 3 FETCH (FLAGS (\Seen \Recent))
S: a8 OK Success
