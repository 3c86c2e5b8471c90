# RFC 5802 §5, RFC 7677: both steps, the server's last word, the client's empty line; in one line less with SASL-IR
S: * OK ...
C: a1 CAPABILITY
S: * CAPABILITY IMAP4rev1 ... SASL-IR AUTH=PLAIN AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-256-PLUS
S: a1 OK ...
C: a2 AUTHENTICATE SCRAM-SHA-256
S: + 
C: $scram(ada)
S: + $challenge
C: $proof(ada, challenge)
S: + $last
C: $verified(ada, challenge, last)
S: * CAPABILITY ...
S: a2 OK ada@example.com authenticated (Success)
C: a3 NOOP
S: a3 OK Success
# the third connection is bound to nothing
3S: * OK ...
3C: a1 CAPABILITY
3S: * CAPABILITY IMAP4rev1 ... SASL-IR AUTH=PLAIN AUTH=SCRAM-SHA-256
3S: a1 OK ...
3C: a2 AUTHENTICATE SCRAM-SHA-256-PLUS $scram_end_point(ada)
3S: a2 NO [CANNOT] Unsupported authentication mechanism (Failure)
3C: a3 AUTHENTICATE SCRAM-SHA-256 $scram_y(ada)
3S: + $second
3C: $proof_y(ada, second)
3S: + $end
3C: $verified_y(ada, second, end)
3S: * CAPABILITY ...
3S: a3 OK ada@example.com authenticated (Success)
