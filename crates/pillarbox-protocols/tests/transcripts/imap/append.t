# wire §3.9: APPEND, with and without the round trip; the date in the future becomes now
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a0 LOGIN ada@example.com $app(ada)
S: * CAPABILITY ...
S: a0 OK ada@example.com authenticated (Success)
C: a1 SELECT INBOX
S: * FLAGS ...
S: * OK [PERMANENTFLAGS ...
S: * OK [UIDVALIDITY ...
S: * 0 EXISTS
S: * 0 RECENT
S: * OK [UIDNEXT ...
S: * OK [HIGHESTMODSEQ ...
S: a1 OK [READ-WRITE] INBOX selected. (Success)
C: a8 APPEND INBOX (\Seen $Phishing) " 1-Mar-2026 09:15:04 +0100" {25}
S: + go ahead
C: Subject: one
C: 
C: It works.
S: * 1 EXISTS
S: * 1 RECENT
S: a8 OK [APPENDUID ... 1] (Success)
C: a9 APPEND INBOX "02-Mar-2030 09:15:04 +0000" {16+}
C: Subject: two
C: 
C: 
S: * 2 EXISTS
S: * 2 RECENT
S: a9 OK [APPENDUID ... 2] (Success)
C: b1 FETCH 1:2 (UID FLAGS INTERNALDATE RFC822.SIZE)
S: * 1 FETCH (UID 1 INTERNALDATE "01-Mar-2026 08:15:04 +0000" RFC822.SIZE 25 FLAGS (\Seen $Phishing \Recent))
S: * 2 FETCH (UID 2 INTERNALDATE "02-Mar-2026 09:15:04 +0000" RFC822.SIZE 16 FLAGS (\Recent))
S: b1 OK Success
C: b2 APPEND INBOX {0}
S: b2 NO [CANNOT] An empty message cannot be stored (Failure)
C: b3 APPEND INBOX {5} x
S: b3 BAD Could not parse command
C: b4 APPEND INBOX {3}
S: + go ahead
C: abc too much
S: b4 BAD Could not parse command
C: b5 NOOP
S: b5 OK Success
