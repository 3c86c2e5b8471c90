# RFC 3501 §6.3.3: one trailing delimiter is dropped; a name with an empty level is none
S: ...
C: a1 LOGIN ada@example.com $app(ada)
S: ...
S: a1 OK ...
C: a2 CREATE work/
S: a2 OK Success
C: a3 LIST "" work*
S: * LIST (\HasNoChildren) "/" "work"
S: a3 OK Success
C: a4 CREATE work//
S: a4 NO [CANNOT] Invalid folder name (Failure)
C: a5 CREATE work//more
S: a5 NO [CANNOT] Invalid folder name (Failure)
C: a6 CREATE //
S: a6 NO [CANNOT] Invalid folder name (Failure)
