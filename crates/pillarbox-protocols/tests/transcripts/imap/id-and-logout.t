# wire §3.1, §3.4: ID in any state, LOGOUT before and after login
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a2 ID ("name" "probe" "version" "1.0" "vendor" "Example" "contact" "ops@example.com")
S: * ID ("name" "Pillarbox" "vendor" "Pillarbox" "support-url" "https://mail.example.com/help" "version" "0.1.0" "remote-host" "203.0.113.7" "connection-token" "t-1")
S: a2 OK Success t-1
C: a3 LOGOUT
S: * BYE Logout Requested t-1
S: a3 OK 73 good day (Success)
S: (closed)
2S: * OK ...
2C: a1 LOGIN ada@example.com $app(ada)
2S: * CAPABILITY ...
2S: a1 OK ada@example.com authenticated (Success)
2C: a2 ID NIL
2S: * ID ("name" "Pillarbox" "vendor" "Pillarbox" "support-url" "https://mail.example.com/help" "version" "0.1.0" "remote-host" "203.0.113.7")
2S: a2 OK Success
2C: a3 LOGOUT
2S: * BYE LOGOUT Requested
2S: a3 OK 73 good day (Success)
2S: (closed)
