"""The button of an external provider in a real browser: through the provider's own pages and back, and what a person is told
when it does not answer."""
import pytest
from elsewhere import provider  # noqa: F401  (a fixture)
from test_browser import chromium, field, save_screenshot, wait
from looks import LOOKS
from test_pages import axe, text  # noqa: F401  (axe is a fixture)

webdriver = pytest.importorskip("selenium", reason="the Python package selenium is not installed; ./check installs it").webdriver
from selenium.webdriver.common.by import By  # noqa: E402


@pytest.fixture
def scene(own_server, provider, tool, tmp_path):  # noqa: F811
    server = own_server("--settings", provider.settings("create = true"))
    provider.start(server)
    for driver in chromium(tool, tmp_path, server["ca"], str(provider.ca)):
        yield server, provider, driver


def by_provider(browser, provider, consent=True):
    browser.find_element(By.PARTIAL_LINK_TEXT, "Sign in with Corp").click()
    wait(browser, lambda b: b.find_elements(By.NAME, "login"))
    assert browser.current_url.startswith(provider.issuer)
    who = field(browser, "login")
    who.clear()  # it may have been told whom we expect
    who.send_keys("grace")
    secret = field(browser, "password")
    secret.send_keys("any")
    secret.submit()
    if consent:
        wait(browser, lambda b: 'value="consent"' in b.page_source)
        browser.find_element(By.CSS_SELECTOR, "button[type=submit]").click()


def test_there_and_back(scene):
    server, provider, browser = scene
    browser.get(server["issuer"] + "/account/app-passwords")
    by_provider(browser, provider)
    # Where they wanted to go before all this.
    wait(browser, lambda b: b.current_url == server["issuer"] + "/account/app-passwords")
    assert "grace@example.test" in browser.find_element(By.TAG_NAME, "body").text
    assert not [c for c in browser.get_cookies() if c["name"] == "__Host-external"]
    browser.get(server["issuer"] + "/account/activity")
    assert "Corp" in text(browser)
    save_screenshot(browser, "external-activity")


@pytest.mark.parametrize("width,scheme", LOOKS)
def test_the_sign_in_page_with_a_provider(scene, axe, width, scheme):  # noqa: F811
    server, provider, browser = scene
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})
    browser.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})

    def look(name):
        save_screenshot(browser, f"{name}-{width}-{scheme}")
        assert browser.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        browser.execute_script(axe)
        found = browser.execute_async_script("axe.run(document, {}).then(arguments[0], e => arguments[0]({error: String(e)}))")
        assert not found.get("error") and not found["violations"], found

    home = server["issuer"]
    browser.get(home + "/signin")
    look("external-signin")
    by_provider(browser, provider)
    wait(browser, lambda b: b.current_url == home + "/account")
    browser.get(home + "/account/passkeys")
    browser.find_element(By.LINK_TEXT, "Sign in again").click()
    wait(browser, lambda b: "takes a sign-in just now" in text(b))
    by_provider(browser, provider, consent=False)
    wait(browser, lambda b: b.current_url == home + "/account/passkeys")
    # The page was loaded in time, and its button pressed later: it says what comes first.
    server.run("clock", "advance", "20m")
    provider.advance(1200)
    field(browser, "name").send_keys("telephone")
    browser.find_element(By.CSS_SELECTOR, "[data-passkey=create]").click()
    wait(browser, lambda b: "Sign in again" in text(b))
    for page in ("passkeys", "second-factor", "password"):
        browser.get(home + "/account/" + page)
        assert "it takes a sign-in just now" in text(browser)
        look("external-anew-" + page)
    browser.find_element(By.LINK_TEXT, "Sign in again").click()
    wait(browser, lambda b: "takes a sign-in just now" in text(b))
    look("external-again")
    by_provider(browser, provider, consent=False)
    wait(browser, lambda b: b.current_url == home + "/account/password" and b.find_elements(By.NAME, "again"))
    provider.stop()
    server.run("clock", "advance", "25h")
    browser.get(server["issuer"] + "/signin/external/corp")
    assert "Corp does not answer just now" in text(browser)
    look("external-down")
