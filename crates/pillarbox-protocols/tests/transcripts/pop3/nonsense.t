# twenty bad commands in a row close; a line over 16 KiB is one of them
S: +OK ...
C: $x*17000
S: -ERR bad command
C: 1
S: -ERR bad command
C: 2
S: -ERR bad command
C: 3
S: -ERR bad command
C: 4
S: -ERR bad command
C: 5
S: -ERR bad command
C: 6
S: -ERR bad command
C: 7
S: -ERR bad command
C: 8
S: -ERR bad command
C: 9
S: -ERR bad command
C: 10
S: -ERR bad command
C: 11
S: -ERR bad command
C: 12
S: -ERR bad command
C: 13
S: -ERR bad command
C: 14
S: -ERR bad command
C: 15
S: -ERR bad command
C: 16
S: -ERR bad command
C: 17
S: -ERR bad command
C: 18
S: -ERR bad command
C: 19
S: -ERR bad command
S: (closed)
