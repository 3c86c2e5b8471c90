# wire §3.7: every form of STORE, both spellings, labels that are made, names that are refused, EXPUNGE only where numbers may shift
given ada has 3 messages in INBOX
S: * OK ...
C: a0 LOGIN ada@example.com $app(ada)
S: * CAPABILITY ...
S: a0 OK ada@example.com authenticated (Success)
C: a1 SELECT "[Gmail]/All Mail"
S: * FLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing \*)] Flags permitted.
S: * OK [UIDVALIDITY 1772442905] UIDs valid.
S: * 3 EXISTS
S: * 3 RECENT
S: * OK [UIDNEXT 4] Predicted next UID.
S: * OK [HIGHESTMODSEQ 5] Highest mod-sequence.
S: a1 OK [READ-WRITE] [Gmail]/All Mail selected. (Success)
C: a2 STORE 1 X-GM-LABELS (\Inbox Taxes "work/project x")
S: * 1 FETCH (X-GM-LABELS ("\\Inbox" Taxes "work/project x"))
S: * 1 FETCH (FLAGS (\Recent))
S: a2 OK Success
C: a3 STORE 1 -X-GM-LABELS Taxes
S: * 1 FETCH (X-GM-LABELS ("\\Inbox" "work/project x"))
S: a3 OK Success
C: a4 STORE 1 +X-GM-LABELS ("\\Starred")
S: * 1 FETCH (X-GM-LABELS ("\\Inbox" "\\Starred" "work/project x"))
S: * 1 FETCH (FLAGS (\Flagged \Recent))
S: a4 OK Success
C: a5 FETCH 1 (FLAGS X-GM-LABELS)
S: * 1 FETCH (X-GM-LABELS ("\\Inbox" "\\Starred" "work/project x") FLAGS (\Flagged \Recent))
S: a5 OK Success
C: a6 STORE 1 -FLAGS (\Flagged)
S: * 1 FETCH (FLAGS (\Recent))
S: a6 OK Success
C: a7 FETCH 1 X-GM-LABELS
S: * 1 FETCH (X-GM-LABELS ("\\Inbox" "work/project x"))
S: a7 OK Success
C: a8 STORE 1 +X-GM-LABELS.SILENT (\starred)
S: * 1 FETCH (FLAGS (\Flagged \Recent))
S: a8 OK Success
C: a9 FETCH 1 (FLAGS X-GM-LABELS)
S: * 1 FETCH (X-GM-LABELS ("\\Inbox" "\\Starred" "work/project x") FLAGS (\Flagged \Recent))
S: a9 OK Success
C: b1 STORE 1 +X-GM-LABELS ("\\Nonsense")
S: b1 NO [CANNOT] Invalid folder name (Failure)
C: b2 STORE 1 +X-GM-LABELS ("a//b")
S: b2 NO [CANNOT] Invalid folder name (Failure)
C: b3 STORE 1 +X-GM-LABELS ("[Gmail]/Mine")
S: b3 NO [CANNOT] Invalid folder name (Failure)
C: b4 STORE 1 +X-GM-LABELS (\Sent \Draft)
S: * 1 FETCH (X-GM-LABELS ("\\Inbox" "\\Starred" "work/project x"))
S: b4 OK Success
C: b5 FETCH 1 X-GM-LABELS
S: * 1 FETCH (X-GM-LABELS ("\\Inbox" "\\Starred" "work/project x"))
S: b5 OK Success
C: b6 LIST "" "work%"
S: * LIST (\HasChildren \Noselect) "/" "work"
S: b6 OK Success
C: b7 STORE 2 +X-GM-LABELS (INBOX)
S: * 2 FETCH (X-GM-LABELS ("\\Inbox"))
S: b7 OK Success
C: b8 FETCH 2 X-GM-LABELS
S: * 2 FETCH (X-GM-LABELS ("\\Inbox"))
S: b8 OK Success
C: b9 STORE 2 +X-GM-LABELS ("[Gmail]/Starred")
S: * 2 FETCH (X-GM-LABELS ("\\Inbox" "\\Starred"))
S: * 2 FETCH (FLAGS (\Flagged \Recent))
S: b9 OK Success
C: c1 STORE 2 +X-GM-LABELS (taxes)
S: * 2 FETCH (X-GM-LABELS ("\\Inbox" "\\Starred" taxes))
S: c1 OK Success
C: c2 LIST "" "t*"
S: * LIST (\HasNoChildren) "/" "taxes"
S: c2 OK Success
C: c3 SELECT Taxes
S: * FLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing \*)] Flags permitted.
S: * OK [UIDVALIDITY 1772442912] UIDs valid.
S: * 0 EXISTS
S: * 0 RECENT
S: * OK [UIDNEXT 2] Predicted next UID.
S: * OK [HIGHESTMODSEQ 12] Highest mod-sequence.
S: c3 OK [READ-WRITE] Taxes selected. (Success)
C: c4 STORE 1 -X-GM-LABELS (Taxes)
S: c4 BAD Could not parse command
C: c5 NOOP
S: c5 OK Success
C: c6 SELECT "work/project x"
S: * FLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing \*)] Flags permitted.
S: * OK [UIDVALIDITY 1772442913] UIDs valid.
S: * 1 EXISTS
S: * 1 RECENT
S: * OK [UIDNEXT 2] Predicted next UID.
S: * OK [HIGHESTMODSEQ 12] Highest mod-sequence.
S: c6 OK [READ-WRITE] work/project x selected. (Success)
C: c7 UID STORE 1:* -X-GM-LABELS ("work/project x")
S: * 1 EXPUNGE
S: * 0 EXISTS
S: c7 OK Success
C: c8 SELECT INBOX
S: * FLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing \*)] Flags permitted.
S: * OK [UIDVALIDITY 1772442904] UIDs valid.
S: * 3 EXISTS
S: * 3 RECENT
S: * OK [UIDNEXT 4] Predicted next UID.
S: * OK [HIGHESTMODSEQ 13] Highest mod-sequence.
S: c8 OK [READ-WRITE] INBOX selected. (Success)
C: c9 STORE 1 +X-GM-LABELS (\Trash)
S: c9 OK Success
C: d1 NOOP
S: * 1 EXPUNGE
S: * 2 EXISTS
S: d1 OK Success
C: d2 SELECT "[Gmail]/Trash"
S: * FLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing \*)] Flags permitted.
S: * OK [UIDVALIDITY 1772442911] UIDs valid.
S: * 1 EXISTS
S: * 1 RECENT
S: * OK [UIDNEXT 2] Predicted next UID.
S: * OK [HIGHESTMODSEQ 14] Highest mod-sequence.
S: d2 OK [READ-WRITE] [Gmail]/Trash selected. (Success)
C: d3 FETCH 1:* (X-GM-LABELS)
S: * 1 FETCH (X-GM-LABELS ())
S: d3 OK Success
C: d4 UID STORE 1 +X-GM-LABELS (\Inbox)
S: * 1 EXPUNGE
S: * 0 EXISTS
S: d4 OK Success
C: d5 SELECT INBOX
S: * FLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing \*)] Flags permitted.
S: * OK [UIDVALIDITY 1772442904] UIDs valid.
S: * 3 EXISTS
S: * 1 RECENT
S: * OK [UIDNEXT 5] Predicted next UID.
S: * OK [HIGHESTMODSEQ 15] Highest mod-sequence.
S: d5 OK [READ-WRITE] INBOX selected. (Success)
C: d6 UID STORE 1:* +X-GM-LABELS (\Spam)
S: * 3 EXPUNGE
S: * 2 EXPUNGE
S: * 1 EXPUNGE
S: * 0 EXISTS
S: d6 OK Success
C: d7 STATUS "[Gmail]/Spam" (MESSAGES)
S: * STATUS "[Gmail]/Spam" (MESSAGES 3)
S: d7 OK Success
C: d8 CREATE "\\Mine"
S: d8 NO [CANNOT] Invalid folder name (Failure)
