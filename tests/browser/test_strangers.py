"""Programs that registered themselves, as people meet them: consent says that nobody approved one, its site is named before a
browser goes there, and where administrators approve first nothing begins before. And pages nobody else's path leads by: the
second factor of a telephone, and what administrators see of such programs."""
import base64
import hashlib
import hmac
import json
import struct
import time
import urllib.request

import pytest
from looks import LOOKS, Looker
from test_browser import ask, chromium, field, wait
from test_pages import axe, enter, press, text  # noqa: F401  (axe is a fixture: it skips where there is none)

webdriver = pytest.importorskip("selenium", reason="the Python package selenium is not installed; ./check installs it").webdriver
from selenium.webdriver.common.by import By  # noqa: E402

CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
SITE = "shop-with-a-rather-long-name.accounts-example-test.example"


@pytest.fixture(scope="module")
def careful(tmp_path_factory):
    """A server where administrators approve programs first."""
    from conftest import Server

    server = Server(tmp_path_factory.mktemp("careful"), env={"PILLARBOX_OAUTH_REGISTRATION": "approval"})
    yield server
    server.stop()


@pytest.fixture
def browser(server, careful, tool, tmp_path):
    yield from chromium(tool, tmp_path, server["ca"], careful["ca"])


def register(server, name):
    """A program that registers itself; its id."""
    wanted = {"client_name": name, "redirect_uris": [f"https://{SITE}/cb"], "token_endpoint_auth_method": "none"}
    request = urllib.request.Request(server["issuer"] + "/register", json.dumps(wanted).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, context=server.tls(), timeout=20) as answer:
        return json.load(answer)["client_id"]


def begin(server, client, **more):
    return ask(server, f"https://{SITE}/cb", CHALLENGE, "s", client_id=client, **more)


def stays(browser, server, *words):
    """The browser is still here, and the page names the site that the program wants."""
    assert browser.current_url.startswith(server["issuer"]), browser.current_url
    for one in (*words, SITE, "Nobody who looks after this server has checked this program"):
        assert one in text(browser)
    back = browser.find_element(By.CSS_SELECTOR, "main a.quiet")
    assert back.text == f"Go back to {SITE}" and back.get_attribute("rel") == "noreferrer"
    return back.get_attribute("href")


def test_a_strangers_site_is_named_before_the_browser_goes_there(server, person, browser):
    client = register(server, "Cheap mail")
    enter(browser, server, person)
    browser.get(begin(server, client))
    assert "Not approved." in text(browser) and SITE in text(browser)
    press(browser, "Cancel")
    assert "error=access_denied" in stays(browser, server, "Nothing was allowed", "“Cheap mail” gets no access to your mail.")
    browser.get(begin(server, client, scope="everything"))
    assert "error=invalid_scope" in stays(browser, server, "You cannot go on from here", "Cheap mail")
    # once somebody who looks after the server approved it, the browser goes there like everybody's
    server.run("app", "approve", client)
    browser.get(begin(server, client))
    assert "Not approved." not in text(browser)
    browser.find_element(By.CSS_SELECTOR, "button[value=cancel]").click()
    wait(browser, lambda b: b.current_url.startswith(f"https://{SITE}/cb?error=access_denied"))


@pytest.mark.parametrize("width,scheme", LOOKS)
def test_pages_about_strangers_fit_and_are_accessible(server, careful, browser, axe, width, scheme):  # noqa: F811
    ada, looker = server.ada(), Looker(browser, width, scheme)
    client = register(server, f"A shop of {width} {scheme}")
    enter(browser, server, ada)
    browser.get(begin(server, client, login_hint="bob@example.test"))
    looker.look("stranger-consent")
    press(browser, "Cancel")
    looker.look("stranger-denied")
    browser.get(begin(server, client, scope="everything"))
    looker.look("stranger-wrong")
    for path in ("/admin/apps", f"/admin/apps/view?client={client}"):
        browser.get(server["issuer"] + path)
        looker.look("stranger" + path.split("?")[0].replace("/", "-"))
    press(browser, "Remove")
    looker.look("stranger-removed")
    browser.get(begin(careful, register(careful, f"Waits {width} {scheme}")))
    assert "the administrator has not approved this program yet" in text(browser)
    looker.look("stranger-waits")
    assert not looker.faults, "\n".join(looker.faults)


def digits(secret):
    """RFC 6238, as a telephone does it."""
    mac = hmac.new(base64.b32decode(secret + "=" * (-len(secret) % 8)), struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    at = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 1_000_000:06}"


@pytest.mark.parametrize("width,scheme", LOOKS)
def test_pages_of_the_second_factor_fit_and_are_accessible(server, person, browser, axe, width, scheme):  # noqa: F811
    looker = Looker(browser, width, scheme)

    def answer(code, press_, **more):
        for name, value in {"code": code, **more}.items():
            field(browser, name).send_keys(value)
        press(browser, press_)

    enter(browser, server, person)
    browser.get(server["issuer"] + "/account/second-factor")
    answer("000000", "Use this phone", password=person.password)
    looker.look("phone-wrong")
    secret = browser.find_element(By.XPATH, "//p[contains(., 'Or type this secret')]/code").text.replace(" ", "")
    answer(digits(secret), "Use this phone", password=person.password)
    looker.look("phone-codes")
    spare = [one.text for one in browser.find_elements(By.CSS_SELECTOR, ".codes code")]
    press(browser, "I have them")
    looker.look("phone-on")
    browser.find_element(By.CSS_SELECTOR, "form[action='/signout'] button").click()
    wait(browser, lambda b: not b.get_cookie("__Host-session"))
    browser.get(server["issuer"] + "/signin")
    field(browser, "address").send_keys(person.address)
    field(browser, "password").send_keys(person.password)
    press(browser, "Sign in")
    looker.look("code")
    answer("nonsense", "Sign in")
    looker.look("code-wrong")
    answer(spare[0], "Sign in")
    browser.get(server["issuer"] + "/account/second-factor")
    answer(spare[1], "Remove the second factor")
    looker.look("phone-removed")
    assert not looker.faults, "\n".join(looker.faults)
