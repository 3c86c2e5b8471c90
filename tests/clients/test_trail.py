"""The trail of a person says what programs were allowed, on whatever way, what they were not, and when it ended."""
import json
import poplib
import smtplib
import time

from joserfc import jwt
from joserfc.jwk import RSAKey

from attacks.attacker import App, Browser, Pkce, ask

MAIL = "https://mail.google.com/"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
ASSERTION = b"urn:ietf:params:oauth:grant-type:jwt-bearer"


def trail(server, person, app):
    """What an app did, oldest first."""
    found = json.loads(server.run("account", "activity", person.address, "--json"))
    return [(one["deed"], one.get("detail")) for one in reversed(found) if one.get("app") == app]


def signed_in(server, person):
    browser = Browser(server)
    browser.sign_in(person)
    return browser


def test_a_device(server, person):
    browser = signed_in(server, person)
    telly = App(server, "Telly of the trail", "--device", redirects=())
    tried = App(server, "Tried telly", "--device", "--tester", "nobody@example.test", redirects=())

    def answer(app, what):
        begun = app.call("/device/code", scope=MAIL).json
        fields = {"then": "user_code=" + begun["user_code"], "account": person.address, "answer": what}
        page = browser.post("/device/consent", fields)
        return page, app.call("/token", grant_type=DEVICE, device_code=begun["device_code"])

    assert answer(telly, "cancel")[1].json["error"] == "access_denied"
    assert answer(telly, "allow")[1].status == 200
    assert trail(server, person, telly.name) == [("denied", MAIL), ("granted", MAIL)]
    page, told = answer(tried, "allow")
    assert "Nothing was allowed" in page.text and told.json["error"] == "access_denied"
    refused = ("app-refused", "This program is being tried out, and the person is not on its list")
    assert trail(server, person, tried.name) == [refused]
    page = browser.get("/account/activity").text
    assert "You allowed Telly of the trail to use your account" in page
    assert "You did not allow Telly of the trail to use your account" in page


def test_a_browser(server, person):
    browser = signed_in(server, person)
    app = App(server, "Browser app of the trail")
    page = browser.authorize(**app.request(Pkce(), scope="openid"))
    browser.answer_consent(page, "cancel")
    browser.allow(**app.request(Pkce(), scope="openid"))
    assert trail(server, person, app.name) == [("denied", "openid"), ("granted", "openid")]
    # Who is not signed in says no for nobody.
    page = browser.authorize(**app.request(Pkce(), prompt="consent"))
    browser.cookies.clear()
    browser.answer_consent(page, "cancel")
    assert len(trail(server, person, app.name)) == 2


def test_a_service_account(server, person):
    browser = signed_in(server, person)
    file = json.loads(server.run("app", "add", "Archive of the trail", "--service", "--delegate", MAIL))

    def token():
        now = int(time.time())
        claims = {"iss": file["client_id"], "sub": person.address, "aud": server["issuer"] + "/token",
                  "scope": MAIL, "iat": now, "exp": now + 600}
        signed = jwt.encode({"alg": "RS256"}, claims, RSAKey.import_key(file["private_key"]))
        return ask(server, "POST", "/token", b"grant_type=" + ASSERTION + b"&assertion=" + signed.encode(), FORM)

    assert [token().status for _ in range(3)] == [200] * 3
    assert trail(server, person, "Archive of the trail") == [("granted", MAIL)], "its first use, once"
    page = browser.get("/account/activity").text
    assert "Archive of the trail began to use your account, as the administrator allowed" in page


def test_a_program_that_is_removed(server, person):
    app, unused = App(server, "Going of the trail"), App(server, "Unused of the trail")
    app.tokens(signed_in(server, person))
    for one in (app, unused):
        server.run("app", "remove", one.id, "--yes")
    deeds = trail(server, person, app.name)
    assert [deed for deed, _ in deeds] == ["granted", "grant-ended"]
    assert deeds[1][1].startswith("the program was removed"), deeds
    assert trail(server, person, unused.name) == []


def test_what_an_administrator_does(server, person):
    """Whatever is done to somebody by command, each with who did it."""
    person.app_password  # made, and so in the trail
    server.run("account", "password", person.address, stdin="another pass phrase\n")
    server.run("account", "invite", person.address)
    server.run("account", "reset-factor", person.address)
    server.run("app-password", "add", person.address, "--name", "By command")
    [made] = json.loads(server.run("app-password", "list", person.address, "--json"))
    server.run("app-password", "revoke", "--", person.address, made["id"])
    server.run("token", person.address)
    [grant] = [one for one in json.loads(server.run("grant", "list", person.address, "--json")) if not one.get("revoked")]
    server.run("grant", "revoke", "--", person.address, grant["id"])
    server.run("account", "suspend", person.address)
    server.run("account", "resume", person.address)
    found = json.loads(server.run("account", "activity", person.address, "--json"))
    done = [one["deed"] for one in found if "on the server’s command line" in (one.get("detail") or "")]
    wanted = ["resumed", "suspended", "grant-ended", "app-password-ended", "app-password-made", "invited", "password-changed"]
    assert [deed for deed in done if deed in wanted][:7] == wanted, found


def test_a_service_has_one_name(server, person):
    """The trail calls it what sessions, the log and limits of app passwords call it."""
    pop = poplib.POP3_SSL("localhost", server.port("pop"), context=server.tls())
    pop.user(person.address)
    pop.pass_(person.app_password)
    smtp = smtplib.SMTP_SSL("localhost", server.port("smtps"), context=server.tls())
    smtp.login(person.address, person.app_password)
    box = person.imap()
    sessions = json.loads(server.run("session", "list", "--json"))
    live = {one["protocol"] for one in sessions if one.get("address") == person.address}
    pop.quit()
    smtp.quit()
    box.logout()
    found = json.loads(server.run("account", "activity", person.address, "--json"))
    assert {one["service"] for one in found if one["deed"] == "signed-in"} == live == {"imap", "pop", "smtp"}
