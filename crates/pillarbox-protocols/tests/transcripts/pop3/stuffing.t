# RFC 1939 §3: a line that begins with a dot is stuffed
given ada sets pop all
given ada has in INBOX
| Subject: Dots
| 
| .
| ..two
| .one
S: +OK ...
C: AUTH XOAUTH2 $xoauth2(ada)
S: +OK Welcome.
C: RETR 1
S: +OK message follows
S: Subject: Dots
S: 
S: ..
S: ...two
S: ..one
S: .
C: TOP 1 2
S: +OK message follows
S: Subject: Dots
S: 
S: ..
S: ...two
S: .
