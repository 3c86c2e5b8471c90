# wire §5.1, §5.2: nothing useful before STARTTLS, and everything anew behind it; outgoing mail is refused here
S: 220 smtp.example.com ESMTP t-1 - pillarbox
C: EHLO laptop.example.com
S: 250-smtp.example.com at your service, [203.0.113.7]
S: 250-SIZE 35882577
S: 250-8BITMIME
S: 250-STARTTLS
S: 250-ENHANCEDSTATUSCODES
S: 250-PIPELINING
S: 250-CHUNKING
S: 250 SMTPUTF8
C: MAIL FROM:<ada@example.com>
S: 530 5.7.0 Must issue a STARTTLS command first. t-1 - pillarbox
C: AUTH XOAUTH2 $xoauth2(ada)
S: 530 5.7.0 Must issue a STARTTLS command first. t-1 - pillarbox
C: NOOP
S: 250 2.0.0 OK t-1 - pillarbox
C: STARTTLS now
S: 501 5.7.11 Syntax error (no parameters allowed). t-1 - pillarbox
C: STARTTLS
S: 220 2.0.0 Ready to start TLS
S: (TLS)
C: AUTH XOAUTH2 $xoauth2(ada)
S: 503 5.5.1 EHLO/HELO first. t-1 - pillarbox
C: EHLO laptop.example.com
S: 250-smtp.example.com at your service, [203.0.113.7]
S: 250-SIZE 35882577
S: 250-8BITMIME
S: 250-AUTH LOGIN PLAIN XOAUTH2 OAUTHBEARER
S: 250-ENHANCEDSTATUSCODES
S: 250-PIPELINING
S: 250-CHUNKING
S: 250 SMTPUTF8
C: STARTTLS
S: 454 5.5.1 STARTTLS may not be repeated. t-1 - pillarbox
C: AUTH XOAUTH2 $xoauth2(ada)
S: 235 2.7.0 Accepted
C: MAIL FROM:<ada@example.com>
S: 250 2.1.0 OK t-1 - pillarbox
C: RCPT TO:<carol@elsewhere.test>
S: 550 5.7.1 Outgoing mail is not available on this server yet. t-1 - pillarbox
C: RCPT TO:<postmaster>
S: 250 2.1.5 OK t-1 - pillarbox
