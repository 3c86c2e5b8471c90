# wire §6: silence of five minutes, between commands and inside a message; nothing of it is delivered
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
@mono +299s
C: NOOP
S: 250 2.0.0 OK t-1 - pillarbox
@mono +299s
C: MAIL FROM:<ada@example.com>
S: 250 2.1.0 OK t-1 - pillarbox
C: RCPT TO:<bob@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: DATA
S: 354 Go ahead t-1 - pillarbox
C: From: ada@example.com
C:
C: half
@mono +300s
S: 451 4.4.2 Timeout - closing connection. t-1 - pillarbox
S: (closed)
2S: ...
@mono +300s
2S: 451 4.4.2 Timeout - closing connection. t-2 - pillarbox
2S: (closed)
5S: +OK ...
5C: USER bob@example.com
5S: +OK ...
5C: PASS $app(bob)
5S: +OK ...
5C: STAT
5S: +OK 0 0
