# wire §3.3: IMAP off for the user; XOAUTH2 is told so after the JSON
given ada sets imap off
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a1 LOGIN ada@example.com $app(ada)
S: (20 ms)
S: a1 NO [ALERT] Your account is not enabled for IMAP use. Please visit your Pillarbox settings page and enable your account for IMAP access. (Failure)
C: a2 AUTHENTICATE XOAUTH2 $xoauth2(ada)
S: (20 ms)
S: + eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ==
C: 
S: a2 NO [ALERT] Your account is not enabled for IMAP use. Please visit your Pillarbox settings page and enable your account for IMAP access. (Failure)
