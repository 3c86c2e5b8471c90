# wire §3.6: with auto-expunge on, \Deleted acts at once
given ada sets auto-expunge on
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
C: a2 UID STORE 1 +FLAGS (\Deleted)
S: * 1 EXPUNGE
S: * 1 EXISTS
S: a2 OK Success
C: a3 STATUS "[Gmail]/All Mail" (MESSAGES)
S: * STATUS "[Gmail]/All Mail" (MESSAGES 2)
S: a3 OK Success
