# RFC 2180 §3: a mailbox that another session deletes or renames while it is selected here
given ada has 2 messages in Receipts
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a0 LOGIN ada@example.com $app(ada)
S: * CAPABILITY ...
S: a0 OK ada@example.com authenticated (Success)
C: a1 SELECT Receipts
S: * FLAGS ...
S: * OK [PERMANENTFLAGS ...
S: * OK [UIDVALIDITY ...
S: * 2 EXISTS
S: * 2 RECENT
S: * OK [UIDNEXT ...
S: * OK [HIGHESTMODSEQ ...
S: a1 OK [READ-WRITE] Receipts selected. (Success)
2S: * OK ...
2C: a0 LOGIN ada@example.com $app(ada)
2S: * CAPABILITY ...
2S: a0 OK ada@example.com authenticated (Success)
2C: a1 RENAME Receipts Bills
2S: a1 OK Success
C: a2 FETCH 2 (UID X-GM-LABELS)
S: * 2 FETCH (X-GM-LABELS () UID 2)
S: a2 OK Success
2C: a2 DELETE Bills
2S: a2 OK Success
C: a3 FETCH 1 UID
S: * 1 FETCH (UID 1)
S: a3 OK Success
C: a4 NOOP
S: * 2 EXPUNGE
S: * 1 EXPUNGE
S: * 0 EXISTS
S: a4 OK Success
C: a5 STATUS "[Gmail]/All Mail" (MESSAGES)
S: * STATUS "[Gmail]/All Mail" (MESSAGES 2)
S: a5 OK Success
