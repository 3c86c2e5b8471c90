"""The pages of people, administrators and developers in a real browser: what they do to real mail sessions, whether they fit
320 pixels, and what axe-core (the accessibility checker others wrote) finds on them: nothing."""
import imaplib
import json
import urllib.request

import pytest
from conftest import NODE_MODULES, eventually
from looks import LOOKS, Looker
from test_browser import ask, browser, field, sign_in, wait  # noqa: F401  (browser is a fixture)

webdriver = pytest.importorskip("selenium", reason="the Python package selenium is not installed; ./check installs it").webdriver
from selenium.webdriver.common.by import By  # noqa: E402

ACCOUNT = ["/account", "/account/apps", "/account/app-passwords", "/account/sessions", "/account/sign-in", "/account/second-factor", "/account/setup", "/account/labels", "/account/activity"]
ADMIN = ["/admin/accounts", "/admin/accounts/view?address=bob%40example.test", "/admin/domains",
         "/admin/domains/view?domain=example.test", "/admin/apps", "/admin/apps/view?client=web", "/admin/apps/new", "/admin/sessions",
         "/admin/changes", "/admin/log", "/admin/health"]


@pytest.fixture(scope="session")
def axe():
    source = NODE_MODULES / "axe-core" / "axe.min.js"
    if not source.exists():
        pytest.skip("axe-core is not installed; ./check installs it")
    return source.read_text()


def enter(browser, server, person):
    browser.get(server["issuer"] + "/signin")
    sign_in(browser, person)
    wait(browser, lambda b: "/account" in b.current_url)


def press(browser, words):
    """Presses the button or link that a person would see these words on, and waits for the next page."""
    def named(driver):
        buttons = driver.find_elements(By.CSS_SELECTOR, "main button, main a")
        return next((one for one in buttons if one.text.strip().startswith(words)), None)

    found = wait(browser, named, words)
    page = browser.find_element(By.TAG_NAME, "html")
    found.click()
    arrived(browser, page)


def arrived(browser, page):
    """Waits until another page than this is there, whole."""
    wait(browser, lambda b: b.find_element(By.TAG_NAME, "html") != page and b.find_elements(By.TAG_NAME, "body")
         and b.execute_script("return document.readyState") == "complete", "another page")


def text(browser):
    return wait(browser, lambda b: b.find_element(By.TAG_NAME, "main").text)


def busy(server, person, browser):
    """An account with something on every page."""
    box = person.imap()
    box.xatom("ID", '("name" "Thunderbird" "version" "140.1")')
    refused = imaplib.IMAP4_SSL("localhost", server.port("imap"), ssl_context=server.tls())
    with pytest.raises(imaplib.IMAP4.error):
        refused.login(person.address, "abcdabcdabcdabcd")
    refused.shutdown()
    other = imaplib.IMAP4_SSL("localhost", server.port("imap"), ssl_context=server.tls())
    other.login(person.address, person.app_password)
    return box, other


@pytest.mark.parametrize("width,scheme", LOOKS)
def test_pages_fit_and_are_accessible(server, browser, axe, width, scheme):  # noqa: F811
    person = server.ada()
    kept = busy(server, person, browser)
    looker = Looker(browser, width, scheme)
    look = looker.look
    browser.get(server["issuer"] + "/signin")
    look("signin")
    field(browser, "address").send_keys("nobody@example.test")
    field(browser, "password").send_keys("wrong")
    press(browser, "Sign in")
    look("signin-refused")
    enter(browser, server, person)
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    browser.get(ask(server, "http://127.0.0.1:51004/back", challenge, "s"))
    look("consent")
    browser.get(ask(server, "https://elsewhere.example/", challenge, "s"))
    look("wrong-request")
    browser.get(server["issuer"] + "/device")
    look("device")
    asked = urllib.request.Request(server["issuer"] + "/device/code", b"client_id=tv&scope=https://mail.google.com/")
    with urllib.request.urlopen(asked, context=server.tls()) as answer:
        browser.get(server["issuer"] + "/device/consent?user_code=" + json.load(answer)["user_code"])
    look("device-consent")
    press(browser, "Allow")
    look("device-done")
    for path in ["/", "/help", *ACCOUNT, *ADMIN, "/dev"]:
        browser.get(server["issuer"] + path)
        look(path.split("?")[0].strip("/").replace("/", "-") or "home")
    browser.get(server["issuer"] + "/account/app-passwords")
    field(browser, "name").send_keys("Telephone")
    press(browser, "Make it")
    look("app-password-made")
    browser.get(server["issuer"] + "/admin/accounts/view?address=bob%40example.test")
    press(browser, "New password link")
    look("invited")
    browser.get(browser.find_element(By.CSS_SELECTOR, ".made pre").text)
    look("invite")
    for kind, redirect in [("service", ""), ("web", "https://shop.example/a-rather-long-path/to/the/callback"), ("web", "nowhere")]:
        register(browser, server, f"A {kind} of {width}", kind, redirect)
        look("app-wrong" if redirect == "nowhere" else f"app-made-{kind}")
    register(browser, server, f"On trial at {width} {scheme}", "device", tester=person.address)
    look("app-testing")
    field(browser, "add").send_keys("nobody-with-a-rather-long-name@example.test")
    press(browser, "Add to the list")
    look("app-testers-wrong")
    browser.get(server["issuer"] + "/admin/apps?unapproved=yes")
    look("apps-waiting")
    browser.get(server["issuer"] + "/admin/accounts")
    field(browser, "address").send_keys("somebody@a-domain-with-a-rather-long-name.gmial.test")
    press(browser, "Add and invite")
    look("new-domain")
    press(browser, "Cancel")
    browser.get(server["issuer"] + "/admin/changes")
    look("changes")
    browser.get(server["issuer"] + "/dev")
    press(browser, "Make it")
    look("token-made")
    browser.get(server["issuer"] + "/account/nowhere")
    look("not-found")
    assert not looker.faults, "\n".join(looker.faults)
    for box in kept:
        box.shutdown()


def test_addresses_in_headings_break_between_their_words(server, person, browser):  # noqa: F811
    enter(browser, server, person)
    Looker(browser, 320, "light")
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    browser.get(ask(server, "http://127.0.0.1:51004/back", challenge, "s"))
    broken = """return [...document.querySelector('h1 .address').childNodes].filter(node => {
        const range = document.createRange(); range.selectNodeContents(node); return node.nodeType == 3 && range.getClientRects().length > 1
    }).map(node => node.data)"""
    assert browser.execute_script(broken) == []
    assert browser.find_element(By.CSS_SELECTOR, "h1 .address").get_attribute("textContent") == person.address


def register(browser, server, name, kind, redirect="", tester=None):
    browser.get(server["issuer"] + "/admin/apps/new")
    field(browser, "name").send_keys(name)
    browser.find_element(By.ID, "kind-" + kind).click()
    field(browser, "redirects").send_keys(redirect)
    if kind == "service":
        browser.find_element(By.CSS_SELECTOR, "[value='pillarbox:read']").click()
    if tester:
        browser.find_element(By.ID, "testing").click()
        field(browser, "testers").send_keys(tester)
    press(browser, "Register it")


def test_an_app_is_registered_and_used(server, browser):  # noqa: F811
    """The secret of the page is good at the token endpoint, before and after it is rotated."""
    import urllib.error
    import urllib.parse

    def error(secret):
        form = {"grant_type": "refresh_token", "refresh_token": "none", "client_id": client, "client_secret": secret}
        request = urllib.request.Request(server["token_url"], urllib.parse.urlencode(form).encode())
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, context=server.tls(), timeout=20)
        with refused.value as answer:
            return json.load(answer)["error"]

    enter(browser, server, server.ada())
    register(browser, server, "Shop", "web", "https://shop.example/cb", "ada@example.test")
    assert "being tried out" in text(browser)
    secret = browser.find_element(By.CSS_SELECTOR, "pre[aria-label=Secret]").text
    client = browser.find_element(By.CSS_SELECTOR, "dd code.copy").text
    assert error(secret) == "invalid_grant", "the client is known, the token is not"
    assert error(secret + "x") == "invalid_client"
    press(browser, "Make another secret")
    fresh = browser.find_element(By.CSS_SELECTOR, "pre[aria-label=Secret]").text
    assert fresh != secret and error(fresh) == error(secret) == "invalid_grant", "the one before goes on"
    browser.get(server["issuer"] + "/admin/apps")
    assert "Shop" in text(browser) and secret not in browser.page_source and fresh not in browser.page_source
    press(browser, "Shop")
    press(browser, "Remove")
    assert error(fresh) == "invalid_client"
    browser.get(server["issuer"] + "/admin/changes")
    for words in ("Shop was registered", "Shop was given a new secret", "Shop was removed", "by ada@example.test"):
        assert words in text(browser)


def test_removing_an_app_ends_its_session(server, person, browser):  # noqa: F811
    box = person.imap()
    box.xatom("ID", '("name" "Test program" "version" "7")')
    enter(browser, server, person)
    browser.get(server["issuer"] + "/account/sessions")
    assert "Test program 7" in text(browser) and "its access token ends then" in text(browser)
    browser.get(server["issuer"] + "/account/apps")
    assert "1 live session" in text(browser) and "127.0.0.1" in text(browser)
    press(browser, "Remove")
    assert "1 mail session was ended" in text(browser)
    assert b"BYE" in box.readline()
    assert box.readline() == b""
    browser.get(server["issuer"] + "/account/activity")
    assert "may no longer use your account" in text(browser)
    box.shutdown()


def test_an_app_password_works_until_it_is_revoked(server, person, browser):  # noqa: F811
    enter(browser, server, person)
    browser.get(server["issuer"] + "/account/app-passwords")
    field(browser, "name").send_keys("Old program")
    press(browser, "Make it")
    letters = browser.find_element(By.CSS_SELECTOR, ".letters").text
    box = imaplib.IMAP4_SSL("localhost", server.port("imap"), ssl_context=server.tls())
    box.login(person.address, letters.replace(" ", ""))
    browser.get(server["issuer"] + "/account/app-passwords")
    assert letters not in browser.page_source and "last used just now from 127.0.0.1" in text(browser)
    press(browser, "Revoke")
    assert "1 mail session was ended" in text(browser)
    assert b"BYE" in box.readline()
    box.shutdown()
    again = imaplib.IMAP4_SSL("localhost", server.port("imap"), ssl_context=server.tls())
    with pytest.raises(imaplib.IMAP4.error):
        again.login(person.address, letters.replace(" ", ""))
    again.shutdown()
    browser.get(server["issuer"] + "/account/activity")
    assert "no app password of this account fits" in text(browser)


def test_ending_sessions(server, person, browser):  # noqa: F811
    boxes = [person.imap() for _ in range(3)]
    enter(browser, server, person)
    browser.get(server["issuer"] + "/account/sessions")
    press(browser, "End all sessions")
    assert "3 mail sessions were ended" in text(browser)
    for box in boxes:
        assert b"BYE" in box.readline()
        box.shutdown()


def test_inviting_and_suspending(server, browser):  # noqa: F811
    enter(browser, server, server.ada())
    browser.get(server["issuer"] + "/admin/accounts")
    field(browser, "address").send_keys("invited@example.test")
    press(browser, "Add and invite")
    link = browser.find_element(By.CSS_SELECTOR, ".made pre").text
    browser.get(link)
    for name in ("password", "again"):
        field(browser, name).send_keys("correct horse battery")
    press(browser, "Set password")
    from conftest import Person
    person = Person(server, "invited@example.test", "correct horse battery")
    box = person.imap()
    browser.get(server["issuer"] + "/admin/accounts/view?address=invited%40example.test")
    press(browser, "Suspend")
    assert "suspended" in text(browser)
    assert b"BYE" in box.readline()
    box.shutdown()
    browser.delete_all_cookies()
    browser.get(server["issuer"] + "/signin")
    sign_in(browser, person)
    wait(browser, lambda b: b.find_elements(By.CSS_SELECTOR, "[role=alert]"))


def test_administration_is_for_administrators(server, person, browser):  # noqa: F811
    enter(browser, server, person)
    browser.get(server["issuer"] + "/admin/accounts")
    assert "for the administrators" in text(browser)
    server.run("account", "admin", person.address, "on")
    browser.get(server["issuer"] + "/admin/accounts")
    assert "Add an account" in text(browser)
    server.run("account", "admin", person.address, "off")
    browser.get(server["issuer"] + "/admin/accounts")
    assert "for the administrators" in text(browser)


def test_the_console_moves_the_clock_and_its_twin_makes_tokens(own_server, tool):
    server = own_server()
    api = server["dev_api"]
    assert server.env["PILLARBOX_DEV_API"] == api

    def call(path, body=None):
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(api + path, data), context=server.tls(), timeout=20) as answer:
            return json.load(answer)

    token = call("/tokens", {"address": "bob@example.test", "lifetime": "10m"})["access_token"]
    box = imaplib.IMAP4_SSL("localhost", server.port("imap"), ssl_context=server.tls())
    box.authenticate("XOAUTH2", lambda _: f"user=bob@example.test\1auth=Bearer {token}\1\1".encode())
    assert [one["address"] for one in call("/sessions")] == ["bob@example.test"]
    assert "tokens_expired" not in call("/clock")
    moved = call("/clock", {"advance": "1h"})
    assert (moved["ahead_seconds"], moved["sessions_ended"], moved["tokens_expired"]) == (3600, 1, 2), "bob's token, and that of the environment"
    assert b"BYE Session expired" in box.readline()
    box.shutdown()
    events = eventually(lambda: [one for one in call("/events") if "session expired" in one["text"]], what="the end in the log")
    story = [one["text"] for one in call("/why/" + events[0]["session"])]
    assert any("bob@example.test signed in, XOAUTH2" in line for line in story), story


def test_faults_and_the_wire_on_the_console(server, person, browser):  # noqa: F811
    from selenium.webdriver.support.ui import Select

    def set_fault(target, kind, times=""):
        form = browser.find_element(By.CSS_SELECTOR, "details:has(#target)")
        if not form.get_attribute("open"):
            form.find_element(By.TAG_NAME, "summary").click()
        Select(browser.find_element(By.ID, "target")).select_by_visible_text(target)
        Select(browser.find_element(By.ID, "kind")).select_by_value(kind)
        browser.find_element(By.ID, "times").send_keys(times)
        press(browser, "Set it")

    browser.get(server["issuer"] + "/dev")
    set_fault("imap.login", "503")
    assert "HTTP statuses are for oauth" in browser.find_element(By.CSS_SELECTOR, "[role=alert]").text
    set_fault("imap.login", "overquota", "1")
    try:
        assert "The fault is set." in text(browser) and "1 time left, happened 0 times" in text(browser)
        box = imaplib.IMAP4_SSL("localhost", server.port("imap"), ssl_context=server.tls())
        with pytest.raises(imaplib.IMAP4.error, match="OVERQUOTA"):
            box.login(person.address, person.app_password)
        session = box.welcome.split()[-1].decode()
        browser.get(server["issuer"] + "/dev?session=" + session)
        assert "happened 1 time" in text(browser)
        wire = browser.find_element(By.CSS_SELECTOR, ".wire").text
        assert f"LOGIN {person.address}" in wire and "OVERQUOTA" in wire
        assert person.app_password[:4] in wire and person.app_password[:6] not in browser.page_source
        press(browser, "Clear")
        assert "Nothing goes wrong on purpose" in text(browser)
        box.shutdown()
    finally:
        server.run("fault", "clear")
