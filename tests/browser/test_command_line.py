"""`pillarbox login` with a real browser: what a person sees at the end, and that it is fit to be seen."""
import re
import subprocess

import pytest
from conftest import DEADLINE, PROGRAM, eventually
from test_browser import By, browser, field, save_screenshot, sign_in, wait  # noqa: F401  (browser is a fixture)
from looks import LOOKS
from test_pages import axe  # noqa: F401  (axe is a fixture)


@pytest.fixture
def login(server, person, tmp_path):
    """The command, waiting; the address it names."""
    said = tmp_path / "said"
    env = {name: value for name, value in server.env.items() if name not in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")}
    with open(said, "w") as out:
        process = subprocess.Popen([PROGRAM, "login", person.address], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                   env=env | {"XDG_STATE_HOME": str(tmp_path / "state")})
    address = eventually(lambda: re.search(r"https://\S+", said.read_text()), what="the address").group()
    yield process, address, said
    if process.poll() is None:
        process.kill()
    process.wait()


def look(browser, axe, width, scheme):  # noqa: F811
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": 700, "deviceScaleFactor": 1, "mobile": False})
    browser.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})


@pytest.mark.parametrize("answer,width,scheme", [("allow", *look) for look in LOOKS] + [("cancel", *LOOKS[-1])])
def test_the_last_page(person, browser, axe, login, answer, width, scheme):  # noqa: F811
    process, address, said = login
    look(browser, axe, width, scheme)
    browser.get(address)
    field(browser, "address").clear()  # it is there already: the command said whose sign-in it wants
    sign_in(browser, person)
    button = wait(browser, lambda b: b.find_elements(By.CSS_SELECTOR, f"button[value={answer}]"))
    assert "Pillarbox command line" in browser.find_element(By.TAG_NAME, "main").text
    button[0].click()
    wait(browser, lambda b: b.current_url.startswith("http://127.0.0.1:") and b.find_elements(By.TAG_NAME, "main"))
    title = {"allow": "You are signed in", "cancel": "Nothing was allowed"}[answer]
    page = browser.find_element(By.TAG_NAME, "main").text
    assert title in page and "You can close this window" in page
    assert process.wait(DEADLINE) == {"allow": 0, "cancel": 1}[answer]
    assert ("Signed in." in said.read_text()) == (answer == "allow")
    save_screenshot(browser, f"last-{answer}-{width}-{scheme}")
    assert browser.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    assert browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)") == []
    browser.execute_script(axe)
    found = browser.execute_async_script("axe.run(document, {}).then(arguments[0], e => arguments[0]({error: String(e)}))")
    assert found["violations"] == []
