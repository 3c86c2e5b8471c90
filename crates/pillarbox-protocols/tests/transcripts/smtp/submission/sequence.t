# wire §5.2: sequence errors before and after sign-in
S: ...
C: MAIL FROM:<ada@example.com>
S: 503 5.5.1 EHLO/HELO first. t-1 - pillarbox
C: EHLO
S: 501 5.5.4 Empty HELO/EHLO argument not allowed t-1 - pillarbox
C: EHLO a b
S: 501 5.5.4 HELO/EHLO argument is invalid t-1 - pillarbox
C: HELO x
S: 250 smtp.example.com at your service t-1 - pillarbox
C: EHLO x
S: 250-smtp.example.com at your service, [203.0.113.7]
S: 250-SIZE 35882577
S: 250-8BITMIME
S: 250-AUTH LOGIN PLAIN XOAUTH2 OAUTHBEARER
S: 250-ENHANCEDSTATUSCODES
S: 250-PIPELINING
S: 250-CHUNKING
S: 250 SMTPUTF8
C: MAIL FROM:<ada@example.com>
S: 530-5.7.0 Authentication Required. For more information, go to
S: 530 5.7.0 https://mail.example.com/help?p=WantAuthError t-1 - pillarbox
C: WHAT
S: 502 5.5.1 Unrecognized command. t-1 - pillarbox
C: EXPN staff
S: 502 5.5.1 Unimplemented command. t-1 - pillarbox
C: AUTH XOAUTH2 $xoauth2(ada)
S: 235 2.7.0 Accepted
C: RCPT TO:<bob@example.com>
S: 503 5.5.1 MAIL first. t-1 - pillarbox
C: DATA
S: 503 5.5.1 MAIL first. t-1 - pillarbox
C: MAIL FROM:ada@example.com
S: 555 5.5.2 Syntax error. t-1 - pillarbox
C: MAIL FROM:<ada>
S: 553 5.1.7 The sender address <ada> is not a valid RFC 5321 address. t-1 - pillarbox
C: MAIL FROM:<ada@example.com> SIZE=35882578
S: 552 5.3.4 Your message exceeded our message size limits. t-1 - pillarbox
C: MAIL FROM:<ada@example.com> BODY=BINARYMIME
S: 555 5.5.4 Parameter BODY is not supported. t-1 - pillarbox
C: MAIL FROM:<ada@example.com> SIZE=35882577 BODY=8BITMIME AUTH=<> SMTPUTF8
S: 250 2.1.0 OK t-1 - pillarbox
C: MAIL FROM:<ada@example.com>
S: 503 5.5.1 Bad sequence of commands t-1 - pillarbox
C: DATA
S: 503 5.5.1 RCPT first. t-1 - pillarbox
C: RCPT TO:<nobody@example.com>
S: 550 5.1.1 The email account that you tried to reach does not exist. t-1 - pillarbox
C: RCPT TO:<bob>
S: 553 5.1.3 The recipient address <bob> is not a valid RFC 5321 address. t-1 - pillarbox
C: RCPT bob
S: 555 5.5.2 Syntax error. t-1 - pillarbox
C: RSET
S: 250 2.1.5 Flushed t-1 - pillarbox
C: VRFY bob
S: 252 2.1.5 Send some mail, I'll try my best t-1 - pillarbox
C: noop whatever
S: 250 2.0.0 OK t-1 - pillarbox
C: HELP
S: 214 2.0.0 https://mail.example.com/help t-1 - pillarbox
C: NOOP $x*600
S: 500 5.5.2 Line too long. t-1 - pillarbox
C: MAIL FROM:<ädä@example.com>
S: 550 5.6.7 The address needs SMTPUTF8. t-1 - pillarbox
