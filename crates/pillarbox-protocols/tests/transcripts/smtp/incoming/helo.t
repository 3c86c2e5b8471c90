# a server of before ESMTP; reports have no sender (RFC 5321 §4.5.5); postmaster reads mail (§4.5.1)
S: ...
C: HELO old.elsewhere.test
S: 250 smtp.example.com at your service t-1 - pillarbox
C: MAIL FROM:<>
S: 250 2.1.0 OK t-1 - pillarbox
C: RCPT TO:<PostMaster@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: DATA
S: 354 Go ahead t-1 - pillarbox
C: no header at all
C: .
S: 250 2.0.0 OK 1772442904 t-1 - pillarbox
5S: +OK ...
5C: USER ada@example.com
5S: +OK ...
5C: PASS $app(ada)
5S: +OK ...
5C: RETR 1
5S: +OK ...
5S: Return-Path: <>
5S: Received: from old.elsewhere.test ([203.0.113.7])
5S: 	by mail.example.com (Pillarbox) with SMTP id t-1.$id
5S: 	for <PostMaster@example.com>;
5S: 	Mon, 02 Mar 2026 09:15:04 +0000
5S: 
5S: no header at all
5S: .
