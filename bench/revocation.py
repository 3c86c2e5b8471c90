#!/usr/bin/env python3
"""How long until the last session has heard of a revocation: real TLS connections in IDLE, against a server of its own.

  bench/revocation.py --program target/release/pillarbox              ten thousand sessions, three cases
  bench/revocation.py --program target/debug/pillarbox --sessions 500

Three cases, each among --sessions live ones; the clock runs from before the command is started to when the last connection has its BYE:

  grant    one grant that all of them rest on           pillarbox grant revoke
  account  fifteen sessions of one person, all others stay      pillarbox grant revoke
  app      one app in which each session is another person's    pillarbox app remove

Prints one JSON line a case. The server is `pillarbox dev --data` on loopback, in a folder that is removed. The limit of open files is raised
within the hard limit; connections are bounded by --sessions.
"""
import argparse
import base64
import concurrent.futures
import http.client
import json
import os
import pathlib
import resource
import select
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time

from mailbench import Meter, report
from servers import end_process

SESSIONS_MAX = 10_000
OF_ONE_PERSON = 15
#: How long to wait for sessions that are never told.
PATIENCE_SECONDS = 60
OPENING_AT_ONCE = 8
BYE = b"* BYE Session expired, please login again."


class Development:
    """A development server with its mail in a folder."""

    def __init__(self, program, folder, **settings):
        self.program = str(program)
        self.log = open(folder / "log", "ab")
        environment = {**os.environ, "XDG_DATA_HOME": str(folder / "home"),
                       **{"PILLARBOX_" + name: value for name, value in settings.items()}}
        self.process = subprocess.Popen([self.program, "dev", "--data", folder / "data", "--ports", "auto", "--json"],
                                        stdout=subprocess.PIPE, stderr=self.log, env=environment)
        self.facts = json.loads(self.process.stdout.readline())
        self.environment = {**environment, **{"PILLARBOX_" + k.upper(): str(v) for k, v in self.facts.items()}}
        self.tls = ssl.create_default_context(cafile=self.facts["ca"])

    def command(self, *words):
        done = subprocess.run([self.program, *words], capture_output=True, text=True, env=self.environment)
        if done.returncode:
            raise RuntimeError("pillarbox %s: %s" % (" ".join(words), done.stderr.strip()))
        return done.stdout

    def ask(self, **request):
        """One request over the local socket: ten thousand commands would measure the starting of programs."""
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.facts["admin"])
            s.sendall(json.dumps(request).encode() + b"\n")
            answer = json.loads(s.makefile().readline())
        if "ok" not in answer:
            raise RuntimeError("%s: %s" % (request["do"], answer))
        return answer["ok"]

    def mint(self, wanted):
        """Tokens from the console, over one connection."""
        web = http.client.HTTPSConnection("localhost", int(self.facts["web_port"]), context=self.tls)
        made = []
        for one in wanted:
            web.request("POST", "/dev/api/tokens", json.dumps({"lifetime": "24h", **one}))
            answer = web.getresponse()
            body = json.load(answer)
            if answer.status != 200:
                raise RuntimeError(body)
            made.append(body)
        web.close()
        return made

    def stop(self):
        end_process(self.process.pid)
        self.process.wait()


def address(k):
    return "person%d@example.test" % k


class Session:
    """An IMAP connection in IDLE."""

    def __init__(self, server, user, token):
        raw = socket.create_connection(("127.0.0.1", int(server.facts["imap_port"])), 120)
        self.socket = server.tls.wrap_socket(raw, server_hostname="localhost")
        self.lines = self.socket.makefile("rb")
        self.until(b"* OK")
        blob = base64.b64encode(b"user=%s\1auth=Bearer %s\1\1" % (user.encode(), token.encode()))
        self.socket.sendall(b"a AUTHENTICATE XOAUTH2 " + blob + b"\r\n")
        self.until(b"a OK")
        self.socket.sendall(b"b SELECT INBOX\r\n")
        self.until(b"b OK")
        self.socket.sendall(b"c IDLE\r\n")
        self.until(b"+ ")

    def until(self, prefix):
        while True:
            line = self.lines.readline()
            if not line or line.startswith((b"a NO", b"b NO")):
                raise RuntimeError("%r instead of %r" % (line, prefix))
            if line.startswith(prefix):
                return

    def last_words(self):
        self.socket.settimeout(5)
        return self.lines.readline().rstrip()

    def close(self):
        self.socket.close()


def in_parallel(work, parts):
    with concurrent.futures.ThreadPoolExecutor(OPENING_AT_ONCE) as pool:
        return [one for part in pool.map(work, parts) for one in part]


def cut(everything):
    """In as many parts as work at once."""
    everything = list(everything)
    size = max(1, -(-len(everything) // OPENING_AT_ONCE))
    return [everything[at:at + size] for at in range(0, len(everything), size)]


def open_sessions(server, credentials):
    return in_parallel(lambda part: [Session(server, user, token) for user, token in part], cut(credentials))


def measure(server, case, sessions, told, command):
    """Runs the command; when did each of `told` have something to read?"""
    for one in sessions:
        one.socket.setblocking(False)
    poll = select.epoll()
    meant = {one.socket.fileno() for one in told}
    for one in sessions:
        poll.register(one.socket.fileno(), select.EPOLLIN | select.EPOLLET | select.EPOLLONESHOT)
    meter = Meter([server.process.pid])
    begun = time.perf_counter()
    running = subprocess.Popen([server.program, *command], env=server.environment, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    heard, commanded = {}, None
    while len(heard) < len(meant) and time.perf_counter() - begun < PATIENCE_SECONDS:
        for fd, _ in poll.poll(0.01, 4096):
            heard.setdefault(fd, time.perf_counter() - begun)
        if commanded is None and running.poll() is not None:
            commanded = time.perf_counter() - begun
    meter.stop()
    running.wait()
    commanded = commanded or time.perf_counter() - begun
    wrong = [one.last_words() for one in told if one.socket.fileno() in heard]
    wrong = [words for words in wrong if words != BYE]
    times = sorted(heard[fd] for fd in meant & heard.keys())
    load = os.getloadavg()[0]
    report("revocation", case=case, sessions=len(sessions), meant=len(meant), told=len(times) - len(wrong),
           others_told=len(heard.keys() - meant), first_ms=round(1e3 * times[0], 1) if times else None,
           median_ms=round(1e3 * times[len(times) // 2], 1) if times else None,
           last_ms=round(1e3 * times[-1], 1) if times else None, command_ms=round(1e3 * commanded, 1), load=round(load, 1), **meter.cpu)
    if running.returncode or len(times) < len(meant) or wrong or heard.keys() - meant:
        sys.exit("%s: not everybody who was meant was told, or somebody else was: %s" % (case, wrong[:3]))


def one_grant(server, count):
    [token] = server.mint([{"address": "ada@example.test"}])
    sessions = open_sessions(server, [("ada@example.test", token["access_token"])] * count)
    measure(server, "grant", sessions, sessions, ["grant", "revoke", "ada@example.test", token["grant"]])
    return sessions


def people_and_app(server, count):
    app = server.command("app", "add", "Crowd", "--native", "--redirect", "http://127.0.0.1/cb").strip()
    others = count - OF_ONE_PERSON
    names = [address(k) for k in range(others)]

    def add(part):
        for name in part:
            server.ask(**{"do": "account-add", "address": name, "password": None})
        return part
    in_parallel(add, cut(names))
    tokens = in_parallel(lambda part: server.mint([{"address": name, "client": app} for name in part]), cut(names))
    sessions = open_sessions(server, zip(names, (token["access_token"] for token in tokens)))
    [token] = server.mint([{"address": "bob@example.test"}])
    theirs = open_sessions(server, [("bob@example.test", token["access_token"])] * OF_ONE_PERSON)
    measure(server, "account", sessions + theirs, theirs, ["grant", "revoke", "bob@example.test", token["grant"]])
    [token] = server.mint([{"address": "bob@example.test"}])
    stay = open_sessions(server, [("bob@example.test", token["access_token"])] * OF_ONE_PERSON)
    measure(server, "app", sessions + stay, sessions, ["app", "remove", app, "--yes"])
    return sessions + theirs + stay


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--program", required=True, type=os.path.abspath)
    p.add_argument("--sessions", type=int, default=SESSIONS_MAX)
    p.add_argument("--only", nargs="+", choices=["grant", "people"], default=["grant", "people"])
    arguments = p.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(arguments.sessions, SESSIONS_MAX)
    if hard < 2 * OF_ONE_PERSON + count + 200:
        sys.exit("the hard limit of open files, %d, is too low for %d sessions" % (hard, count))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="revocation-"))
    try:
        for name, case in {"grant": one_grant, "people": people_and_app}.items():
            if name not in arguments.only:
                continue
            place = folder / name
            place.mkdir()
            server = Development(arguments.program, place, SESSION_IMAP_PER_ACCOUNT=str(SESSIONS_MAX))
            try:
                for one in case(server, count):
                    one.close()
            finally:
                server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
