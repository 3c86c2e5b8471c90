# EXTERNAL (RFC 4422 appendix A) is announced to whoever showed a certificate. Nobody need be named; who is, is the owner of
# the key or refused.
given ada registers her certificate
S: * OK ...
C: a CAPABILITY
S: * CAPABILITY ...AUTH=PLAIN AUTH=EXTERNAL...
S: a OK ...
C: b AUTHENTICATE EXTERNAL =
S: * CAPABILITY ...
S: b OK ada@example.com authenticated (Success)
C: c SELECT INBOX
S: ...
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Draft \Deleted \Seen $NotPhishing $Phishing \*)] Flags permitted.
S: * OK [UIDVALIDITY 1772442904] UIDs valid.
S: * 0 EXISTS
S: * 0 RECENT
S: * OK [UIDNEXT 1] Predicted next UID.
S: * OK [HIGHESTMODSEQ 2] Highest mod-sequence.
S: c OK [READ-WRITE] INBOX selected. (Success)
2S: * OK ...
2C: a AUTHENTICATE EXTERNAL
2S: + 
2C: $base64(bob@example.com)
2S: (20 ms)
2S: a NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)
2C: b AUTHENTICATE EXTERNAL
2S: + 
2C: *
2S: b BAD ...
2C: d AUTHENTICATE EXTERNAL
2S: + 
2C: $base64(Ada@Example.com)
2S: * CAPABILITY ...
2S: d OK ada@example.com authenticated (Success)
