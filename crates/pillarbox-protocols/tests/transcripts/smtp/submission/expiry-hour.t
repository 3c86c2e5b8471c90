# wire §6: any OAuth session lives about as long as its token, passwords 24 hours; moving the wall clock trips no idle timer
S: ...
C: EHLO x
S: 250-smtp.example.com at your service, [203.0.113.7]
S: 250-SIZE 35882577
S: 250-8BITMIME
S: 250-AUTH LOGIN PLAIN XOAUTH2 OAUTHBEARER
S: 250-ENHANCEDSTATUSCODES
S: 250-PIPELINING
S: 250-CHUNKING
S: 250 SMTPUTF8
C: AUTH XOAUTH2 $xoauth2(ada)
S: 235 2.7.0 Accepted
@wall +59m
C: NOOP
S: 250 2.0.0 OK t-1 - pillarbox
C: MAIL FROM:<ada@example.com>
S: 250 2.1.0 OK t-1 - pillarbox
@wall +2m
C: RCPT TO:<bob@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
@wall +10m
C: RCPT TO:<bob@example.com>
S: 421 4.7.0 Connection expired, try reconnecting. t-1 - pillarbox
S: (closed)
2S: ...
2C: EHLO x
2S: 250-...
2S: ...
2S: ...
2S: ...
2S: ...
2S: ...
2S: ...
2S: ...
2C: AUTH PLAIN $plain(ada)
2S: 235 2.7.0 Accepted
@wall +23h
2C: NOOP
2S: 250 2.0.0 OK ...
@wall +1h
2C: NOOP
2S: 421 4.7.0 Connection expired, try reconnecting. t-2 - pillarbox
2S: (closed)
