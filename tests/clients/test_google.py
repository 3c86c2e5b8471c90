"""Google's own Python libraries against our issuer, with nothing but other addresses: a service account that acts for a mailbox
(google-auth), and programs with browser, refresh and consent (google-auth-oauthlib): installed, and on a server, which asks for more
when it needs more."""
import base64
import html.parser
import imaplib
import json
import poplib
import re
import urllib.parse

import google.auth.exceptions
import google.auth.transport.requests
import google.oauth2.service_account
import google_auth_oauthlib.flow
import pytest
import requests

MAIL = "https://mail.google.com/"


def trusting(server, session):
    """Checks certificates by our authority, whatever bundle the environment names."""
    session.verify, session.trust_env = server["ca"], False
    return session


@pytest.fixture
def transport(server):
    session = trusting(server, requests.Session())
    yield google.auth.transport.requests.Request(session)
    session.close()


def signs_in(server, address, token):
    box = imaplib.IMAP4_SSL("localhost", server.port("imap"), ssl_context=server.tls())
    try:
        return box.authenticate("XOAUTH2", lambda _: f"user={address}\1auth=Bearer {token}\1\1".encode())[0] == "OK"
    finally:
        box.logout()


@pytest.fixture(scope="module")
def key_file(server, tmp_path_factory):
    path = tmp_path_factory.mktemp("service") / "key.json"
    path.write_text(server.run("app", "add", "Archive", "--service", "--delegate", MAIL))
    yield path
    server.run("app", "remove", json.loads(path.read_text())["client_id"], "--yes")


def service_account(key_file, subject, scope=MAIL):
    return google.oauth2.service_account.Credentials.from_service_account_file(key_file, scopes=[scope], subject=subject)


def test_a_service_account_reads_a_mailbox(server, person, transport, key_file):
    credentials = service_account(key_file, person.address)
    credentials.refresh(transport)
    assert credentials.valid and signs_in(server, person.address, credentials.token)


def test_what_is_delegated_no_more_ends_at_once(server, person, transport, tmp_path):
    """Sessions and tokens alike; those of what it may still do go on."""
    file = tmp_path / "key.json"
    file.write_text(server.run("app", "add", "Narrowed", "--service", "--delegate", "pillarbox:imap", "--delegate", "pillarbox:pop"))
    tokens = {}
    for scope in ("pillarbox:imap", "pillarbox:pop"):
        credentials = service_account(file, person.address, scope)
        credentials.refresh(transport)
        tokens[scope] = credentials.token
    sign = f"user={person.address}\1auth=Bearer {tokens['pillarbox:imap']}\1\1"
    box = imaplib.IMAP4_SSL("localhost", server.port("imap"), ssl_context=server.tls())
    box.authenticate("XOAUTH2", lambda _: sign.encode())

    pop = poplib.POP3_SSL("localhost", server.port("pop"), context=server.tls())
    sign = f"user={person.address}\1auth=Bearer {tokens['pillarbox:pop']}\1\1"
    assert pop._shortcmd("AUTH XOAUTH2 " + base64.b64encode(sign.encode()).decode()).startswith(b"+OK")

    server.run("app", "delegate", json.loads(file.read_text())["client_id"], "pillarbox:pop")
    box.sock.settimeout(5)
    assert box.readline().startswith(b"* BYE")
    with pytest.raises(imaplib.IMAP4.error):
        signs_in(server, person.address, tokens["pillarbox:imap"])
    assert pop.noop().startswith(b"+OK"), "this one is still delegated"
    pop.quit()
    server.run("app", "remove", json.loads(file.read_text())["client_id"], "--yes")


@pytest.mark.parametrize("change, error", [
    ({"subject": "nobody@example.test"}, "invalid_grant"),
    ({"scope": "https://www.googleapis.com/auth/gmail.imap_admin"}, "unauthorized_client"),
    ({"scope": "https://www.googleapis.com/auth/drive"}, "invalid_scope"),
])
def test_what_a_service_account_is_refused(person, transport, key_file, change, error):
    credentials = service_account(key_file, **({"subject": person.address} | change))
    with pytest.raises(google.auth.exceptions.RefreshError, match=error):
        credentials.refresh(transport)


def test_the_key_of_somebody_else(server, person, transport, key_file, tmp_path):
    other = json.loads(server.run("app", "add", "Other", "--service", "--delegate", MAIL))
    mixed = json.loads(key_file.read_text()) | {"private_key": other["private_key"]}
    (tmp_path / "mixed.json").write_text(json.dumps(mixed))
    with pytest.raises(google.auth.exceptions.RefreshError, match="invalid_grant"):
        service_account(tmp_path / "mixed.json", person.address).refresh(transport)
    server.run("app", "remove", other["client_id"], "--yes")


class Form(html.parser.HTMLParser):
    """The hidden fields of a page, and where its main form leads."""

    def __init__(self, page):
        super().__init__()
        self.fields = {}
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "input" and attributes.get("type") == "hidden":
            self.fields[attributes["name"]] = attributes.get("value", "")


def allow(server, person, address, name="Desktop program"):
    """Signs in and allows, as a browser without scripts; where it is sent in the end."""
    browser = trusting(server, requests.Session())
    issuer = server["issuer"]
    page = browser.get(address)
    assert page.ok and 'name="password"' in page.text
    page = browser.post(issuer + "/signin", Form(page.text).fields | {"address": person.address, "password": person.password})
    assert page.ok and name in page.text
    sent = browser.post(issuer + "/consent", Form(page.text).fields | {"answer": "allow"}, allow_redirects=False)
    browser.close()
    return sent.headers["location"]


def test_an_installed_program(server, person, transport):
    config = {"installed": {
        "client_id": "desktop", "client_secret": "", "auth_uri": server["auth_url"], "token_uri": server["token_url"], "redirect_uris": ["http://localhost"]}}
    flow = google_auth_oauthlib.flow.InstalledAppFlow.from_client_config(config, scopes=[MAIL], redirect_uri="http://localhost:8085/")
    trusting(server, flow.oauth2session)
    address, state = flow.authorization_url(login_hint=person.address, access_type="offline", prompt="consent")
    back = allow(server, person, address)
    told = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(back).query))
    assert back.startswith("http://localhost:8085/?") and told["state"] == state and told["iss"] == server["issuer"]
    # The library's own local server does the same: it takes https only, where nobody can listen anyway.
    flow.fetch_token(authorization_response=back.replace("http://", "https://", 1))
    credentials = flow.credentials
    first = credentials.token
    assert signs_in(server, person.address, first)
    credentials.refresh(transport)
    assert credentials.token != first and signs_in(server, person.address, credentials.token)
    # Revoked at the server, the library learns it as its users know it from Google.
    assert transport.session.post(server["issuer"] + "/revoke", {"token": credentials.refresh_token}).ok
    with pytest.raises(google.auth.exceptions.RefreshError, match="invalid_grant"):
        credentials.refresh(transport)


@pytest.fixture
def app(server):
    """Registers programs with a secret: their client file, as Google's console gives it."""
    made = []

    def add(kind, redirect):
        done = server.run("app", "add", "Calendar", "--redirect", redirect, check=False)
        assert done.returncode == 0, done.stderr
        made.append(re.search(r"Made app (\S+?)\.", done.stderr)[1])
        return {kind: {"client_id": made[-1], "client_secret": done.stdout.strip(), "auth_uri": server["auth_url"],
                       "token_uri": server["token_url"], "redirect_uris": [redirect]}}

    yield add
    for client in made:
        server.run("app", "remove", client, "--yes")


def test_a_web_program_asks_for_more_when_it_needs_more(server, person, transport, app, monkeypatch):
    """Incremental authorization, as Google's pages tell web programs to do it: each time with access_type=offline and
    include_granted_scopes, and credentials that refresh to all of it."""
    # The library takes an answer for more than was asked for only if it is told to, with Google as with us.
    monkeypatch.setenv("OAUTHLIB_RELAX_TOKEN_SCOPE", "1")
    redirect = "https://calendar.example/oauth2callback"
    config = app("web", redirect)

    def authorized(scopes):
        flow = google_auth_oauthlib.flow.Flow.from_client_config(config, scopes=scopes, redirect_uri=redirect)
        trusting(server, flow.oauth2session)
        address, _ = flow.authorization_url(access_type="offline", include_granted_scopes="true")
        flow.fetch_token(authorization_response=allow(server, person, address, "Calendar"))
        return flow.credentials

    first = authorized(["openid", "https://www.googleapis.com/auth/userinfo.email"])
    assert first.refresh_token
    second = authorized([MAIL])
    assert second.refresh_token and second.refresh_token != first.refresh_token
    assert set(second.granted_scopes) >= {"openid", MAIL}
    old = second.token
    second.refresh(transport)
    assert second.token != old and signs_in(server, person.address, second.token)
    first.refresh(transport)
    with pytest.raises(imaplib.IMAP4.error):
        signs_in(server, person.address, first.token)


@pytest.mark.parametrize("pkce", [True, False], ids=["with PKCE", "without"])
def test_an_installed_program_with_a_secret_that_is_none(server, person, transport, app, pkce):
    """Google's console gives installed programs a secret, and libraries send it; each sign-in has a page and a refresh token."""
    config = app("installed", "http://localhost")
    tokens = set()
    for _ in range(2):
        flow = google_auth_oauthlib.flow.InstalledAppFlow.from_client_config(
            config, scopes=[MAIL], redirect_uri="http://localhost:8085/", autogenerate_code_verifier=pkce)
        trusting(server, flow.oauth2session)
        address, _ = flow.authorization_url(access_type="offline")
        assert ("code_challenge" in address) == pkce
        back = allow(server, person, address, "Calendar")
        flow.fetch_token(authorization_response=back.replace("http://", "https://", 1))
        flow.credentials.refresh(transport)
        tokens.add(flow.credentials.refresh_token)
    assert len(tokens) == 2 and None not in tokens
