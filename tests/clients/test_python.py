"""Python's imaplib, poplib and smtplib: sign in, send, read, refusals, IDLE, and reconnecting after the session's end."""
import base64
import imaplib
import json
import poplib
import smtplib
import socket

import pytest

from conftest import eventually, message

XOAUTH2_FAILURE = b'{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}'


def xoauth2(person, token=None):
    return f"user={person.address}\1auth=Bearer {token or person.token()}\1\1"


def oauthbearer(person, token=None):
    return f"n,a={person.address},\1auth=Bearer {token or person.token()}\1\1"


MECHANISMS = {"XOAUTH2": xoauth2, "OAUTHBEARER": oauthbearer}


@pytest.fixture(params=MECHANISMS)
def mechanism(request):
    return request.param, MECHANISMS[request.param]


def imap(server):
    return imaplib.IMAP4_SSL("localhost", server.port("imap"), ssl_context=server.tls(), timeout=20)


def pop(server):
    return poplib.POP3_SSL("localhost", server.port("pop"), context=server.tls(), timeout=20)


def smtps(server):
    return smtplib.SMTP_SSL("localhost", server.port("smtps"), context=server.tls(), timeout=20)


def test_imap_round(server, person, mechanism):
    name, blob = mechanism
    box = imap(server)
    assert f"AUTH={name}" in box.capabilities and "SASL-IR" in box.capabilities and "X-GM-EXT-1" in box.capabilities
    box.authenticate(name, lambda _: blob(person).encode())
    data = message(person.address, person.address, "Round")
    assert box.append("INBOX", r"(\Seen)", None, data)[0] == "OK"
    assert box.select("INBOX")[1] == [b"1"]
    kind, found = box.search(None, "SUBJECT", "round")
    assert found == [b"1"]
    kind, parts = box.fetch("1", "(FLAGS RFC822.SIZE X-GM-MSGID BODY.PEEK[])")
    assert parts[0][1] == data, "byte for byte"
    assert box.copy("1", '"[Gmail]/Starred"')[0] == "OK"
    box.create("Receipts")
    assert box.uid("MOVE", "1", "Receipts")[0] == "OK"
    assert box.select("Receipts")[1] == [b"1"] and box.select("INBOX")[1] == [b"0"]
    box.select("Receipts")
    box.store("1", "+FLAGS", r"(\Deleted)")
    assert box.expunge()[1] == [b"1"]
    assert box.select('"[Gmail]/All Mail"')[1] == [b"1"], "expunging the last label archives"
    box.logout()


def test_imap_refusal_shows_the_challenge_once_and_then_a_good_token_works(server, person, mechanism):
    name, blob = mechanism
    seen = []

    def answer(challenge):
        seen.append(challenge)
        return blob(person, "wrong").encode()  # imaplib resends the whole string as the dummy (wire specification 2.2)

    box = imap(server)
    with pytest.raises(imaplib.IMAP4.error, match=r"\[AUTHENTICATIONFAILED\] Invalid credentials \(Failure\)"):
        box.authenticate(name, answer)
    assert seen[0] == b""
    if name == "XOAUTH2":
        assert seen[1:] == [XOAUTH2_FAILURE]
    box.authenticate(name, lambda _: blob(person).encode())
    assert box.noop()[0] == "OK"
    box.logout()


def test_app_password_and_account_password(server, person):
    box = imap(server)
    with pytest.raises(imaplib.IMAP4.error, match="Application-specific password required"):
        box.login(person.address, person.password)
    spaced = " ".join(person.app_password[i:i + 4] for i in range(0, 16, 4))
    assert box.login(person.address, spaced)[0] == "OK"
    box.logout()
    drop = pop(server)
    drop.user(person.address)
    with pytest.raises(poplib.error_proto, match=r"\[AUTH\] Application-specific password required"):
        drop.pass_(person.password)
    drop.quit()
    with smtps(server) as out, pytest.raises(smtplib.SMTPAuthenticationError) as refused:
        out.login(person.address, person.password)
    assert refused.value.smtp_code == 534


def test_smtp_login_takes_app_passwords(server, person):
    """The oldest programs know nothing else (wire specification 5.1)."""
    with smtps(server) as out:
        out.ehlo()
        assert "LOGIN" in out.esmtp_features["auth"].split()
        out.user, out.password = person.address, person.app_password
        assert out.auth("LOGIN", out.auth_login)[0] == 235
        out.sendmail(person.address, [person.address], message(person.address, person.address, "By LOGIN"))


def test_pop_round(server, person, mechanism):
    name, blob = mechanism
    for n in (1, 2):
        person.deliver(message("a@b.test", person.address, f"Pop {n}"))
    drop = pop(server)
    assert "UIDL" in drop.capa() and name in drop.capa()["SASL"]
    drop._shortcmd(f"AUTH {name} " + base64.b64encode(blob(person).encode()).decode())
    assert drop.stat()[0] == 2
    uidl = drop.uidl()[1]
    assert uidl[0].split()[1].startswith(b"GmailId") and len(uidl[0].split()[1]) == 23
    text = b"\r\n".join(drop.retr(1)[1])
    assert b"Subject: Pop 1" in text and b"Subject: Pop 1" in b"\n".join(drop.top(1, 0)[1])
    drop.close()  # no QUIT: nothing is popped
    drop = pop(server)
    drop._shortcmd(f"AUTH {name} " + base64.b64encode(blob(person).encode()).decode())
    assert drop.uidl()[1] == uidl, "UIDLs depend on nothing but the message"
    drop.retr(1)
    drop.quit()
    drop = pop(server)
    drop._shortcmd(f"AUTH {name} " + base64.b64encode(blob(person).encode()).decode())
    assert drop.uidl()[1] == [b"1 " + uidl[1].split()[1]], "what was popped is not listed again"
    drop.quit()
    recent = pop(server)
    recent.user("recent:" + person.address)
    recent.pass_(person.app_password)
    assert recent.stat()[0] == 2, "recent: lists popped mail too"
    recent.quit()


def test_pop_refusal(server, person, mechanism):
    name, blob = mechanism
    drop = pop(server)
    line = drop._shortcmd  # poplib takes a challenge for a success (wire specification 9.3): it must not be in
    assert line(f"AUTH {name} " + base64.b64encode(blob(person, "wrong").encode()).decode()).startswith(b"+ ")
    with pytest.raises(poplib.error_proto, match=r"-ERR \[AUTH\] Invalid credentials."):
        line("")
    assert drop.quit().startswith(b"+OK")


def test_smtp_round(server, mechanism):
    name, blob = mechanism
    ada, bob = server.person("ada"), server.person("bob")
    with smtps(server) as out:
        out.ehlo()
        assert name in out.esmtp_features["auth"] and "starttls" not in out.esmtp_features
        out.auth(name, lambda challenge=None: blob(ada), initial_response_ok=True)
        out.sendmail(ada.address, [bob.address], message(ada.address, bob.address, "One line"))
    with smtplib.SMTP("localhost", server.port("submission"), timeout=20) as out:
        out.ehlo()
        assert "auth" not in out.esmtp_features
        assert out.mail(ada.address)[0] == 530
        out.starttls(context=server.tls())
        out.ehlo()
        out.auth(name, lambda challenge=None: blob(ada) if challenge is not None else None, initial_response_ok=False)
        out.sendmail(ada.address, [bob.address], message(ada.address, bob.address, "Two steps"))
    box = bob.imap()
    assert eventually(lambda: box.select("INBOX")[1] == [b"2"])
    box.logout()


def test_smtp_refusal(server, person, mechanism):
    name, blob = mechanism
    out = smtps(server)
    out.ehlo()
    code, text = out.docmd("AUTH", f"{name} " + base64.b64encode(blob(person, "wrong").encode()).decode())
    assert code == 334
    if name == "XOAUTH2":
        assert base64.b64decode(text) == XOAUTH2_FAILURE
    code, text = out.docmd("")
    assert code == 535 and text.startswith(b"5.7.8 Username and Password not accepted")
    out.quit()


def idle(box):
    """IDLE for imaplib, which has none: returns after the continuation."""
    box.send(b"x1 IDLE\r\n")
    assert box.readline().startswith(b"+ idling")


def test_idle_tells_of_new_mail_within_a_second(server, person):
    box = person.imap()
    box.select("INBOX")
    idle(box)
    box.sock.settimeout(5)
    person.deliver(message("a@b.test", person.address, "Now"))
    assert box.readline() == b"* 1 EXISTS\r\n"
    box.send(b"DONE\r\n")
    while not (line := box.readline()).startswith(b"x1"):
        pass
    assert line == b"x1 OK IDLE terminated (Success)\r\n"
    box.logout()


def test_the_hour_that_takes_a_second(own_server):
    """Minute 4 of the first five: IDLE ends with its token, POP and SMTP at the next command; reconnecting works."""
    server = own_server()
    person = server.ada()
    box = person.imap()
    box.select("INBOX")
    idle(box)
    drop = pop(server)
    drop._shortcmd("AUTH XOAUTH2 " + base64.b64encode(xoauth2(person).encode()).decode())
    out = smtps(server)
    out.ehlo()
    out.auth("XOAUTH2", lambda challenge=None: xoauth2(person))
    said = server.run("clock", "advance", "1h")
    assert "one hour ahead" in said or "1h" in said
    box.sock.settimeout(5)
    assert box.readline() == b"* BYE Session expired, please login again.\r\n"
    assert box.readline() == b""
    with pytest.raises(poplib.error_proto, match=r"-ERR \[SYS/TEMP\] Session expired, please login again."):
        drop.noop()
    assert out.noop()[0] == 421
    again = person.imap()
    assert again.select("INBOX")[0] == "OK"
    again.logout()


def test_a_password_session_ends_after_24_hours_and_an_idle_timer_is_not_moved(own_server):
    server = own_server()
    person = server.ada()
    box = imap(server)
    box.login(person.address, person.app_password)
    server.run("clock", "advance", "23h")
    assert box.noop()[0] == "OK", "moving the wall clock must not trip the inactivity timer"
    server.run("clock", "advance", "61m")
    with pytest.raises(imaplib.IMAP4.abort):
        box.noop()


def test_revoking_ends_a_session_in_idle_within_a_second(server, person):
    token = person.token()
    box = imap(server)
    box.authenticate("XOAUTH2", lambda _: xoauth2(person, token).encode())
    box.select("INBOX")
    idle(box)
    server.run("token", "revoke", stdin=token + "\n")
    box.sock.settimeout(1.5)
    assert box.readline() == b"* BYE Session expired, please login again.\r\n"
    with_password = imap(server)
    with_password.login(person.address, person.app_password)
    listed = server.run("app-password", "list", person.address)
    assert "tests" in listed
    made = json.loads(server.run("app-password", "list", person.address, "--json"))
    server.run("app-password", "revoke", person.address, made[0]["id"])
    with_password.sock.settimeout(1.5)
    assert with_password.readline() == b"* BYE Session expired, please login again.\r\n"


def test_the_sixteenth_connection_gets_the_challenge_and_then_the_alert(server, person):
    token = person.token()
    boxes = []
    for _ in range(15):
        boxes.append(imap(server))
        boxes[-1].authenticate("XOAUTH2", lambda _: xoauth2(person, token).encode())
    last = imap(server)
    seen = []
    with pytest.raises(imaplib.IMAP4.error, match=r"\[ALERT\] Too many simultaneous connections. \(Failure\)"):
        last.authenticate("XOAUTH2", lambda challenge: seen.append(challenge) or xoauth2(person, token).encode())
    assert seen == [b"", XOAUTH2_FAILURE]
    for box in boxes:
        box.logout()


def test_sigterm_tells_sessions_and_ends_in_time(own_server):
    server = own_server()
    box = server.ada().imap()
    box.select("INBOX")
    idle(box)
    server.process.terminate()
    box.sock.settimeout(5)
    assert box.readline() == b"* BYE Server shutting down\r\n"
    assert server.process.wait(5) == 0


def test_what_was_pipelined_behind_starttls_is_dropped(server):
    plain = socket.create_connection(("localhost", server.port("submission")), 20)
    file = plain.makefile("rb")
    assert file.readline().startswith(b"220 ")
    plain.sendall(b"EHLO x\r\n")
    while not file.readline().startswith(b"250 "):
        pass
    plain.sendall(b"STARTTLS\r\nMAIL FROM:<ada@example.test>\r\n")
    assert file.readline().startswith(b"523 5.7.10 ")
    assert file.readline() == b"", "the connection is closed"
    plain.close()
