# wire §3.4: the texts of what cannot be done
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a0 LOGIN ada@example.com $app(ada)
S: * CAPABILITY ...
S: a0 OK ada@example.com authenticated (Success)
C: a1 SELECT X
S: a1 NO [NONEXISTENT] Unknown Mailbox: X (Failure)
C: a2 DELETE X
S: a2 NO [NONEXISTENT] Unknown folder.
C: a3 CREATE X
S: a3 OK Success
C: a4 CREATE X
S: a4 NO [ALREADYEXISTS] Duplicate folder name X (Failure)
C: a5 CREATE INBOX
S: a5 NO [ALREADYEXISTS] Duplicate folder name INBOX (Failure)
C: a6 DELETE "[Gmail]/All Mail"
S: a6 NO [CANNOT] System folder (Failure)
C: a7 RENAME "[Gmail]/Trash" Bin
S: a7 NO [CANNOT] System folder (Failure)
C: a8 DELETE INBOX
S: a8 NO [CANNOT] System folder (Failure)
C: a9 CREATE "\\x"
S: a9 NO [CANNOT] Invalid folder name (Failure)
C: b1 STATUS Y (MESSAGES)
S: b1 NO [NONEXISTENT] Unknown Mailbox: Y (Failure)
C: b2 APPEND Y {5}
S: b2 NO [TRYCREATE] Unknown Mailbox: Y (Failure)
C: b3 APPEND INBOX {35651585}
S: b3 NO [TOOBIG] Message too large (Failure)
C: b4 RENAME X Z/W
S: b4 OK Success
C: b5 LIST "" Z*
S: * LIST (\HasChildren \Noselect) "/" "Z"
S: * LIST (\HasNoChildren) "/" "Z/W"
S: b5 OK Success
C: b6 SUBSCRIBE nowhere
S: b6 NO [NONEXISTENT] Unknown Mailbox: nowhere (Failure)
C: b7 CHECK
S: b7 BAD No mailbox selected
