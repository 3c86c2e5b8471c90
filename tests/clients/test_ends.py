"""What the owner of a server is told of sessions: which there are, what opened each, and the true cause of each end; and what
commands say when they did nothing."""
import imaplib
import json
import os
import poplib
import pty
import re
import smtplib
import subprocess

import pytest

from attacks.attacker import App, Browser
from conftest import DEADLINE, PROGRAM, eventually
from test_login import user  # noqa: F401  (a fixture)

HERE = ", on the server’s command line"


def live(server, address):
    return json.loads(server.run("session", "list", address, "--json"))


class Sessions:
    """One session of each protocol, opened with the same thing, that live until they are ended."""

    def __init__(self, person, password=None, token=None):
        self.person, server = person, person.server
        blob = f"user={person.address}\1auth=Bearer {token}\1\1".encode()
        self.imap = imaplib.IMAP4_SSL("localhost", server.port("imap"), ssl_context=server.tls())
        self.pop = poplib.POP3_SSL("localhost", server.port("pop"), context=server.tls())
        self.smtp = smtplib.SMTP_SSL("localhost", server.port("smtps"), context=server.tls())
        self.smtp.ehlo()
        if token:
            import base64
            self.imap.authenticate("XOAUTH2", lambda _: blob)
            self.pop._shortcmd("AUTH XOAUTH2 " + base64.b64encode(blob).decode())
            assert self.smtp.docmd("AUTH XOAUTH2 " + base64.b64encode(blob).decode())[0] == 235
        else:
            self.imap.login(person.address, password)
            self.pop.user(person.address)
            self.pop.pass_(password)
            self.smtp.login(person.address, password)
        self.ids = {one["protocol"]: one["session"] for one in live(server, person.address)}
        assert set(self.ids) == {"imap", "pop", "smtp"}

    def speak(self):
        """Sends a command where a session that only its time has ended waits a while to say so."""
        self.pop._putcmd("NOOP")
        self.smtp.putcmd("noop")

    def causes(self):
        """Why each ended, as `why` and the log say it."""
        server, log = self.person.server, self.person.server.folder / "log.txt"
        found = {}
        for protocol, session in self.ids.items():
            def ended():
                return re.search(r"^ +ended +(.+)$", server.run("why", session), re.M)
            found[protocol] = eventually(ended, what=f"the end of {protocol}").group(1)
            line = f"{session}  ended: {found[protocol]}\n"
            eventually(lambda: line in log.read_text(), what=line)
        for socket in (self.imap.sock, self.pop.sock, self.smtp.sock):
            socket.close()
        assert len(set(found.values())) == 1, found
        return found["imap"]


def by_hand(person):
    return Sessions(person, person.app_password), lambda: person.server.run("session", "end", person.address), "ended by hand" + HERE


def suspended(person):
    return (Sessions(person, person.app_password), lambda: person.server.run("account", "suspend", person.address),
            "the account was suspended" + HERE)


def password_changed(person):
    return (Sessions(person, person.app_password),
            lambda: person.server.run("account", "password", person.address, stdin="another long phrase\n"),
            "the account’s password was changed" + HERE)


def account_removed(person):
    return (Sessions(person, person.app_password), lambda: person.server.run("account", "remove", "--yes", person.address),
            "the account was removed" + HERE)


def app_password_revoked(person):
    sessions = Sessions(person, person.app_password)
    [one] = json.loads(person.server.run("app-password", "list", person.address, "--json"))
    return (sessions, lambda: person.server.run("app-password", "revoke", person.address, one["id"]),
            "the app password “tests” was revoked" + HERE)


def grant_revoked(person):
    sessions = Sessions(person, token=person.token())
    credential = live(person.server, person.address)[0]["credential"]
    assert credential["kind"] == "grant"
    return (sessions, lambda: person.server.run("grant", "revoke", person.address, credential["id"]),
            "the grant of Pillarbox command line was revoked" + HERE)


def token_revoked(person):
    token = person.token()
    return Sessions(person, token=token), lambda: person.server.run("token", "revoke", stdin=token), "its token was revoked" + HERE


def app_removed(person):
    browser = Browser(person.server)
    browser.sign_in(person)
    app = App(person.server, "Strange")
    token = app.tokens(browser)["access_token"]
    return (Sessions(person, token=token), lambda: person.server.run("app", "remove", "--yes", app.id),
            "the app Strange was removed" + HERE)


def token_given_back(person):
    browser = Browser(person.server)
    browser.sign_in(person)
    app = App(person.server, "Polite")
    token = app.tokens(browser)["access_token"]
    return (Sessions(person, token=token), lambda: app.call("/revoke", token=token),
            "its token was given back at the revocation endpoint")


def by_its_owner(person):
    sessions = Sessions(person, person.app_password)
    browser = Browser(person.server)
    browser.sign_in(person)
    return sessions, lambda: browser.post("/account/sessions/end-all", {}), "ended by hand, by its owner"


@pytest.mark.parametrize("way", [by_hand, suspended, password_changed, account_removed, app_password_revoked, grant_revoked,
                                 token_revoked, app_removed, token_given_back, by_its_owner])
def test_each_end_has_its_true_cause(server, way):
    sessions, end, cause = way(server.person("ends"))
    end()
    assert sessions.causes() == cause


def test_a_fault_on_purpose_is_the_cause(own_server):
    server = own_server()
    ada = server.ada()
    box = ada.imap()
    [session] = [one["session"] for one in live(server, ada.address)]
    server.run("fault", "set", "imap.noop", "expired", "1s")
    box.noop()
    eventually(lambda: "ended     the fault “expired”, on purpose" in server.run("why", session), what="the end")
    box.sock.close()
    server.run("fault", "set", "pop.noop", "expired", "1s")
    pop = poplib.POP3_SSL("localhost", server.port("pop"), context=server.tls())
    pop.user(ada.address)
    pop.pass_(ada.app_password)
    [session] = [one["session"] for one in live(server, ada.address)]
    pop.noop()

    def over():
        try:
            return pop.stat() and False
        except poplib.error_proto:
            return True
    eventually(over, what="the end in POP")
    eventually(lambda: "ended     the fault “expired”, on purpose" in server.run("why", session), what="its cause")
    pop.sock.close()


def test_what_the_clock_ends(own_server):
    server = own_server()
    by_token = Sessions(server.ada(), token=server.ada().token())
    bob = server.ada()
    bob.address = "bob@example.test"
    by_password = Sessions(bob, bob.app_password)
    server.run("clock", "advance", "2h")
    by_token.speak()
    assert by_token.causes() == "session expired: its access token ended"
    assert by_password.imap.noop()[0] == "OK"
    server.run("clock", "advance", "8d")
    by_password.speak()
    assert by_password.causes() == "session expired: no connection may last longer"


def test_a_withdrawn_key_is_the_cause(own_server):
    server = own_server()
    sessions = Sessions(server.ada(), token=server.ada().token())
    server.run("key", "rotate", "--leaked", "--yes")
    assert sessions.causes() == "the key that signed its token was withdrawn"


# ---- token revoke ---------------------------------------------------------------------------------------------------------

def test_token_revoke_says_what_it_did(server, person):
    token = person.token()
    boxes = [person.imap() for _ in range(2)]  # of other grants
    mine = Sessions(person, token=token)

    def revoke(text):
        done = server.run("token", "revoke", stdin=text, check=False)
        assert done.stdout == "" and "{" not in done.stderr and "Error" not in done.stderr
        return done.returncode, done.stderr

    nothing = (1, "not a token of this server; nothing was revoked. See: pillarbox grant list ADDRESS\n")
    assert revoke(token[:-4]) == nothing
    assert revoke("no-such-token\n") == nothing
    for empty in ["", "\n", '""', "Bearer \n"]:
        assert revoke(empty) == (2, "no token came on standard input\n")
    assert mine.imap.noop()[0] == "OK"
    code, text = revoke(f'"Bearer {token}"\n')
    assert code == 0 and re.fullmatch(
        rf"Revoked, with its grant \S+ of Pillarbox command line for {person.address}; 3 sessions have ended\.\n", text), text
    assert mine.causes() == "its token was revoked" + HERE
    code, text = revoke(token)
    assert code == 0 and "had ended already, at 2" in text, text
    code, text = revoke(person.token("--refresh"))
    assert code == 0 and text.endswith("; no session was open.\n"), text
    for box in boxes:
        assert box.noop()[0] == "OK"
        box.logout()


# ---- lists ----------------------------------------------------------------------------------------------------------------

def on_a_terminal(server, *words):
    """What a command prints where somebody looks."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([PROGRAM, *words], env=server.env, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
    os.close(theirs)
    text = b""
    try:
        while piece := os.read(ours, 4096):
            text += piece
    except OSError:
        pass  # how a terminal says that nobody writes any more
    os.close(ours)
    assert process.wait(DEADLINE) == 0
    return text.decode().replace("\r\n", "\n").splitlines()


def test_a_strange_session_leads_to_what_opened_it(server, person):
    box = person.imap()
    box.xatom("ID", '("name" "Strange Mail" "version" "3")')
    other = imaplib.IMAP4_SSL("localhost", server.port("imap"), ssl_context=server.tls())
    other.login(person.address, person.app_password)
    strange, plain = live(server, person.address)
    [grant] = json.loads(server.run("grant", "list", person.address, "--json"))
    [app_password] = json.loads(server.run("app-password", "list", person.address, "--json"))
    assert strange["credential"] == {"kind": "grant", "id": grant["id"]}
    assert strange["because"] == "its access token ends then" and strange["program"] == "Strange Mail 3"
    assert plain["credential"] == {"kind": "app-password", "id": app_password["id"]}
    assert plain["because"] == "no connection may last longer" and plain["program"] is None
    rows = server.run("session", "list", person.address).splitlines()
    assert len(rows) == 2
    cells = re.split(r"  +", rows[0])
    assert cells == [strange["session"], "imap", "127.0.0.1", person.address, "Pillarbox command line", strange["since"],
                     strange["until"], "Strange Mail 3", "grant " + grant["id"], "its access token ends then"]
    everybody = json.loads(server.run("session", "list", "--json"))
    assert [one for one in everybody if one["address"] == person.address] == [strange, plain]
    stranger = server.person("nobody")
    assert live(server, stranger.address) == [] and server.run("session", "list", stranger.address) == ""
    done = server.run("session", "list", "nobody@nowhere.test", check=False)
    assert (done.returncode, done.stderr) == (1, "no account nobody@nowhere.test. See: pillarbox account list\n")
    server.run("grant", "revoke", person.address, grant["id"])
    eventually(lambda: live(server, person.address) == [plain], what="the strange session's end")
    other.logout()


def test_lists_have_headings_where_somebody_looks(server, person):
    person.token()
    assert person.app_password
    for words, first, last in [(("grant", "list", person.address), "ID", "REVOKED"), (("app-password", "list", person.address), "ID", "UNTIL"),
                               (("app", "list"), "ID", None), (("account", "list"), "ADDRESS", "ADDRESS")]:
        heading, *rows = on_a_terminal(server, *words)
        assert heading.startswith(first) and heading == heading.upper(), heading
        assert last is None or heading.endswith(last), heading
        assert rows == server.run(*words).splitlines() or len(rows) == len(server.run(*words).splitlines())
    empty = server.person("empty")
    assert on_a_terminal(server, "grant", "list", empty.address) == []


# ---- what next ------------------------------------------------------------------------------------------------------------

def test_errors_name_the_command_that_helps(server, person):
    whose = person.address
    for words, text in [
            (("grant", "revoke", whose, "x"), f"no such grant. See: pillarbox grant list {whose}"),
            (("app-password", "revoke", whose, "x"), f"no such app password. See: pillarbox app-password list {whose}"),
            (("client-certificate", "revoke", whose, "x"), f"no such certificate. See: pillarbox client-certificate list {whose}"),
            (("session", "end", "none-of-them"), "no live session none-of-them. See: pillarbox session list"),
            (("session", "end", whose), f"no live session of {whose}. See: pillarbox session list"),
            (("why", "none-of-them"), "no session none-of-them is remembered. See: pillarbox session list"),
            (("app", "show", "none-of-them"), "no app none-of-them. See: pillarbox app list"),
            (("grant", "revoke", "nobody@nowhere.test", "x"), "no account nobody@nowhere.test. See: pillarbox account list")]:
        done = server.run(*words, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", text + "\n"), words


def test_a_mailbox_that_is_not_there(user, person):  # noqa: F811
    user.login(person)
    for words in [("mail", "list", "Nosuch"), ("mail", "show", "1", "--mailbox", "Nosuch"), ("mail", "watch", "Nosuch")]:
        done = user.run(*words)
        assert done.returncode == 1 and done.stderr.startswith("no mailbox Nosuch. There are: "), done.stderr
        assert "INBOX" in done.stderr and "[Gmail]/All Mail" in done.stderr and '"NO"' not in done.stderr
    done = user.run("mail", "list", "[Gmail]/Sent Mial")
    assert done.stderr.startswith("no mailbox [Gmail]/Sent Mial; did you mean [Gmail]/Sent Mail? There are: "), done.stderr
