# A certificate that has ended is not announced, and refused.
given ada registers her certificate
@ +305d
S: * OK ...
C: a CAPABILITY
S: * CAPABILITY ...
S: a OK ...
C: b AUTHENTICATE EXTERNAL =
S: (20 ms)
S: b NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)
