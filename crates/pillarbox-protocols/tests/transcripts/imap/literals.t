# RFC 7888: LITERAL-; a literal too large is refused and skipped
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a0 LOGIN ada@example.com $app(ada)
S: * CAPABILITY ...
S: a0 OK ada@example.com authenticated (Success)
C: a1 CREATE {3+}
C: abc
S: a1 OK Success
C: a2 CREATE {5000+}
S: a2 BAD Could not parse command
C: $x*5000
C: a3 CREATE {100000}
S: a3 BAD Could not parse command
C: a4 DELETE {3}
S: + go ahead
C: abc
S: a4 OK Success
