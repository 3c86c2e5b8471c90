# wire §6: the token's end is told as the reply to the next command outside a transaction, not before and not in between
given token short of ada lifetime 60s
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
C: AUTH XOAUTH2 $xoauth2(ada, short)
S: 235 2.7.0 Accepted
@wall +59s
C: NOOP
S: 250 2.0.0 OK t-1 - pillarbox
C: MAIL FROM:<ada@example.com>
S: 250 2.1.0 OK t-1 - pillarbox
C: RCPT TO:<bob@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: DATA
S: 354 Go ahead t-1 - pillarbox
@wall +2s
C: From: ada@example.com
C:
C: .
S: 250 2.0.0 OK 1772442965 t-1 - pillarbox
C: MAIL FROM:<ada@example.com>
S: 421 4.7.0 Connection expired, try reconnecting. t-1 - pillarbox
S: (closed)
