# wire §4.3: POP off is told at sign-in, so that nobody takes it for a success; after the JSON for a token
given ada sets pop off
S: +OK ...
C: AUTH PLAIN $plain(ada)
S: (20 ms)
S: -ERR [SYS/PERM] Your account is not enabled for POP access. Please visit your Pillarbox settings page and enable your account for POP access.
C: AUTH XOAUTH2 $xoauth2(ada)
S: (20 ms)
S: + $base64({"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"})
C: 
S: -ERR [SYS/PERM] Your account is not enabled for POP access. Please visit your Pillarbox settings page and enable your account for POP access.
