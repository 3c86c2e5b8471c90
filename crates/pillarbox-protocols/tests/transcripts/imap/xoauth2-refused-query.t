# wire §2.2: a command sent as the dummy is not run; a made-up token
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a1 AUTHENTICATE XOAUTH2 $base64(user=ada@example.com^Aauth=Bearer tok-1f2e3d4c5b6a^A^A)
S: (20 ms)
S: + eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ==
C: a2 LOGOUT
S: a1 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)
C: a3 AUTHENTICATE XOAUTH2
S: + 
C: $base64(user=nobody@example.com^Aauth=Bearer tok-1f2e3d4c5b6a^A^A)
S: (20 ms)
S: + eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ==
C: 
S: a3 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)
C: a4 AUTHENTICATE XOAUTH2 $xoauth2(ADA@Example.COM, ada)
S: * CAPABILITY ...
S: a4 OK ada@example.com authenticated (Success)
