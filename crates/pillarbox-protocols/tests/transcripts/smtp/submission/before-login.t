# a drip of bytes does not hold a connection nobody signed in on
S: ...
@mono +200s
C: NOOP
S: 250 2.0.0 OK t-1 - pillarbox
@mono +200s
C: NOOP
S: 250 2.0.0 OK t-1 - pillarbox
@mono +200s
S: 451 4.4.2 Timeout - closing connection. t-1 - pillarbox
S: (closed)
