# A line over the limit costs one BAD, not the connection
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a1 LOGIN ada@example.com $x*30000
S: a1 BAD Could not parse command
C: a2 NOOP
S: a2 OK Success
