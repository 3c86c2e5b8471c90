# wire §3.5: an account whose system mailboxes stand beside one's own; the attributes say which they are
given carol is new with plain names
given carol has 1 message in INBOX
S: * OK ...
C: a0 LOGIN carol@example.com $app(carol)
S: * CAPABILITY ...
S: a0 OK carol@example.com authenticated (Success)
C: a1 LIST "" *
S: * LIST (\HasNoChildren) "/" "INBOX"
S: * LIST (\All \HasNoChildren) "/" "All Mail"
S: * LIST (\Drafts \HasNoChildren) "/" "Drafts"
S: * LIST (\HasNoChildren \Important) "/" "Important"
S: * LIST (\HasNoChildren \Sent) "/" "Sent Mail"
S: * LIST (\HasNoChildren \Junk) "/" "Spam"
S: * LIST (\Flagged \HasNoChildren) "/" "Starred"
S: * LIST (\HasNoChildren \Trash) "/" "Trash"
S: a1 OK Success
C: a2 XLIST "" *
S: * XLIST (\HasNoChildren \Inbox) "/" "INBOX"
S: * XLIST (\AllMail \HasNoChildren) "/" "All Mail"
S: * XLIST (\Drafts \HasNoChildren) "/" "Drafts"
S: * XLIST (\HasNoChildren \Important) "/" "Important"
S: * XLIST (\HasNoChildren \Sent) "/" "Sent Mail"
S: * XLIST (\HasNoChildren \Spam) "/" "Spam"
S: * XLIST (\HasNoChildren \Starred) "/" "Starred"
S: * XLIST (\HasNoChildren \Trash) "/" "Trash"
S: a2 OK Success
C: a3 LIST (SPECIAL-USE) "" *
S: * LIST (\All \HasNoChildren) "/" "All Mail"
S: * LIST (\Drafts \HasNoChildren) "/" "Drafts"
S: * LIST (\HasNoChildren \Important) "/" "Important"
S: * LIST (\HasNoChildren \Sent) "/" "Sent Mail"
S: * LIST (\HasNoChildren \Junk) "/" "Spam"
S: * LIST (\Flagged \HasNoChildren) "/" "Starred"
S: * LIST (\HasNoChildren \Trash) "/" "Trash"
S: a3 OK Success
C: a4 SELECT "All Mail"
S: * FLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing \*)] Flags permitted.
S: * OK [UIDVALIDITY 1772442905] UIDs valid.
S: * 1 EXISTS
S: * 1 RECENT
S: * OK [UIDNEXT 2] Predicted next UID.
S: * OK [HIGHESTMODSEQ 3] Highest mod-sequence.
S: a4 OK [READ-WRITE] All Mail selected. (Success)
C: a5 FETCH 1 X-GM-LABELS
S: * 1 FETCH (X-GM-LABELS ("\\Inbox"))
S: a5 OK Success
C: a6 UID MOVE 1 Trash
S: * 1 EXPUNGE
S: * 0 EXISTS
S: a6 OK [COPYUID 1772442911 1 1] (Success)
C: a7 SELECT Trash
S: * FLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing \*)] Flags permitted.
S: * OK [UIDVALIDITY 1772442911] UIDs valid.
S: * 1 EXISTS
S: * 1 RECENT
S: * OK [UIDNEXT 2] Predicted next UID.
S: * OK [HIGHESTMODSEQ 4] Highest mod-sequence.
S: a7 OK [READ-WRITE] Trash selected. (Success)
C: a8 FETCH 1 (X-GM-LABELS)
S: * 1 FETCH (X-GM-LABELS ())
S: a8 OK Success
C: a9 CREATE "[Gmail]/Mine"
S: a9 OK Success
C: b1 DELETE Trash
S: b1 NO [CANNOT] System folder (Failure)
C: b2 RENAME "Sent Mail" Gone
S: b2 NO [CANNOT] System folder (Failure)
C: b3 CREATE Spam/below
S: b3 OK Success
C: b4 LIST "" Spam*
S: * LIST (\HasChildren \Junk) "/" "Spam"
S: * LIST (\HasNoChildren) "/" "Spam/below"
S: b4 OK Success
