# wire §2.2, §3.2: every cause looks the same; each kind of dummy is only a dummy
given token old of ada expired
given token gone of ada revoked
given token narrow of ada scope https://www.googleapis.com/auth/drive
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a0 AUTHENTICATE XOAUTH2 $xoauth2(ada, old)
S: (20 ms)
S: + eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ==
C: 
S: a0 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)
C: a1 AUTHENTICATE XOAUTH2 $xoauth2(ada, gone)
S: (20 ms)
S: + eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ==
C: *
S: a1 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)
C: a2 AUTHENTICATE XOAUTH2 $xoauth2(ada, narrow)
S: (20 ms)
S: + eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ==
C: $xoauth2(ada, old)
S: a2 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)
C: a3 AUTHENTICATE XOAUTH2 $xoauth2(ada, bob)
S: (20 ms)
S: + eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ==
C: a2 
S: a3 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)
