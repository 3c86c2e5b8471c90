# RFC 6531: UTF-8 addresses with SMTPUTF8 only; Received says so
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
C: MAIL FROM:<ada@example.com>
S: 250 2.1.0 OK t-1 - pillarbox
C: RCPT TO:<bøb@example.com>
S: 553 5.6.7 The address needs SMTPUTF8. t-1 - pillarbox
C: RSET
S: 250 2.1.5 Flushed t-1 - pillarbox
C: MAIL FROM:<ada@example.com> SMTPUTF8
S: 250 2.1.0 OK t-1 - pillarbox
C: RCPT TO:<bøb@elsewhere.test>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: DATA
S: 354 Go ahead t-1 - pillarbox
C: From: Ädä <ada@example.com>
C:
C: .
S: 250 2.0.0 OK 1772442904 t-1 - pillarbox
5S: +OK ...
5C: USER bob@example.com
5S: +OK ...
5C: PASS $app(bob)
5S: +OK ...
5C: TOP 1 0
5S: +OK ...
5S: Return-Path: <ada@example.com>
5S: Received: from x ([203.0.113.7])
5S: 	by mail.example.com (Pillarbox) with UTF8SMTPSA id ...;
5S: 	...
5S: Date: ...
5S: Message-ID: ...
5S: From: Ädä <ada@example.com>
5S: 
5S: .
