# EXTERNAL (RFC 4422 appendix A, RFC 5034), and how long such a session lives.
given ada registers her certificate
given ada has 1 message in INBOX
S: +OK ...
C: CAPA
S: ...
S: USER
S: RESP-CODES
S: AUTH-RESP-CODE
S: EXPIRE 0
S: LOGIN-DELAY 300
S: TOP
S: UIDL
S: SASL PLAIN EXTERNAL
S: .
C: AUTH EXTERNAL =
S: +OK Welcome.
@wall +6d
C: STAT
S: +OK 1 ...
@wall +1d
C: STAT
S: -ERR [SYS/TEMP] Session expired, please login again.
S: (closed)
2S: +OK ...
2C: AUTH EXTERNAL
2S: + 
2C: $base64(recent:ada@example.com)
2S: +OK Welcome.
3S: +OK ...
3C: AUTH EXTERNAL =
3S: (20 ms)
3S: -ERR ...
4S: +OK ...
4C: CAPA
4S: ...
4S: USER
4S: RESP-CODES
4S: AUTH-RESP-CODE
4S: EXPIRE 0
4S: LOGIN-DELAY 300
4S: TOP
4S: UIDL
4S: SASL PLAIN
4S: .
4C: AUTH EXTERNAL =
4S: -ERR ...
