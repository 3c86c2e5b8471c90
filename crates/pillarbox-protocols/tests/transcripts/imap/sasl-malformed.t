# wire §2.3: no JSON for what cannot be read
S: * OK Pillarbox ready for requests from 203.0.113.7 t-1
C: a1 AUTHENTICATE XOAUTH2 not-base64!
S: a1 BAD Invalid SASL argument. t-1
C: a2 AUTHENTICATE XOAUTH2
S: + 
C: $base64(auth=Bearer x^A^A)
S: a2 BAD Invalid SASL argument. t-1
C: a3 AUTHENTICATE XOAUTH2 $base64(user=ada@example.com^Aauth=Bearer x)
S: a3 BAD Invalid SASL argument. t-1
C: a4 AUTHENTICATE PLAIN =
S: a4 BAD Invalid SASL argument. t-1
