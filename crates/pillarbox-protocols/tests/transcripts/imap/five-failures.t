# wire §2.2: the connection stays open after a failure, and closes after five
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a1 LOGIN ada@example.com xxxxxxxxxxxxxxxx
S: (20 ms)
S: a1 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)
C: a2 LOGIN ada@example.com xxxxxxxxxxxxxxxx
S: (20 ms)
S: a2 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)
C: a3 LOGIN ada@example.com xxxxxxxxxxxxxxxx
S: (20 ms)
S: a3 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)
C: a4 LOGIN ada@example.com xxxxxxxxxxxxxxxx
S: (20 ms)
S: a4 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)
C: a5 LOGIN ada@example.com xxxxxxxxxxxxxxxx
S: (20 ms)
S: a5 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)
S: * BYE Too many failed sign-ins
S: (closed)
