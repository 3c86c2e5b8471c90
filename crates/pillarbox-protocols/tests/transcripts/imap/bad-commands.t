# wire §3.4: what is not understood; after twenty in a row the connection closes
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a1 FROBNICATE
S: a1 BAD Unknown command t-1
C: a2 SELECT INBOX
S: a2 BAD Please authenticate first
C: +
S: * BAD [CLIENTBUG] Invalid tag
C: a3 LOGIN ada
S: a3 BAD Could not parse command
C: a4 STARTTLS
S: a4 BAD Unknown command t-1
C: a5 NOOP
S: a5 OK Success
C: b1 NONSENSE
S: b1 BAD Unknown command t-1
C: b2 NONSENSE
S: b2 BAD Unknown command t-1
C: b3 NONSENSE
S: b3 BAD Unknown command t-1
C: b4 NONSENSE
S: b4 BAD Unknown command t-1
C: b5 NONSENSE
S: b5 BAD Unknown command t-1
C: b6 NONSENSE
S: b6 BAD Unknown command t-1
C: b7 NONSENSE
S: b7 BAD Unknown command t-1
C: b8 NONSENSE
S: b8 BAD Unknown command t-1
C: b9 NONSENSE
S: b9 BAD Unknown command t-1
C: b10 NONSENSE
S: b10 BAD Unknown command t-1
C: b11 NONSENSE
S: b11 BAD Unknown command t-1
C: b12 NONSENSE
S: b12 BAD Unknown command t-1
C: b13 NONSENSE
S: b13 BAD Unknown command t-1
C: b14 NONSENSE
S: b14 BAD Unknown command t-1
C: b15 NONSENSE
S: b15 BAD Unknown command t-1
C: b16 NONSENSE
S: b16 BAD Unknown command t-1
C: b17 NONSENSE
S: b17 BAD Unknown command t-1
C: b18 NONSENSE
S: b18 BAD Unknown command t-1
C: b19 NONSENSE
S: b19 BAD Unknown command t-1
C: b20 NONSENSE
S: b20 BAD Unknown command t-1
S: * BYE Too many commands that could not be understood
S: (closed)
