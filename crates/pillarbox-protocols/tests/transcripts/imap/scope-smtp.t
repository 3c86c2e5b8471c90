# a token for sending opens no mailbox; the refusal is that of any bad token (wire §2.2)
given token sender of ada scope pillarbox:smtp
S: * OK ...
C: a1 AUTHENTICATE XOAUTH2 $xoauth2(ada, sender)
S: (20 ms)
S: + ...
C:
S: a1 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)
