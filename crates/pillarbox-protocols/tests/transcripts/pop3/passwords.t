# wire §2.5, §4.3: app passwords only; blanks the user pasted are ignored; the recent: prefix
S: +OK ...
C: USER ada@example.com
S: +OK send PASS
C: PASS correct horse battery staple
S: (20 ms)
S: -ERR [AUTH] Application-specific password required: https://mail.example.com/help
C: USER ada@example.com
S: +OK send PASS
C: PASS abcdabcdabcdabcd
S: (20 ms)
S: -ERR [AUTH] Username and password not accepted.
C: USER nobody@example.com
S: +OK send PASS
C: PASS abcdabcdabcdabcd
S: (20 ms)
S: -ERR [AUTH] Username and password not accepted.
C: PASS $app(ada)
S: -ERR bad command
C: USER ada@example.com
S: +OK send PASS
C: PASS $app(ada)
S: +OK Welcome.
C: USER ada@example.com
S: -ERR bad command
C: QUIT
S: +OK Farewell.
S: (closed)
2S: +OK ...
2C: AUTH PLAIN $plain(ada)
2S: +OK Welcome.
