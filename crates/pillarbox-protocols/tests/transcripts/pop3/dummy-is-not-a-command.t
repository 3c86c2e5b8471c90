# wire §2.2: anything but an empty line or "*" ends the exchange with "bad command" and is not run
given token old of ada expired
S: +OK ...
C: AUTH XOAUTH2 $xoauth2(ada, old)
S: (20 ms)
S: + ...
C: QUIT
S: -ERR bad command
C: STAT
S: -ERR bad command
C: QUIT
S: +OK Farewell.
S: (closed)
