# wire §3.6, §3.9: COPY adds a label, MOVE exchanges labels, Trash empties the others
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
C: a2 CREATE Receipts
S: a2 OK Success
C: a3 COPY 1:2 Receipts
S: a3 OK [COPYUID ... 1:2 1:2] (Success)
C: a4 COPY 1 Nowhere
S: a4 NO [TRYCREATE] Unknown Mailbox: Nowhere (Failure)
C: a5 UID FETCH 1 (X-GM-MSGID X-GM-THRID X-GM-LABELS FLAGS)
S: * 1 FETCH (X-GM-THRID $thread X-GM-MSGID $message X-GM-LABELS (Receipts) UID 1 FLAGS (\Recent))
S: a5 OK Success
C: a6 UID MOVE 1 "[Gmail]/Trash"
S: * 1 EXPUNGE
S: * 2 EXISTS
S: a6 OK [COPYUID ... 1 1] (Success)
C: a7 STATUS Receipts (MESSAGES)
S: * STATUS "Receipts" (MESSAGES 1)
S: a7 OK Success
C: a8 STATUS "[Gmail]/All Mail" (MESSAGES)
S: * STATUS "[Gmail]/All Mail" (MESSAGES 2)
S: a8 OK Success
C: a9 MOVE 1:2 "[Gmail]/All Mail"
S: * 2 EXPUNGE
S: * 1 EXPUNGE
S: * 0 EXISTS
S: a9 OK [COPYUID ... 2:3 2:3] (Success)
C: b1 UID MOVE 999 Receipts
S: b1 OK Success
