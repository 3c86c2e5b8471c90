# wire §3.5: the tree; special uses in every reply; a parent that is none
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a0 LOGIN ada@example.com $app(ada)
S: * CAPABILITY ...
S: a0 OK ada@example.com authenticated (Success)
C: a1 CREATE Receipts
S: a1 OK Success
C: a4 LIST "" "*"
S: * LIST (\HasNoChildren) "/" "INBOX"
S: * LIST (\HasNoChildren) "/" "Receipts"
S: * LIST (\HasChildren \Noselect) "/" "[Gmail]"
S: * LIST (\All \HasNoChildren) "/" "[Gmail]/All Mail"
S: * LIST (\Drafts \HasNoChildren) "/" "[Gmail]/Drafts"
S: * LIST (\HasNoChildren \Important) "/" "[Gmail]/Important"
S: * LIST (\HasNoChildren \Sent) "/" "[Gmail]/Sent Mail"
S: * LIST (\HasNoChildren \Junk) "/" "[Gmail]/Spam"
S: * LIST (\Flagged \HasNoChildren) "/" "[Gmail]/Starred"
S: * LIST (\HasNoChildren \Trash) "/" "[Gmail]/Trash"
S: a4 OK Success
C: a5 LIST "" ""
S: * LIST (\Noselect) "/" ""
S: a5 OK Success
C: a6 LIST "" %
S: * LIST (\HasNoChildren) "/" "INBOX"
S: * LIST (\HasNoChildren) "/" "Receipts"
S: * LIST (\HasChildren \Noselect) "/" "[Gmail]"
S: a6 OK Success
C: a7 XLIST "" "*"
S: * XLIST (\HasNoChildren \Inbox) "/" "INBOX"
S: * XLIST (\HasNoChildren) "/" "Receipts"
S: * XLIST (\HasChildren \Noselect) "/" "[Gmail]"
S: * XLIST (\AllMail \HasNoChildren) "/" "[Gmail]/All Mail"
S: * XLIST (\Drafts \HasNoChildren) "/" "[Gmail]/Drafts"
S: * XLIST (\HasNoChildren \Important) "/" "[Gmail]/Important"
S: * XLIST (\HasNoChildren \Sent) "/" "[Gmail]/Sent Mail"
S: * XLIST (\HasNoChildren \Spam) "/" "[Gmail]/Spam"
S: * XLIST (\HasNoChildren \Starred) "/" "[Gmail]/Starred"
S: * XLIST (\HasNoChildren \Trash) "/" "[Gmail]/Trash"
S: a7 OK Success
C: a8 CREATE "work/project x"
S: a8 OK Success
C: a9 LIST "" "work*"
S: * LIST (\HasChildren \Noselect) "/" "work"
S: * LIST (\HasNoChildren) "/" "work/project x"
S: a9 OK Success
C: b1 DELETE "work/project x"
S: b1 OK Success
C: b2 LIST "" "work*"
S: b2 OK Success
C: b3 LIST (SPECIAL-USE) "" "*" RETURN (STATUS (MESSAGES))
S: * LIST (\All \HasNoChildren) "/" "[Gmail]/All Mail"
S: * STATUS "[Gmail]/All Mail" (MESSAGES 0)
S: * LIST (\Drafts \HasNoChildren) "/" "[Gmail]/Drafts"
S: * STATUS "[Gmail]/Drafts" (MESSAGES 0)
S: * LIST (\HasNoChildren \Important) "/" "[Gmail]/Important"
S: * STATUS "[Gmail]/Important" (MESSAGES 0)
S: * LIST (\HasNoChildren \Sent) "/" "[Gmail]/Sent Mail"
S: * STATUS "[Gmail]/Sent Mail" (MESSAGES 0)
S: * LIST (\HasNoChildren \Junk) "/" "[Gmail]/Spam"
S: * STATUS "[Gmail]/Spam" (MESSAGES 0)
S: * LIST (\Flagged \HasNoChildren) "/" "[Gmail]/Starred"
S: * STATUS "[Gmail]/Starred" (MESSAGES 0)
S: * LIST (\HasNoChildren \Trash) "/" "[Gmail]/Trash"
S: * STATUS "[Gmail]/Trash" (MESSAGES 0)
S: b3 OK Success
C: b4 LIST "" ("INBOX" "[Gmail]") RETURN (CHILDREN SUBSCRIBED)
S: * LIST (\HasNoChildren \Subscribed) "/" "INBOX"
S: * LIST (\HasChildren \NonExistent) "/" "[Gmail]"
S: b4 OK Success
C: b5 LSUB "" "*"
S: * LSUB (\HasNoChildren) "/" "INBOX"
S: * LSUB (\HasNoChildren) "/" "Receipts"
S: * LSUB (\HasNoChildren) "/" "[Gmail]/All Mail"
S: * LSUB (\HasNoChildren) "/" "[Gmail]/Drafts"
S: * LSUB (\HasNoChildren) "/" "[Gmail]/Important"
S: * LSUB (\HasNoChildren) "/" "[Gmail]/Sent Mail"
S: * LSUB (\HasNoChildren) "/" "[Gmail]/Spam"
S: * LSUB (\HasNoChildren) "/" "[Gmail]/Starred"
S: * LSUB (\HasNoChildren) "/" "[Gmail]/Trash"
S: b5 OK Success
C: b6 UNSUBSCRIBE Receipts
S: b6 OK Success
C: b7 LIST (SUBSCRIBED RECURSIVEMATCH) "" %
S: * LIST (\HasNoChildren \Subscribed) "/" "INBOX"
S: * LIST (\HasChildren \NonExistent) "/" "[Gmail]" ("CHILDINFO" ("SUBSCRIBED"))
S: b7 OK Success
C: b8 NAMESPACE
S: * NAMESPACE (("" "/")) NIL NIL
S: b8 OK Success
C: b9 GETQUOTAROOT INBOX
S: * QUOTAROOT "INBOX"
S: b9 OK Success
C: c1 GETQUOTA ""
S: c1 NO [NONEXISTENT] Unknown quota root (Failure)
C: c2 GETQUOTA other
S: c2 NO [NONEXISTENT] Unknown quota root (Failure)
