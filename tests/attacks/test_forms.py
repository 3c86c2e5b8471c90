"""Forms and cookies: pages of other sites, other people's ids, planted and stolen sessions, frames."""
import re
import urllib.parse

import pytest

from attacks.attacker import Browser, ask, by_hand, elements, form_field, opens_imap, userinfo
from attacks.routes import filled, is_for_programs, routes

ROUTES = routes()
FORMS = sorted(path for path, methods in ROUTES.items() if "post" in methods and (not is_for_programs(path) or path.startswith("/dev/api")))
# Another site, its neighbour on the same registered name, another port, no site at all, and those that only look like ours.
FOREIGN = ["https://evil.example", "null", "https://localhost:1", "https://localhost", "https://localhost.evil.example", "file://"]


def cross_site(server):
    yield from ({"Origin": origin} for origin in FOREIGN)
    yield {"Origin": server["issuer"] + ".evil.example"}
    yield {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    yield {"Origin": server["issuer"], "Sec-Fetch-Site": "cross-site"}
    yield {"Sec-Fetch-Site": "cross-site"}
    yield {"Sec-Fetch-Site": "same-site"}
    yield {"Sec-Fetch-Site": "nonsense"}


@pytest.fixture(scope="module")
def administrator(server):
    browser = Browser(server)
    browser.sign_in(server.ada())
    return browser


def foreign(browser, path, fields, headers):
    return browser.request("POST", path, urllib.parse.urlencode(fields).encode(),
                           {"Content-Type": "application/x-www-form-urlencoded", **headers})


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.strip("/").replace("/", "-"))
def test_no_form_is_taken_from_another_site(server, administrator, path):
    for headers in cross_site(server):
        for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", "application/json"):
            answer = foreign(administrator, filled(path), {"x": "1"}, {**headers, "Content-Type": kind})
            assert answer.status == 403 and answer.header("set-cookie") is None and answer.location is None, (headers, kind, answer)


def test_the_list_of_forms_is_not_empty_by_mistake():
    assert {"/signin", "/signout", "/consent", "/device", "/account/apps/remove", "/admin/accounts", "/dev/token", "/dev/api/tokens"} <= set(FORMS)


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}], ids=str)
def test_a_refused_form_has_no_effect(server, victim, web_app, evil_app, headers):
    browser, address = victim.browser, victim.address
    tokens = web_app.tokens(browser)
    app_password, box = victim.app_password, victim.imap()
    page = browser.get("/account/app-passwords").text
    session = form_field(browser.get("/account/sessions").text, "session")
    consent = browser.authorize(**evil_app.request())
    fields = {name: form_field(consent.text, name) for name in ("then", "account")}
    tries = {
        "/signout": {}, "/account/app-passwords": {"name": "planted"}, "/account/app-passwords/revoke": {"id": form_field(page, "id")},
        "/account/apps/remove": {"app": form_field(browser.get("/account/apps").text, "app")},
        "/account/sessions/end": {"session": session}, "/account/sessions/end-all": {},
        "/consent": {**fields, "answer": "allow"}, "/account/second-factor": {"do": "off", "code": "x"},
        "/signin": {"address": "bob@example.test", "password": "pillarbox"},
    }
    before = dict(browser.cookies)
    for path, form in tries.items():
        assert foreign(browser, path, form, headers).status == 403, path
    assert browser.cookies == before and browser.is_signed_in()
    assert browser.get("/account").text.count(address) and "planted" not in browser.get("/account/app-passwords").text
    assert box.noop()[0] == "OK" and opens_imap(server, address, tokens["access_token"])
    assert "Evil web program" not in browser.get("/account/apps").text
    box.shutdown()
    import imaplib
    again = imaplib.IMAP4_SSL("localhost", server.port("imap"), ssl_context=server.tls())
    assert again.login(address, app_password)[0] == "OK"
    again.shutdown()


def test_administrators_forms_have_no_effect_from_elsewhere(server, administrator):
    person = server.person("kept")
    headers = {"Origin": "https://evil.example"}
    for change in ("suspend", "administrator-on", "invite"):
        assert foreign(administrator, "/admin/accounts/change", {"address": person.address, "change": change}, headers).status == 403
    assert foreign(administrator, "/admin/accounts", {"address": "planted"}, headers).status == 403
    assert foreign(administrator, "/dev/clock", {"advance": "7d"}, headers).status == 403
    assert foreign(administrator, "/dev/api/clock", {"advance": "7d"}, headers).status == 403
    listed = server.run("account", "list")
    assert "planted" not in listed and Browser(server).sign_in(person)
    assert ask(server, "GET", "/dev/api/clock").json["ahead_seconds"] == 0


def test_nothing_changes_by_get(server, victim, administrator):
    """What a picture or a link in a mail can do: look."""
    tokens = victim.token()
    for path, methods in sorted(ROUTES.items()):
        if "get" in methods:
            for browser in (victim.browser, administrator):
                browser.get(filled(path) + "?do=off&change=suspend&address=" + victim.address + "&answer=allow&advance=7d&reset=true&id=x")
        else:
            assert administrator.get(filled(path)).status in (401, 405), path
    assert victim.browser.is_signed_in() and administrator.is_signed_in() and opens_imap(server, victim.address, tokens)
    for method in ("PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"):
        for path in ("/account", "/consent", "/token", "/admin/accounts"):
            assert administrator.request(method, path).status == 405, (method, path)


def test_no_page_may_be_read_by_another_site(server, administrator):
    """CORS is for endpoints that look at no cookie (programs in a browser ask them), and never with cookies."""
    open_to_all = {"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/oauth2/v3/certs", "/token",
                   "/o/oauth2/token", "/revoke", "/par", "/v1/userinfo"}
    assert not open_to_all & set(FORMS)
    for path, methods in sorted(ROUTES.items()):
        for method in sorted(methods & {"get", "post"}):
            answer = administrator.request(method.upper(), filled(path), headers={"Origin": "https://evil.example"})
            allowed = answer.header("access-control-allow-origin")
            assert allowed == ("*" if path in open_to_all else None), path
            assert answer.header("access-control-allow-credentials") is None
        preflight = ask(server, "OPTIONS", filled(path), headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"})
        assert preflight.header("access-control-allow-origin") == ("*" if path in open_to_all else None), path
        assert preflight.header("access-control-allow-credentials") is None


# ---- frames

def test_no_answer_can_be_framed(server, administrator):
    for path, methods in [*sorted(ROUTES.items()), ("/nowhere", {"get"}), ("/account/nowhere", {"get"})]:
        for method in sorted(methods & {"get", "post"}):
            for browser in (administrator, Browser(server)):
                answer = browser.request(method.upper(), filled(path), headers={"Origin": server["issuer"]})
                policy = answer.header("content-security-policy") or ""
                assert "frame-ancestors 'none'" in policy and "default-src 'none'" in policy and "base-uri 'none'" in policy, (path, answer)
                assert "unsafe" not in policy and "*" not in policy
                assert answer.header("x-frame-options") == "DENY" and answer.header("x-content-type-options") == "nosniff", path
                assert answer.header("referrer-policy") == "same-origin", path
                assert answer.header("cache-control") in ("no-store", "public, max-age=3600"), path
                administrator.cookies or administrator.sign_in(server.ada())  # /signout was one of them
    for answer in (ask(server, "PUT", "/account"), ask(server, "POST", "/o/oauth2/v2/auth", b"a=" + b"x" * 20_000),
                   foreign(administrator, "/signout", {}, {"Origin": "https://evil.example"})):
        assert answer.status in (403, 405, 413) and "frame-ancestors 'none'" in answer.header("content-security-policy")
        assert answer.header("x-frame-options") == "DENY"


def test_only_public_things_may_be_kept_by_caches(server, administrator):
    kept = {path for path, methods in ROUTES.items() if "get" in methods
            and administrator.get(filled(path)).header("cache-control") != "no-store"}
    assert kept == {"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/oauth2/v3/certs", "/style.css", "/icon.svg", "/passkey.js"}


# ---- sessions

def flags(line):
    name, *rest = [part.strip() for part in line.split(";")]
    return name.split("=")[0], {part.split("=")[0].lower(): part.partition("=")[2] for part in rest}


def test_cookies_are_for_this_host_over_tls_and_not_for_scripts(server):
    browser = Browser(server)
    browser.get("/account/apps")
    browser.sign_in(server.person("flags"))
    browser.post("/signout", {})
    assert len(browser.set_cookies) >= 3
    for line in browser.set_cookies:
        name, said = flags(line)
        assert name.startswith("__Host-") and {"secure", "httponly"} <= set(said), line
        assert said["samesite"] == "Lax" and said["path"] == "/" and "domain" not in said and int(said["max-age"]) <= 14 * 86400


def test_a_session_is_new_at_every_sign_in_and_a_planted_one_is_worth_nothing(server, web_app):
    person, mallory = server.person("fixed"), server.person("mallory")
    attacker = Browser(server)
    attacker.sign_in(mallory)
    planted = dict(attacker.cookies)
    for cookies in (planted, {"__Host-session": "s~" + "A" * 43}, {"__Host-session": "x"}, {"__Host-session": ""}, {"session": "x"}):
        browser = Browser(server, cookies)
        browser.sign_in(person)
        new = browser.cookies["__Host-session"]
        assert new != cookies.get("__Host-session") and person.address in browser.get("/account").text
        assert person.address not in Browser(server, cookies).get("/account").text, "what was planted"
        first = browser.cookies["__Host-session"]
        browser.sign_in(person)
        assert browser.cookies["__Host-session"] != first
        assert not Browser(server, {"__Host-session": first}).is_signed_in(), "the one before is over"
    assert not attacker.is_signed_in(), "the planted session ended when somebody else signed in over it"


def test_two_session_cookies_are_no_way_around(server, victim):
    """A neighbour's host can set another cookie of a name, but not one whose name begins with __Host-; should two come, the
    request is either person's, never a mixture, and no stranger's."""
    own = victim.browser.cookies["__Host-session"]
    for pair in (f"__Host-session={own}x; __Host-session={own}", f"__Host-session={own}; __Host-session={own}x"):
        answer = ask(server, "GET", "/account", headers={"Cookie": pair})
        assert answer.status in (200, 303)
    for near in (f"__host-session={own}", f"session={own}", f"__Host-session ={own}", f"__Host-sessionx={own}"):
        assert ask(server, "GET", "/account", headers={"Cookie": near}).status == 303, near


def test_signing_out_really_ends_it(server, victim, web_app):
    stolen = dict(victim.browser.cookies)
    assert Browser(server, stolen).is_signed_in()
    out = victim.browser.post("/signout", {})
    assert out.status == 303 and "__Host-session=;" in out.header("set-cookie") and "Max-Age=0" in out.header("set-cookie")
    thief = Browser(server, stolen)
    assert not thief.is_signed_in()
    assert thief.authorize(**web_app.request()).location.startswith("/signin")
    assert thief.post("/account/app-passwords", {"name": "x"}).location == "/signin"


def test_a_new_password_ends_every_web_session(server, victim):
    other = Browser(server)
    other.sign_in(victim)
    server.run("account", "password", victim.address, stdin="another long pass phrase\n")
    assert not victim.browser.is_signed_in() and not other.is_signed_in()


def test_suspension_ends_every_web_session(server, victim):
    server.run("account", "suspend", victim.address)
    assert not victim.browser.is_signed_in()
    refused = Browser(server).post("/signin", {"address": victim.address, "password": victim.password})
    assert refused.status == 403


def test_a_session_cookie_is_no_token_and_a_token_no_cookie(server, victim):
    cookie = victim.browser.cookies["__Host-session"]
    assert userinfo(server, cookie).status == 401 and not opens_imap(server, victim.address, cookie)
    for text in (victim.token(), server["refresh_token"], cookie.replace("s~", "c~", 1), cookie[:-1], cookie + "A"):
        assert not Browser(server, {"__Host-session": text}).is_signed_in()


# ---- other people's things

def test_other_peoples_ids_do_nothing(server, victim, web_app):
    mallory = Browser(server)
    mallory.sign_in(server.person("mallory"))
    web_app.tokens(victim.browser)
    tokens, letters, box = web_app.tokens(victim.browser), victim.app_password, victim.imap()
    apps = victim.browser.get("/account/apps").text
    assert web_app.id in apps
    ids = {"/account/app-passwords/revoke": ("id", form_field(victim.browser.get("/account/app-passwords").text, "id")),
           "/account/apps/remove": ("grant", form_field(apps, "grant")),
           "/account/sessions/end": ("session", form_field(victim.browser.get("/account/sessions").text, "session"))}
    for path, (name, value) in ids.items():
        for sent in (value, value.upper(), value + "\0", "../" + value, ""):
            answer = mallory.post(path, {name: sent, "account": victim.address, "address": victim.address})
            assert answer.status == 303 and "ended=1" not in answer.location, (path, answer)
    mallory.post("/account/sessions/end-all", {"address": victim.address})
    for app in (web_app.id, "cli", "", "../" + web_app.id):
        assert "done=" not in mallory.post("/account/apps/remove", {"app": app, "grant": "", "address": victim.address}).location
    assert box.noop()[0] == "OK" and opens_imap(server, victim.address, tokens["access_token"])
    box.shutdown()
    import imaplib
    again = imaplib.IMAP4_SSL("localhost", server.port("imap"), ssl_context=server.tls())
    assert again.login(victim.address, letters)[0] == "OK"
    again.shutdown()
    for path in ("/account", "/account/apps", "/account/app-passwords", "/account/sessions", "/account/activity"):
        assert victim.address not in mallory.get(f"{path}?address={victim.address}&account={victim.address}").text, path


ADMIN = sorted((path, method) for path, methods in ROUTES.items()
               if path.startswith("/admin") and not is_for_programs(path) for method in methods)


@pytest.mark.parametrize("path,method", ADMIN, ids=lambda word: word.strip("/").replace("/", "-"))
def test_administration_is_for_administrators_on_every_route(server, victim, path, method):
    fields = urllib.parse.urlencode({"address": "bob@example.test", "change": "suspend", "client": "web", "session": "x"})
    headers = {"Origin": server["issuer"], "Content-Type": "application/x-www-form-urlencoded"}
    for spelling in (path, path.replace("/admin", "/admin/.", 1), path + "/", path.replace("/admin", "/ADMIN"), "/" + path, path + "%20"):
        answer = victim.browser.request(method.upper(), spelling, fields.encode(), headers)
        refused = answer.status in (403, 404, 405)
        assert refused or (path == "/admin" and answer.location == "/admin/accounts"), (spelling, answer)
        assert "bob@example.test" not in answer.text
        nobody = Browser(server).request(method.upper(), spelling, fields.encode(), headers)
        assert nobody.status in (403, 404, 405) or nobody.location in ("/signin", "/admin/accounts"), (spelling, nobody)
    assert Browser(server).post("/signin", {"address": "bob@example.test", "password": "pillarbox"}).status == 303


def test_a_real_server_has_no_console(real_server):
    for path in sorted(path for path in ROUTES if path.startswith("/dev") and not path.startswith("/device")):
        for method in ("GET", "POST"):
            assert ask(real_server, method, filled(path)).status == 404, path


def test_the_console_is_on_loopback_only(server, own_server):
    from conftest import PROGRAM
    import subprocess
    env = server.env | {"PILLARBOX_LISTEN_WEB": "0.0.0.0:0"}
    done = subprocess.run([PROGRAM, "dev", "--ports", "auto"], env=env, capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and "loopback only" in done.stderr


def test_every_form_on_every_page_leads_to_us(server, administrator):
    for path, methods in sorted(ROUTES.items()):
        if "get" not in methods:
            continue
        text = administrator.get(filled(path)).text
        for form in elements(text, "form"):
            assert re.fullmatch(r"/[a-z/-]*", form.get("action", "")), (path, form)
            assert form.get("action") in ROUTES or form.get("method", "get") == "get"
        for link in elements(text, "a"):
            assert not link.get("href", "").startswith(("http:", "//", "javascript:")), (path, link)


def test_host_headers_are_not_believed(server, victim):
    """Neither the issuer nor an invitation's link is made of what a request says."""
    for host in ("evil.example", "localhost.evil.example", "localhost:1", "localhost\t", "a b", "[::1", "localhost@evil.example", "", "x" * 4000):
        raw = f"GET /.well-known/openid-configuration HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Host: evil.example\r\nConnection: close\r\n\r\n"
        got = by_hand(server, raw.encode())
        assert b"evil.example" not in got and (b"400 Bad Request" in got or server["issuer"].encode() in got), (host, got)
    absolute = by_hand(server, b"GET https://evil.example/.well-known/openid-configuration HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    assert b"evil.example" not in absolute
    ada = Browser(server)
    ada.sign_in(server.ada())
    fields = urllib.parse.urlencode({"address": victim.address, "change": "invite"})
    cookie = f"__Host-session={ada.cookies['__Host-session']}"
    raw = (f"POST /admin/accounts/change HTTP/1.1\r\nHost: evil.example\r\nOrigin: https://evil.example\r\nCookie: {cookie}\r\n"
           f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(fields)}\r\nConnection: close\r\n\r\n{fields}")
    got = by_hand(server, raw.encode())
    assert b"https://evil.example" not in got
