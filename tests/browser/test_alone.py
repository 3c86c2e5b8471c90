"""The ways through the pages for whoever has a keyboard alone, or a browser without scripts: sign-in, consent, a device's code,
app passwords, an invitation, the end of an app. What has the focus can be seen at every step."""
import json
import urllib.parse
import urllib.request

import pytest
from test_browser import ask, browser, field, program, wait  # noqa: F401  (browser and program are fixtures)
from test_pages import arrived, press, text

webdriver = pytest.importorskip("selenium", reason="the Python package selenium is not installed; ./check installs it").webdriver
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
STEPS_MAX = 60
# Of what has the focus: how thick its outline is (0 where there is none), and where it is.
OUTLINE = """const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
return [style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth), box.width, box.height, box.left, box.top];"""


def keys(browser, *words):  # noqa: F811
    ActionChains(browser).send_keys(*words).perform()


def focused(browser):  # noqa: F811
    """What has the focus, which must be seen."""
    one = browser.switch_to.active_element
    outline, width, height, left, top = browser.execute_script(OUTLINE)
    assert outline >= 2, f"no outline around {one.get_attribute('outerHTML')[:200]}"
    assert width > 1 and height > 1 and left >= 0 and top >= 0, f"out of sight: {one.get_attribute('outerHTML')[:200]}"
    return one


def tab_to(browser, words):  # noqa: F811
    """Goes on until the focus is on what a person would call so."""
    for _ in range(STEPS_MAX):
        keys(browser, Keys.TAB)
        one = focused(browser)
        if one.text.strip().startswith(words):
            return one
    raise AssertionError(f"{words} is not reached: {text(browser)}")


def next_page(browser, *words):  # noqa: F811
    page = browser.find_element(By.TAG_NAME, "html")
    keys(browser, *words)
    arrived(browser, page)


def device_code(server):
    asked = urllib.request.Request(server["issuer"] + "/device/code", b"client_id=tv&scope=https://mail.google.com/")
    with urllib.request.urlopen(asked, context=server.tls(), timeout=20) as answer:
        return json.load(answer)


def device_has(server, begun):
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "client_id": "tv", "device_code": begun["device_code"]}
    request = urllib.request.Request(server["token_url"], urllib.parse.urlencode(form).encode())
    with urllib.request.urlopen(request, context=server.tls(), timeout=20) as answer:
        return json.load(answer)["token_type"] == "Bearer"


def test_a_keyboard_is_enough(server, person, browser, program):  # noqa: F811
    redirect, caught = program
    browser.get(server["issuer"] + "/")
    keys(browser, Keys.TAB)
    assert focused(browser).text == "Skip to content"
    keys(browser, Keys.ENTER)
    wait(browser, lambda b: b.current_url.endswith("#main"))
    keys(browser, Keys.TAB)
    inside = browser.execute_script("return document.getElementById('main').contains(document.activeElement)")
    assert inside, "past the header"
    # sign in on the way to a program, and allow it
    browser.get(ask(server, redirect, CHALLENGE, "s"))
    assert focused(browser).get_attribute("name") == "address"
    keys(browser, person.address, Keys.TAB)
    assert focused(browser).get_attribute("name") == "password"
    keys(browser, person.password)
    tab_to(browser, "Sign in")
    next_page(browser, Keys.SPACE)
    tab_to(browser, "Allow")
    keys(browser, Keys.ENTER)
    wait(browser, lambda b: b.find_elements(By.ID, "back"))
    assert caught[0]["state"] == "s" and caught[0]["code"]
    # a device's code
    begun = device_code(server)
    browser.get(server["issuer"] + "/device")
    assert focused(browser).get_attribute("name") == "user_code"
    keys(browser, begun["user_code"])
    next_page(browser, Keys.ENTER)
    assert begun["user_code"] in text(browser)
    tab_to(browser, "Allow")
    next_page(browser, Keys.SPACE)
    assert device_has(server, begun)
    # and its end
    browser.get(server["issuer"] + "/account/apps")
    assert "Television" in text(browser) or "tv" in text(browser)
    tab_to(browser, "Remove")
    next_page(browser, Keys.ENTER)
    assert "can no longer use your mail" in text(browser) and "No program may use" in text(browser)


@pytest.fixture
def without_scripts(browser):  # noqa: F811
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.get("data:text/html,<p id=p>off</p><script>document.getElementById('p').textContent = 'on'</script>")
    assert browser.find_element(By.ID, "p").text == "off"
    return browser


def test_nothing_needs_a_script(server, without_scripts, program):  # noqa: F811
    browser, (redirect, caught) = without_scripts, program  # noqa: F811
    ada = server.ada()
    browser.get(ask(server, redirect, CHALLENGE, "s", prompt="login"))
    assert not [one for one in browser.find_elements(By.CSS_SELECTOR, "[data-passkey]") if one.is_displayed()], "it could not work"
    field(browser, "address").send_keys(ada.address)
    field(browser, "password").send_keys(ada.password)
    press(browser, "Sign in")
    assert "wants to use" in text(browser)
    browser.find_element(By.CSS_SELECTOR, "button[value=allow]").click()
    wait(browser, lambda b: b.find_elements(By.ID, "back"))
    assert caught[0]["code"]
    begun = device_code(server)
    browser.get(server["issuer"] + "/device")
    field(browser, "user_code").send_keys(begun["user_code"])
    press(browser, "Continue")
    press(browser, "Allow")
    assert device_has(server, begun)
    browser.get(server["issuer"] + "/account/app-passwords")
    field(browser, "name").send_keys("A browser without scripts")
    press(browser, "Make it")
    assert browser.find_element(By.CSS_SELECTOR, ".letters").text
    row = next(one for one in browser.find_elements(By.CSS_SELECTOR, ".rows > li") if "without scripts" in one.text)
    row.find_element(By.TAG_NAME, "button").click()
    wait(browser, lambda b: "The app password is revoked." in b.find_element(By.TAG_NAME, "main").text)
    address = f"quiet{next(server.people)}@example.test"
    browser.get(server["issuer"] + "/admin/accounts")
    field(browser, "address").send_keys(address)
    press(browser, "Add and invite")
    assert "/invite" in browser.find_element(By.CSS_SELECTOR, ".made pre").text
    browser.get(server["issuer"] + "/admin/accounts/view?address=" + urllib.parse.quote(address))
    press(browser, "Suspend")
    assert "suspended" in text(browser)
