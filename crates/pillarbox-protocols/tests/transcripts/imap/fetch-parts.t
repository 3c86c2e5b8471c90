# RFC 3501 §6.4.5: parts of parts, of messages in messages, and of what is not there
given ada has in INBOX
| From: "Ada \"A\" L" <ada@example.com>
| To: A group: bob@example.com, carol@example.com;
| Subject: nested
| MIME-Version: 1.0
| Content-Type: multipart/mixed; boundary=out
|
| preamble
| --out
| Content-Type: multipart/alternative; boundary=in
|
| --in
|
| plain
| --in
| Content-Type: text/html
|
| <p>html</p>
| --in--
| --out
| Content-Type: message/rfc822
|
| Subject: inner
| Content-Type: multipart/mixed; boundary=deep
|
| --deep
| Content-Type: text/plain; name=x.txt
|
| deep
| --deep--
| --out
| Content-Type: message/rfc822
|
| Subject: single
|
| just text
| --out--
S: * OK ...
C: a0 LOGIN ada@example.com $app(ada)
S: * CAPABILITY ...
S: a0 OK ada@example.com authenticated (Success)
C: a1 SELECT INBOX
S: * FLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing \*)] Flags permitted.
S: * OK [UIDVALIDITY 1772442904] UIDs valid.
S: * 1 EXISTS
S: * 1 RECENT
S: * OK [UIDNEXT 2] Predicted next UID.
S: * OK [HIGHESTMODSEQ 3] Highest mod-sequence.
S: a1 OK [READ-WRITE] INBOX selected. (Success)
C: a2 FETCH 1 BODY
S: * 1 FETCH (BODY ((("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 5 0)("text" "html" NIL NIL NIL "7bit" 11 0) "alternative")("message" "rfc822" NIL NIL NIL "7bit" 126 (NIL "inner" NIL NIL NIL NIL NIL NIL NIL NIL) (("text" "plain" ("name" "x.txt") NIL NIL "7bit" 4 0) "mixed") 7)("message" "rfc822" NIL NIL NIL "7bit" 28 (NIL "single" NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 9 0) 2) "mixed"))
S: a2 OK Success
C: a3 FETCH 1 BODYSTRUCTURE
S: * 1 FETCH (BODYSTRUCTURE ((("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 5 0 NIL NIL NIL NIL)("text" "html" NIL NIL NIL "7bit" 11 0 NIL NIL NIL NIL) "alternative" ("boundary" "in") NIL NIL NIL)("message" "rfc822" NIL NIL NIL "7bit" 126 (NIL "inner" NIL NIL NIL NIL NIL NIL NIL NIL) (("text" "plain" ("name" "x.txt") NIL NIL "7bit" 4 0 NIL NIL NIL NIL) "mixed" ("boundary" "deep") NIL NIL NIL) 7 NIL NIL NIL NIL)("message" "rfc822" NIL NIL NIL "7bit" 28 (NIL "single" NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 9 0 NIL NIL NIL NIL) 2 NIL NIL NIL NIL) "mixed" ("boundary" "out") NIL NIL NIL))
S: a3 OK Success
C: a4 FETCH 1 ENVELOPE
S: * 1 FETCH (ENVELOPE (NIL "nested" (("Ada \"A\" L" NIL "ada" "example.com")) (("Ada \"A\" L" NIL "ada" "example.com")) (("Ada \"A\" L" NIL "ada" "example.com")) ((NIL NIL "A group" NIL)(NIL NIL "bob" "example.com")(NIL NIL "carol" "example.com")(NIL NIL NIL NIL)) NIL NIL NIL NIL))
S: a4 OK Success
C: a5 FETCH 1 (BODY.PEEK[1] BODY.PEEK[1.MIME] BODY.PEEK[1.1] BODY.PEEK[1.1.MIME] BODY.PEEK[1.2])
S: * 1 FETCH (BODY[1] {67}
S: --in
S: 
S: plain
S: --in
S: Content-Type: text/html
S: 
S: <p>html</p>
S: --in-- BODY[1.MIME] {52}
S: Content-Type: multipart/alternative; boundary=in
S: 
S:  BODY[1.1] {5}
S: plain BODY[1.1.MIME] {2}
S: 
S:  BODY[1.2] {11}
S: <p>html</p>)
S: a5 OK Success
C: a6 FETCH 1 (BODY.PEEK[2.HEADER] BODY.PEEK[2.MIME] BODY.PEEK[2.1] BODY.PEEK[2.1.MIME] BODY.PEEK[2.HEADER.FIELDS (SUBJECT)])
S: * 1 FETCH (BODY[2.HEADER] {64}
S: Subject: inner
S: Content-Type: multipart/mixed; boundary=deep
S: 
S:  BODY[2.MIME] {32}
S: Content-Type: message/rfc822
S: 
S:  BODY[2.1] {4}
S: deep BODY[2.1.MIME] {40}
S: Content-Type: text/plain; name=x.txt
S: 
S:  BODY[2.HEADER.FIELDS (SUBJECT)] {18}
S: Subject: inner
S: 
S: )
S: a6 OK Success
C: a7 FETCH 1 (BODY.PEEK[2.TEXT])
S: * 1 FETCH (BODY[2.TEXT] {62}
S: --deep
S: Content-Type: text/plain; name=x.txt
S: 
S: deep
S: --deep--)
S: a7 OK Success
C: a8 FETCH 1 (BODY.PEEK[3] BODY.PEEK[3.1] BODY.PEEK[3.TEXT] BODY.PEEK[3.1.MIME])
S: * 1 FETCH (BODY[3] {28}
S: Subject: single
S: 
S: just text BODY[3.1] {9}
S: just text BODY[3.TEXT] {9}
S: just text BODY[3.1.MIME] {19}
S: Subject: single
S: 
S: )
S: a8 OK Success
C: a9 FETCH 1 (BODY.PEEK[4] BODY.PEEK[1.3] BODY.PEEK[1.1.1] BODY.PEEK[3.2] BODY.PEEK[2.1.1])
S: * 1 FETCH (BODY[4] NIL BODY[1.3] NIL BODY[1.1.1] NIL BODY[3.2] NIL BODY[2.1.1] NIL)
S: a9 OK Success
C: b1 FETCH 1 (BODY.PEEK[1.1]<0.3> BODY.PEEK[1.1]<3.100> BODY.PEEK[1.1]<100.5>)
S: * 1 FETCH (BODY[1.1]<0> {3}
S: pla BODY[1.1]<3> {2}
S: in BODY[1.1]<100> {0}
S: )
S: b1 OK Success
C: b2 FETCH 1 BODY.PEEK[1.HEADER]
S: * 1 FETCH (BODY[1.HEADER] NIL)
S: b2 OK Success
C: b3 FETCH 1 BODY.PEEK[1.1]<0.0>
S: b3 BAD Could not parse command
C: b4 FETCH 1 BODY[0]
S: b4 BAD Could not parse command
C: b5 FETCH 1 BODY[MIME]
S: b5 BAD Could not parse command
C: b6 FETCH 1 RFC822.HEADER
S: * 1 FETCH (RFC822.HEADER {172}
S: From: "Ada \"A\" L" <ada@example.com>
S: To: A group: bob@example.com, carol@example.com;
S: Subject: nested
S: MIME-Version: 1.0
S: Content-Type: multipart/mixed; boundary=out
S: 
S: )
S: b6 OK Success
C: b7 FETCH 1 FLAGS
S: * 1 FETCH (FLAGS (\Recent))
S: b7 OK Success
C: b8 FETCH 1 RFC822.TEXT
S: * 1 FETCH (FLAGS (\Seen \Recent) RFC822.TEXT {383}
S: preamble
S: --out
S: Content-Type: multipart/alternative; boundary=in
S: 
S: --in
S: 
S: plain
S: --in
S: Content-Type: text/html
S: 
S: <p>html</p>
S: --in--
S: --out
S: Content-Type: message/rfc822
S: 
S: Subject: inner
S: Content-Type: multipart/mixed; boundary=deep
S: 
S: --deep
S: Content-Type: text/plain; name=x.txt
S: 
S: deep
S: --deep--
S: --out
S: Content-Type: message/rfc822
S: 
S: Subject: single
S: 
S: just text
S: --out--
S: )
S: b8 OK Success
C: b9 FETCH 1 (BODY.PEEK[HEADER.FIELDS.NOT (FROM TO CONTENT-TYPE)])
S: * 1 FETCH (BODY[HEADER.FIELDS.NOT (FROM TO CONTENT-TYPE)] {38}
S: Subject: nested
S: MIME-Version: 1.0
S: 
S: )
S: b9 OK Success
C: c1 UID FETCH 1 (X-GM-MSGID X-GM-THRID)
S: * 1 FETCH (X-GM-THRID 1858541090504704000 X-GM-MSGID 1858541090504704000 UID 1)
S: c1 OK Success
