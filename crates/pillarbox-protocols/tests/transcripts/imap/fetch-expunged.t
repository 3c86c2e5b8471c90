# RFC 3501 §6.4.5 in one breath: FETCH of gone messages answers what is still seen
given ada has 2 messages in INBOX
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a0 LOGIN ada@example.com $app(ada)
S: * CAPABILITY ...
S: a0 OK ada@example.com authenticated (Success)
C: a1 SELECT INBOX
S: * FLAGS ...
S: * OK [PERMANENTFLAGS ...
S: * OK [UIDVALIDITY ...
S: * 2 EXISTS
S: * 2 RECENT
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
2S: * 2 EXISTS
2S: * 0 RECENT
2S: * OK [UIDNEXT ...
2S: * OK [HIGHESTMODSEQ ...
2S: a1 OK [READ-WRITE] INBOX selected. (Success)
2C: b1 UID STORE 1 +FLAGS.SILENT (\Deleted)
2S: b1 OK Success
2C: b2 UID EXPUNGE 1
2S: * 1 EXPUNGE
2S: * 1 EXISTS
2S: b2 OK Success
C: a2 FETCH 1 (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])
S: * 1 FETCH (UID 1 BODY[HEADER.FIELDS (SUBJECT)] {22}
S: Subject: Message 1
S: 
S: )
S: a2 OK Success
C: a3 STORE 1 +FLAGS (\Seen)
S: a3 NO [EXPUNGEISSUED] Some of the messages no longer exist (Failure)
C: a4 NOOP
S: * 1 EXPUNGE
S: * 1 EXISTS
S: a4 OK Success
