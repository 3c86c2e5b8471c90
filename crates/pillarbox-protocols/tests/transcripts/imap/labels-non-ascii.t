# wire §3.7, §9.7: modified UTF-7, a UTF-8 literal, and UTF8=ACCEPT
given ada has 1 messages in INBOX
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a0 LOGIN ada@example.com $app(ada)
S: * CAPABILITY ...
S: a0 OK ada@example.com authenticated (Success)
C: a1 SELECT INBOX
S: * FLAGS ...
S: * OK [PERMANENTFLAGS ...
S: * OK [UIDVALIDITY ...
S: * 1 EXISTS
S: * 1 RECENT
S: * OK [UIDNEXT ...
S: * OK [HIGHESTMODSEQ ...
S: a1 OK [READ-WRITE] INBOX selected. (Success)
C: a2 STORE 1 +X-GM-LABELS (Caf&AOk-)
S: * 1 FETCH (X-GM-LABELS ("Caf&AOk-"))
S: a2 OK Success
C: a3 LIST "" Caf*
S: * LIST (\HasNoChildren) "/" "Caf&AOk-"
S: a3 OK Success
C: a4 SEARCH X-GM-LABELS "CAF&AOk-"
S: * SEARCH 1
S: a4 OK SEARCH completed (Success)
C: a5 SEARCH CHARSET UTF-8 X-GM-LABELS {5}
S: + go ahead
C: Café
S: * SEARCH 1
S: a5 OK SEARCH completed (Success)
C: a6 UNSELECT
S: a6 OK Returned to authenticated state. (Success)
C: a7 ENABLE UTF8=ACCEPT CONDSTORE X-UNKNOWN
S: * ENABLED UTF8=ACCEPT CONDSTORE
S: a7 OK Success
C: a8 LIST "" "Caf*"
S: * LIST (\HasNoChildren) "/" "Café"
S: a8 OK Success
C: a9 STATUS "Café" (MESSAGES)
S: * STATUS "Café" (MESSAGES 1)
S: a9 OK Success
