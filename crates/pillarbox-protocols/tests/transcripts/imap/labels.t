# wire §3.7: X-GM-LABELS in both spellings; \Starred is \Flagged; the selected label can be removed
given ada has 2 messages in INBOX
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
S: a1 OK [READ-WRITE] [Gmail]/All Mail selected. (Success)
C: a2 FETCH 1 X-GM-LABELS
S: * 1 FETCH (X-GM-LABELS ("\\Inbox"))
S: a2 OK Success
C: a7 UID STORE 1 +X-GM-LABELS (\Starred "Taxes 2026")
S: * 1 FETCH (X-GM-LABELS ("\\Inbox" "\\Starred" "Taxes 2026") UID 1)
S: * 1 FETCH (FLAGS (\Flagged \Recent))
S: a7 OK Success
C: a8 UID STORE 1 +X-GM-LABELS ("\\Important" Work)
S: * 1 FETCH (X-GM-LABELS ("\\Important" "\\Inbox" "\\Starred" "Taxes 2026" Work) UID 1)
S: a8 OK Success
C: a9 SEARCH X-GM-LABELS "taxes 2026"
S: * SEARCH 1
S: a9 OK SEARCH completed (Success)
C: b1 SEARCH X-GM-LABELS \Inbox
S: * SEARCH 1 2
S: b1 OK SEARCH completed (Success)
C: b2 SEARCH X-GM-LABELS "\\Starred"
S: * SEARCH 1
S: b2 OK SEARCH completed (Success)
C: b3 STORE 1 -X-GM-LABELS (Work)
S: * 1 FETCH (X-GM-LABELS ("\\Important" "\\Inbox" "\\Starred" "Taxes 2026"))
S: b3 OK Success
C: b4 STORE 1 X-GM-LABELS.SILENT ()
S: * 1 FETCH (FLAGS (\Recent))
S: b4 OK Success
C: b5 FETCH 1 (FLAGS X-GM-LABELS)
S: * 1 FETCH (X-GM-LABELS () FLAGS (\Recent))
S: b5 OK Success
C: b6 SELECT INBOX
S: ...
S: ...
S: ...
S: * 1 EXISTS
S: ...
S: ...
S: ...
S: b6 OK [READ-WRITE] INBOX selected. (Success)
C: b7 UID STORE 2 -X-GM-LABELS (\Inbox)
S: * 1 EXPUNGE
S: * 0 EXISTS
S: b7 OK Success
C: b8 UID STORE 2 +X-GM-LABELS (\Nonsense)
S: b8 NO [CANNOT] Invalid folder name (Failure)
