# wire §2.2, §4.1: two steps, the JSON challenge, one refusal; the connection stays open
given token old of ada expired
given token gone of ada revoked
given token small of ada scope openid
S: +OK ...
C: AUTH XOAUTH2
S: + 
C: $xoauth2(ada, old)
S: (20 ms)
S: + eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ==
C: 
S: -ERR [AUTH] Invalid credentials.
C: AUTH XOAUTH2 $xoauth2(ada, gone)
S: (20 ms)
S: + $base64({"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"})
C: *
S: -ERR [AUTH] Invalid credentials.
# wrong scope, wrong person: not to be told apart
C: AUTH XOAUTH2 $xoauth2(ada, small)
S: (20 ms)
S: + $base64({"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"})
C: 
S: -ERR [AUTH] Invalid credentials.
C: AUTH XOAUTH2 $xoauth2(ada, bob)
S: (20 ms)
S: + $base64({"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"})
C: 
S: -ERR [AUTH] Invalid credentials.
C: AUTH XOAUTH2 $xoauth2(ada)
S: +OK Welcome.
