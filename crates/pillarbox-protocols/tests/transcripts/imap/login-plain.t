# wire §2.4, §2.5: PLAIN, in one line and in two
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a1 AUTHENTICATE PLAIN $plain(ada)
S: * CAPABILITY ...
S: a1 OK ada@example.com authenticated (Success)
2S: * OK ...
2C: a1 AUTHENTICATE PLAIN
2S: + 
2C: $plain(ada)
2S: * CAPABILITY ...
2S: a1 OK ada@example.com authenticated (Success)
