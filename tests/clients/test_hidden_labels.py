"""Labels hidden from IMAP, with imaplib: gone for the person's programs, there for a service account with gmail.imap_admin."""
import imaplib
import json

from conftest import message

ADMIN = "https://www.googleapis.com/auth/gmail.imap_admin"


def names(box):
    return {line.decode().split(' "/" ')[1].strip('"') for line in box.list()[1]}


def test_a_hidden_label(server, person):
    box = person.imap()
    assert box.create("Receipts")[0] == "OK"
    box.append("Receipts", None, None, message("a@x.example", person.address, "Hidden"))
    assert server.run("label", "hide", person.address, "Receipts") == ""
    assert "Receipts" not in names(box) and "INBOX" in names(box)
    assert box.select("Receipts")[0] == "NO"
    assert box.select('"[Gmail]/All Mail"') == ("OK", [b"1"]), "the mail itself is not hidden"
    listed = {one["label"]: one for one in json.loads(server.run("label", "list", person.address, "--json"))}
    assert listed["Receipts"] == {"label": "Receipts", "messages": 1, "shown": False}

    robot = imaplib.IMAP4_SSL("localhost", server.port("imap"), ssl_context=server.tls())
    token = person.token("--scope", ADMIN)
    robot.authenticate("XOAUTH2", lambda _: f"user={person.address}\1auth=Bearer {token}\1\1".encode())
    assert "Receipts" in names(robot)
    assert robot.select("Receipts") == ("OK", [b"1"])

    assert server.run("label", "hide", person.address, "INBOX", check=False).returncode == 1
    near = server.run("label", "hide", person.address, "Receipt", check=False)
    assert near.returncode == 1 and "did you mean Receipts?" in near.stderr
    server.run("label", "show", person.address, "Receipts")
    assert "Receipts" in names(box)
    trail = json.loads(server.run("account", "activity", person.address, "--json"))
    assert any(one.get("detail") == "the label Receipts is hidden from IMAP, on the server’s command line" for one in trail), trail
    for one in (box, robot):
        one.logout()
