# RFC 3501 §6.4.4: every key
given ada has in INBOX (\Seen \Flagged Odd)
| From: Bob <bob@example.com>
| To: ada@example.com
| Cc: carol@example.com
| Subject: =?utf-8?q?The_caf=C3=A9_opens?=
| Date: Sun, 1 Mar 2026 23:30:00 -0500
| X-Thing: a value
| Message-ID: <m1@example.com>
|
| The body speaks of mountains.
given ada has in INBOX (\Answered \Draft)
| From: Dora <dora@example.org>
| To: ada@example.com
| Bcc: hidden@example.com
| Subject: Invoice
| Date: Fri, 2 Jan 2026 10:00:00 +0000
| Content-Type: text/plain; charset=utf-8
| Content-Transfer-Encoding: base64
|
| U2VhIGFuZCBtb3VudGFpbg==
given ada has in INBOX (\Deleted)
| Subject: none
|
| x
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a0 LOGIN ada@example.com $app(ada)
S: * CAPABILITY ...
S: a0 OK ada@example.com authenticated (Success)
C: a1 SELECT INBOX
S: * FLAGS ...
S: * OK [PERMANENTFLAGS ...
S: * OK [UIDVALIDITY ...
S: * 3 EXISTS
S: * 3 RECENT
S: * OK [UIDNEXT ...
S: * OK [HIGHESTMODSEQ ...
S: a1 OK [READ-WRITE] INBOX selected. (Success)
C: s0 SEARCH ALL
S: * SEARCH 1 2 3
S: s0 OK SEARCH completed (Success)
C: s1 SEARCH 1,3
S: * SEARCH 1 3
S: s1 OK SEARCH completed (Success)
C: s2 SEARCH 2:*
S: * SEARCH 2 3
S: s2 OK SEARCH completed (Success)
C: s3 SEARCH UID 2:3
S: * SEARCH 2 3
S: s3 OK SEARCH completed (Success)
C: s4 SEARCH ANSWERED
S: * SEARCH 2
S: s4 OK SEARCH completed (Success)
C: s5 SEARCH UNANSWERED
S: * SEARCH 1 3
S: s5 OK SEARCH completed (Success)
C: s6 SEARCH DELETED
S: * SEARCH 3
S: s6 OK SEARCH completed (Success)
C: s7 SEARCH UNDELETED
S: * SEARCH 1 2
S: s7 OK SEARCH completed (Success)
C: s8 SEARCH DRAFT
S: * SEARCH 2
S: s8 OK SEARCH completed (Success)
C: s9 SEARCH UNDRAFT
S: * SEARCH 1 3
S: s9 OK SEARCH completed (Success)
C: s10 SEARCH FLAGGED
S: * SEARCH 1
S: s10 OK SEARCH completed (Success)
C: s11 SEARCH UNFLAGGED
S: * SEARCH 2 3
S: s11 OK SEARCH completed (Success)
C: s12 SEARCH SEEN
S: * SEARCH 1
S: s12 OK SEARCH completed (Success)
C: s13 SEARCH UNSEEN
S: * SEARCH 2 3
S: s13 OK SEARCH completed (Success)
C: s14 SEARCH RECENT
S: * SEARCH 1 2 3
S: s14 OK SEARCH completed (Success)
C: s15 SEARCH NEW
S: * SEARCH 2 3
S: s15 OK SEARCH completed (Success)
C: s16 SEARCH OLD
S: * SEARCH
S: s16 OK SEARCH completed (Success)
C: s17 SEARCH KEYWORD odd
S: * SEARCH 1
S: s17 OK SEARCH completed (Success)
C: s18 SEARCH UNKEYWORD ODD
S: * SEARCH 2 3
S: s18 OK SEARCH completed (Success)
C: s19 SEARCH FROM BOB@EXAMPLE
S: * SEARCH 1
S: s19 OK SEARCH completed (Success)
C: s20 SEARCH TO ada
S: * SEARCH 1 2
S: s20 OK SEARCH completed (Success)
C: s21 SEARCH CC carol
S: * SEARCH 1
S: s21 OK SEARCH completed (Success)
C: s22 SEARCH BCC hidden
S: * SEARCH 2
S: s22 OK SEARCH completed (Success)
C: s23 SEARCH SUBJECT voice
S: * SEARCH 2
S: s23 OK SEARCH completed (Success)
C: s24 SEARCH SUBJECT CAF
S: * SEARCH 1
S: s24 OK SEARCH completed (Success)
C: s25 SEARCH BODY MOUNTAIN
S: * SEARCH 1 2
S: s25 OK SEARCH completed (Success)
C: s26 SEARCH BODY sea
S: * SEARCH 2
S: s26 OK SEARCH completed (Success)
C: s27 SEARCH TEXT dora
S: * SEARCH 2
S: s27 OK SEARCH completed (Success)
C: s28 SEARCH HEADER X-Thing value
S: * SEARCH 1
S: s28 OK SEARCH completed (Success)
C: s29 SEARCH HEADER X-Thing ""
S: * SEARCH 1
S: s29 OK SEARCH completed (Success)
C: s30 SEARCH HEADER Message-ID m1
S: * SEARCH 1
S: s30 OK SEARCH completed (Success)
C: s31 SEARCH BEFORE 2-Mar-2026
S: * SEARCH
S: s31 OK SEARCH completed (Success)
C: s32 SEARCH ON 2-Mar-2026
S: * SEARCH 1 2 3
S: s32 OK SEARCH completed (Success)
C: s33 SEARCH SINCE 2-Mar-2026
S: * SEARCH 1 2 3
S: s33 OK SEARCH completed (Success)
C: s34 SEARCH SENTBEFORE 2-Jan-2026
S: * SEARCH
S: s34 OK SEARCH completed (Success)
C: s35 SEARCH SENTON 1-Mar-2026
S: * SEARCH 1
S: s35 OK SEARCH completed (Success)
C: s36 SEARCH SENTON 2-Jan-2026
S: * SEARCH 2
S: s36 OK SEARCH completed (Success)
C: s37 SEARCH SENTSINCE 2-Mar-2026
S: * SEARCH
S: s37 OK SEARCH completed (Success)
C: s38 SEARCH LARGER 100
S: * SEARCH 1 2
S: s38 OK SEARCH completed (Success)
C: s39 SEARCH SMALLER 100
S: * SEARCH 3
S: s39 OK SEARCH completed (Success)
C: s40 SEARCH OR FROM bob SUBJECT invoice
S: * SEARCH 1 2
S: s40 OK SEARCH completed (Success)
C: s41 SEARCH NOT SEEN
S: * SEARCH 2 3
S: s41 OK SEARCH completed (Success)
C: s42 SEARCH (ANSWERED DRAFT) UNDELETED
S: * SEARCH 2
S: s42 OK SEARCH completed (Success)
C: s43 SEARCH OR (SEEN FLAGGED) DELETED
S: * SEARCH 1 3
S: s43 OK SEARCH completed (Success)
C: s44 SEARCH 4
S: s44 BAD Could not parse command
C: s45 SEARCH CHARSET UTF-8 ALL
S: * SEARCH 1 2 3
S: s45 OK SEARCH completed (Success)
C: s46 SEARCH CHARSET KOI8-R ALL
S: s46 NO [BADCHARSET (US-ASCII UTF-8)] Unknown charset (Failure)
C: s47 SEARCH RETURN (MIN MAX COUNT) ALL
S: * ESEARCH (TAG "s47") MIN 1 MAX 3 COUNT 3
S: s47 OK SEARCH completed (Success)
C: s48 SEARCH RETURN () UNDELETED
S: * ESEARCH (TAG "s48") ALL 1:2
S: s48 OK SEARCH completed (Success)
C: s49 SEARCH RETURN (ALL) KEYWORD nothing
S: * ESEARCH (TAG "s49")
S: s49 OK SEARCH completed (Success)
C: s50 SEARCH RETURN (COUNT) KEYWORD nothing
S: * ESEARCH (TAG "s50") COUNT 0
S: s50 OK SEARCH completed (Success)
C: s51 SEARCH YOUNGER 60
S: * SEARCH 1 2 3
S: s51 OK SEARCH completed (Success)
C: s52 SEARCH OLDER 60
S: * SEARCH
S: s52 OK SEARCH completed (Success)
C: t1 UID SEARCH RETURN (MIN MAX ALL COUNT) 1:2
S: * ESEARCH (TAG "t1") UID MIN 1 MAX 2 COUNT 2 ALL 1:2
S: t1 OK SEARCH completed (Success)
C: t2 SEARCH CHARSET UTF-8 SUBJECT {5}
S: + go ahead
C: CAFÉ
S: * SEARCH 1
S: t2 OK SEARCH completed (Success)
