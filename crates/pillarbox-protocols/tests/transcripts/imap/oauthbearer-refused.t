# wire §2.4: no schemes, "invalid_token", the issuer named; AQ== or an empty line follow
given token old of ada expired
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a1 AUTHENTICATE OAUTHBEARER $oauthbearer(ada, old)
S: (20 ms)
S: + $base64({"status":"invalid_token","scope":"https://mail.google.com/","openid-configuration":"https://accounts.example.com/.well-known/openid-configuration"})
C: AQ==
S: a1 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)
C: a2 AUTHENTICATE OAUTHBEARER $oauthbearer(ada, old)
S: (20 ms)
S: + $base64({"status":"invalid_token","scope":"https://mail.google.com/","openid-configuration":"https://accounts.example.com/.well-known/openid-configuration"})
C: 
S: a2 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)
