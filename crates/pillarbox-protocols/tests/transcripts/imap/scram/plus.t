# RFC 9266, RFC 5929: bound to the connection, or to the certificate; RFC 5802 §6: nobody is talked out of it
S: * OK ...
C: a1 AUTHENTICATE SCRAM-SHA-256-PLUS $scram_exporter(ada)
S: + $challenge
C: $proof_exporter(ada, challenge)
S: + $last
C: $verified_exporter(ada, challenge, last)
S: * CAPABILITY ...
S: a1 OK ada@example.com authenticated (Success)
2S: * OK ...
2C: a1 AUTHENTICATE SCRAM-SHA-256 $scram_y(ada)
2S: a1 BAD Invalid SASL argument. t-2
2C: a2 AUTHENTICATE SCRAM-SHA-256-PLUS $scram(ada)
2S: a2 BAD Invalid SASL argument. t-2
2C: a3 AUTHENTICATE SCRAM-SHA-256 $scram_end_point(ada)
2S: a3 BAD Invalid SASL argument. t-2
2C: a4 AUTHENTICATE SCRAM-SHA-256-PLUS $scram_end_point(ada)
2S: + $second
# as if somebody in between had another certificate
2C: $proof_exporter(ada, second)
2S: a4 BAD Invalid SASL argument. t-2
2C: a5 AUTHENTICATE SCRAM-SHA-256-PLUS $scram_end_point(ada)
2S: + $third
2C: $proof_end_point(ada, third)
2S: + $end
2C: $verified_end_point(ada, third, end)
2S: * CAPABILITY ...
2S: a5 OK ada@example.com authenticated (Success)
