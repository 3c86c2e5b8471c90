# wire §3.2: `*` before any JSON aborts
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a3 AUTHENTICATE XOAUTH2
S: + 
C: *
S: a3 BAD Authentication aborted
C: a4 AUTHENTICATE CRAM-MD5
S: a4 NO [CANNOT] Unsupported authentication mechanism (Failure)
C: a5 NOOP
S: a5 OK Success
