# a drip of bytes does not hold a connection before sign-in
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
@mono +50s
C: a1 NOOP
S: a1 OK Success
@mono +50s
C: a1 NOOP
S: a1 OK Success
@mono +50s
C: a1 NOOP
S: a1 OK Success
@mono +30s
S: * BYE Closed for inactivity
S: (closed)
