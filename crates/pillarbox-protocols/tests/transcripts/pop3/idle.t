# RFC 1939 §3: a silent client is left without a word, and no mail is removed
given ada sets pop all
given ada has 1 message in INBOX
S: +OK ...
C: AUTH XOAUTH2 $xoauth2(ada)
S: +OK Welcome.
C: DELE 1
S: +OK
@mono +10m
C: NOOP
S: +OK
@mono +12m
S: (closed)
2S: +OK ...
2C: AUTH XOAUTH2 $xoauth2(ada)
2S: +OK Welcome.
2C: STAT
2S: +OK 1 154
# before sign-in nobody waits that long
3S: +OK ...
@mono +61s
3S: (closed)
