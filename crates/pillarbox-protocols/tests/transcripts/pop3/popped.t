# wire §4.4: RETR and QUIT pop; a dropped connection does not; recent: sees popped mail again; UIDLs stay the same
given ada sets pop all
given ada has 2 messages in INBOX
S: +OK ...
C: AUTH XOAUTH2 $xoauth2(ada)
S: +OK Welcome.
C: UIDL
S: +OK
S: 1 $one
S: 2 $two
S: .
C: TOP 2 1
S: +OK message follows
S: From: Bob <bob@example.com>
S: To: ada@example.com
S: Subject: Message 2
S: Message-ID: <2.INBOX@example.com>
S: Date: Mon, 2 Mar 2026 09:15:04 +0000
S: 
S: Body 2.
S: .
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
@leave
S: (closed)
2S: +OK ...
2C: AUTH XOAUTH2 $xoauth2(ada)
2S: +OK Welcome.
2C: UIDL
2S: +OK
2S: 1 $one
2S: 2 $two
2S: .
2C: RETR 1
2S: +OK message follows
2S: From: Bob <bob@example.com>
2S: To: ada@example.com
2S: Subject: Message 1
2S: Message-ID: <1.INBOX@example.com>
2S: Date: Mon, 2 Mar 2026 09:15:04 +0000
2S: 
2S: Body 1.
2S: .
2C: QUIT
2S: +OK Farewell.
2S: (closed)
3S: +OK ...
3C: AUTH XOAUTH2 $xoauth2(ada)
3S: +OK Welcome.
3C: UIDL
3S: +OK
3S: 1 $two
3S: .
4S: +OK ...
4C: AUTH XOAUTH2 $xoauth2(recent:ada@example.com)
4S: +OK Welcome.
4C: UIDL
4S: +OK
4S: 1 $one
4S: 2 $two
4S: .
