# wire §6: a password session lives seven days, and moving the wall clock does not trip the inactivity timer
S: +OK ...
C: AUTH PLAIN $plain(ada)
S: +OK Welcome.
@wall +167h
C: NOOP
S: +OK
@wall +61m
C: NOOP
S: -ERR [SYS/TEMP] Session expired, please login again.
S: (closed)
