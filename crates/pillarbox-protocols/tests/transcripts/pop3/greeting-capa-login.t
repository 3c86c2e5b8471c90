# wire §4.1: greeting, CAPA before and after a one-line XOAUTH2
S: +OK Pillarbox ready for requests from 203.0.113.7 $t
C: CAPA
S: +OK Capability list follows
S: USER
S: RESP-CODES
S: AUTH-RESP-CODE
S: EXPIRE 0
S: LOGIN-DELAY 300
S: TOP
S: UIDL
S: SASL PLAIN XOAUTH2 OAUTHBEARER
S: .
C: AUTH XOAUTH2 $xoauth2(ada)
S: +OK Welcome.
C: CAPA
S: +OK Capability list follows
S: USER
S: RESP-CODES
S: AUTH-RESP-CODE
S: EXPIRE NEVER
S: LOGIN-DELAY 300
S: TOP
S: UIDL
S: PIPELINING
S: .
C: QUIT
S: +OK Farewell.
S: (closed)
