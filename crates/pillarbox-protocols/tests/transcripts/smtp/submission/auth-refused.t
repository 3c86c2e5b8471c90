# wire §2.2, §5.1, §5.4: the JSON first, whatever line follows, then 535; after five failures the connection closes
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
S: 334 eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ==
C:
S: 535-5.7.8 Username and Password not accepted. Learn more at
S: 535 5.7.8 https://mail.example.com/help?p=BadCredentials t-1 - pillarbox
C: AUTH XOAUTH2
S: 334 
C: $xoauth2(bob, old)
S: (20 ms)
S: 334 eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ==
C: QUIT
S: 535-5.7.8 Username and Password not accepted. Learn more at
S: 535 5.7.8 https://mail.example.com/help?p=BadCredentials t-1 - pillarbox
C: AUTH OAUTHBEARER $oauthbearer(ada, old)
S: (20 ms)
S: 334 $base64({"status":"invalid_token","scope":"https://mail.google.com/","openid-configuration":"https://accounts.example.com/.well-known/openid-configuration"})
C: AQ==
S: 535-5.7.8 Username and Password not accepted. Learn more at
S: 535 5.7.8 https://mail.example.com/help?p=BadCredentials t-1 - pillarbox
# wire §2.5: what has not the form of an app password
C: AUTH PLAIN $base64(^@ada@example.com^@My Password 1)
S: (20 ms)
S: 534-5.7.9 Application-specific password required. For more information, go to
S: 534 5.7.9 https://mail.example.com/help?p=InvalidSecondFactor t-1 - pillarbox
C: AUTH LOGIN
S: 334 VXNlcm5hbWU6
C: $base64(ada@example.com)
S: 334 UGFzc3dvcmQ6
C: $base64(abcdefghijklmnop)
S: (20 ms)
S: 535-5.7.8 Username and Password not accepted. Learn more at
S: 535 5.7.8 https://mail.example.com/help?p=BadCredentials t-1 - pillarbox
S: (closed)
