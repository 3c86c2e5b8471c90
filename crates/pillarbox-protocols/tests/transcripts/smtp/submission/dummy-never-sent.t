# wire §2.2: a client that sends no dummy gets its refusal after ten seconds
given token old of ada expired
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
C: AUTH XOAUTH2 $xoauth2(ada, old)
S: (20 ms)
S: 334 $base64({"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"})
@mono +9s
@mono +1s
S: 535-5.7.8 Username and Password not accepted. Learn more at
S: 535 5.7.8 https://mail.example.com/help?p=BadCredentials t-1 - pillarbox
S: (closed)
