# wire §2.2: isync 1.4 sends no dummy and waits for ever: after ten seconds it gets its refusal all the same
given token old of ada expired
S: * OK ...
C: a0 AUTHENTICATE XOAUTH2 $xoauth2(ada, old)
S: (20 ms)
S: + eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ==
@mono +9s
@mono +1s
S: a0 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)
S: * BYE Closed for inactivity
S: (closed)
