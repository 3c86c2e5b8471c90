# wire §6: revoked is told as expired, in IDLE and outside of it
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a0 LOGIN ada@example.com $app(ada)
S: * CAPABILITY ...
S: a0 OK ada@example.com authenticated (Success)
C: b1 IDLE
S: + idling
2S: * OK ...
2C: a1 AUTHENTICATE XOAUTH2 $xoauth2(ada)
2S: * CAPABILITY ...
2S: a1 OK ada@example.com authenticated (Success)
3S: * OK ...
3C: a1 AUTHENTICATE XOAUTH2 $xoauth2(bob)
3S: * CAPABILITY ...
3S: a1 OK bob@example.com authenticated (Success)
@revoke ada
S: * BYE Session expired, please login again.
S: (closed)
2S: * BYE Session expired, please login again.
2S: (closed)
3C: a2 NOOP
3S: a2 OK Success
