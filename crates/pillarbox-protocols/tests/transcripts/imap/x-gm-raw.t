# wire §3.8: the language of the web search box
given ada has in INBOX (\Seen \Flagged)
| From: Bob <bob@example.com>
| To: ada@example.com
| Cc: carol@example.com
| Subject: Dinner on Friday
| Message-ID: <m1@example.com>
|
| Shall we eat an exact phrase together?
given ada has in "work/project x"
| From: Dora <dora@example.org>
| To: ada@example.com
| Subject: Lunch
| List-Id: <rust.lists.example.org>
| MIME-Version: 1.0
| Content-Type: multipart/mixed; boundary=B
|
| --B
| Content-Type: text/plain
|
| see attached dinner plan
| --B
| Content-Type: application/pdf; name="plan.pdf"
| Content-Disposition: attachment; filename="plan.pdf"
|
| x
| --B--
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a0 LOGIN ada@example.com $app(ada)
S: * CAPABILITY ...
S: a0 OK ada@example.com authenticated (Success)
C: a1 SELECT "[Gmail]/All Mail"
S: ...
S: ...
S: ...
S: * 2 EXISTS
S: ...
S: ...
S: ...
S: a1 OK ...
C: r0 SEARCH X-GM-RAW "dinner"
S: * SEARCH 1 2
S: r0 OK SEARCH completed (Success)
C: r1 SEARCH X-GM-RAW "din"
S: * SEARCH
S: r1 OK SEARCH completed (Success)
C: r2 SEARCH X-GM-RAW "from:bob"
S: * SEARCH 1
S: r2 OK SEARCH completed (Success)
C: r3 SEARCH X-GM-RAW "from:example.com"
S: * SEARCH 1
S: r3 OK SEARCH completed (Success)
C: r4 SEARCH X-GM-RAW "to:carol"
S: * SEARCH 1
S: r4 OK SEARCH completed (Success)
C: r5 SEARCH X-GM-RAW "cc:carol"
S: * SEARCH 1
S: r5 OK SEARCH completed (Success)
C: r6 SEARCH X-GM-RAW "subject:dinner"
S: * SEARCH 1
S: r6 OK SEARCH completed (Success)
C: r7 SEARCH X-GM-RAW "subject:(dinner friday)"
S: * SEARCH 1
S: r7 OK SEARCH completed (Success)
C: r8 SEARCH X-GM-RAW "subject:(dinner OR lunch)"
S: * SEARCH 1 2
S: r8 OK SEARCH completed (Success)
C: r9 SEARCH X-GM-RAW "\"exact phrase\""
S: * SEARCH 1
S: r9 OK SEARCH completed (Success)
C: r10 SEARCH X-GM-RAW "\"phrase exact\""
S: * SEARCH
S: r10 OK SEARCH completed (Success)
C: r11 SEARCH X-GM-RAW "dinner lunch"
S: * SEARCH 2
S: r11 OK SEARCH completed (Success)
C: r12 SEARCH X-GM-RAW "dinner OR lunch"
S: * SEARCH 1 2
S: r12 OK SEARCH completed (Success)
C: r13 SEARCH X-GM-RAW "{from:bob from:dora}"
S: * SEARCH 1 2
S: r13 OK SEARCH completed (Success)
C: r14 SEARCH X-GM-RAW "-from:bob"
S: * SEARCH 2
S: r14 OK SEARCH completed (Success)
C: r15 SEARCH X-GM-RAW "NOT from:bob"
S: * SEARCH 2
S: r15 OK SEARCH completed (Success)
C: r16 SEARCH X-GM-RAW "dinner -friday"
S: * SEARCH 2
S: r16 OK SEARCH completed (Success)
C: r17 SEARCH X-GM-RAW "(from:bob OR from:dora) lunch"
S: * SEARCH 2
S: r17 OK SEARCH completed (Success)
C: r18 SEARCH X-GM-RAW "label:work-project-x"
S: * SEARCH 2
S: r18 OK SEARCH completed (Success)
C: r19 SEARCH X-GM-RAW "label:nothing"
S: * SEARCH
S: r19 OK SEARCH completed (Success)
C: r20 SEARCH X-GM-RAW "in:inbox"
S: * SEARCH 1
S: r20 OK SEARCH completed (Success)
C: r21 SEARCH X-GM-RAW "in:anywhere"
S: * SEARCH 1 2
S: r21 OK SEARCH completed (Success)
C: r22 SEARCH X-GM-RAW "in:trash"
S: * SEARCH
S: r22 OK SEARCH completed (Success)
C: r23 SEARCH X-GM-RAW "is:unread"
S: * SEARCH 2
S: r23 OK SEARCH completed (Success)
C: r24 SEARCH X-GM-RAW "in:unread"
S: * SEARCH 2
S: r24 OK SEARCH completed (Success)
C: r25 SEARCH X-GM-RAW "is:read"
S: * SEARCH 1
S: r25 OK SEARCH completed (Success)
C: r26 SEARCH X-GM-RAW "is:starred"
S: * SEARCH 1
S: r26 OK SEARCH completed (Success)
C: r27 SEARCH X-GM-RAW "has:attachment"
S: * SEARCH 2
S: r27 OK SEARCH completed (Success)
C: r28 SEARCH X-GM-RAW "has:userlabels"
S: * SEARCH 2
S: r28 OK SEARCH completed (Success)
C: r29 SEARCH X-GM-RAW "has:nouserlabels"
S: * SEARCH 1
S: r29 OK SEARCH completed (Success)
C: r30 SEARCH X-GM-RAW "filename:pdf"
S: * SEARCH 2
S: r30 OK SEARCH completed (Success)
C: r31 SEARCH X-GM-RAW "rfc822msgid:m1@example.com"
S: * SEARCH 1
S: r31 OK SEARCH completed (Success)
C: r32 SEARCH X-GM-RAW "rfc822msgid:<m1@example.com>"
S: * SEARCH 1
S: r32 OK SEARCH completed (Success)
C: r33 SEARCH X-GM-RAW "list:rust.lists.example.org"
S: * SEARCH 2
S: r33 OK SEARCH completed (Success)
C: r34 SEARCH X-GM-RAW "after:2026/03/01"
S: * SEARCH 1 2
S: r34 OK SEARCH completed (Success)
C: r35 SEARCH X-GM-RAW "before:2026/03/02"
S: * SEARCH
S: r35 OK SEARCH completed (Success)
C: r36 SEARCH X-GM-RAW "after:2026/03/03"
S: * SEARCH
S: r36 OK SEARCH completed (Success)
C: r37 SEARCH X-GM-RAW "older:03/03/2026"
S: * SEARCH 1 2
S: r37 OK SEARCH completed (Success)
C: r38 SEARCH X-GM-RAW "newer_than:2d"
S: * SEARCH 1 2
S: r38 OK SEARCH completed (Success)
C: r39 SEARCH X-GM-RAW "older_than:1y"
S: * SEARCH
S: r39 OK SEARCH completed (Success)
C: r40 SEARCH X-GM-RAW "larger:1M"
S: * SEARCH
S: r40 OK SEARCH completed (Success)
C: r41 SEARCH X-GM-RAW "larger:100"
S: * SEARCH 1 2
S: r41 OK SEARCH completed (Success)
C: r42 SEARCH X-GM-RAW "smaller:10K"
S: * SEARCH 1 2
S: r42 OK SEARCH completed (Success)
C: r43 SEARCH X-GM-RAW "unknown:thing"
S: * SEARCH
S: r43 OK SEARCH completed (Success)
C: r44 SEARCH X-GM-RAW "dinner AROUND 3 friday"
S: * SEARCH 1
S: r44 OK SEARCH completed (Success)
C: r45 SEARCH X-GM-RAW "+dinner"
S: * SEARCH 1 2
S: r45 OK SEARCH completed (Success)
C: r46 SEARCH X-GM-RAW "(((("
S: * SEARCH 1 2
S: r46 OK SEARCH completed (Success)
C: r47 SEARCH X-GM-RAW "is:muted"
S: * SEARCH
S: r47 OK SEARCH completed (Success)
C: r48 SEARCH X-GM-RAW "category:primary"
S: * SEARCH 1 2
S: r48 OK SEARCH completed (Success)
