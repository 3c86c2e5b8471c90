"""An OpenID provider for tests: npm's oidc-provider over TLS, with a certificate authority of its own, and a browser made of
forms that signs in there. What a test starts here ends with it."""
import base64
import hashlib
import html
import http.cookiejar
import json
import re
import secrets
import socket
import ssl
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest
from conftest import NODE_MODULES, ROOT, eventually, told

SCRIPT = ROOT / "tests" / "clients" / "node" / "oidc-provider.mjs"
SECRET = "a secret with spaces & signs: +/="


class Provider:
    """The provider; `issuer` is good before it runs, so that servers can be told about it first."""

    def __init__(self, folder, node, openssl):
        self.folder, self.node = folder, node
        (folder / "node_modules").symlink_to(NODE_MODULES)
        self.script = folder / SCRIPT.name
        self.script.write_text(SCRIPT.read_text())  # beside node_modules, where imports are looked up
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.issuer = f"https://localhost:{self.port}"
        self.process, self.people = None, {}
        self.ca, self.tls = folder / "ca.pem", {"key": str(folder / "key.pem"), "cert": str(folder / "cert.pem")}
        run = lambda *words: subprocess.run([openssl, *words], check=True, capture_output=True, cwd=folder, timeout=30)
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        run("req", "-x509", *curve, "-keyout", "ca-key.pem", "-out", "ca.pem", "-subj", "/CN=Elsewhere authority",
            "-addext", "keyUsage=critical,keyCertSign")
        run("req", "-x509", *curve, "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost", "-CA", "ca.pem",
            "-CAkey", "ca-key.pem", "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE")
        (folder / "secret").write_text(SECRET + "\n")
        (folder / "secret").chmod(0o600)

    def settings(self, *lines):
        """A file that makes a server know this provider as `corp`."""
        text = f"""[oauth.external.corp]
issuer = "{self.issuer}"
client-id = "pillarbox"
client-secret-file = "{self.folder / 'secret'}"
label = "Corp"
ca-file = "{self.ca}"
"""
        file = self.folder / f"settings{secrets.token_hex(4)}.toml"
        file.write_text(text + "".join(line + "\n" for line in lines))
        return str(file)

    def start(self, server, kid="first", lifetime=600):
        facts = {"port": self.port, "tls": self.tls, "kid": kid, "lifetime": lifetime, "people": self.people, "secret": SECRET,
                 "redirect": f"{server['issuer']}/signin/external/corp/back"}
        with open(self.folder / "log.txt", "ab") as log:
            self.process = subprocess.Popen([self.node, self.script], env={"PROVIDER": json.dumps(facts), "PATH": "/usr/bin"},
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        line = told(self.process)
        assert line.strip() == "ready", (self.folder / "log.txt").read_text()[-2000:]
        return self

    def stop(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait(10)
            self.process.stdout.close()
            self.process = None

    def advance(self, seconds):
        """Its clock moves on, as the server's does by `clock advance`."""
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        assert told(self.process).strip() == "moved"

    def restart(self, server, **more):
        self.stop()
        return self.start(server, **more)


@pytest.fixture
def provider(tmp_path, tool):
    if not (NODE_MODULES / "oidc-provider").exists():
        pytest.skip("the Node packages are not installed; ./check installs them")
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    made = Provider(folder, tool("node"), tool("openssl"))
    yield made
    made.stop()


class Back(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not out to a program."""

    def redirect_request(self, request, body, code, words, headers, to):
        if to.startswith("http://127.0.0.1"):
            return None
        return super().redirect_request(request, body, code, words, headers, to)


class Page:
    def __init__(self, status, url, text, left):
        self.status, self.url, self.text, self.left = status, url, text, left

    def link(self, start):
        found = re.search(f'href="({re.escape(start)}[^"]*)"', self.text)
        assert found, self.text
        return html.unescape(found[1])

    def hidden(self):
        return {name: html.unescape(value) for name, value in re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', self.text)}


class Forms:
    """A browser of a person: cookies, redirects, forms."""

    def __init__(self, server, provider):
        tls = ssl.create_default_context(cafile=server["ca"])
        tls.load_verify_locations(provider.ca)
        self.server, self.provider = server, provider
        self.jar = http.cookiejar.CookieJar()
        cookies = urllib.request.HTTPCookieProcessor(self.jar)
        self.opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=tls), cookies, Back())
        self.url = server["issuer"] + "/"

    def open(self, url, **fields):
        url = urllib.parse.urljoin(self.url, url)
        body = urllib.parse.urlencode(fields).encode() if fields else None
        try:
            answer = self.opener.open(urllib.request.Request(url, body), timeout=30)
        except urllib.error.HTTPError as refused:
            answer = refused
        self.url = answer.url
        return Page(answer.status, answer.url, answer.read().decode(), answer.headers.get("location"))

    def at_provider(self, page, who):
        """Presses through the provider's own pages: who they are, and that they agree."""
        for _ in range(4):
            if not page.url.startswith(self.provider.issuer) or page.left:
                return page
            found = re.search(r'action="([^"]*)"', page.text)
            assert found, page.text
            prompt = re.search(r'name="prompt" value="([^"]*)"', page.text)[1]
            more = {"login": who, "password": "any"} if prompt == "login" else {}
            page = self.open(html.unescape(found[1]), prompt=prompt, **more)
        return page

    def sign_in(self, who, then=""):
        """The provider's button on the sign-in page, and through."""
        page = self.open(self.server["issuer"] + "/signin" + ("?" + urllib.parse.urlencode({"then": then}) if then else ""))
        page = self.open(page.link("/signin/external/corp"))
        return self.at_provider(page, who)

    def token(self, who, client="mutt", resource=None, scope="https://mail.google.com/", **more):
        """An access token of the provider, as a mail program gets one."""
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        resource = resource or self.server["issuer"]
        query = {"client_id": client, "redirect_uri": "http://127.0.0.1/back", "response_type": "code", "resource": resource,
                 "scope": "openid email " + scope, "code_challenge": challenge, "code_challenge_method": "S256"}
        page = self.at_provider(self.open(self.provider.issuer + "/auth?" + urllib.parse.urlencode(query)), who)
        assert page.left, page.text
        code = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(page.left).query))["code"]
        page = self.open(self.provider.issuer + "/token", grant_type="authorization_code", code=code, client_id=client,
                         redirect_uri="http://127.0.0.1/back", code_verifier=verifier, **more)
        return json.loads(page.text)["access_token"]
