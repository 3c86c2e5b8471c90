# wire §2.4, §2.5: OAUTHBEARER, in one line and in two
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a1 AUTHENTICATE OAUTHBEARER $oauthbearer(ada)
S: * CAPABILITY ...
S: a1 OK ada@example.com authenticated (Success)
2S: * OK ...
2C: a1 AUTHENTICATE OAUTHBEARER
2S: + 
2C: $oauthbearer(ada)
2S: * CAPABILITY ...
2S: a1 OK ada@example.com authenticated (Success)
