"""Every secret there is, used in every way, and then looked for everywhere it does not belong: in what the server prints, in
what it remembers and shows, in the command line of its processes, and in its folder."""
import base64
import hashlib
import hmac
import json
import pathlib
import re
import struct
import time
import urllib.parse

import pytest

from attacks.attacker import MAIL, App, Browser, Pkce, elements, form_field, opens_imap, parsed


def one_time_code(secret, at):
    """RFC 6238."""
    key = base64.b32decode(secret.replace(" ", "").upper() + "=" * (-len(secret.replace(" ", "")) % 8))
    mac = hmac.new(key, struct.pack(">Q", int(at) // 30), hashlib.sha1).digest()
    at = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 1_000_000:06}"


def second_factor(browser, password):
    """Switches one-time codes on: their secret, and the recovery codes."""
    page = browser.get("/account/second-factor")
    secret = re.search(r"type this secret: <code>([A-Z2-7 ]+)</code>", page.text)[1]
    done = browser.post("/account/second-factor", {"do": "on", "code": one_time_code(secret, time.time()), "password": password})
    assert done.status == 200, done
    codes = re.findall(r"<li><code>([^<]+)</code>", done.text)
    assert len(codes) == 10, done.text
    return secret.replace(" ", ""), codes


@pytest.fixture(scope="module", params=["text", "json"])
def used(request, tmp_path_factory):
    """A server on which every secret was used, rightly and wrongly: the server, and the secrets by name."""
    from conftest import Server
    folder = tmp_path_factory.mktemp("secrets")
    server = Server(folder, "--data", str(folder / "data"), env={"PILLARBOX_LOG_LEVEL": "debug", "PILLARBOX_LOG_FORMAT": request.param})
    secret = {"password": "correct horse battery staple", "wrong password": "hunter2 hunter2 hunter2", "new password": "a fourth phrase of words"}
    server.run("account", "add", "ada2@example.test", stdin=secret["password"] + "\n")
    from conftest import Person
    person = Person(server, "ada2@example.test", secret["password"])
    browser = Browser(server)
    browser.post("/signin", {"address": person.address, "password": secret["wrong password"]})
    browser.sign_in(person)
    secret["session cookie"] = browser.cookies["__Host-session"]
    # The code flow, public and confidential, with everything in it.
    for kind, options, redirect in (("web", (), "https://app.example/cb"), ("native", ("--native",), "http://127.0.0.1/cb")):
        app, pkce = App(server, f"Secret {kind}", *options, redirects=(redirect,)), Pkce()
        got = browser.allow(**app.request(pkce, scope=f"openid email {MAIL}", access_type="offline", nonce="nonce-" + kind * 5))
        code = got.sent["code"]
        app.redeem(code, Pkce())
        tokens = app.redeem(code, pkce).json
        again = app.refresh(tokens["refresh_token"]).json
        secret |= {f"{kind} code": code, f"{kind} verifier": pkce.verifier, f"{kind} access token": tokens["access_token"],
                   f"{kind} refresh token": tokens["refresh_token"], f"{kind} id token": tokens["id_token"], f"{kind} second token": again["access_token"]}
        if app.secret:
            secret[f"{kind} client secret"] = app.secret
            app.call("/token", basic=True, grant_type="refresh_token", refresh_token=tokens["refresh_token"])
            app.call("/introspect", token=tokens["refresh_token"])
            pushed = app.call("/par", **app.request(pkce)).json["request_uri"]
            browser.authorize(client_id=app.id, request_uri=pushed)
            secret["pushed request"] = pushed
        opens_imap(server, person.address, tokens["access_token"])
        opens_imap(server, "bob@example.test", tokens["access_token"])
        app.call("/token", client_secret=secret["wrong password"], grant_type="refresh_token", refresh_token="x")
    # A token in the wrong place.
    browser.get(f"/v1/userinfo?access_token={tokens['access_token']}")
    app.redeem(tokens["access_token"], pkce)
    # The device flow.
    device = App(server, "Secret device", "--device", redirects=())
    begun = device.call("/device/code", scope=MAIL).json
    secret["device code"] = begun["device_code"]
    page = browser.get("/device/consent?user_code=" + begun["user_code"])
    browser.post("/device/consent", {"then": form_field(page.text, "then"), "account": person.address, "answer": "allow"})
    given = device.call("/token", grant_type="urn:ietf:params:oauth:grant-type:device_code", device_code=begun["device_code"]).json
    secret |= {"device access token": given["access_token"], "device refresh token": given["refresh_token"]}
    # App passwords: made on the page, used everywhere, also mistyped.
    made = browser.post("/account/app-passwords", {"name": "Telephone"})
    grouped = next("".join(parsed(made.text).words[at:at + 1]).strip() for at in range(len(parsed(made.text).words))
                   if re.fullmatch(r"\s*([a-z]{4} ){3}[a-z]{4}\s*", parsed(made.text).words[at]))
    secret["app password in groups"], secret["app password"] = grouped, grouped.replace(" ", "")
    secret["mistyped app password"] = "qqqqwwwweeeerrrr"
    import imaplib
    import poplib
    import smtplib
    for password in (secret["app password"], secret["mistyped app password"], secret["password"], secret["wrong password"]):
        box = imaplib.IMAP4_SSL("localhost", server.port("imap"), ssl_context=server.tls())
        pop = poplib.POP3_SSL("localhost", server.port("pop"), context=server.tls())
        with smtplib.SMTP_SSL("localhost", server.port("smtps"), context=server.tls()) as smtp:
            for attempt in (lambda: box.login(person.address, f'"{password}"'), lambda: (pop.user(person.address), pop.pass_(password)),
                            lambda: smtp.login(person.address, password)):
                try:
                    attempt()
                except (imaplib.IMAP4.error, poplib.error_proto, smtplib.SMTPException):
                    pass
        try:
            box.xatom(f"x {password}")  # a line that is no command
        except imaplib.IMAP4.error:
            pass
        box.shutdown()
        pop.close()
    # A password in the field of the name, with and without what a program puts behind it.
    secret["misplaced password"] = "swordfish-Trombone-77"
    for name in (secret["misplaced password"], secret["misplaced password"] + "@example.test"):
        Browser(server).post("/signin", {"address": name, "password": "x"})
        box = imaplib.IMAP4_SSL("localhost", server.port("imap"), ssl_context=server.tls())
        pop = poplib.POP3_SSL("localhost", server.port("pop"), context=server.tls())
        smtp = smtplib.SMTP_SSL("localhost", server.port("smtps"), context=server.tls())
        plain = lambda _=None: f"\0{name}\0x"
        bearer = lambda _=None: f"user={name}\1auth=Bearer x\1\1"
        for attempt in (lambda: box.login(name, "x"), lambda: box.authenticate("PLAIN", lambda _: plain().encode()),
                        lambda: box.authenticate("XOAUTH2", lambda _: bearer().encode()), lambda: (pop.user(name), pop.pass_("x")),
                        lambda: (pop.user("recent:" + name), pop.pass_("x")), lambda: smtp.login(name, "x"),
                        lambda: smtp.auth("XOAUTH2", lambda challenge=None: bearer() if challenge is None else "")):
            with pytest.raises((imaplib.IMAP4.error, poplib.error_proto, smtplib.SMTPException)):
                attempt()
        for one in (box.shutdown, pop.close, smtp.close):
            one()
    # Invitations and the second factor.
    ada = Browser(server)
    ada.sign_in(server.ada())
    secret["administrator's cookie"] = ada.cookies["__Host-session"]
    link = ada.post("/admin/accounts/change", {"address": "bob@example.test", "change": "invite"}).text
    secret["invitation"] = urllib.parse.unquote(re.search(r"/invite\?for=([^<\s\"]+)", link)[1])
    Browser(server).get("/invite?for=" + urllib.parse.quote(secret["invitation"]))
    Browser(server).post("/invite", {"for": secret["invitation"], "password": secret["new password"], "again": secret["new password"]})
    secret["one-time secret"], codes = second_factor(browser, secret["password"])
    secret |= {f"recovery code {number}": code for number, code in enumerate(codes)}
    half = Browser(server)
    page = half.post("/signin", {"address": person.address, "password": secret["password"]})
    secret["ticket"] = form_field(page.text, "ticket")
    half.post("/signin/code", {"ticket": secret["ticket"], "code": "000000"})
    half.post("/signin/code", {"ticket": secret["ticket"], "code": codes[0]})
    # What a development server hands out.
    minted = ada.post("/dev/api/tokens", {"address": person.address, "refresh": "true"}).json
    secret |= {"minted token": minted["access_token"], "minted refresh token": minted["refresh_token"]}
    secret["console token"] = server.run("token", person.address).strip()
    yield server, secret, ada, browser
    server.stop()


def spellings(text):
    """As it is, and as it hides: encoded for addresses, for JSON, in base64 at each of the three places of a triple."""
    yield text
    yield urllib.parse.quote(text, safe="")
    yield json.dumps(text)[1:-1]
    yield text.replace(" ", "")
    for shift in range(3):
        coded = base64.b64encode(b"x" * shift + text.encode()).decode().rstrip("=")
        if len(coded) > 24:
            yield coded[4:-4]


def found(secrets, text):
    return sorted(name for name, secret in secrets.items() if any(one in text for one in spellings(secret)))


def test_no_secret_is_printed(used):
    server, secrets, *_ = used
    text = (server.folder / "log.txt").read_text(errors="replace")
    assert "ada2@example.test" in text and len(text) > 1_000, "there is a log"
    assert found(secrets, text) == []
    assert text.count("an unknown name") >= 7 and text.count("an unknown address") >= 7, "who guesses is counted all the same"
    assert "panicked" not in text


def test_no_secret_is_remembered_or_shown(used):
    server, secrets, ada, browser = used
    events = ada.get("/dev/api/events").json
    assert len(events) > 10
    shown = {
        "events": json.dumps(events), "sessions": ada.get("/dev/api/sessions").text, "people": ada.get("/dev/api/people").text,
        **{path: ada.get(path).text for path in ("/dev", "/admin/log", "/admin/apps", "/admin/accounts", "/admin/sessions", "/admin/health",
                                                 "/admin/accounts/view?address=ada2@example.test", "/account/activity")},
        **{path: browser.get(path).text for path in ("/account", "/account/apps", "/account/app-passwords", "/account/sessions", "/account/activity")},
        **{"why " + one: server.run("why", one) for one in {event["session"] for event in events}},
        **{" ".join(words): server.run(*words) for words in (["session", "list"], ["app", "list"], ["grant", "list", "ada2@example.test"],
                                                             ["app-password", "list", "ada2@example.test"], ["account", "show", "ada2@example.test"])},
    }
    for where, text in shown.items():
        # The wire log of a development server has names as they came.
        assert [name for name in found(secrets, text) if (where, name) != ("/dev", "misplaced password")] == [], where
    assert any("an unknown name" in text for where, text in shown.items() if where.startswith("why "))
    assert "an unknown name" in shown["/admin/log"] and "an unknown address" in shown["events"]


def test_no_secret_is_on_a_command_line(used):
    server, secrets, *_ = used
    for part in ("cmdline", "environ"):
        text = pathlib.Path(f"/proc/{server.process.pid}/{part}").read_bytes().decode(errors="replace")
        assert found(secrets, text) == []


def test_stored_are_hashes(used):
    """Whoever copies the folder has nobody's password, token, code or cookie. The secrets of one-time codes and the signing
    keys are there, as they must be; the folder is the owner's alone."""
    server, secrets, *_ = used
    data = server.folder / "data"
    everything = b"".join(path.read_bytes() for path in sorted(data.rglob("*")) if path.is_file())
    assert b"ada2@example.test" in everything, "what is stored can be read here"
    text = everything.decode("latin-1")
    kept = {"one-time secret"}
    assert [name for name in found(secrets, text) if name not in kept] == []
    for path in [data / "store", *data.rglob("*")]:
        assert path.stat().st_mode & 0o022 == 0, f"{path} can be written by others"


def test_private_files_are_their_owners_alone(used, real_server):
    home = used[0].ca_home
    keys = [*home.rglob("*key*.pem"), *real_server.folder.rglob("*key*.pem")]
    sockets = [path for folder in (home, real_server.folder) for path in folder.rglob("*") if path.is_socket()]
    assert keys and sockets
    for path in keys:
        assert path.stat().st_mode & 0o077 == 0, path
    for path in sockets:
        assert path.stat().st_mode & 0o077 == 0 or path.parent.stat().st_mode & 0o077 == 0, path
    for folder in (real_server.folder / "data" / "store",):
        closed = [one for one in (folder, *folder.parents) if one.exists() and one.stat().st_mode & 0o007 == 0]
        assert closed, f"{folder} can be entered by everybody"


def test_secrets_are_in_no_page_source_but_once(used):
    """The letters of an app password, recovery codes and invitations are on the page that made them and nowhere after it."""
    server, secrets, ada, browser = used
    for path in ("/account/app-passwords", "/account/second-factor", "/account"):
        page = browser.get(path)
        assert page.header("cache-control") == "no-store" and found(secrets, page.text) == []
    assert not elements(browser.get("/account/second-factor").text, "svg"), "the picture of the secret is gone once it is on"
