# RFC 4954 §4, RFC 5802: the server's last word is one more 334, the client's empty line brings 235
S: ...
C: EHLO x
S: 250-smtp.example.com at your service, [203.0.113.7]
S: 250-SIZE 35882577
S: 250-8BITMIME
S: 250-AUTH PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS
S: 250-ENHANCEDSTATUSCODES
S: 250-PIPELINING
S: 250-CHUNKING
S: 250 SMTPUTF8
C: AUTH SCRAM-SHA-256 $scram(ada)
S: 334 $challenge
C: $wrong(ada, challenge)
S: (20 ms)
S: 535-5.7.8 Username and Password not accepted. Learn more at
S: 535 5.7.8 https://mail.example.com/help?p=BadCredentials t-1 - pillarbox
C: AUTH SCRAM-SHA-256
S: 334 
C: $scram(ada)
S: 334 $second
C: $proof(ada, second)
S: 334 $last
C: $verified(ada, second, last)
S: 235 2.7.0 Accepted
C: MAIL FROM:<ada@example.com>
S: 250 2.1.0 OK t-1 - pillarbox
