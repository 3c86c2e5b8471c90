# wire §6: a password session lives 24 hours, however much the client says
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a0 LOGIN ada@example.com $app(ada)
S: * CAPABILITY ...
S: a0 OK ada@example.com authenticated (Success)
@wall +23h
C: a1 NOOP
S: a1 OK Success
@wall +1h
S: * BYE Session expired, please login again.
S: (closed)
