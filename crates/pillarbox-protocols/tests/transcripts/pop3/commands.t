# wire §4.2, RFC 1939 §5: what each command answers
given ada sets pop all
given ada has 3 messages in INBOX
S: +OK ...
C: STAT
S: -ERR bad command
C: AUTH XOAUTH2 $xoauth2(ada)
S: +OK Welcome.
C: STAT
S: +OK 3 462
C: LIST
S: +OK 3 messages (462 bytes)
S: 1 154
S: 2 154
S: 3 154
S: .
C: LIST 2
S: +OK 2 154
C: UIDL
S: +OK
S: 1 $one
S: 2 $two
S: 3 $three
S: .
C: UIDL 1
S: +OK 1 $one
C: RETR 1
S: +OK message follows
S: From: Bob <bob@example.com>
S: To: ada@example.com
S: Subject: Message 1
S: Message-ID: <1.INBOX@example.com>
S: Date: Mon, 2 Mar 2026 09:15:04 +0000
S: 
S: Body 1.
S: .
C: TOP 2 0
S: +OK message follows
S: From: Bob <bob@example.com>
S: To: ada@example.com
S: Subject: Message 2
S: Message-ID: <2.INBOX@example.com>
S: Date: Mon, 2 Mar 2026 09:15:04 +0000
S: 
S: .
C: DELE 3
S: +OK
C: DELE 3
S: -ERR Message number out of range.
C: RETR 3
S: -ERR Message number out of range.
C: LIST
S: +OK 2 messages (308 bytes)
S: 1 154
S: 2 154
S: .
C: RSET
S: +OK
C: STAT
S: +OK 3 462
C: NOOP
S: +OK
C: LAST
S: -ERR Not supported
C: RETR 4
S: -ERR Message number out of range.
C: RETR 0
S: -ERR Message number out of range.
C: RETR
S: -ERR bad command
C: XYZZY
S: -ERR bad command
C: APOP ada c4c9334bac560ecc979e58001b3e22fb
S: -ERR bad command
