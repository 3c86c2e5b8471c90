"""Refusals at the endpoints of the authorization server explain themselves to the owner: in the log, to `pillarbox why`, in
the console, and in the trail of the person they concern."""
import json
import time

from attacks.attacker import App, Browser, Pkce, ask, userinfo
from conftest import DEADLINE

GOOGLES = "Token has been expired or revoked."
MAIL = "https://mail.google.com/"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ASSERTION = "urn:ietf:params:oauth:grant-type:jwt-bearer"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


def events(server):
    """Newest first."""
    answer = ask(server, "GET", "/dev/api/events")
    return [event for event in answer.json if event["about"] == "oauth"]


class Watch:
    def __init__(self, server):
        self.server, self.seen = server, []

    def newest(self, answer, cause, **fields):
        """The event that this answer made, which says the cause."""
        fresh = [event for event in events(self.server) if event["session"] not in self.seen]
        assert len(fresh) == 1, (answer, fresh)
        event = fresh[0]
        self.seen.append(event["session"])
        assert cause in event["text"], event
        assert event["peer"] in ("127.0.0.1", "::1"), event
        why = self.server.run("why", event["session"])
        assert cause in why and "told " in why, why
        for value in fields.values():
            assert value in why and value in event["text"], (value, event, why)
        return event


def activity(server, person):
    return json.loads(server.run("account", "activity", person.address, "--json"))


def test_every_endpoint_tells_its_owner(own_server):
    server = own_server()
    ada = server.person("ada")
    browser = Browser(server)
    browser.sign_in(ada)
    app, other = App(server, "Refused app"), App(server, "Other app")
    watch, secrets = Watch(server), []
    mine = {"app": "Refused app", "client": app.id}
    hers = mine | {"person": ada.address}

    def code():
        pkce = Pkce()
        code = browser.allow(**app.request(pkce)).sent["code"]
        secrets.extend((code, pkce.verifier))
        return code, pkce

    got, pkce = code()
    differs = "redirect_uri differs from the one of the authorization request"
    watch.newest(app.redeem(got, pkce, redirect_uri=app.redirect + "2"), differs, **hers)
    watch.newest(app.redeem(got, Pkce()), "code_verifier does not fit code_challenge", **hers)
    answer = other.redeem(got, pkce)
    assert answer.json == {"error": "invalid_grant", "error_description": GOOGLES}
    watch.newest(answer, "the code was given to another program", person=ada.address, app="Other app")
    assert app.redeem(got, pkce).status == 200
    watch.newest(app.redeem(got, pkce), "the code was used before".capitalize(), **hers)
    answer = app.redeem("c~made~up")
    assert answer.json["error_description"] == GOOGLES
    watch.newest(answer, "this server never gave such a code", **mine)

    wrong = app.call("/token", client_secret="not-the-secret", grant_type="refresh_token", refresh_token="y")
    assert wrong.status == 401
    watch.newest(wrong, "its secret is wrong", **mine)
    unknown = app.call("/token", client_id="nobody", client_secret="x", grant_type="refresh_token", refresh_token="y")
    watch.newest(unknown, "there is no such client", client="nobody")

    tokens = app.tokens(browser, access_type="offline", prompt="consent")
    secrets.extend(tokens[name] for name in ("refresh_token", "access_token"))
    [grant] = [one for one in json.loads(server.run("grant", "list", ada.address, "--json")) if not one.get("revoked")]
    server.run("grant", "revoke", "--", ada.address, grant["id"])
    answer = app.refresh(tokens["refresh_token"])
    assert answer.json == {"error": "invalid_grant", "error_description": GOOGLES}
    watch.newest(answer, "its grant was ended", **hers)
    watch.newest(userinfo(server, tokens["access_token"]), "revoked", **hers)
    watch.newest(ask(server, "GET", "/v1/userinfo"), "No token was sent")

    watch.newest(ask(server, "POST", "/token", b"assertion=x&grant_type=" + ASSERTION.encode(), FORM), "not a signed JWT")
    watch.newest(app.call("/introspect", client_secret="bad", token="x"), "its secret is wrong", **mine)
    watch.newest(app.call("/revoke", client_secret="bad", token="x"), "its secret is wrong", **mine)
    watch.newest(app.call("/par", **app.request(Pkce(), scope="nonsense")), "scope 'nonsense' is not known", **mine)
    watch.newest(ask(server, "POST", "/register", b"{}", {"Content-Type": "application/json"}), "redirect_uris")
    watch.newest(ask(server, "POST", "/token", b"x", {}), "application/x-www-form-urlencoded")

    watch.newest(browser.authorize(**app.request(Pkce(), redirect_uri="https://elsewhere.example/")),
                 "redirect_uri is not one of the addresses registered", **hers)
    watch.newest(Browser(server).authorize(**app.request(Pkce(), client_id="nobody")), "no program is registered", client="nobody")
    tried = App(server, "Tried out", "--tester", "nobody@example.test")
    watch.newest(browser.authorize(**tried.request(Pkce())), "the person is not on its list", person=ada.address, app="Tried out")

    telly = App(server, "Telly", "--device", redirects=())
    watch.newest(telly.call("/device/code", scope="nonsense"), "scope 'nonsense' is not known", app="Telly")
    asked = telly.call("/device/code", scope=MAIL).json
    secrets.append(asked["device_code"])

    def poll():
        return telly.call("/token", grant_type=DEVICE, device_code=asked["device_code"])

    assert poll().json["error"] == "authorization_pending"
    assert not [event for event in events(server) if event["session"] not in watch.seen], "waiting is no refusal"
    browser.post("/device/consent", {"then": "user_code=" + asked["user_code"], "account": ada.address, "answer": "cancel"})
    watch.newest(poll(), "The person did not allow it", app="Telly")
    watch.newest(browser.post("/device", {"user_code": "BBBB-BBBB"}), "a code was typed that is not there")

    got, pkce = code()
    server.run("clock", "advance", "11m")
    watch.newest(app.redeem(got, pkce), "The code has expired; it lives 600 s", **hers)

    told = [one for one in activity(server, ada) if one["deed"] == "app-refused"]
    causes = {one["detail"] for one in told}
    assert {"its grant was ended", differs, "The code has expired; it lives 600 s"} <= causes, causes
    assert not any("secret" in cause or "made up" in cause for cause in causes), "others' mistakes are not hers"
    page = browser.get("/account/activity").text
    assert "Refused app was refused" in page and differs in page
    assert "its grant was ended" in browser.get("/dev").text or "its grant was ended" in browser.get("/dev/events").text

    log = server.folder / "log.txt"
    deadline = time.monotonic() + DEADLINE
    while "it lives 600 s" not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()[-2000:]
        time.sleep(0.05)
    everything = log.read_text() + json.dumps(ask(server, "GET", "/dev/api/events").json) + json.dumps(told)
    for secret in [*secrets, app.secret, "not-the-secret"]:
        assert secret not in everything


def test_noise_writes_nothing(own_server):
    """Codes that nobody gave leave no trace in the trail of the account they name."""
    server = own_server()
    ada = server.person("ada")
    before = activity(server, ada)
    browser = Browser(server)
    browser.sign_in(ada)
    app = App(server, "Noise")
    pkce = Pkce()
    got = browser.allow(**app.request(pkce)).sent["code"]
    kind, account, _ = got.split("~")
    for number in range(20):
        assert app.redeem(f"{kind}~{account}~{number}", pkce).json["error"] == "invalid_grant"
    assert [one for one in activity(server, ada) if one["deed"] == "app-refused"] == []
    assert len(before) + 2 == len(activity(server, ada)), "the sign-in, and what she allowed"
