# wire §2.4: OAUTHBEARER, good and bad; "AQ==" and the empty line end a refused exchange
given token old of ada expired
S: +OK ...
C: AUTH OAUTHBEARER $oauthbearer(ada, old)
S: (20 ms)
S: + $base64({"status":"invalid_token","scope":"https://mail.google.com/","openid-configuration":"https://accounts.example.com/.well-known/openid-configuration"})
C: AQ==
S: -ERR [AUTH] Invalid credentials.
C: AUTH OAUTHBEARER $oauthbearer(ada, old)
S: (20 ms)
S: + ...
C: 
S: -ERR [AUTH] Invalid credentials.
C: AUTH OAUTHBEARER
S: + 
C: $oauthbearer(ada)
S: +OK Welcome.
