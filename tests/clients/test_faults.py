"""Faults on purpose: each kind against Python's own clients, that it is over when it should be, and that nothing left over
from a refused command is taken for another."""
import base64
import imaplib
import json
import poplib
import smtplib
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from conftest import eventually, message

CHALLENGE = b'{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}'
OVERQUOTA = "NO [OVERQUOTA] Account exceeded command or bandwidth limits."


@pytest.fixture(scope="module")
def dev(tmp_path_factory):
    from conftest import Server
    mechanisms = "XOAUTH2, OAUTHBEARER, PLAIN, SCRAM-SHA-256, SCRAM-SHA-256-PLUS"
    server = Server(tmp_path_factory.mktemp("faults"), env={"PILLARBOX_SIGN_IN_MECHANISMS": mechanisms})
    yield server
    assert server.stop() == 0


@pytest.fixture
def fault(dev):
    """Sets a fault, as typed; all are cleared afterwards."""
    yield lambda text: dev.run("fault", "set", *text.split())
    dev.run("fault", "clear")


def listed(dev):
    return json.loads(dev.run("fault", "list", "--json"))


def logged(dev, text):
    return eventually(lambda: [line for line in (dev.folder / "log.txt").read_text().splitlines() if text in line], what=text)


def imap(dev):
    return imaplib.IMAP4_SSL("localhost", dev.port("imap"), ssl_context=dev.tls(), timeout=20)


def pop(dev):
    return poplib.POP3_SSL("localhost", dev.port("pop"), context=dev.tls(), timeout=20)


def smtps(dev):
    return smtplib.SMTP_SSL("localhost", dev.port("smtps"), context=dev.tls(), timeout=20)


def xoauth2(person):
    return f"user={person.address}\1auth=Bearer {person.token()}\1\1"


class Raw:
    """A client of lines, for dialogues that libraries do not have."""

    def __init__(self, dev, service):
        plain = socket.create_connection(("localhost", dev.port(service)), timeout=20)
        self.socket = dev.tls().wrap_socket(plain, server_hostname="localhost")
        self.file = self.socket.makefile("rb")
        self.greeting = self.line()

    def line(self):
        return self.file.readline().decode().rstrip("\r\n")

    def until(self, start):
        while True:
            line = self.line()
            assert line, f"closed before {start}"
            if line.startswith(start):
                return line

    def send(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode())

    def ended(self):
        return self.file.read() == b""


# ---- the table, as people see it


def test_minute_four_as_printed(own_server):
    dev = own_server()
    for line in ("pillarbox fault set imap.login overquota --times 1    # next login is refused as Gmail does",
                 "pillarbox fault set oauth.refresh revoked             # refresh answers invalid_grant"):
        dev.run(*line.split("#")[0].split()[1:])
    assert [(rule["target"], rule["kind"], rule["left"]) for rule in listed(dev)] == [
        ("imap.login", "overquota", 1), ("oauth.refresh", "revoked", None)]
    assert dev.run("fault", "list").splitlines() == [
        "1  imap.login     overquota  1 time left, happened 0 times",
        "2  oauth.refresh  revoked    until it is cleared, happened 0 times"]
    dev.run("fault", "clear")
    assert listed(dev) == []


def test_mistakes_suggest_the_nearest(dev, fault):
    for typed, said in (("imap.logn refuse", "did you mean imap.login?"), ("imp.login refuse", "did you mean imap?"),
                        ("imap.login refus", "did you mean refuse?"), ("imap.login delay", "needs a value: DURATION"),
                        ("imap.login revoked", "oauth.token"), ("imap.login drop --times 0", "0 times"),
                        ("imap.login drop --probability 2", "a probability is")):
        done = dev.run("fault", "set", *typed.split(), check=False)
        assert done.returncode == 2 and said in done.stderr, (typed, done.stderr)
    assert dev.run("fault", "clear", "pop.retr", check=False).returncode == 1
    assert listed(dev) == []


def test_clear_by_name_and_number(dev, fault):
    fault("imap.login refuse")
    fault("pop.retr drop")
    fault("smtp.data half")
    dev.run("fault", "clear", "pop.retr")
    dev.run("fault", "clear", str(listed(dev)[0]["id"]))
    assert [rule["target"] for rule in listed(dev)] == ["smtp.data"]


# ---- IMAP


def test_login_is_refused_once_as_gmail_does(dev, fault):
    person = dev.person()
    fault("imap.login overquota --times 1")
    box = imap(dev)
    with pytest.raises(imaplib.IMAP4.error, match="Account exceeded command or bandwidth limits"):
        box.authenticate("XOAUTH2", lambda _: xoauth2(person).encode())
    # The same connection goes on, and the next try works.
    assert box.authenticate("XOAUTH2", lambda _: xoauth2(person).encode())[0] == "OK"
    assert box.select()[0] == "OK"
    box.logout()
    assert listed(dev)[0]["left"] == 0 and listed(dev)[0]["struck"] == 1
    line = logged(dev, "fault imap.login overquota, 0 times left")[-1]
    story = dev.run("why", line.split()[2])
    assert "fault     imap.login overquota, 0 times left" in story and "told      " + OVERQUOTA in story, story


@pytest.mark.parametrize("kind, words", [
    ("refuse", "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)"), ("overquota", OVERQUOTA),
    ("too-many-connections", "NO [ALERT] Too many simultaneous connections. (Failure)")])
def test_every_form_of_imap_login(dev, fault, kind, words):
    person = dev.person()
    blob = base64.b64encode(xoauth2(person).encode()).decode()
    plain = base64.b64encode(f"\0{person.address}\0{person.app_password}".encode()).decode()
    fault(f"imap.login {kind}")
    client = Raw(dev, "imap")
    # Password forms: one line, nothing else.
    scram = base64.b64encode(f"n,,n={person.address},r=abcdefgh".encode()).decode()
    for text in (f'a LOGIN {person.address} "{person.app_password}"\r\n', f"a AUTHENTICATE PLAIN {plain}\r\n",
                 f"a AUTHENTICATE SCRAM-SHA-256 {scram}\r\n"):
        client.send(text)
        assert client.line() == f"a {words}"
    client.send("a AUTHENTICATE PLAIN\r\n")
    assert client.line() == "+ "
    client.send(plain + "\r\n")
    assert client.line() == f"a {words}"
    client = Raw(dev, "imap")
    # Token forms: the JSON first, and the dummy is not a command, whatever it looks like.
    for dummy in ("", "*", "b NOOP", blob):
        client.send(f"a AUTHENTICATE XOAUTH2 {blob}\r\n")
        assert base64.b64decode(client.line().removeprefix("+ ")) == CHALLENGE
        client.send(f"{dummy}\r\nc NOOP\r\n")
        assert client.line() == f"a {words}"
        assert client.line().startswith("c OK")
    client.send("a AUTHENTICATE XOAUTH2\r\n")
    assert client.line() == "+ "
    client.send(blob + "\r\n\r\nd NOOP\r\n")  # the dummy pipelined behind the token
    assert base64.b64decode(client.line().removeprefix("+ ")) == CHALLENGE
    assert client.line() == f"a {words}"
    assert client.line().startswith("d OK")
    # And when it is over, the same forms work.
    dev.run("fault", "clear")
    client.send(f"f AUTHENTICATE SCRAM-SHA-256 {scram}\r\n")
    assert base64.b64decode(client.line().removeprefix("+ ")).startswith(b"r=abcdefgh")
    client.send("*\r\n")
    assert client.line().startswith("f BAD")
    client.send(f"e AUTHENTICATE XOAUTH2\r\n{blob}\r\n")
    client.until("e OK")


def test_literals_of_login(dev, fault):
    person = dev.person()
    fault("imap.login refuse --times 2")
    client = Raw(dev, "imap")
    user, password = person.address, person.app_password
    client.send(f"a LOGIN {{{len(user)}}}\r\n")
    assert client.line().startswith("a NO")  # in place of leave to send the literal
    client.send(f"b LOGIN {{{len(user)}+}}\r\n{user} {{{len(password)}+}}\r\n{password}\r\nc NOOP\r\n")
    assert client.line().startswith("b NO") and client.line().startswith("c OK")
    client.send(f"d LOGIN {{{len(user)}+}}\r\n{user} {{{len(password)}+}}\r\n{password}\r\n")
    client.until("d OK")


def test_pipelined_commands_keep_their_order_and_literals_their_text(dev, fault):
    person = dev.person()
    box = Raw(dev, "imap")
    box.send(f'a LOGIN {person.address} "{person.app_password}"\r\n')
    box.until("a OK")
    fault("imap.status refuse")
    fault("imap.fetch overquota")
    data = b"Subject: x\r\n\r\nf STATUS INBOX (MESSAGES)\r\n"
    size = str(len(data)).encode()
    box.send(b"b SELECT INBOX\r\nc STATUS INBOX (MESSAGES)\r\nd NOOP\r\ne APPEND INBOX {" + size + b"+}\r\n" + data +
             b"\r\ng UID FETCH 1 FLAGS\r\nh SEARCH ALL\r\n")
    tagged = []
    while len(tagged) < 6:
        line = box.line()
        if not line.startswith("*"):
            tagged.append(line[:4])
    assert tagged == ["b OK", "c NO", "d OK", "e OK", "g NO", "h OK"]
    dev.run("fault", "clear")
    box.send("i FETCH 1 BODY.PEEK[]\r\n")
    assert f"BODY[] {{{len(data)}}}" in box.line()
    assert box.file.read(len(data)) == data
    box.until("i OK")
    # A refused APPEND: with leave asked for, and with the text behind it all the same.
    fault("imap.append overquota --times 2")
    box.send("j APPEND INBOX {10}\r\n")
    assert box.line() == "j " + OVERQUOTA
    box.send("k APPEND INBOX {14+}\r\nl LOGOUT\r\n\r\n\r\n\r\nm NOOP\r\n")
    assert box.line() == "k " + OVERQUOTA
    assert box.line().startswith("m OK")


def test_only_the_account_that_was_meant(dev, fault):
    one, other = dev.person(), dev.person()
    fault(f"imap.select refuse --account {one.address}")
    assert one.imap().select()[0] == "NO"
    assert other.imap().select()[0] == "OK"
    fault(f"imap.login refuse --account {other.address}")
    assert one.imap() is not None
    with pytest.raises(imaplib.IMAP4.error, match="Invalid credentials"):
        other.imap()


def test_delay(dev, fault):
    box = dev.person().imap()
    fault("imap.noop delay 400ms --times 1")
    begun = time.monotonic()
    assert box.noop()[0] == "OK" and time.monotonic() - begun >= 0.4
    begun = time.monotonic()
    assert box.noop()[0] == "OK" and time.monotonic() - begun < 0.4


def test_drop_and_half(dev, fault):
    person = dev.person()
    person.deliver(message("x@y.test", person.address, "Long", "line\r\n" * 1000))
    for kind in ("drop", "half"):
        box = person.imap()
        box.select()
        whole = box.fetch("1", "BODY.PEEK[]")[1][0][1]
        fault(f"imap.fetch {kind} --times 1")
        with pytest.raises(imaplib.IMAP4.abort):
            box.fetch("1", "BODY.PEEK[]")
        box = person.imap()
        box.select()
        assert box.fetch("1", "BODY.PEEK[]")[1][0][1] == whole
    client = Raw(dev, "imap")
    fault("imap.capability half --times 1")
    client.send("a CAPABILITY\r\n")
    half = client.file.read()
    assert half.startswith(b"* CAPABILITY IMAP4rev1") and b"a OK" not in half


def test_throttle(dev, fault):
    person = dev.person()
    person.deliver(message("x@y.test", person.address, "Slow", "0123456789\r\n" * 100))
    box = person.imap()
    box.select()
    fault("imap.fetch throttle 2000 --times 1")
    begun = time.monotonic()
    kind, parts = box.fetch("1", "BODY.PEEK[TEXT]")
    assert len(parts[0][1]) == 1200 and time.monotonic() - begun >= 0.5
    begun = time.monotonic()
    box.fetch("1", "BODY.PEEK[TEXT]")
    assert time.monotonic() - begun < 0.5


def test_expired_in_idle(dev, fault):
    person = dev.person()
    client = Raw(dev, "imap")
    client.send(f'a LOGIN {person.address} "{person.app_password}"\r\n')
    client.until("a OK")
    client.send("b SELECT INBOX\r\n")
    client.until("b OK")
    fault("imap.idle expired 200ms --times 1")
    client.send("c IDLE\r\n")
    assert client.line() == "+ idling"
    assert client.line() == "* BYE Session expired, please login again."
    assert client.ended()


def test_the_greeting(dev, fault):
    fault("imap.connect refuse --times 1")
    with pytest.raises(imaplib.IMAP4.error, match="Temporary System Error"):
        imap(dev)
    fault("imap.connect drop --times 1")
    with pytest.raises((imaplib.IMAP4.error, OSError)):
        imap(dev)
    imap(dev).logout()


def test_probability_is_between_never_and_always(dev, fault):
    box = dev.person().imap()
    fault("imap.noop refuse --probability 0.5")
    answers = {box.noop()[0] for _ in range(60)}
    assert answers == {"OK", "NO"}  # fails once in 2^59 runs


def test_after_goes_by_the_clock_that_can_be_moved(dev, fault):
    box = dev.person().imap()
    fault("imap.noop refuse --after 10m")
    assert box.noop()[0] == "OK"
    dev.run("clock", "advance", "11m")
    assert box.noop()[0] == "NO"
    dev.run("clock", "reset")


# ---- POP


def test_pop(dev, fault):
    person = dev.person()
    person.deliver(message("x@y.test", person.address, "Pop"))
    blob = base64.b64encode(xoauth2(person).encode()).decode()
    fault("pop.login refuse --times 2")
    fault("pop.login overquota --times 1")
    box = pop(dev)
    box.user(person.address)
    with pytest.raises(poplib.error_proto, match=r"\[AUTH\] Username and password not accepted."):
        box.pass_(person.app_password)
    answer = box._shortcmd("AUTH XOAUTH2 " + blob)
    assert base64.b64decode(answer.removeprefix(b"+ ")) == CHALLENGE
    with pytest.raises(poplib.error_proto, match=r"\[AUTH\] Invalid credentials."):
        box._shortcmd("")
    assert box._shortcmd("AUTH XOAUTH2") == b"+ "
    assert base64.b64decode(box._shortcmd(blob).removeprefix(b"+ ")) == CHALLENGE
    with pytest.raises(poplib.error_proto, match="Account exceeded command or bandwidth limits."):
        box._shortcmd("")
    box.user(person.address)
    assert box.pass_(person.app_password) == b"+OK Welcome."
    fault("pop.retr refuse --times 1")
    with pytest.raises(poplib.error_proto, match=r"\[SYS/TEMP\]"):
        box.retr(1)
    lines = box.retr(1)[1]
    fault("pop.top half --times 1")
    with pytest.raises(poplib.error_proto):
        box.top(1, 10)
    box = pop(dev)
    box.user(person.address)
    box.pass_(person.app_password)
    assert box.retr(1)[1] == lines
    fault("pop.stat expired 200ms --times 1")
    assert box.stat()[0] == 1
    eventually(lambda: expired(box), what="the session's end")


def expired(box):
    try:
        box.noop()
    except poplib.error_proto as error:
        assert "[SYS/TEMP] Session expired, please login again." in str(error)
        return True


# ---- SMTP


def send(dev, person, to=None):
    with smtps(dev) as link:
        link.login(person.address, person.app_password)
        link.sendmail(person.address, [to or person.address], message(person.address, person.address, "Sent"))


@pytest.mark.parametrize("typed, code, words", [
    ("smtp.login refuse", 535, b"5.7.8 Username and Password not accepted."),
    ("smtp.login too-many-connections", 454, b"4.7.0 Too many login attempts, please try again later."),
    ("smtp.mail refuse", 451, b"4.3.0 "), ("smtp.mail overquota", 550, b"5.4.5 Daily user sending limit exceeded."),
    ("smtp.data refuse", 451, b"4.3.0 "), ("smtp.connect refuse", 421, b"4.3.0 ")])
def test_smtp_refusals(dev, fault, typed, code, words):
    person = dev.person()
    fault(typed + " --times 1")
    with pytest.raises(smtplib.SMTPResponseException) as refused:
        link = smtps(dev)
        # One mechanism, so that the library does not try the next by itself.
        link.ehlo()
        link.user, link.password = person.address, person.app_password
        link.auth("PLAIN", link.auth_plain)
        link.sendmail(person.address, [person.address], message(person.address, person.address, "Sent"))
    assert refused.value.smtp_code == code and refused.value.smtp_error.startswith(words), refused.value
    send(dev, person)


def test_smtp_token_refused(dev, fault):
    person = dev.person()
    blob = base64.b64encode(xoauth2(person).encode()).decode()
    fault("smtp.login refuse --times 2")
    with smtps(dev) as link:
        link.ehlo()
        code, text = link.docmd("AUTH", "XOAUTH2 " + blob)
        assert code == 334 and base64.b64decode(text) == CHALLENGE
        assert link.docmd("QUIT")[0] == 535, "not taken for a command (wire §2.2)"
        assert link.docmd("AUTH", "XOAUTH2") == (334, b"")
        code, text = link.docmd(blob)
        assert code == 334 and base64.b64decode(text) == CHALLENGE
        assert link.docmd("")[0] == 535
        assert link.docmd("AUTH", "XOAUTH2 " + blob)[0] == 235


def test_recipients_and_texts_that_look_like_commands(dev, fault):
    person = dev.person()
    fault("smtp.rcpt refuse --times 1")
    with pytest.raises(smtplib.SMTPRecipientsRefused, match="5.1.1"):
        send(dev, person)
    fault("smtp.rset refuse")
    fault("smtp.noop refuse")
    with smtps(dev) as link:
        link.login(person.address, person.app_password)
        text = f"From: {person.address}\r\n".encode() + b"Subject: looks\r\n\r\nRSET\r\nNOOP\r\n"
        link.sendmail(person.address, [person.address], text)
    box = person.imap()
    eventually(lambda: box.select()[1] != [b"0"], what="the mail")
    assert box.fetch("1", "BODY.PEEK[TEXT]")[1][0][1] == b"RSET\r\nNOOP\r\n"


def test_a_refused_chunk_is_skipped(dev, fault):
    person = dev.person()
    client = Raw(dev, "smtps")
    blob = base64.b64encode(f"\0{person.address}\0{person.app_password}".encode()).decode()
    client.send(f"EHLO x\r\nAUTH PLAIN {blob}\r\n")
    client.until("235")
    fault("smtp.data overquota --times 1")
    client.send(f"MAIL FROM:<{person.address}>\r\nRCPT TO:<{person.address}>\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n")
    assert [client.line()[:3] for _ in range(4)] == ["250", "250", "550", "250"]


def test_smtp_drop_and_incoming(dev, fault):
    person = dev.person()
    fault("smtp.data drop --times 1")
    with pytest.raises(smtplib.SMTPServerDisconnected):
        send(dev, person)
    send(dev, person)
    fault("mx.rcpt overquota --times 1")
    with pytest.raises(smtplib.SMTPRecipientsRefused, match="4.2.2"):
        person.deliver(message("x@y.test", person.address, "In"))
    person.deliver(message("x@y.test", person.address, "In"))


def test_starttls_goes_through(dev, fault):
    person = dev.person()
    fault("smtp.login overquota --times 1")
    with smtplib.SMTP("localhost", dev.port("submission"), timeout=20) as link:
        link.ehlo()
        # In clear the server asks for TLS, and no fault is used up.
        assert link.docmd("AUTH", "PLAIN AAAA")[0] == 530
        link.starttls(context=dev.tls())
        link.ehlo()
        link.user, link.password = person.address, person.app_password
        with pytest.raises(smtplib.SMTPAuthenticationError, match="Too many login attempts"):
            link.auth("PLAIN", link.auth_plain)
        assert link.auth("PLAIN", link.auth_plain)[0] == 235
    with socket.create_connection(("localhost", dev.port("submission")), timeout=20) as link:
        link.sendall(b"EHLO x\r\n")
        while b"\r\n250 " not in link.recv(4096):
            pass
        link.sendall(b"STARTTLS\r\nNOOP\r\n")
        assert link.recv(4096).startswith(b"523 5.7.10"), "pipelined behind STARTTLS"


def test_smtp_expired(dev, fault):
    person = dev.person()
    with smtps(dev) as link:
        link.login(person.address, person.app_password)
        fault("smtp.noop expired 200ms --times 1")
        assert link.noop()[0] == 250
        line = link.file.readline()
        assert line.startswith(b"421 4.7.0 Connection expired, try reconnecting."), line
        assert link.file.readline() == b""
        link.close()


# ---- OAuth


def token(dev, refresh=None, **more):
    form = {"grant_type": "refresh_token", "refresh_token": refresh or dev["refresh_token"],
            "client_id": dev["client_id"], "client_secret": dev["client_secret"], **more}
    return get(dev, dev["token_url"], urllib.parse.urlencode(form).encode())


def get(dev, url, body=None):
    try:
        with urllib.request.urlopen(url, body, timeout=20, context=dev.tls()) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@pytest.mark.parametrize("target", ["oauth.refresh", "oauth.token", "oauth.*"])
def test_refresh_is_refused(dev, fault, target):
    fault(f"{target} revoked --times 1")
    assert token(dev) == (400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."})
    status, answer = token(dev)
    assert status == 200 and answer["access_token"]
    assert logged(dev, "fault oauth.refresh revoked, 0 times left") or target == "oauth.token"


def test_endpoint_errors(dev, fault):
    for typed, status, error in (("oauth.token 500", 500, "server_error"),
                                 ("oauth.token 503", 503, "temporarily_unavailable"),
                                 ("oauth.token invalid_grant", 400, "invalid_grant"),
                                 ("oauth.refresh refuse", 400, "invalid_grant")):
        fault(typed + " --times 1")
        assert (lambda got: (got[0], got[1]["error"]))(token(dev)) == (status, error)
        assert token(dev)[0] == 200
    fault("oauth.code revoked")
    assert token(dev)[0] == 200, "another grant"
    fault("oauth.discovery 503 --times 1")
    url = dev["issuer"] + "/.well-known/openid-configuration"
    assert get(dev, url)[0] == 503 and get(dev, url)[0] == 200


def test_endpoint_delay_drop_half_throttle(dev, fault):
    fault("oauth.token delay 400ms --times 1")
    begun = time.monotonic()
    assert token(dev)[0] == 200 and time.monotonic() - begun >= 0.4
    fault("oauth.token drop --times 1")
    with pytest.raises((urllib.error.URLError, OSError)):
        token(dev)
    fault("oauth.token half --times 1")
    import http.client
    with pytest.raises((http.client.IncompleteRead, ssl.SSLError, OSError)) as broken:
        token(dev)
    if isinstance(broken.value, http.client.IncompleteRead):
        assert broken.value.partial.startswith(b'{"access_token"')
    fault("oauth.token throttle 2000 --times 1")
    begun = time.monotonic()
    assert token(dev)[0] == 200 and time.monotonic() - begun >= 0.1
    assert token(dev)[0] == 200


def test_a_request_whose_answer_was_lost_was_done(dev, fault):
    """Half an answer comes from the real endpoint: the token was made."""
    fault("oauth.revoke half --times 1")
    person = dev.person()
    refresh = person.token("--refresh")
    body = urllib.parse.urlencode({"token": refresh}).encode()
    with pytest.raises(Exception):
        get(dev, dev["issuer"] + "/revoke", body)
    assert token(dev, refresh)[1]["error"] == "invalid_grant"
