# RFC 5034 §4, RFC 5802: both steps, the server's last word, the client's empty line
S: +OK ...
C: CAPA
S: +OK Capability list follows
S: USER
S: RESP-CODES
S: AUTH-RESP-CODE
S: EXPIRE 0
S: LOGIN-DELAY 300
S: TOP
S: UIDL
S: SASL PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS
S: .
C: AUTH SCRAM-SHA-256 $scram(ada)
S: + $challenge
C: $wrong(ada, challenge)
S: (20 ms)
S: -ERR [AUTH] Username and password not accepted.
C: AUTH SCRAM-SHA-256
S: + 
C: $scram(ada)
S: + $second
C: $proof(ada, second)
S: + $last
C: $verified(ada, second, last)
S: +OK Welcome.
C: STAT
S: +OK 0 0
2S: +OK ...
2C: AUTH SCRAM-SHA-256-PLUS $scram_exporter(ada)
2S: + $third
2C: $proof_exporter(ada, third)
2S: + $end
2C: $verified_exporter(ada, third, end)
2S: +OK Welcome.
3S: +OK ...
3C: AUTH
3S: +OK
3S: PLAIN
3S: SCRAM-SHA-256
3S: .
3C: AUTH SCRAM-SHA-256 $scram(ada)
3S: + $fourth
3C: $proof(ada, fourth)
3S: + ...
3C: *
3S: -ERR bad command
3S: (closed)
