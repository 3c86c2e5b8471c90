# wire §5.3: missing and multiple From, duplicate headers, hops; the connection goes on
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
C: RCPT TO:<bob@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: DATA
S: 354 Go ahead t-1 - pillarbox
C: Subject: nobody
C:
C: .
S: 550 5.7.1 The 'From' header is missing or has no address. t-1 - pillarbox
C: MAIL FROM:<ada@example.com>
S: 250 2.1.0 OK t-1 - pillarbox
C: RCPT TO:<bob@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: DATA
S: 354 Go ahead t-1 - pillarbox
C: From: ada@example.com, bob@example.com
C:
C: .
S: 550 5.7.1 Messages with multiple addresses in the 'From' header are not accepted. t-1 - pillarbox
C: MAIL FROM:<ada@example.com>
S: 250 2.1.0 OK t-1 - pillarbox
C: RCPT TO:<bob@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: DATA
S: 354 Go ahead t-1 - pillarbox
C: From: ada@example.com
C: From: bob@example.com
C: .
S: 550 5.7.1 Messages with multiple addresses in the 'From' header are not accepted. t-1 - pillarbox
C: MAIL FROM:<ada@example.com>
S: 250 2.1.0 OK t-1 - pillarbox
C: RCPT TO:<bob@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: DATA
S: 354 Go ahead t-1 - pillarbox
C: From: ada@example.com
C: Subject: 1
C: Subject: 2
C: .
S: 550 5.7.1 Messages with more than one 'Subject' header are not accepted. t-1 - pillarbox
C: MAIL FROM:<ada@example.com>
S: 250 2.1.0 OK t-1 - pillarbox
C: RCPT TO:<bob@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: DATA
S: 354 Go ahead t-1 - pillarbox
C: From: ada@example.com
C: Received: by x; 1
C: Received: by x; 2
C: Received: by x; 3
C: Received: by x; 4
C: Received: by x; 5
C: Received: by x; 6
C: Received: by x; 7
C: Received: by x; 8
C: Received: by x; 9
C: Received: by x; 10
C: Received: by x; 11
C: Received: by x; 12
C: Received: by x; 13
C: Received: by x; 14
C: Received: by x; 15
C: Received: by x; 16
C: Received: by x; 17
C: Received: by x; 18
C: Received: by x; 19
C: Received: by x; 20
C: Received: by x; 21
C: Received: by x; 22
C: Received: by x; 23
C: Received: by x; 24
C: Received: by x; 25
C: Received: by x; 26
C: Received: by x; 27
C: Received: by x; 28
C: Received: by x; 29
C: Received: by x; 30
C: Received: by x; 31
C: Received: by x; 32
C: Received: by x; 33
C: Received: by x; 34
C: Received: by x; 35
C: Received: by x; 36
C: Received: by x; 37
C: Received: by x; 38
C: Received: by x; 39
C: Received: by x; 40
C: Received: by x; 41
C: Received: by x; 42
C: Received: by x; 43
C: Received: by x; 44
C: Received: by x; 45
C: Received: by x; 46
C: Received: by x; 47
C: Received: by x; 48
C: Received: by x; 49
C: Received: by x; 50
C: Received: by x; 51
C:
C: .
S: 554 5.4.6 Message exceeded 50 hops, this may indicate a mail loop. t-1 - pillarbox
# letter case alone is no other author
C: MAIL FROM:<ada@example.com>
S: 250 2.1.0 OK t-1 - pillarbox
C: RCPT TO:<bob@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: DATA
S: 354 Go ahead t-1 - pillarbox
C: From: ADA@Example.COM
C:
C: .
S: 250 2.0.0 OK 1772442904 t-1 - pillarbox
5S: +OK ...
5C: USER bob@example.com
5S: +OK ...
5C: PASS $app(bob)
5S: +OK ...
5C: RETR 1
5S: +OK ...
5S: Return-Path: <ada@example.com>
5S: Received: ...
5S: 	by ...
5S: 	for ...
5S: 	Mon, 02 Mar 2026 09:15:04 +0000
5S: Date: Mon, 02 Mar 2026 09:15:04 +0000
5S: Message-ID: <...@mail.example.com>
5S: From: ADA@Example.COM
5S: 
5S: .
