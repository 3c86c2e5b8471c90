# wire §5.3: 100 recipients, 452 from the 101st, and the hundred still get it
S: ...
C: EHLO x
S: 250-smtp.example.com at your service, [203.0.113.7]
S: 250-SIZE 35882577
S: 250-8BITMIME
S: 250-AUTH LOGIN PLAIN XOAUTH2 OAUTHBEARER
S: 250-ENHANCEDSTATUSCODES
S: 250-PIPELINING
S: 250-CHUNKING
S: 250 SMTPUTF8
C: AUTH XOAUTH2 $xoauth2(ada)
S: 235 2.7.0 Accepted
C: MAIL FROM:<ada@example.com>
S: 250 2.1.0 OK t-1 - pillarbox
C: RCPT TO:<bob+1@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+2@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+3@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+4@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+5@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+6@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+7@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+8@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+9@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+10@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+11@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+12@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+13@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+14@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+15@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+16@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+17@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+18@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+19@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+20@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+21@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+22@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+23@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+24@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+25@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+26@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+27@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+28@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+29@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+30@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+31@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+32@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+33@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+34@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+35@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+36@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+37@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+38@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+39@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+40@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+41@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+42@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+43@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+44@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+45@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+46@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+47@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+48@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+49@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+50@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+51@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+52@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+53@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+54@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+55@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+56@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+57@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+58@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+59@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+60@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+61@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+62@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+63@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+64@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+65@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+66@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+67@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+68@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+69@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+70@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+71@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+72@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+73@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+74@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+75@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+76@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+77@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+78@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+79@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+80@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+81@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+82@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+83@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+84@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+85@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+86@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+87@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+88@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+89@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+90@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+91@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+92@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+93@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+94@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+95@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+96@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+97@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+98@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+99@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob+100@example.com>
S: 250 2.1.5 OK t-1 - pillarbox
C: RCPT TO:<bob@example.com>
S: 452 4.5.3 Your message has too many recipients. t-1 - pillarbox
C: RCPT TO:<bob@example.com>
S: 452 4.5.3 Your message has too many recipients. t-1 - pillarbox
C: DATA
S: 354 Go ahead t-1 - pillarbox
C: From: ada@example.com
C: .
S: 250 2.0.0 OK 1772442904 t-1 - pillarbox
