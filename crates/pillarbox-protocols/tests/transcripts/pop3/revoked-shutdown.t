# wire §6: revoked and shutting down, without a line when no command waits for an answer
S: +OK ...
C: AUTH XOAUTH2 $xoauth2(ada)
S: +OK Welcome.
@revoke ada
S: (closed)
2S: +OK ...
2C: AUTH XOAUTH2 $xoauth2(bob)
2S: +OK Welcome.
@shutdown
2S: (closed)
