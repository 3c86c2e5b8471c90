"""What the attacks need beside a development server: a real one, as it is installed."""
import json
import os
import pathlib
import socket
import ssl
import subprocess
import threading

import pytest

from attacks.attacker import App, Browser, ask
from conftest import DEADLINE, PROGRAM, Person

SERVICES = ("imap", "pop", "submission", "incoming", "web")


class RealServer:
    """`pillarbox serve` with a private authority: slows guesses down, has no console, hashes passwords dearly."""

    def __init__(self, folder, text=""):
        self.folder, self.facts, self.known = folder, {}, 0
        # Free at this moment; another program would have to be quick to take them.
        held = [socket.create_server(("127.0.0.1", 0)) for _ in SERVICES]
        ports = dict(zip(SERVICES, (one.getsockname()[1] for one in held)))
        for one in held:
            one.close()
        listen = "".join(f"{name} = ['127.0.0.1:{port}{'/tls' if name == 'submission' else ''}']\n" for name, port in ports.items())
        self.facts = {f"{name}_port": port for name, port in ports.items()}
        self.facts |= {"smtps_port": ports["submission"], "issuer": f"https://localhost:{ports['web']}"}
        file = folder / "pillarbox.toml"
        file.write_text(f"domain = 'example.test'\nhost = 'localhost'\ndata = '{folder / 'data'}'\n[listen]\n{listen}"
                        f"[tls]\nmode = 'private'\n[oauth]\nissuer = '{self.facts['issuer']}'\n{text}")
        file.chmod(0o600)
        base = {k: v for k, v in os.environ.items() if not k.startswith("PILLARBOX_")}
        self.env = base | {"HOME": str(folder), "PILLARBOX_CONFIG": str(file)}
        self.log = folder / "log.txt"
        self.process = subprocess.Popen([PROGRAM, "serve"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, env=self.env, text=True)
        self.lines, self.ready = [], threading.Event()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        if not self.ready.wait(DEADLINE):
            self.stop()
            pytest.fail("pillarbox serve is not ready: " + "".join(self.lines))
        self.facts["ca"] = str(folder / "data" / "authority" / "ca.pem")

    def read(self):
        for line in self.process.stderr:
            self.lines.append(line)
            if "is ready" in line:
                self.ready.set()

    def __getitem__(self, name):
        return self.facts[name]

    def port(self, service):
        return self.facts[service + "_port"]

    def tls(self):
        return ssl.create_default_context(cafile=self["ca"])

    def run(self, *words, stdin=None, check=True):
        done = subprocess.run([PROGRAM, *words], input=stdin, env=self.env, text=True, capture_output=True, timeout=DEADLINE)
        if check and done.returncode:
            raise AssertionError(f"{words} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout if check else done

    def person(self, name="person"):
        self.known += 1
        address = f"{name}{self.known}@example.test"
        self.run("account", "add", address, stdin="a long pass phrase\n")
        return Person(self, address, "a long pass phrase")

    def processor_ticks(self):
        """Processor time the server used so far, in clock ticks."""
        after_name = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(after_name[11]) + int(after_name[12])

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.reader.join(5)
        return self.process.returncode


@pytest.fixture(scope="session")
def real_server(tmp_path_factory):
    """As installed, with the default rules; nobody in it yet."""
    server = RealServer(tmp_path_factory.mktemp("real"))
    yield server
    assert server.stop() == 0, "the server did not end cleanly: " + "".join(server.lines[-20:])


@pytest.fixture(scope="session")
def web_app(server):
    """A program on a server, with a secret and two addresses."""
    return App(server, "Honest web program", redirects=("https://app.example/cb", "https://app.example/other?from=mail"))


@pytest.fixture(scope="session")
def evil_app(server):
    """Another program on the same server, whose owner means no good."""
    return App(server, "Evil web program", redirects=("https://evil.example/cb",))


@pytest.fixture(scope="session")
def native_app(server):
    return App(server, "Native program", "--native", redirects=("http://127.0.0.1/cb", "com.example.app:/cb"))


@pytest.fixture
def victim(server):
    """Somebody, and the browser they are signed in with."""
    person = server.person("victim")
    person.browser = Browser(server)
    person.browser.sign_in(person)
    return person


@pytest.fixture(scope="session")
def discovery(server):
    return json.loads(ask(server, "GET", "/.well-known/openid-configuration").body)
