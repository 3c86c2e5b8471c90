# wire §3.5, §9.10: a localized account: the attributes say which mailbox is which
given ada calls trash Bin
given ada calls sent Gesendet
given ada calls all Überall
given ada has 2 messages in INBOX
S: * OK ...
C: a0 LOGIN ada@example.com $app(ada)
S: * CAPABILITY ...
S: a0 OK ada@example.com authenticated (Success)
C: a1 LIST "" *
S: * LIST (\HasNoChildren) "/" "INBOX"
S: * LIST (\HasChildren \Noselect) "/" "[Gmail]"
S: * LIST (\HasNoChildren \Trash) "/" "[Gmail]/Bin"
S: * LIST (\Drafts \HasNoChildren) "/" "[Gmail]/Drafts"
S: * LIST (\HasNoChildren \Sent) "/" "[Gmail]/Gesendet"
S: * LIST (\HasNoChildren \Important) "/" "[Gmail]/Important"
S: * LIST (\HasNoChildren \Junk) "/" "[Gmail]/Spam"
S: * LIST (\Flagged \HasNoChildren) "/" "[Gmail]/Starred"
S: * LIST (\All \HasNoChildren) "/" "[Gmail]/&ANw-berall"
S: a1 OK Success
C: a2 XLIST "" "[Gmail]/%"
S: * XLIST (\HasNoChildren \Trash) "/" "[Gmail]/Bin"
S: * XLIST (\Drafts \HasNoChildren) "/" "[Gmail]/Drafts"
S: * XLIST (\HasNoChildren \Sent) "/" "[Gmail]/Gesendet"
S: * XLIST (\HasNoChildren \Important) "/" "[Gmail]/Important"
S: * XLIST (\HasNoChildren \Spam) "/" "[Gmail]/Spam"
S: * XLIST (\HasNoChildren \Starred) "/" "[Gmail]/Starred"
S: * XLIST (\AllMail \HasNoChildren) "/" "[Gmail]/&ANw-berall"
S: a2 OK Success
C: a3 SELECT "[Gmail]/Trash"
S: a3 NO [NONEXISTENT] Unknown Mailbox: [Gmail]/Trash (Failure)
C: a4 SELECT INBOX
S: * FLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing \*)] Flags permitted.
S: * OK [UIDVALIDITY 1772442904] UIDs valid.
S: * 2 EXISTS
S: * 2 RECENT
S: * OK [UIDNEXT 3] Predicted next UID.
S: * OK [HIGHESTMODSEQ 7] Highest mod-sequence.
S: a4 OK [READ-WRITE] INBOX selected. (Success)
C: a5 UID MOVE 1 "[Gmail]/Bin"
S: * 1 EXPUNGE
S: * 1 EXISTS
S: a5 OK [COPYUID 1772442911 1 1] (Success)
C: a6 UID STORE 2 +X-GM-LABELS (\Trash)
S: * 1 EXPUNGE
S: * 0 EXISTS
S: a6 OK Success
C: a7 STATUS "[Gmail]/Bin" (MESSAGES)
S: * STATUS "[Gmail]/Bin" (MESSAGES 2)
S: a7 OK Success
C: a8 SELECT "[Gmail]/Bin"
S: * FLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing \*)] Flags permitted.
S: * OK [UIDVALIDITY 1772442911] UIDs valid.
S: * 2 EXISTS
S: * 2 RECENT
S: * OK [UIDNEXT 3] Predicted next UID.
S: * OK [HIGHESTMODSEQ 9] Highest mod-sequence.
S: a8 OK [READ-WRITE] [Gmail]/Bin selected. (Success)
C: a9 SEARCH X-GM-RAW in:trash
S: * SEARCH 1 2
S: a9 OK SEARCH completed (Success)
C: b1 CREATE "[Gmail]/Trash"
S: b1 NO [CANNOT] Invalid folder name (Failure)
C: b2 DELETE "[Gmail]/Bin"
S: b2 NO [CANNOT] System folder (Failure)
C: b3 RENAME "[Gmail]/Bin" "[Gmail]/Trash"
S: b3 NO [CANNOT] System folder (Failure)
C: b4 LIST (SPECIAL-USE) "" "*" RETURN (STATUS (MESSAGES))
S: * LIST (\HasNoChildren \Trash) "/" "[Gmail]/Bin"
S: * STATUS "[Gmail]/Bin" (MESSAGES 2)
S: * LIST (\Drafts \HasNoChildren) "/" "[Gmail]/Drafts"
S: * STATUS "[Gmail]/Drafts" (MESSAGES 0)
S: * LIST (\HasNoChildren \Sent) "/" "[Gmail]/Gesendet"
S: * STATUS "[Gmail]/Gesendet" (MESSAGES 0)
S: * LIST (\HasNoChildren \Important) "/" "[Gmail]/Important"
S: * STATUS "[Gmail]/Important" (MESSAGES 0)
S: * LIST (\HasNoChildren \Junk) "/" "[Gmail]/Spam"
S: * STATUS "[Gmail]/Spam" (MESSAGES 0)
S: * LIST (\Flagged \HasNoChildren) "/" "[Gmail]/Starred"
S: * STATUS "[Gmail]/Starred" (MESSAGES 0)
S: * LIST (\All \HasNoChildren) "/" "[Gmail]/&ANw-berall"
S: * STATUS "[Gmail]/&ANw-berall" (MESSAGES 0)
S: b4 OK Success
C: b5 SELECT "[Gmail]/Gesendet"
S: * FLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing \*)] Flags permitted.
S: * OK [UIDVALIDITY 1772442908] UIDs valid.
S: * 0 EXISTS
S: * 0 RECENT
S: * OK [UIDNEXT 1] Predicted next UID.
S: * OK [HIGHESTMODSEQ 9] Highest mod-sequence.
S: b5 OK [READ-WRITE] [Gmail]/Gesendet selected. (Success)
C: b6 SELECT "[Gmail]/&-"
S: b6 NO [NONEXISTENT] Unknown Mailbox: [Gmail]/& (Failure)
C: b7 STORE 1 +FLAGS (\Seen)
S: b7 BAD No mailbox selected
