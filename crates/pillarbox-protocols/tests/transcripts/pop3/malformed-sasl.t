# wire §2.3: no JSON challenge for what is not even a request; five failures close
S: +OK ...
C: AUTH XOAUTH2 not-base64!
S: -ERR bad command
C: AUTH XOAUTH2 $base64(user=ada@example.com)
S: -ERR bad command
C: AUTH XOAUTH2 $base64(user=ada@example.com^Aauth=Basic abc^A^A)
S: -ERR bad command
C: AUTH XOAUTH2
S: + 
C: *
S: -ERR bad command
C: AUTH PLAIN $base64(no nul in it)
S: -ERR bad command
S: (closed)
