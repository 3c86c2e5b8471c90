# A wrong proof and an unknown person sound alike, in the same places; the fixed nonce makes the challenge the same for ever
S: * OK ...
C: a1 AUTHENTICATE SCRAM-SHA-256 $scram(ada)
S: + $challenge
C: $wrong(ada, challenge)
S: (20 ms)
S: a1 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)
C: a2 AUTHENTICATE SCRAM-SHA-256 $base64(n,,n=nobody@example.com,r=fyko+d2lbbFgONRv9qkxdawL)
S: + $unknown
C: $wrong(ada, unknown)
S: (20 ms)
S: a2 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)
C: a3 AUTHENTICATE SCRAM-SHA-256 $scram(ada)
S: + $third
C: *
S: a3 BAD Authentication aborted
C: a4 AUTHENTICATE SCRAM-SHA-256 $base64(n,a=bob@example.com,n=ada@example.com,r=abc)
S: + ...
C: $base64(c=biws,r=x,p=x)
S: a4 BAD Invalid SASL argument. t-1
# who breaks off after the server's proof has a seat already, and loses the connection
2S: * OK ...
2C: a1 AUTHENTICATE SCRAM-SHA-256 $scram(ada)
2S: + $fifth
2C: $proof(ada, fifth)
2S: + ...
2C: *
2S: a1 BAD Authentication aborted
2S: * BYE Authentication aborted
2S: (closed)
