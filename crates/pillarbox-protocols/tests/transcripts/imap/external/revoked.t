# Ending the registration ends the sessions it opened, also in IDLE (wire §6).
given ada registers her certificate
S: * OK ...
C: a AUTHENTICATE EXTERNAL =
S: * CAPABILITY ...
S: a OK ...
C: b IDLE
S: + idling
@forgets-certificate ada
S: * BYE Session expired, please login again.
S: (closed)
2S: * OK ...
2C: a AUTHENTICATE EXTERNAL =
2S: (20 ms)
2S: a NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)
