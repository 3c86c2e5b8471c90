"""What an attacker has: a browser that shows everything it is told, programs of their own, and bytes by hand."""
import base64
import hashlib
import html.parser
import http.client
import json
import re
import secrets
import socket
import urllib.parse

OWN = object()
PATIENCE = 30
CALLBACK = "https://app.example/cb"
MAIL = "https://mail.google.com/"


class Answer:
    """One HTTP answer."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        return found[0] if found else None

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def location(self):
        return self.header("location")

    @property
    def query(self):
        """What the browser carries on, as pairs: a name that is there twice stays visible."""
        return urllib.parse.parse_qsl(urllib.parse.urlsplit(self.location or "").query, keep_blank_values=True)

    @property
    def sent(self):
        names = [name for name, _ in self.query]
        assert len(names) == len(set(names)), f"a parameter is there twice: {self.location}"
        return dict(self.query)

    def __repr__(self):
        return f"{self.status} {self.location or ''} {self.text[:400]}"


def ask(server, method, path, body=None, headers=()):
    """One request on a connection of its own."""
    line = http.client.HTTPSConnection("localhost", server.port("web"), context=server.tls(), timeout=PATIENCE)
    try:
        try:
            line.request(method, path, body=body, headers=dict(headers))
        except OSError:
            pass  # it hung up on a body it does not want; what it said before may still be there
        got = line.getresponse()
        return Answer(got.status, got.getheaders(), got.read())
    finally:
        line.close()


def takes_no_body_of(server, path, size):
    """Whether a form of so many bytes is refused before it is read to its end."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {size}\r\n\r\n"
    got = by_hand(server, head.encode() + b"a=" + b"x" * (size - 3))  # one byte is never sent: whoever waits for it reads all
    return got == b"" or got.startswith(b"HTTP/1.1 413 ")


def path_of(server, address):
    """The path and query of an address of ours."""
    if address.startswith("/"):
        return address
    assert address.startswith(server["issuer"] + "/"), f"{address} leads elsewhere"
    return address[len(server["issuer"]):]


class Browser:
    """A browser without scripts: keeps cookies, follows nothing by itself, and says where a form came from as browsers do."""

    def __init__(self, server, cookies=None):
        self.server, self.cookies, self.set_cookies = server, dict(cookies or {}), []

    def request(self, method, address, body=None, headers=()):
        headers = {"User-Agent": "attacks", **dict(headers)}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = ask(self.server, method, path_of(self.server, address), body, headers)
        for key, line in answer.headers:
            if key.lower() == "set-cookie":
                self.set_cookies.append(line)
                name, value = line.split(";")[0].split("=", 1)
                if value:
                    self.cookies[name] = value
                else:
                    self.cookies.pop(name, None)
        return answer

    def get(self, address, **headers):
        return self.request("GET", address, headers=headers)

    def post(self, address, fields, origin=OWN, **headers):
        """A form. `origin` is where it stood: by default one of our own pages; None is a client that does not say."""
        if origin is OWN:
            headers = {"Origin": self.server["issuer"], "Sec-Fetch-Site": "same-origin", **headers}
        elif origin is not None:
            headers = {"Origin": origin, **headers}
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return self.request("POST", address, urllib.parse.urlencode(fields).encode(), headers)

    def sign_in(self, person, then=""):
        answer = self.post("/signin", {"then": then, "address": person.address, "password": person.password})
        assert answer.status == 303, answer
        return answer

    def is_signed_in(self):
        return self.get("/account").status == 200

    def authorize(self, **query):
        return self.get("/o/oauth2/v2/auth?" + urllib.parse.urlencode(query))

    def answer_consent(self, page, answer="allow"):
        """Presses a button of a consent page, with the fields it brought."""
        fields = {name: form_field(page.text, name) for name in ("then", "account")}
        return self.post("/consent", {**fields, "answer": answer})

    def allow(self, **query):
        """From the authorization endpoint to what the program gets."""
        page = self.authorize(**query)
        if page.status == 200:
            page = self.answer_consent(page)
        assert page.status == 303, page
        return page


def form_field(text, name):
    for inputs in elements(text, "input"):
        if inputs.get("name") == name:
            return inputs.get("value", "")
    raise AssertionError(f"no field {name} in {text[:2000]}")


class Elements(html.parser.HTMLParser):
    """Every start tag with its attributes, and all text, as a parser that is not the template's sees them."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.tags, self.words = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs), [name for name, _ in attrs]))

    def handle_data(self, data):
        self.words.append(data)


def parsed(text):
    parser = Elements()
    parser.feed(text)
    parser.close()
    return parser


def elements(text, tag):
    return [attributes for name, attributes, _ in parsed(text).tags if name == tag]


class Pkce:
    def __init__(self):
        self.verifier = secrets.token_urlsafe(48)
        self.challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()

    @property
    def asked(self):
        return {"code_challenge": self.challenge, "code_challenge_method": "S256"}


class App:
    """A registered program."""

    def __init__(self, server, name, *options, redirects=(CALLBACK,)):
        self.server, self.name = server, name
        words = ["app", "add", name, *options]
        for redirect in redirects:
            words += ["--redirect", redirect]
        done = server.run(*words, check=False)
        assert done.returncode == 0, done.stderr
        self.id = re.search(r"Made (?:app|service account) (\S+?)\.", done.stderr)[1]
        shown = done.stdout.strip()
        if shown.startswith("{"):
            self.secret = json.loads(shown).get("client_secret")
        else:
            self.secret = None if shown == self.id else shown
        self.redirect = redirects[0] if redirects else None

    def request(self, pkce=None, **more):
        query = {"client_id": self.id, "redirect_uri": self.redirect, "response_type": "code", "scope": MAIL, "state": "s-" + secrets.token_hex(4)}
        if pkce:
            query |= pkce.asked
        query |= more
        return {name: value for name, value in query.items() if value is not None}

    def call(self, path, basic=False, **fields):
        """An endpoint for programs, with this program's credentials unless told otherwise."""
        fields = {"client_id": self.id, "client_secret": self.secret, **fields}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if basic:
            pair = f"{fields.pop('client_id')}:{fields.pop('client_secret')}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        body = urllib.parse.urlencode({name: value for name, value in fields.items() if value is not None})
        return ask(self.server, "POST", path, body.encode(), headers)

    def redeem(self, code, pkce=None, **more):
        verifier = pkce.verifier if pkce else None
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect, "code_verifier": verifier}
        return self.call("/token", **(fields | more))

    def refresh(self, token, **more):
        return self.call("/token", **({"grant_type": "refresh_token", "refresh_token": token} | more))

    def tokens(self, browser, **more):
        """The whole way, for somebody who is signed in."""
        pkce = Pkce()
        got = browser.allow(**self.request(pkce, **more))
        assert "code" in got.sent, got
        answer = self.redeem(got.sent["code"], pkce)
        assert answer.status == 200, answer
        return answer.json


def userinfo(server, token, scheme="Bearer"):
    return ask(server, "GET", "/v1/userinfo", headers={"Authorization": f"{scheme} {token}"})


def opens_imap(server, address, token):
    """Whether a token opens a mailbox."""
    import imaplib
    box = imaplib.IMAP4_SSL("localhost", server.port("imap"), ssl_context=server.tls())
    try:
        box.authenticate("XOAUTH2", lambda _: f"user={address}\1auth=Bearer {token}\1\1".encode())
        return True
    except imaplib.IMAP4.error:
        return False
    finally:
        box.shutdown()


def by_hand(server, data, service="web", tls=True, alpn=None, patience=PATIENCE):
    """Sends bytes and reads to the end of the connection."""
    plain = socket.create_connection(("127.0.0.1", server.port(service)), timeout=patience)
    context = server.tls()
    if alpn:
        context.set_alpn_protocols([alpn])
    line = context.wrap_socket(plain, server_hostname="localhost") if tls else plain
    with line:
        got = b""
        for step in (lambda: line.sendall(data) or b"", lambda: line.recv(1 << 16)):
            try:
                while piece := step():
                    got += piece
            except TimeoutError:
                raise
            except OSError:
                pass  # it hung up; what it said before may still be there
        return got
