"""Whether the clock tells who has an account, and how many app passwords: refusals timed over real sockets, on every protocol and
by every way in. No answer may come sooner than the constant; beyond it they may not differ."""
import base64
import http.client
import socket
import statistics
import time
import urllib.parse

import pytest

from conftest import DEADLINE, Server

# REFUSED_AFTER in crates/pillarbox-protocols/src/sign_in.rs, WEB_REFUSED_AFTER in crates/pillarbox/src/services.rs; in seconds.
REFUSED_AFTER, WEB_REFUSED_AFTER = 0.020, 0.100
# So many, kind after kind in each; then as many again while a difference may be the machine's.
ROUNDS = 15
# Far more than the differences that were there (microseconds), far less than what a busy machine adds: the exact proof is
# crates/pillarbox-protocols/tests/same_time.rs, this looks for what only the whole program does.
DIFFERENCE_MAX = 0.003
# A browser's refusal waits for a hash that keeps a core busy.
WEB_DIFFERENCE_MAX = 0.010
MECHANISMS = "XOAUTH2, OAUTHBEARER, PLAIN, SCRAM-SHA-256"
WRONG = "aaaabbbbccccdddd"
NONCE = "fyko+d2lbbFgONRv9qkxdawL"


def b64(text):
    return base64.b64encode(text.encode()).decode()


@pytest.fixture(scope="module")
def timed_server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("same-time"), env={"PILLARBOX_SIGN_IN_MECHANISMS": MECHANISMS})
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def names(timed_server):
    """Who is tried, by what there is of them."""
    none, ten, gone = (timed_server.person(name) for name in ("none", "ten", "gone"))
    for number in range(10):
        timed_server.run("app-password", "add", ten.address, "--name", str(number))
    timed_server.run("app-password", "add", gone.address, "--name", "phone")
    timed_server.run("account", "suspend", gone.address)
    return {"unknown": "nobody@example.test", "no app password": none.address, "ten": ten.address, "suspended": gone.address}


class Line:
    """A connection that is talked on in lines."""

    def __init__(self, server, service):
        raw = socket.create_connection(("127.0.0.1", server.port(service)), DEADLINE)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = server.tls().wrap_socket(raw, server_hostname="localhost")
        self.file = self.socket.makefile("rb")
        self.file.readline()
        if service == "smtps":
            self.say("HELO x")

    def say(self, line):
        """The first line that is answered, and after how long it was there."""
        begun = time.perf_counter()
        self.socket.sendall(line.encode() + b"\r\n")
        answer = self.file.readline().decode()
        return answer, time.perf_counter() - begun

    def close(self):
        self.file.close()
        self.socket.close()


AUTH = {"imap": "a AUTHENTICATE", "pop": "AUTH", "smtps": "AUTH"}


def words(line, service, user):
    """The protocol's own."""
    if service == "imap":
        return line.say(f"a LOGIN {user} {WRONG}")
    if service == "pop":
        line.say(f"USER {user}")
        return line.say(f"PASS {WRONG}")
    line.say(f"AUTH LOGIN {b64(user)}")
    return line.say(b64(WRONG))


def plain(line, service, user):
    return line.say(f"{AUTH[service]} PLAIN " + b64(f"\0{user}\0{WRONG}"))


def scram(line, service, user):
    challenge, _ = line.say(f"{AUTH[service]} SCRAM-SHA-256 " + b64(f"n,,n={user},r={NONCE}"))
    nonce = base64.b64decode(challenge.split()[-1]).decode().split(",")[0]
    return line.say(b64(f"c=biws,{nonce},p={b64('x' * 32)}"))


def xoauth2(line, service, user):
    return line.say(f"{AUTH[service]} XOAUTH2 " + b64(f"user={user}\1auth=Bearer ya29.made-up\1\1"))


def oauthbearer(line, service, user):
    return line.say(f"{AUTH[service]} OAUTHBEARER " + b64(f"n,a={user},\1auth=Bearer ya29.made-up\1\1"))


def do_not_differ(names, attempt, difference_max=DIFFERENCE_MAX):
    """The lower quartiles of all kinds, once they are alike. Rounds are interleaved, and what a machine adds that has other things
    to do is in the upper ones; a server that does more for one kind than for another does so every time."""
    lasted, end = {kind: [] for kind in names}, time.monotonic() + DEADLINE
    while True:
        for number in range(ROUNDS):
            kinds = list(names)
            for kind in kinds[number % len(kinds):] + kinds[:number % len(kinds)]:
                lasted[kind].append(attempt(names[kind]))
        found = {kind: statistics.quantiles(all_of_it, n=4)[0] for kind, all_of_it in lasted.items()}
        if max(found.values()) - min(found.values()) < difference_max:
            return found
        if time.monotonic() > end:
            pytest.fail(f"the clock tells them apart: {found}")


@pytest.mark.parametrize("way", (words, plain, scram, xoauth2, oauthbearer), ids=lambda way: way.__name__)
@pytest.mark.parametrize("service", AUTH)
def test_refusals_come_at_the_same_moment(timed_server, names, service, way):
    answers = set()

    def attempt(user):
        line = Line(timed_server, service)
        try:
            answer, lasted = way(line, service, user)
        finally:
            line.close()
        assert lasted >= REFUSED_AFTER, (user, answer, lasted)
        answers.add(answer)
        return lasted
    found = do_not_differ(names, attempt)
    print(service, way.__name__, {kind: f"{lasted * 1000:.3f} ms" for kind, lasted in found.items()})
    assert len(answers) == 1, answers


def test_who_is_let_in_does_not_wait(timed_server):
    """The floor is for refusals; the best of some sign-ins shows that it is not in their way."""
    ada = timed_server.ada()
    token = ada.token()

    def attempt():
        line = Line(timed_server, "smtps")
        try:
            answer, lasted = line.say("AUTH XOAUTH2 " + b64(f"user={ada.address}\1auth=Bearer {token}\1\1"))
        finally:
            line.close()
        assert answer.startswith("235 ")
        return lasted
    end = time.monotonic() + DEADLINE
    while attempt() >= REFUSED_AFTER:
        assert time.monotonic() < end, "signing in always takes as long as being refused"


def test_refusals_of_the_web_come_at_the_same_moment(timed_server, names):
    headers = {"content-type": "application/x-www-form-urlencoded"}

    def attempt(user):
        line = http.client.HTTPSConnection("localhost", timed_server.port("web"), context=timed_server.tls(), timeout=DEADLINE)
        line.connect()
        body = urllib.parse.urlencode({"address": user, "password": "not the password"})
        begun = time.perf_counter()
        line.request("POST", "/signin", body, headers)
        answer = line.getresponse()
        lasted = time.perf_counter() - begun
        line.close()
        assert answer.status == 403 and lasted >= WEB_REFUSED_AFTER, (user, answer.status, lasted)
        return lasted
    found = do_not_differ(names, attempt, WEB_DIFFERENCE_MAX)
    print("web", {kind: f"{lasted * 1000:.3f} ms" for kind, lasted in found.items()})


def test_the_server_ends_cleanly_while_refusals_rest(own_server):
    """Neither who waits for a refusal nor who left meanwhile holds the end up."""
    server = own_server()
    lines = [Line(server, "imap") for _ in range(8)]
    for line in lines:
        line.socket.sendall(f"a LOGIN nobody@example.test {WRONG}\r\n".encode())
    for line in lines[::2]:
        line.close()
    assert server.stop() == 0
    for line in lines[1::2]:
        rest = line.file.read().decode()
        assert rest.splitlines()[-1].startswith("* BYE"), rest
