# wire §6: the session ends with its token, as the reply to the next command; nothing is popped or deleted
given ada sets pop all
given ada has 1 message in INBOX
given token short of ada lifetime 60s
S: +OK ...
C: AUTH XOAUTH2 $xoauth2(ada, short)
S: +OK Welcome.
C: DELE 1
S: +OK
@wall +59s
C: NOOP
S: +OK
@wall +2s
C: QUIT
S: -ERR [SYS/TEMP] Session expired, please login again.
S: (closed)
2S: +OK ...
2C: AUTH XOAUTH2 $xoauth2(ada)
2S: +OK Welcome.
2C: STAT
2S: +OK 1 154
# a client that says nothing is left without a line
@wall +61m
@mono +61s
2S: (closed)
