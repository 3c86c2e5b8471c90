# a token whose scope is reading only deletes nothing, and what it retrieved is not popped
given ada has 1 messages in INBOX
given token reader of ada scope pillarbox:read
S: +OK ...
C: AUTH XOAUTH2 $xoauth2(ada, reader)
S: +OK Welcome.
C: DELE 1
S: -ERR This token allows reading only
C: RETR 1
S: +OK ...
S: From: Bob <bob@example.com>
S: To: ada@example.com
S: Subject: Message 1
S: Message-ID: <1.INBOX@example.com>
S: Date: ...
S:
S: ...
S: .
C: QUIT
S: +OK Farewell.
S: (closed)
2S: +OK ...
2C: AUTH XOAUTH2 $xoauth2(ada, reader)
2S: +OK Welcome.
2C: STAT
2S: +OK 1 ...
