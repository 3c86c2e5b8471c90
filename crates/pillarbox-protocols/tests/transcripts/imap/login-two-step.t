# wire §3.2: the empty challenge is `+` and one space
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a3 AUTHENTICATE XOAUTH2
S: + 
C: $xoauth2(ada)
S: * CAPABILITY ...
S: a3 OK ada@example.com authenticated (Success)
