"""The console's JSON twin: faults set and cleared by a test program, and the wire log, in which no secret stands."""
import base64
import imaplib
import json
import poplib
import re
import smtplib
import urllib.error
import urllib.request

import pytest


def api(server, path, body=None, method=None):
    request = urllib.request.Request(server["dev_api"] + path, method=method,
                                     data=None if body is None else json.dumps(body).encode())
    with urllib.request.urlopen(request, context=server.tls(), timeout=30) as answer:
        return json.load(answer)


def imap(server):
    return imaplib.IMAP4_SSL("localhost", server.port("imap"), ssl_context=server.tls())


def test_faults(own_server):
    server = own_server()
    ada = server.person("ada")
    fault = api(server, "/faults", {"target": "imap.login", "kind": "overquota", "times": 1, "account": ada.address})
    assert fault["target"] == "imap.login" and fault["left"] == 1 and "note" not in fault
    assert api(server, "/faults") == json.loads(server.run("fault", "list", "--json")) == [fault], "the twin says what the command says"
    with pytest.raises(imaplib.IMAP4.error, match="OVERQUOTA"):
        imap(server).login(ada.address, ada.app_password)
    assert imap(server).login(ada.address, ada.app_password)[0] == "OK"
    assert api(server, "/faults")[0]["struck"] == 1
    api(server, "/faults", {"target": "pop.*", "kind": "delay", "value": "5s", "probability": 0.5, "after": "1m"})
    assert [one["waits"] for one in api(server, "/faults")] == [False, True]
    assert api(server, "/faults") == json.loads(server.run("fault", "list", "--json"))
    assert api(server, "/faults", {"which": "pop.*"}, method="DELETE") == {"cleared": 1}
    assert api(server, "/faults", method="DELETE") == {"cleared": 1}
    assert api(server, "/faults") == []
    for wrong in ({}, {"target": "imap.nothing", "kind": "drop"}, {"target": "imap.login", "kind": "delay"},
                  {"target": "imap.login", "kind": "drop", "times": "often"}, {"target": "imap.login", "kind": "drop", "time": 1},
                  {"target": "imap.login", "kind": "drop", "bogus": None}):
        with pytest.raises(urllib.error.HTTPError) as refused:
            api(server, "/faults", wrong)
        assert refused.value.code == 422 and json.load(refused.value)["error"]
    with pytest.raises(urllib.error.HTTPError) as refused:
        api(server, "/faults", {"wich": "pop.*"}, method="DELETE")
    assert json.load(refused.value)["error"] == "there is no member wich here, but which"
    assert api(server, "/faults") == []
    with pytest.raises(urllib.error.HTTPError) as nowhere:
        api(server, "/fault")
    assert nowhere.value.code == 404 and json.load(nowhere.value)["error"]


def test_a_fault_for_nobody_is_set_and_said_to_be(own_server):
    """It may be mistyped; or the account comes later."""
    server = own_server()
    done = server.run("fault", "set", "imap.login", "refuse", "--account", "adda@example.test", check=False)
    assert (done.returncode, done.stderr) == (0, "Fault 1: imap.login refuse, until it is cleared.\nNote: no account adda@example.test; did you mean ada@example.test?\n")
    assert api(server, "/faults", {"target": "pop.login", "kind": "refuse", "account": "nobody@example.test"})["note"] == "no account nobody@example.test"
    done = server.run("fault", "set", "imap.login", "refuse", "--account", "ADA@example.test", check=False)
    assert done.stderr == "Fault 3: imap.login refuse, until it is cleared.\n"
    assert [one["account"] for one in api(server, "/faults")] == ["adda@example.test", "nobody@example.test", "ADA@example.test"]


def test_times_are_written_in_one_form(own_server):
    server = own_server()
    box = server.ada().imap()
    said = {path: json.dumps(api(server, path)) for path in ("/clock", "/sessions", "/events", "/wire", "/faults")}
    said["/tokens"] = json.dumps(api(server, "/tokens", {"address": "ada@example.test"}))
    for path, text in said.items():
        assert not re.search(r"\b1[0-9]{12}\b", text), f"{path} counts milliseconds: {text}"
        assert path == "/faults" or re.search(r'"20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-9:.]{8,}Z"', text), path
    [one] = api(server, "/sessions")
    [same] = json.loads(server.run("session", "list", "--json"))
    assert (one["since"], one["until"]) == (same["since"], same["until"])
    box.shutdown()


def test_the_wire_log_has_no_secrets(own_server):
    server = own_server()
    ada = server.person("ada")
    token, password = ada.token(), ada.app_password
    bearer = f"user={ada.address}\1auth=Bearer {token}\1\1".encode()
    plain = f"\0{ada.address}\0{password}".encode()
    box = ada.imap()
    box.select("INBOX")
    imap(server).login(ada.address, password)
    other = imap(server)
    other.authenticate("PLAIN", lambda _: plain)
    refused = imap(server)
    with pytest.raises(imaplib.IMAP4.error):
        refused.authenticate("XOAUTH2", lambda _: bearer.replace(b"ada", b"bob"))
    pop = poplib.POP3_SSL("localhost", server.port("pop"), context=server.tls())
    pop.user(ada.address)
    pop.pass_(password)
    pop = poplib.POP3_SSL("localhost", server.port("pop"), context=server.tls())
    pop._shortcmd("AUTH XOAUTH2 " + base64.b64encode(bearer).decode())
    with smtplib.SMTP("localhost", server.port("submission")) as smtp:
        smtp.starttls(context=server.tls())
        smtp.login(ada.address, password)
    with smtplib.SMTP_SSL("localhost", server.port("smtps"), context=server.tls()) as smtp:
        smtp.ehlo()
        smtp.docmd("AUTH", "LOGIN")
        smtp.docmd(base64.b64encode(ada.address.encode()).decode())
        assert smtp.docmd(base64.b64encode(password.encode()).decode())[0] == 235
    log = api(server, "/wire")
    text = json.dumps(log, ensure_ascii=False)
    assert password[:4] in text and "dXNl…" in text, "first four letters stay"
    secrets = [token, password, *(base64.b64encode(secret).decode() for secret in (bearer, plain, password.encode()))]
    for secret in secrets:
        length = min(len(secret), 16)  # fewer letters in a row are also in JSON that is no secret
        for at in range(len(secret) - length + 1):
            assert secret[at:at + length] not in text, f"letters {at} to {at + length} of a secret are in the log"
    session = box.welcome.split()[-1].decode()
    [one] = api(server, f"/wire?session={session}")
    assert one["protocol"] == "imap" and one["open"] and one["peer"] == "127.0.0.1"
    said = [(line["from"], line["text"]) for line in one["lines"]]
    assert said[0] == ("server", f"* OK Pillarbox ready for requests from 127.0.0.1 {session}")
    assert any(who == "client" and text.endswith(" SELECT INBOX") for who, text in said)
    starttls = [one for one in log if any(line["text"] == "TLS begins" for line in one["lines"])]
    assert len(starttls) == 1 and not starttls[0]["open"] and starttls[0]["lines"][-1]["text"] == "closed"


def test_a_message_does_not_push_the_dialogue_out(own_server):
    server = own_server()
    ada = server.person("ada")
    lines = "".join(f"line {number} of many\r\n" for number in range(5000))
    ada.deliver(f"From: bob@elsewhere.test\r\nTo: {ada.address}\r\nSubject: Long\r\n\r\n{lines}".encode())
    [one] = api(server, "/wire")
    texts = [line["text"] for line in one["lines"]]
    assert texts[0].startswith("220 ") and texts[-1] == "closed" and len(texts) < 70
    assert any("more octets" in text for text in texts)
