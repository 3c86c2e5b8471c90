"""Whole-server tests: a real `pillarbox dev` on free loopback ports, real programs over real sockets, certificates checked.

`server` is one development server for the whole run, `own_server` one for a single test (clock, restart, kill).
`person` is a fresh account, so that tests do not see each other's mail. Nothing here sleeps for luck: `eventually` waits for
a condition, with a deadline.
"""
import itertools
import json
import os
import pathlib
import select
import shutil
import signal
import ssl
import subprocess
import time

import pytest

pytest_plugins = ["attacks.fixtures"]  # only the topmost conftest.py may name them
ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PROGRAM = pathlib.Path(os.environ.get("PILLARBOX_PROGRAM", TARGET / "debug" / "pillarbox"))
NODE_MODULES = pathlib.Path(os.environ.get("PILLARBOX_NODE", TARGET / "test-node")) / "node_modules"
DEADLINE = 30
# Where this runs behind a shell's `&` it ignores Ctrl-C, and so would every program under test.
signal.signal(signal.SIGINT, signal.default_int_handler)


def eventually(check, deadline=DEADLINE, what="the condition"):
    """Calls `check` until it returns something true; its result."""
    end = time.monotonic() + deadline
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > end:
            pytest.fail(f"{what} did not come true within {deadline} s")
        time.sleep(0.05)


def told(process):
    """The next line that a program prints; empty at its end. One that says nothing in time is not waited for."""
    ready, _, _ = select.select([process.stdout], [], [], DEADLINE)
    if not ready:
        waits = [(thread / "wchan").read_text() for thread in pathlib.Path(f"/proc/{process.pid}/task").iterdir()]
        pytest.fail(f"{process.args[0]} (process {process.pid}) said nothing within {DEADLINE} s; its threads wait in {waits}")
    return process.stdout.readline()


class Person:
    """An account of the server under test."""

    def __init__(self, server, address, password):
        self.server, self.address, self.password = server, address, password
        self._app_password = None

    def token(self, *options):
        return self.server.run("token", self.address, *options).strip()

    @property
    def app_password(self):
        if self._app_password is None:
            self._app_password = self.server.run("app-password", "add", self.address, "--name", "tests").strip().splitlines()[-1]
        return self._app_password

    def deliver(self, message, sender="someone@elsewhere.test"):
        """Brings a message as another mail server would."""
        import smtplib
        with smtplib.SMTP("localhost", self.server.port("incoming")) as mx:
            mx.sendmail(sender, [self.address], message)

    def imap(self):
        """imaplib, signed in with a token."""
        import imaplib
        box = imaplib.IMAP4_SSL("localhost", self.server.port("imap"), ssl_context=self.server.tls())
        blob = f"user={self.address}\1auth=Bearer {self.token()}\1\1".encode()
        box.authenticate("XOAUTH2", lambda _: blob)
        return box


class Server:
    """A running `pillarbox dev`."""

    def __init__(self, folder, *options, env=None, ports=("--ports", "auto")):
        self.folder, self.options = folder, (*ports, *options)
        self.extra = env or {}
        self.ca_home = folder / "home"
        self.ca_home.mkdir(exist_ok=True)
        self.log = open(folder / "log.txt", "ab")
        self.people = itertools.count(1)
        self.start()

    def start(self):
        base = {k: v for k, v in os.environ.items() if not k.startswith("PILLARBOX_")}
        base |= {"HOME": str(self.ca_home), "XDG_DATA_HOME": str(self.ca_home / "share"), **self.extra}
        self.process = subprocess.Popen(
            [PROGRAM, "dev", "--json", *self.options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, env=base, text=True)
        line = told(self.process)
        if not line:
            self.process.wait()
            pytest.fail("pillarbox dev ended: " + (self.folder / "log.txt").read_text()[-2000:])
        self.facts = json.loads(line)
        self.env = base | {"PILLARBOX_" + k.upper(): str(v) for k, v in self.facts.items() if isinstance(v, (str, int))}

    def __getitem__(self, name):
        return self.facts[name]

    def port(self, service):
        return int(self.facts[service + "_port"])

    def tls(self):
        return ssl.create_default_context(cafile=self["ca"])

    def run(self, *words, stdin=None, check=True, **more):
        """The program as a command; what it prints."""
        done = subprocess.run([PROGRAM, *words], input=stdin, env=self.env, text=True,
                              capture_output=True, timeout=DEADLINE, **more)
        if check and done.returncode:
            raise AssertionError(f"{words} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout if check else done

    def logged(self, words):
        """The log, once it has these words."""
        file = self.folder / "log.txt"
        return eventually(lambda: (text := file.read_text()).count(words) and text, what=words)

    def person(self, name="person"):
        address = f"{name}{next(self.people)}@example.test"
        self.run("account", "add", address, stdin="a long pass phrase\n")
        return Person(self, address, "a long pass phrase")

    def ada(self):
        return Person(self, "ada@example.test", "pillarbox")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        return self.process.returncode


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    assert server.stop() == 0, "the server did not end cleanly"


@pytest.fixture
def own_server(tmp_path):
    """Starts development servers of a test's own: own_server(*options)."""
    started = []

    def start(*options, env=None):
        folder = tmp_path / f"server{len(started)}"
        folder.mkdir()
        started.append(Server(folder, *options, env=env))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def person(server):
    return server.person()


@pytest.fixture
def tool():
    """The path of a program that others wrote; skips, and says so, where it is not installed."""

    def find(name):
        path = shutil.which(name)
        if path is None:
            pytest.skip(f"{name} is not installed")
        return path

    return find


def message(sender, to, subject, body="It works.\r\n", message_id=None):
    head = f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n"
    head += f"Message-ID: <{message_id or subject.replace(' ', '.')}@tests.example>\r\n"
    return (head + "\r\n" + body).encode()
