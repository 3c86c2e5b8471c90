# wire §2.2: a client that sends no dummy gets its refusal after ten seconds
given token old of ada expired
S: +OK ...
C: AUTH XOAUTH2 $xoauth2(ada, old)
S: (20 ms)
S: + $base64({"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"})
@mono +9s
@mono +1s
S: -ERR [AUTH] Invalid credentials.
S: (closed)
