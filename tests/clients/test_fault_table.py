"""Faults on purpose, as a table: every kind at every service, and every endpoint. Each row plays a whole conversation, or asks an
endpoint, with a fault that strikes once, and sees what a client sees: the words, the silence or the wait; that the connection
ends or goes on; and whether what was asked for was done. `test_faults.py` has the dialogues that need a story."""
import base64
import json
import re
import socket
import time
import urllib.parse

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from attacks.attacker import MAIL, App, Browser, Pkce, ask, form_field, userinfo
from conftest import Server, eventually, message

HELD, RATE = 0.2, 120
DELAY = f"delay {int(HELD * 1000)}ms"
THROTTLE = f"throttle {RATE}"  # so many octets a second
# What follows the moment at which something went wrong.
ENDS, AGAIN, SLOW = "the connection ends", "the same goes well the second time", "it only takes long"
HALF, NOTHING = "half", b""


@pytest.fixture(scope="module")
def dev(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("table"))
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def person(dev):
    return dev.person()


@pytest.fixture(scope="module")
def box(person):
    box = person.imap()
    yield box
    box.logout()


FAULTS = "/dev/api/faults"


@pytest.fixture
def fault(dev):
    """Sets a fault, written as on the command line; the console's JSON takes it, which is quicker than a program."""

    def put(text):
        words, *options = text.split(" --")
        members = dict(zip(("target", "kind", "value"), words.split())) | dict(one.split() for one in options)
        members |= {name: json.loads(members[name]) for name in ("times", "probability") if name in members}
        answer = ask(dev, "POST", FAULTS, json.dumps(members).encode(), {"Content-Type": "application/json"})
        assert answer.status == 200, answer

    yield put
    clear(dev)


def clear(dev):
    assert ask(dev, "DELETE", FAULTS).status == 200


def struck(dev):
    return [rule["struck"] for rule in ask(dev, "GET", FAULTS).json]


# ---- conversations ----------------------------------------------------------------------------------------------------------

class Line:
    """A connection, and the steps of a conversation on it: a name, what is sent, how the answer begins when all is well."""

    def __init__(self, dev, person):
        plain = socket.create_connection(("localhost", dev.port(self.service)), timeout=20)
        self.socket = dev.tls().wrap_socket(plain, server_hostname="localhost") if self.encrypted else plain
        self.file = self.socket.makefile("rb")
        self.person, self.took = person, {}
        # Messages that were sent to their end, with the answer.
        self.messages = []

    def reply(self, name):
        try:
            line = said = self.file.readline()
            while self.goes_on(name, said, line) and line:
                line = self.file.readline()
                said += line
            return said
        except OSError:
            return NOTHING

    def play(self, first=None, last=None):
        """What was said at each step, up to the end of the connection."""
        said, steps = {}, self.steps()
        names = [name for name, _, _ in steps]
        for name, sent, _ in steps[names.index(first or names[0]):names.index(last or names[-1]) + 1]:
            begun = time.monotonic()
            try:
                self.socket.sendall(sent)
            except OSError:
                pass
            said[name] = self.reply(name)
            self.took[name] = time.monotonic() - begun
            if name == "message":
                self.messages.append((self.subject, said[name]))
            if not said[name].endswith(b"\n"):
                break
        return said

    def at_its_end(self):
        try:
            return self.file.read() == b""
        except OSError:
            return True

    def blob(self):
        return base64.b64encode(f"\0{self.person.address}\0{self.person.app_password}".encode())


class Pop(Line):
    service, encrypted, back = "pop", True, {"login": "user"}

    def __init__(self, dev, person):
        person.deliver(message("x@y.test", person.address, "There is one at least"))
        super().__init__(dev, person)

    def steps(self):
        person = self.person
        return [("connect", b"", b"+OK"), ("user", f"USER {person.address}\r\n".encode(), b"+OK"),
                ("login", f"PASS {person.app_password}\r\n".encode(), b"+OK Welcome."), ("stat", b"STAT\r\n", b"+OK "),
                ("retr", b"RETR 1\r\n", b"+OK message follows"), ("quit", b"QUIT\r\n", b"+OK Farewell.")]

    def goes_on(self, name, said, line):
        return name == "retr" and said.startswith(b"+OK") and line != b".\r\n"


class Smtp(Line):
    service, encrypted, back = "smtps", True, {"message": "mail"}

    def steps(self):
        address = self.person.address.encode()
        self.subject = f"row-{time.monotonic_ns()}"
        text = message(self.person.address, self.person.address, self.subject)
        auth = [("login", b"AUTH PLAIN " + self.blob() + b"\r\n", b"235 ")] if self.encrypted else []
        return [("connect", b"", b"220 "), ("ehlo", b"EHLO x\r\n", b"250"), *auth,
                ("mail", b"MAIL FROM:<%s>\r\n" % (address if self.encrypted else b"x@y.test"), b"250 2.1.0"),
                ("rcpt", b"RCPT TO:<%s>\r\n" % address, b"250 2.1.5"), ("data", b"DATA\r\n", b"354 "),
                ("message", text + b".\r\n", b"250 2.0.0 OK"), ("quit", b"QUIT\r\n", b"221 ")]

    def goes_on(self, name, said, line):
        return line[3:4] == b"-"


class Mx(Smtp):
    service, encrypted = "incoming", False


TEMPORARY, TOO_MUCH = rb"451 4\.3\.0 Temporary System Problem\.", rb"550 5\.4\.5 Daily user sending limit exceeded\."
FULL, BUSY = rb"452 4\.2\.2 The email account that you tried to reach is over quota\.", rb"421 4\.4\.5 Server busy, try again later\."
SYSTEM, EXCEEDED = rb"-ERR \[SYS/TEMP\] Temporary system problem\.", rb"-ERR \[SYS/TEMP\] Account exceeded command or bandwidth limits\."
MANY, GUESSED = rb"-ERR \[SYS/TEMP\] Too many simultaneous connections\.", rb"454 4\.7\.0 Too many login attempts, please try again later\."
WRONG = rb"-ERR \[AUTH\] Username and password not accepted\."
# The fault, what is said in its place, and what follows.
ROWS = [(Pop, *row) for row in [
    ("pop.connect refuse", SYSTEM, ENDS), ("pop.connect overquota", EXCEEDED, ENDS), ("pop.connect too-many-connections", MANY, ENDS),
    ("pop.connect drop", NOTHING, ENDS), ("pop.connect half", HALF, ENDS),
    ("pop.login refuse", WRONG, AGAIN), ("pop.login overquota", EXCEEDED, AGAIN), ("pop.login too-many-connections", MANY, AGAIN),
    ("pop.login drop", NOTHING, ENDS), ("pop.login half", HALF, ENDS), (f"pop.login {DELAY}", None, SLOW),
    (f"pop.login {THROTTLE}", None, SLOW),
    ("pop.stat refuse", SYSTEM, AGAIN), ("pop.stat overquota", EXCEEDED, AGAIN), ("pop.stat drop", NOTHING, ENDS),
    ("pop.stat half", HALF, ENDS), (f"pop.stat {DELAY}", None, SLOW), ("pop.stat throttle 40", None, SLOW),
    ("pop.retr refuse", SYSTEM, AGAIN), ("pop.retr drop", NOTHING, ENDS), ("pop.retr half", HALF, ENDS),
    (f"pop.retr {DELAY}", None, SLOW), ("pop.retr throttle 800", None, SLOW), ("pop.quit drop", NOTHING, ENDS)]]
ROWS += [(Smtp, *row) for row in [
    ("smtp.connect overquota", BUSY, ENDS), ("smtp.connect too-many-connections", BUSY, ENDS), ("smtp.connect drop", NOTHING, ENDS),
    ("smtp.ehlo refuse", TEMPORARY, AGAIN), ("smtp.ehlo drop", NOTHING, ENDS), ("smtp.ehlo half", HALF, ENDS),
    ("smtp.login refuse", rb"535-5\.7\.8 ", AGAIN), ("smtp.login overquota", GUESSED, AGAIN), ("smtp.login drop", NOTHING, ENDS),
    ("smtp.login half", HALF, ENDS), (f"smtp.login {DELAY}", None, SLOW), (f"smtp.login {THROTTLE}", None, SLOW),
    ("smtp.mail half", HALF, ENDS), (f"smtp.mail {DELAY}", None, SLOW), (f"smtp.mail {THROTTLE}", None, SLOW),
    ("smtp.rcpt overquota", FULL, AGAIN), ("smtp.rcpt half", HALF, ENDS), (f"smtp.rcpt {THROTTLE}", None, SLOW),
    ("smtp.data overquota", TOO_MUCH, AGAIN), ("smtp.data half", HALF, ENDS), (f"smtp.data {DELAY}", None, SLOW),
    (f"smtp.data {THROTTLE}", None, SLOW),
    ("smtp.message refuse", TEMPORARY, AGAIN), ("smtp.message overquota", TOO_MUCH, AGAIN), ("smtp.message drop", NOTHING, ENDS),
    ("smtp.message half", HALF, ENDS), (f"smtp.message {DELAY}", None, SLOW), (f"smtp.message {THROTTLE}", None, SLOW),
    ("smtp.quit half", HALF, ENDS)]]
ROWS += [(Mx, *row) for row in [
    ("mx.connect refuse", rb"421 4\.3\.0 Temporary System Problem\.", ENDS), ("mx.connect too-many-connections", BUSY, ENDS),
    ("mx.connect drop", NOTHING, ENDS), ("mx.ehlo overquota", FULL, AGAIN), (f"mx.mail {DELAY}", None, SLOW), ("mx.mail refuse", TEMPORARY, AGAIN),
    ("mx.rcpt refuse", rb"550 5\.1\.1 The email account that you tried to reach does not exist\.", AGAIN), ("mx.rcpt overquota", FULL, AGAIN),
    (f"mx.rcpt {THROTTLE}", None, SLOW), ("mx.rcpt half", HALF, ENDS), ("mx.data refuse", TEMPORARY, AGAIN), ("mx.data overquota", FULL, AGAIN),
    ("mx.data drop", NOTHING, ENDS), ("mx.data half", HALF, ENDS), ("mx.message refuse", TEMPORARY, AGAIN), ("mx.message overquota", FULL, AGAIN),
    ("mx.message drop", NOTHING, ENDS), ("mx.message half", HALF, ENDS), (f"mx.message {DELAY}", None, SLOW), (f"mx.message {THROTTLE}", None, SLOW)]]


@pytest.mark.parametrize("kind,typed,words,follows", ROWS, ids=[row[1].replace(" ", "-") for row in ROWS])
def test_row(dev, person, box, fault, kind, typed, words, follows):
    step, what = typed.split(".")[1].split()[0], typed.split()[1]
    fault(typed + " --times 1")
    line = kind(dev, person)
    well = {name: begins for name, _, begins in line.steps()}
    names = list(well)
    before = line.play(last=step)
    for name in names[:names.index(step)]:
        assert before[name].startswith(well[name]), (name, before[name])
    said = before[step]
    if words is None:
        assert said.startswith(well[step]) and said.endswith(b"\n"), said
        # A tenth of a second of the rate goes at once, and the rest in pieces.
        held = HELD if what == "delay" else len(said) / float(typed.split()[2]) - 0.1
        assert line.took[step] >= held * 0.9, line.took
    elif words == HALF:
        assert said and not said.endswith(b"\n") and (said.startswith(well[step][:8]) or well[step].startswith(said)), said
    else:
        assert re.match(words, said) if words else said == NOTHING, said
    if follows == ENDS:
        assert line.at_its_end()
    else:
        rest = line.play(first=line.back.get(step, step) if follows == AGAIN else (names + [None])[names.index(step) + 1])
        assert list(rest)[-1] == names[-1], rest
        for name, said in rest.items():
            assert said.startswith(well[name]), (name, said)
    assert struck(dev) == [1]
    # What was taken arrives, also when the answer was cut, and what was refused or dropped does not.
    taken = [subject for subject, said in line.messages if said.startswith(b"250")]
    eventually(lambda: set(arrived(box, line.messages)) >= set(taken), what=str(taken))
    assert arrived(box, line.messages) == taken


def arrived(box, messages):
    box.select()
    return [subject for subject, _ in messages if box.search(None, "SUBJECT", subject)[1] != [b""]]


@pytest.mark.parametrize("kind,target", [(Pop, "pop.login"), (Pop, "pop.stat"), (Pop, "pop.retr"), (Smtp, "smtp.login"), (Smtp, "smtp.data"),
                                         (Smtp, "smtp.message"), (Mx, "mx.rcpt"), (Mx, "mx.data"), (Mx, "mx.message")])
def test_a_row_for_one_person_only(dev, person, fault, kind, target):
    step = target.split(".")[1]
    other = dev.person()
    fault(f"{target} drop --account {person.address.upper()}")
    assert kind(dev, other).play()["quit"]
    assert kind(dev, person).play()[step] == NOTHING
    assert kind(dev, other).play()["quit"]
    assert struck(dev) == [1]


# ---- the authorization server -----------------------------------------------------------------------------------------------

class Programs:
    """One way to ask each endpoint, always well."""

    def __init__(self, dev):
        self.dev, self.person = dev, dev.person()
        self.browser = Browser(dev)
        self.browser.sign_in(self.person)
        self.app, self.device_app = App(dev, "Rows"), App(dev, "Television", "--device", redirects=())
        self.service = json.loads(dev.run("app", "add", "Robot", "--service", "--delegate", "pillarbox:admin", "--delegate", MAIL))
        self.tokens = self.app.tokens(self.browser, access_type="offline", prompt="consent", scope="openid email")

    def authorize(self):
        return self.browser.authorize(**self.app.request(Pkce(), prompt="consent", state="kept"))

    def code(self):
        pkce = Pkce()
        return lambda code=self.browser.allow(**self.app.request(pkce)).sent["code"]: self.app.redeem(code, pkce)

    def refresh(self):
        return self.app.refresh(self.tokens["refresh_token"])

    def device(self):
        begun = self.device_app.call("/device/code", scope=MAIL).json
        page = self.browser.post("/device", {"user_code": begun["user_code"]})
        page = page if page.status == 200 else self.browser.get(page.location)
        fields = {name: form_field(page.text, name) for name in ("then", "account")}
        assert self.browser.post("/device/consent", {**fields, "answer": "allow"}).status == 200
        grant = "urn:ietf:params:oauth:grant-type:device_code"
        return lambda: self.device_app.call("/token", grant_type=grant, device_code=begun["device_code"])

    def assertion(self):
        now, file = int(time.time()), self.service
        claims = {"iss": file["client_id"], "sub": self.person.address, "aud": self.dev["token_url"], "scope": MAIL, "iat": now, "exp": now + 600}
        text = jwt.encode({"alg": "RS256", "kid": file["private_key_id"]}, claims, RSAKey.import_key(file["private_key"]))
        return form(self.dev, "/token", grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer", assertion=text)

    def client_credentials(self):
        return form(self.dev, "/token", grant_type="client_credentials", client_id=self.service["client_id"], client_secret=self.service["client_secret"])

    def device_code(self):
        return self.device_app.call("/device/code", scope=MAIL)

    def par(self):
        return self.app.call("/par", **self.app.request(Pkce()))

    def introspect(self):
        return self.app.call("/introspect", token=self.tokens["access_token"])

    def register(self):
        body = json.dumps({"redirect_uris": ["https://app.example/cb"], "client_name": "Registered by a row"}).encode()
        return ask(self.dev, "POST", "/register", body, {"Content-Type": "application/json"})

    def revoke(self):
        token = self.person.token("--refresh")
        return lambda: form(self.dev, "/revoke", token=token)

    def userinfo(self):
        return userinfo(self.dev, self.tokens["access_token"])

    def keys(self):
        return ask(self.dev, "GET", "/oauth2/v3/certs")

    def discovery(self):
        return ask(self.dev, "GET", "/.well-known/openid-configuration")


def form(dev, path, **fields):
    return ask(dev, "POST", path, urllib.parse.urlencode(fields).encode(), {"Content-Type": "application/x-www-form-urlencoded"})


@pytest.fixture(scope="module")
def programs(dev):
    return Programs(dev)


def prepared(programs, name):
    """The last request of an endpoint's way, for which what comes before was done."""
    way = getattr(programs, name)
    if name not in ("code", "device", "revoke"):
        return way
    return way()


GRANTS = {"code", "refresh", "device", "assertion", "client_credentials"}
KNOWING = ["authorize", "code", "refresh", "device", "assertion", "introspect", "revoke", "userinfo"]
# Its status when all is well, and its ordinary refusal.
ENDPOINTS = {
    "authorize": (200, 303, "access_denied"), "code": (200, 400, "invalid_grant"), "refresh": (200, 400, "invalid_grant"),
    "device": (200, 400, "access_denied"), "assertion": (200, 400, "invalid_grant"), "client_credentials": (200, 401, "invalid_client"),
    "device_code": (200, 403, "access_denied"), "par": (201, 401, "invalid_client"), "introspect": (200, 401, "invalid_client"),
    "register": (201, 400, "invalid_client_metadata"), "revoke": (200, 403, "access_denied"), "userinfo": (200, 401, "invalid_token"),
    "keys": (200, 403, "access_denied"), "discovery": (200, 403, "access_denied")}


@pytest.mark.parametrize("kind", ["refuse", "500", "503", "drop", "half", DELAY])
@pytest.mark.parametrize("name", ENDPOINTS)
def test_endpoint(dev, programs, fault, name, kind):
    well, refused, error = ENDPOINTS[name]
    call = prepared(programs, name)
    fault(f"oauth.{name} {kind} --times 1")
    begun = time.monotonic()
    if kind in ("drop", "half"):
        with pytest.raises(Exception) as broken:
            call()
        assert type(broken.value).__name__ in ("IncompleteRead", "RemoteDisconnected", "ConnectionResetError", "SSLEOFError"), broken.value
    else:
        answer = call()
        if kind == "refuse":
            assert answer.status == refused, answer
            if name == "authorize":
                sent = answer.sent
                assert answer.location.startswith(programs.app.redirect + "?") and sent["error"] == error, answer
                assert sent["state"] == "kept" and sent["iss"] == dev["issuer"] and "code" not in sent
            else:
                assert answer.json["error"] == error
        elif kind in ("500", "503"):
            told = {"500": "server_error", "503": "temporarily_unavailable"}[kind]
            assert (answer.status, answer.json["error"]) == (int(kind), told)
            assert (answer.header("retry-after") == "1") == (kind == "503")
        else:
            assert answer.status == well and time.monotonic() - begun >= HELD
    assert struck(dev) == [1]
    if kind in ("refuse", "drop"):
        # Nothing was done, so the same request does it now.
        assert call().status == well


@pytest.mark.parametrize("kind,error", [("revoked", "Token has been expired or revoked."), ("invalid_grant", "Bad Request")])
@pytest.mark.parametrize("name", sorted(GRANTS - {"client_credentials"}))
def test_every_grant_can_be_over(dev, programs, fault, name, kind, error):
    call = prepared(programs, name)
    fault(f"oauth.{name} {kind} --times 1")
    answer = call()
    assert (answer.status, answer.json) == (400, {"error": "invalid_grant", "error_description": error})
    assert call().status == 200


@pytest.mark.parametrize("kind", ["server_error", "temporarily_unavailable"])
def test_a_browser_brings_the_error_to_the_program(dev, programs, fault, kind):
    fault(f"oauth.authorize {kind}")
    sent = programs.authorize().sent
    assert (sent["error"], sent["state"], sent["iss"]) == (kind, "kept", dev["issuer"])
    # Also to one who is not signed in, and by POST; never to an address that is not the program's.
    stranger = Browser(dev)
    assert stranger.authorize(**programs.app.request(Pkce())).sent["error"] == kind
    assert stranger.post("/o/oauth2/v2/auth", programs.app.request(Pkce()), origin=programs.app.redirect).sent["error"] == kind
    wrong = stranger.authorize(**(programs.app.request(Pkce()) | {"redirect_uri": "https://evil.example/cb"}))
    assert wrong.status == 400 and wrong.location is None
    refused = dev.run("fault", "set", "oauth.token", kind, check=False)
    assert refused.returncode == 2 and "try oauth.authorize" in refused.stderr


@pytest.mark.parametrize("name", KNOWING)
def test_an_endpoint_for_one_person_only(dev, programs, fault, name):
    well = ENDPOINTS[name][0]
    call = prepared(programs, name)
    fault(f"oauth.{name} 503 --times 1 --account bob@example.test")
    assert call().status == well
    clear(dev)
    call = prepared(programs, name)
    fault(f"oauth.{name} 503 --times 1 --account {programs.person.address}")
    assert call().status == 503
    assert call().status == well
    if name in GRANTS:
        clear(dev)
        fault(f"oauth.token 500 --account {programs.person.address}")
        assert prepared(programs, name)().status == 500
        assert programs.client_credentials().status == 200, "nobody's"


@pytest.mark.parametrize("target", ["oauth.par", "oauth.register", "oauth.keys", "oauth.discovery", "oauth.device_code", "oauth.client_credentials",
                                    "mx.mail", "mx.connect", "imap.connect", "smtp.connect"])
def test_where_nobody_is_known_the_command_says_so(dev, target):
    done = dev.run("fault", "set", target, "drop", "--account", "ada@example.test", check=False)
    assert done.returncode == 2 and f"{target} cannot be for one account only: " in done.stderr, done.stderr


# ---- chance -----------------------------------------------------------------------------------------------------------------

def test_probability_of_one_is_always_and_of_a_half_is_half(dev, programs, fault):
    fault("oauth.keys 503 --probability 1")
    assert {programs.keys().status for _ in range(10)} == {503}
    fault("oauth.keys 503 --probability 0.5")
    draws = 200
    hits = sum(programs.keys().status == 503 for _ in range(draws))
    # Hoeffding's bound: a fair coin is further off than this once in a thousand million runs.
    assert abs(hits - draws / 2) < 47, hits
    assert struck(dev) == [hits]
    refused = dev.run("fault", "set", "oauth.keys", "503", "--probability", "0", check=False)
    assert refused.returncode == 2 and "a probability is above 0" in refused.stderr
