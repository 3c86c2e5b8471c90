# wire §2.1, §2.3, §5.1, §5.2: two-step forms, malformed SASL, other mechanisms, a second AUTH
S: ...
C: AUTH PLAIN
S: 503 5.5.1 EHLO/HELO first. t-1 - pillarbox
C: EHLO x
S: 250-smtp.example.com at your service, [203.0.113.7]
S: 250-SIZE 35882577
S: 250-8BITMIME
S: 250-AUTH LOGIN PLAIN XOAUTH2 OAUTHBEARER
S: 250-ENHANCEDSTATUSCODES
S: 250-PIPELINING
S: 250-CHUNKING
S: 250 SMTPUTF8
C: AUTH XOAUTH2 not-base64
S: 501 5.5.2 Cannot Decode response t-1 - pillarbox
C: AUTH XOAUTH2 $base64(user=ada@example.com^Aauth=Bearer x^A)
S: 501 5.5.2 Cannot Decode response t-1 - pillarbox
C: AUTH PLAIN
S: 334 
C: *
S: 501 5.7.0 Authentication canceled. t-1 - pillarbox
C: AUTH XOAUTH
S: 504 5.7.4 XOAUTH is no longer supported t-1 - pillarbox
C: AUTH CRAM-MD5
S: 504 5.7.4 Unrecognized Authentication Type. t-1 - pillarbox
C: AUTH
S: 501 5.5.4 Syntax error in parameters or arguments. t-1 - pillarbox
C: auth xoauth2
S: 334 
C: $xoauth2(ada)
S: 235 2.7.0 Accepted
C: AUTH XOAUTH2 $xoauth2(ada)
S: 503 5.7.0 No identity changes permitted. t-1 - pillarbox
C: STARTTLS
S: 454 5.5.1 STARTTLS may not be repeated. t-1 - pillarbox
2S: ...
2C: EHLO x
2S: 250-...
2S: ...
2S: ...
2S: ...
2S: ...
2S: ...
2S: ...
2S: ...
2C: AUTH LOGIN $base64(ada@example.com)
2S: 334 UGFzc3dvcmQ6
2C: $base64(x)
2S: (20 ms)
2S: 534-5.7.9 ...
2S: 534 5.7.9 ...
2C: AUTH OAUTHBEARER $oauthbearer(ada)
2S: 235 2.7.0 Accepted
