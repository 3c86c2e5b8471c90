# wire §3.3: a genuine token whose own mailbox is gone; whoever else it names, it tells no more than that
given token kept of ada
S: * OK ...
@remove ada
C: a0 AUTHENTICATE XOAUTH2 $xoauth2(ada, kept)
S: (20 ms)
S: + $base64({"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"})
C: 
S: a0 NO Lookup failed t-1
C: a1 AUTHENTICATE XOAUTH2 $xoauth2(bob, kept)
S: (20 ms)
S: + $base64({"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"})
C: 
S: a1 NO Lookup failed t-1
C: a2 AUTHENTICATE XOAUTH2 $xoauth2(ada, bob)
S: (20 ms)
S: + $base64({"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"})
C: 
S: a2 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)
