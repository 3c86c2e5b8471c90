# wire §4.4: with mail left in place, DELE moves to Trash, and only at QUIT
given ada sets pop all
given ada has 2 messages in INBOX
S: +OK ...
C: AUTH XOAUTH2 $xoauth2(ada)
S: +OK Welcome.
C: DELE 1
S: +OK
@leave
S: (closed)
2S: +OK ...
2C: AUTH XOAUTH2 $xoauth2(ada)
2S: +OK Welcome.
2C: STAT
2S: +OK 2 308
2C: DELE 1
2S: +OK
2C: QUIT
2S: +OK Farewell.
2S: (closed)
3S: +OK ...
3C: USER recent:ada@example.com
3S: +OK send PASS
3C: PASS $app(ada)
3S: +OK Welcome.
3C: LIST
3S: +OK 1 messages (154 bytes)
3S: 1 154
3S: .
