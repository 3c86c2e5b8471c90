# RFC 2449 §6.6: commands in one packet are answered in order, also behind a body
given ada sets pop all
given ada has 1 message in INBOX
S: +OK ...
C: AUTH XOAUTH2 $xoauth2(ada)
S: +OK Welcome.
C: TOP 1 0
C: STAT
C: DELE 1
C: QUIT
S: +OK message follows
S: From: Bob <bob@example.com>
S: To: ada@example.com
S: Subject: Message 1
S: Message-ID: <1.INBOX@example.com>
S: Date: Mon, 2 Mar 2026 09:15:04 +0000
S: 
S: .
S: +OK 1 154
S: +OK
S: +OK Farewell.
S: (closed)
