"""Names full of markup, in a real browser whose content policy is switched off: nothing of them becomes an element, nothing runs.
That the policy would stop it anyway is the second wall, and not the one that is tried here."""
import urllib.parse

import pytest
from attacks.attacker import App, Browser
from attacks.test_markup import planted
from test_browser import browser, sign_in, wait  # noqa: F401  (browser is a fixture)
from test_pages import ACCOUNT, ADMIN

# Short enough for a program's name, and awake in text, in attributes and in addresses.
AWAKE = "'\"></title><img src=evil onerror=window.evil=1><svg onload=window.evil=2><x-evil>"
TINY = "'\"><img src=evil onerror=evil=3>"
REFLECTED = ["/signin?then={}", "/device?user_code={}", "/admin/accounts?search={}", "/admin/accounts/view?address={}", "/admin/sessions?search={}",
             "/admin/log?search={}", "/dev?search={}", "/nowhere/{}", "/invite?for={}", "/o/oauth2/v2/auth?client_id={}",
             "/o/oauth2/v2/auth?client_id=web&redirect_uri={}", "/mail/config-v1.1.xml?emailaddress=a@{}"]


def harmless(driver, where):
    assert driver.execute_script("return window.evil") is None, f"{where}: it ran"
    found = driver.execute_script("return document.querySelectorAll('x-evil, svg[onload], [onerror], img[src*=evil]').length")
    assert found == 0, f"{where}: it became markup"


@pytest.mark.parametrize("sleeping", [False, True], ids=["without-policy", "with-policy"])
def test_names_never_run(server, person, browser, sleeping):  # noqa: F811
    if not sleeping:
        browser.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
        browser.get("data:text/html,<img src=evil onerror=window.evil=1>")
        wait(browser, lambda b: b.execute_script("return window.evil") == 1)  # so it would run if it could
    ada = server.ada()
    own = Browser(server)
    own.sign_in(ada)
    app = App(server, AWAKE)
    app.tokens(own)
    server.run("app-password", "add", ada.address, "--name", AWAKE)
    box = planted(server, ada, AWAKE, TINY)
    browser.get(server["issuer"] + "/signin")
    sign_in(browser, ada)
    wait(browser, lambda b: "/account" in b.current_url)
    shown = 0
    for path in [*ACCOUNT, *ADMIN, "/dev", *(one.replace("{}", urllib.parse.quote(AWAKE, safe="")) for one in REFLECTED)]:
        browser.get(server["issuer"] + path)
        harmless(browser, path)
        shown += "x-evil" in browser.execute_script("return document.documentElement.textContent")
    assert shown >= 8, f"only {shown} pages show such a name: this proves little"
    request = app.request(login_hint=AWAKE, prompt="consent", state=AWAKE)
    browser.get(server["issuer"] + "/o/oauth2/v2/auth?" + urllib.parse.urlencode(request))
    harmless(browser, "consent")
    assert "x-evil" in browser.execute_script("return document.body.textContent")
    box.shutdown()
    server.run("app", "remove", app.id, "--yes")
