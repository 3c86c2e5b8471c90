# wire §6: a literal is not cut; the command may finish within 30 seconds
given token short of ada lifetime 60s
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a1 AUTHENTICATE XOAUTH2 $xoauth2(ada, short)
S: * CAPABILITY ...
S: a1 OK ada@example.com authenticated (Success)
C: a2 APPEND INBOX {20}
S: + go ahead
C: Subject: x
@wall +61s
C: 
C: body
C: 
S: a2 OK [APPENDUID ... 1] (Success)
S: * BYE Session expired, please login again.
S: (closed)
