# wire §2.5, §3.3: app passwords with or without blanks; the account password is told apart by its form
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a1 LOGIN ada@example.com my-secret-password
S: (20 ms)
S: a1 NO [ALERT] Application-specific password required: https://mail.example.com/help (Failure)
C: a2 LOGIN ada@example.com abcdefghijklmnop
S: (20 ms)
S: a2 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)
C: a3 LOGIN {15}
S: + go ahead
C: ada@example.com {16}
S: + go ahead
C: $app(ada)
S: * CAPABILITY ...
S: a3 OK ada@example.com authenticated (Success)
