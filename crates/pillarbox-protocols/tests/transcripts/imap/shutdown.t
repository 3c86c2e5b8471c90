# wire §6: the server stops
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a0 LOGIN ada@example.com $app(ada)
S: * CAPABILITY ...
S: a0 OK ada@example.com authenticated (Success)
C: b1 IDLE
S: + idling
2S: * OK ...
@shutdown
S: * BYE Server shutting down
S: (closed)
2S: * BYE Server shutting down
2S: (closed)
