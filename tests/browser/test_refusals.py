"""Pages that people meet when something is not as the program thought: another person than it asked for, a program that is being
tried out, a request that is over, wrong and too many guesses. And the page of apps of somebody who signs in often."""
import base64
import hashlib
import urllib.error
import urllib.parse
import urllib.request

import pytest
from attacks.attacker import App
from attacks.fixtures import RealServer
from looks import LOOKS, Looker
from test_browser import ask, chromium, field, post
from test_pages import axe, enter, press, text  # noqa: F401  (axe is a fixture: it skips where there is none)

webdriver = pytest.importorskip("selenium", reason="the Python package selenium is not installed; ./check installs it").webdriver
from selenium.webdriver.common.by import By  # noqa: E402

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
BACK = "http://127.0.0.1:51004/back"
TRIES = 60


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server as it is installed: `dev` forgives test programs their guesses."""
    server = RealServer(tmp_path_factory.mktemp("guarded"))
    server.guessed = server.person()
    yield server
    assert server.stop() == 0


@pytest.fixture
def browser(server, guarded, tool, tmp_path):
    yield from chromium(tool, tmp_path, server["ca"], guarded["ca"])


def guess_until_refused(server, path, form):
    """Until the server wants no more of it (RFC 6585 §4)."""
    for number in range(TRIES):
        data = urllib.parse.urlencode({name: value.format(number) for name, value in form.items()}).encode()
        try:
            urllib.request.urlopen(urllib.request.Request(server["issuer"] + path, data), context=server.tls(), timeout=20).close()
        except urllib.error.HTTPError as refused:
            with refused:
                if refused.code == 429:
                    return
    raise AssertionError(f"{TRIES} guesses at {path} are not too many")


def guess_until_told(browser, page, button, words, **form):
    """Until the page says so. The first pause is a second, which a busy machine may take for one page; each guess doubles it."""
    for _ in range(TRIES):
        browser.get(page)
        for name, value in form.items():
            field(browser, name).send_keys(value)
        press(browser, button)
        if words in browser.find_element(By.CSS_SELECTOR, "[role=alert]").text:
            return
    raise AssertionError(f"{TRIES} guesses at {page} are not too many: {text(browser)}")


@pytest.mark.parametrize("width,scheme", LOOKS)
def test_too_many_guesses(guarded, browser, axe, width, scheme):  # noqa: F811
    looker = Looker(browser, width, scheme)
    guess_until_refused(guarded, "/signin", {"address": guarded.guessed.address, "password": "wrong {}"})
    guess_until_told(browser, guarded["issuer"] + "/signin", "Sign in", "Too many attempts",
                     address=guarded.guessed.address, password="wrong again")
    looker.look("signin-too-many")
    browser.get(guarded["issuer"] + "/device")
    field(browser, "user_code").send_keys("WRNG-CODE")
    press(browser, "Continue")
    if "Too many" not in browser.find_element(By.CSS_SELECTOR, "[role=alert]").text:
        looker.look("device-wrong")
        guess_until_refused(guarded, "/device", {"user_code": "WRNG-CODE"})
    guess_until_told(browser, guarded["issuer"] + "/device", "Continue", "Too many wrong codes", user_code="WRNG-CODE")
    looker.look("device-too-many")
    assert not looker.faults, "\n".join(looker.faults)


def allowed(server, browser, **more):
    """Allows the desktop program something; what it gets."""
    browser.get(ask(server, BACK, CHALLENGE, "s", **more))
    fields = {name: field(browser, name).get_attribute("value") for name in ("then", "account")}
    request = urllib.request.Request(server["issuer"] + "/consent", urllib.parse.urlencode({**fields, "answer": "allow"}).encode(),
                                     {"Cookie": "__Host-session=" + browser.get_cookie("__Host-session")["value"],
                                      "Origin": server["issuer"], "Sec-Fetch-Site": "same-origin"})

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    opener = urllib.request.build_opener(Stay, urllib.request.HTTPSHandler(context=server.tls()))
    with pytest.raises(urllib.error.HTTPError) as gone:
        opener.open(request, timeout=20)
    with gone.value as answer:
        code = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(answer.headers["location"]).query))["code"]
    return post(server, server["token_url"], grant_type="authorization_code", code=code, redirect_uri=BACK, client_id="desktop",
                code_verifier=VERIFIER)


@pytest.mark.parametrize("width,scheme", LOOKS)
def test_requests_for_others_and_over(server, person, browser, axe, width, scheme):  # noqa: F811
    looker, other = Looker(browser, width, scheme), server.person("somebody-with-a-rather-long-name")
    enter(browser, server, other)
    hint = allowed(server, browser, scope="openid email")["id_token"]
    browser.delete_all_cookies()
    enter(browser, server, person)
    client = App(server, "A program in the making", "--native", "--tester", person.address, redirects=("http://127.0.0.1/back",)).id
    browser.get(ask(server, BACK, CHALLENGE, "s", client_id=client))
    assert "being tried out" in text(browser)
    looker.look("consent-testing")
    browser.get(ask(server, BACK, CHALLENGE, "s", login_hint=other.address))
    assert "The program asks for" in text(browser) and other.address in text(browser)
    looker.look("consent-other")
    browser.get(ask(server, BACK, CHALLENGE, "s", id_token_hint=hint))
    assert "the program asks for somebody else" in text(browser)
    assert field(browser, "address").get_attribute("value") == other.address
    looker.look("signin-other")
    pushed = urllib.parse.parse_qsl(urllib.parse.urlsplit(ask(server, BACK, CHALLENGE, "s")).query)
    uri = post(server, server["issuer"] + "/par", **dict(pushed))["request_uri"]
    begin = server["auth_url"] + "?" + urllib.parse.urlencode({"client_id": client, "request_uri": uri})
    browser.get(begin)
    assert "another program made this request" in text(browser) and "Start again from the program" in text(browser)
    looker.look("request-anothers")
    browser.get(begin[:-3] + "xyz")
    assert "answered already" in text(browser)
    looker.look("request-over")
    for scope in ("openid", "openid email", "pillarbox:read"):
        allowed(server, browser, scope=scope)
    browser.get(server["issuer"] + "/account/apps")
    assert "3 sign-ins since" in text(browser)
    looker.look("apps-of-often")
    browser.find_element(By.TAG_NAME, "summary").click()
    assert "May only" in text(browser)
    looker.look("apps-of-often-open")
    press(browser, "End")
    assert "That sign-in is over." in text(browser) and "2 sign-ins since" in text(browser)
    press(browser, "Remove")
    assert "All its 2 sign-ins are over." in text(browser)
    looker.look("apps-removed")
    assert not looker.faults, "\n".join(looker.faults)
