# RFC 3501 §6.4.5: every kind of section and partial
given ada has in INBOX
| From: Bob <bob@example.com>
| To: ada@example.com
| Subject: =?utf-8?q?caf=C3=A9?=
| X-Thing: a
| Mime-Version: 1.0
| Content-Type: multipart/mixed; boundary=B
|
| preamble
| --B
| Content-Type: text/plain; charset=utf-8
|
| plain text
| --B
| Content-Type: message/rfc822
|
| Subject: inner
| Content-Type: text/html
|
| <p>inner</p>
| --B--
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a0 LOGIN ada@example.com $app(ada)
S: * CAPABILITY ...
S: a0 OK ada@example.com authenticated (Success)
C: a1 SELECT INBOX
S: * FLAGS ...
S: * OK [PERMANENTFLAGS ...
S: * OK [UIDVALIDITY ...
S: * 1 EXISTS
S: * 1 RECENT
S: * OK [UIDNEXT ...
S: * OK [HIGHESTMODSEQ ...
S: a1 OK [READ-WRITE] INBOX selected. (Success)
C: f0 FETCH 1 BODY
S: * 1 FETCH (BODY (("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 10 0)("message" "rfc822" NIL NIL NIL "7bit" 55 (NIL "inner" NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "html" NIL NIL NIL "7bit" 12 0) 3) "mixed"))
S: f0 OK Success
C: f1 FETCH 1 BODYSTRUCTURE
S: * 1 FETCH (BODYSTRUCTURE (("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 10 0 NIL NIL NIL NIL)("message" "rfc822" NIL NIL NIL "7bit" 55 (NIL "inner" NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "html" NIL NIL NIL "7bit" 12 0 NIL NIL NIL NIL) 3 NIL NIL NIL NIL) "mixed" ("boundary" "B") NIL NIL NIL))
S: f1 OK Success
C: f2 FETCH 1 BODY.PEEK[1]
S: * 1 FETCH (BODY[1] {10}
S: plain text)
S: f2 OK Success
C: f3 FETCH 1 BODY.PEEK[1.MIME]
S: * 1 FETCH (BODY[1.MIME] {43}
S: Content-Type: text/plain; charset=utf-8
S: 
S: )
S: f3 OK Success
C: f4 FETCH 1 BODY.PEEK[2]
S: * 1 FETCH (BODY[2] {55}
S: Subject: inner
S: Content-Type: text/html
S: 
S: <p>inner</p>)
S: f4 OK Success
C: f5 FETCH 1 BODY.PEEK[2.HEADER]
S: * 1 FETCH (BODY[2.HEADER] {43}
S: Subject: inner
S: Content-Type: text/html
S: 
S: )
S: f5 OK Success
C: f6 FETCH 1 BODY.PEEK[2.TEXT]
S: * 1 FETCH (BODY[2.TEXT] {12}
S: <p>inner</p>)
S: f6 OK Success
C: f7 FETCH 1 BODY.PEEK[2.1]
S: * 1 FETCH (BODY[2.1] {12}
S: <p>inner</p>)
S: f7 OK Success
C: f8 FETCH 1 BODY.PEEK[3]
S: * 1 FETCH (BODY[3] NIL)
S: f8 OK Success
C: f9 FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT From)]
S: * 1 FETCH (BODY[HEADER.FIELDS (SUBJECT From)] {63}
S: From: Bob <bob@example.com>
S: Subject: =?utf-8?q?caf=C3=A9?=
S: 
S: )
S: f9 OK Success
C: f10 FETCH 1 BODY.PEEK[HEADER.FIELDS (X-Thing)]
S: * 1 FETCH (BODY[HEADER.FIELDS (X-Thing)] {14}
S: X-Thing: a
S: 
S: )
S: f10 OK Success
C: f11 FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (Subject From To)]
S: * 1 FETCH (BODY[HEADER.FIELDS.NOT (Subject From To)] {76}
S: X-Thing: a
S: Mime-Version: 1.0
S: Content-Type: multipart/mixed; boundary=B
S: 
S: )
S: f11 OK Success
C: f12 FETCH 1 BODY.PEEK[HEADER]<6.10>
S: * 1 FETCH (BODY[HEADER]<6> {10}
S: Bob <bob@e)
S: f12 OK Success
C: f13 FETCH 1 BODY.PEEK[]<100000.5>
S: * 1 FETCH (BODY[]<100000> {0}
S: )
S: f13 OK Success
C: f14 FETCH 1 RFC822.HEADER
S: * 1 FETCH (RFC822.HEADER {158}
S: From: Bob <bob@example.com>
S: To: ada@example.com
S: Subject: =?utf-8?q?caf=C3=A9?=
S: X-Thing: a
S: Mime-Version: 1.0
S: Content-Type: multipart/mixed; boundary=B
S: 
S: )
S: f14 OK Success
C: f15 FETCH 1 FLAGS
S: * 1 FETCH (FLAGS (\Recent))
S: f15 OK Success
C: f16 FETCH 1 BODY[TEXT]<0.8>
S: * 1 FETCH (FLAGS (\Seen \Recent) BODY[TEXT]<0> {8}
S: preamble)
S: f16 OK Success
C: f17 FETCH 1 (FLAGS RFC822.SIZE)
S: * 1 FETCH (RFC822.SIZE 329 FLAGS (\Seen \Recent))
S: f17 OK Success
C: f18 FETCH 1 ALL
S: * 1 FETCH (INTERNALDATE "02-Mar-2026 09:15:04 +0000" RFC822.SIZE 329 FLAGS (\Seen \Recent) ENVELOPE (NIL "=?utf-8?q?caf=C3=A9?=" (("Bob" NIL "bob" "example.com")) (("Bob" NIL "bob" "example.com")) (("Bob" NIL "bob" "example.com")) ((NIL NIL "ada" "example.com")) NIL NIL NIL NIL))
S: f18 OK Success
C: f19 FETCH 1 FAST
S: * 1 FETCH (INTERNALDATE "02-Mar-2026 09:15:04 +0000" RFC822.SIZE 329 FLAGS (\Seen \Recent))
S: f19 OK Success
C: f20 FETCH 1 FULL
S: * 1 FETCH (INTERNALDATE "02-Mar-2026 09:15:04 +0000" RFC822.SIZE 329 FLAGS (\Seen \Recent) ENVELOPE (NIL "=?utf-8?q?caf=C3=A9?=" (("Bob" NIL "bob" "example.com")) (("Bob" NIL "bob" "example.com")) (("Bob" NIL "bob" "example.com")) ((NIL NIL "ada" "example.com")) NIL NIL NIL NIL) BODY (("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 10 0)("message" "rfc822" NIL NIL NIL "7bit" 55 (NIL "inner" NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "html" NIL NIL NIL "7bit" 12 0) 3) "mixed"))
S: f20 OK Success
C: f21 FETCH 2 FLAGS
S: f21 BAD Could not parse command
