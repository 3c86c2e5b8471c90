# mail of another server: no AUTH, no relaying; Return-Path and Received, the rest byte for byte, 8-bit included
given bob sets suspended on
S: 220 smtp.example.com ESMTP t-1 - pillarbox
C: EHLO mx.elsewhere.test
S: 250-smtp.example.com at your service, [203.0.113.7]
S: 250-SIZE 35882577
S: 250-8BITMIME
S: 250-STARTTLS
S: 250-ENHANCEDSTATUSCODES
S: 250-PIPELINING
S: 250-CHUNKING
S: 250 SMTPUTF8
C: AUTH PLAIN
S: 502 5.5.1 Unimplemented command. t-1 - pillarbox
C: STARTTLS
S: 220 2.0.0 Ready to start TLS
S: (TLS)
C: EHLO mx.elsewhere.test
S: 250-smtp.example.com at your service, [203.0.113.7]
S: 250-SIZE 35882577
S: 250-8BITMIME
S: 250-ENHANCEDSTATUSCODES
S: 250-PIPELINING
S: 250-CHUNKING
S: 250 SMTPUTF8
C: MAIL FROM:<carol@elsewhere.test> BODY=8BITMIME
S: 250 2.1.0 OK t-1 - pillarbox
C: RCPT TO:<nobody@example.com>
S: 550 5.1.1 The email account that you tried to reach does not exist. t-1 - pillarbox
C: RCPT TO:<dave@other.test>
S: 550 5.7.1 This server does not relay mail. t-1 - pillarbox
C: RCPT TO:<bob@example.com>
S: 550 5.2.1 The email account that you tried to reach is disabled. t-1 - pillarbox
C: RCPT TO:<ADA+list@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: DATA
S: 354 Go ahead t-1 - pillarbox
C: Return-Path: <forged@x.test>
C: Received: from a by b; long ago
C: Subject: two
C: Subject: subjects, no From
C:
C: Grüße
C: .
S: 250 2.0.0 OK 1772442904 t-1 - pillarbox
5S: +OK ...
5C: USER ada@example.com
5S: +OK ...
5C: PASS $app(ada)
5S: +OK ...
5C: RETR 1
5S: +OK ...
5S: Return-Path: <carol@elsewhere.test>
5S: Received: from mx.elsewhere.test ([203.0.113.7])
5S: 	by mail.example.com (Pillarbox) with ESMTPS id t-1.$id
5S: 	for <ADA+list@example.com>;
5S: 	Mon, 02 Mar 2026 09:15:04 +0000
5S: Received: from a by b; long ago
5S: Subject: two
5S: Subject: subjects, no From
5S: 
5S: Grüße
5S: .
