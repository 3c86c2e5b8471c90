# wire §5.1, §5.5: the dialogue, and what bob gets. Trace header: RFC 5321 §4.4, RFC 3848
S: 220 smtp.example.com ESMTP t-1 - pillarbox
C: EHLO laptop.example.com
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
C: MAIL FROM:<ada@example.com> SIZE=405
S: 250 2.1.0 OK t-1 - pillarbox
C: RCPT TO:<bob@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: DATA
S: 354 Go ahead t-1 - pillarbox
C: From: Ada <ada@example.com>
C: Date: Mon, 2 Mar 2026 10:15:04 +0100
C: Message-ID: <1@laptop>
C: Subject: Hello
C:
C: ..dotted
C: .
S: 250 2.0.0 OK 1772442904 t-1 - pillarbox
C: QUIT
S: 221 2.0.0 closing connection t-1 - pillarbox
S: (closed)
5S: +OK ...
5C: USER bob@example.com
5S: +OK ...
5C: PASS $app(bob)
5S: +OK ...
5C: RETR 1
5S: +OK ...
5S: Return-Path: <ada@example.com>
5S: Received: from laptop.example.com ([203.0.113.7])
5S: 	by mail.example.com (Pillarbox) with ESMTPSA id t-1.$id
5S: 	for <bob@example.com>;
5S: 	Mon, 02 Mar 2026 09:15:04 +0000
5S: From: Ada <ada@example.com>
5S: Date: Mon, 2 Mar 2026 10:15:04 +0100
5S: Message-ID: <1@laptop>
5S: Subject: Hello
5S: 
5S: ..dotted
5S: .
