# RFC 3501 §5.4: signed-in clients are owed 30 minutes; moving the wall clock is no silence
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a0 LOGIN ada@example.com $app(ada)
S: * CAPABILITY ...
S: a0 OK ada@example.com authenticated (Success)
@mono +30m
C: a1 NOOP
S: a1 OK Success
@wall +23h
C: a2 NOOP
S: a2 OK Success
C: b1 IDLE
S: + idling
@mono +30m
C: DONE
S: b1 OK IDLE terminated (Success)
@mono +31m
S: * BYE Closed for inactivity
S: (closed)
2S: * OK ...
@mono +60s
2S: * BYE Closed for inactivity
2S: (closed)
