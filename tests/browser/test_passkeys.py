"""Passkeys in a real browser with the virtual authenticator of its DevTools: made, used in place of the password and behind it,
asked for by the pages, and refused when their owner is not there."""
import pytest
from conftest import eventually
from looks import LOOKS, Looker
from test_browser import browser, field, wait  # noqa: F401  (browser is a fixture)
from test_pages import axe, press, text  # noqa: F401  (axe is a fixture)

webdriver = pytest.importorskip("selenium", reason="the Python package selenium is not installed; ./check installs it").webdriver
from selenium.webdriver.common.by import By  # noqa: E402


def authenticator(browser, **options):
    """An authenticator in the browser, with a finger on it."""
    browser.execute_cdp_cmd("WebAuthn.enable", {})
    standard = {"protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": "internal", "hasResidentKey": True,
                "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True}
    return browser.execute_cdp_cmd("WebAuthn.addVirtualAuthenticator", {"options": standard | options})["authenticatorId"]


def credentials(browser, device):
    return browser.execute_cdp_cmd("WebAuthn.getCredentials", {"authenticatorId": device})["credentials"]


def enter(browser, server, person):
    browser.get(server["issuer"] + "/signin")
    field(browser, "address").send_keys(person.address)
    field(browser, "password").send_keys(person.password)
    press(browser, "Sign in")


def make(browser, server, person, name):
    browser.get(server["issuer"] + "/account/passkeys")
    field(browser, "name").send_keys(name)
    field(browser, "password").send_keys(person.password)
    press(browser, "Make a passkey")
    assert "The passkey is ready" in text(browser), text(browser)


def sign_out(browser):
    browser.find_element(By.CSS_SELECTOR, "form[action='/signout'] button").click()
    wait(browser, lambda b: "Sign out" not in b.page_source)


def refusal(browser, words):
    """What the script says when no passkey came."""
    button = next(b for b in browser.find_elements(By.CSS_SELECTOR, "main button") if b.text.startswith(words))
    button.click()
    error = button.find_element(By.XPATH, "ancestor::form").find_element(By.CSS_SELECTOR, "[data-passkey-error]")
    return eventually(lambda: error.is_displayed() and error.text, what="a word about the refusal")


def test_a_passkey_signs_in_with_nothing_else(server, person, browser):  # noqa: F811
    device = authenticator(browser)
    enter(browser, server, person)
    make(browser, server, person, "Laptop <b>")
    [credential] = credentials(browser, device)
    assert credential["isResidentCredential"] and credential["rpId"] == "localhost"
    assert "Laptop <b>" in text(browser) and "never used" in text(browser)
    field(browser, "name").send_keys("The same again")
    field(browser, "password").send_keys(person.password)
    assert "has a passkey for this account already" in refusal(browser, "Make a passkey")
    sign_out(browser)
    browser.get(server["issuer"] + "/signin")
    press(browser, "Sign in with a passkey")
    assert "/account" in browser.current_url and person.address in browser.page_source
    browser.get(server["issuer"] + "/account/activity")
    assert "Passkey “Laptop <b>” was added" in text(browser)
    assert "Signed in on the web" in text(browser) and "with passkey" in text(browser)
    sign_out(browser)
    browser.execute_cdp_cmd("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    browser.get(server["issuer"] + "/signin")
    assert "No passkey was given" in refusal(browser, "Sign in with a passkey")
    browser.execute_cdp_cmd("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": True})
    press(browser, "Sign in with a passkey")
    browser.get(server["issuer"] + "/account/passkeys")
    press(browser, "Remove")
    sign_out(browser)
    browser.get(server["issuer"] + "/signin")
    press(browser, "Sign in with a passkey")
    assert "This passkey does not open an account here" in text(browser)


def test_a_passkey_is_the_second_factor(server, person, browser):  # noqa: F811
    device = authenticator(browser)
    enter(browser, server, person)
    make(browser, server, person, "Key")
    browser.get(server["issuer"] + "/account/second-factor")
    field(browser, "password").send_keys(person.password)
    press(browser, "Ask for a passkey")
    codes = [code.text for code in browser.find_elements(By.CSS_SELECTOR, ".codes code")]
    assert len(codes) == 10
    sign_out(browser)
    enter(browser, server, person)
    assert "Use your passkey" in text(browser)
    press(browser, "Use a passkey")
    assert "/account" in browser.current_url
    browser.get(server["issuer"] + "/account/passkeys")
    press(browser, "Remove")
    assert "only one that your second factor" in text(browser)
    browser.get(server["issuer"] + "/account/second-factor")
    with_passkey = browser.find_elements(By.CSS_SELECTOR, "button[value=off][data-passkey]")[0]
    with_passkey.click()
    wait(browser, lambda b: "It is removed" in b.page_source)
    sign_out(browser)
    enter(browser, server, person)
    assert "/account" in browser.current_url
    assert len(credentials(browser, device)) == 1


def test_a_new_password_is_set_with_a_passkey(server, person, browser):  # noqa: F811
    authenticator(browser)
    enter(browser, server, person)
    make(browser, server, person, "Key")
    browser.get(server["issuer"] + "/account/password")
    field(browser, "password").send_keys("five words nobody would guess")
    field(browser, "again").send_keys("five words nobody would guess")
    press(browser, "Set it with a passkey")
    assert "Your new password is set" in text(browser), text(browser)
    sign_out(browser)
    enter(browser, server, person)
    assert "do not belong together" in text(browser)


def test_an_administrator_clears_what_was_lost(server, person, browser):  # noqa: F811
    device = authenticator(browser)
    enter(browser, server, person)
    make(browser, server, person, "Lost")
    browser.get(server["issuer"] + "/account/second-factor")
    field(browser, "password").send_keys(person.password)
    press(browser, "Ask for a passkey")
    sign_out(browser)
    server.run("account", "reset-factor", person.address, "--passkeys")
    browser.execute_cdp_cmd("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": device})
    enter(browser, server, person)
    assert "/account" in browser.current_url
    browser.get(server["issuer"] + "/account/activity")
    assert "second factor was switched off" in text(browser) and "by an administrator" in text(browser)
    assert "All passkeys were removed" in text(browser)


def test_without_script_the_pages_work(server, person, browser):  # noqa: F811
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    enter(browser, server, person)
    assert "/account" in browser.current_url
    browser.get(server["issuer"] + "/account/passkeys")
    assert "has JavaScript switched off" in text(browser) and "Make a passkey" not in text(browser)
    sign_out(browser)
    browser.get(server["issuer"] + "/signin")
    assert "passkey" not in text(browser)


@pytest.mark.parametrize("width,scheme", LOOKS)
def test_pages_about_signing_in_fit_and_are_accessible(server, person, browser, axe, width, scheme):  # noqa: F811
    looker, device = Looker(browser, width, scheme), authenticator(browser)
    look = looker.look

    def go(path, name):
        browser.get(server["issuer"] + path)
        look(name)

    go("/signin", "signin-passkey")
    enter(browser, server, person)
    go("/account/passkeys", "passkeys-none")
    make(browser, server, person, "Telephone with a rather long name that breaks lines")
    look("passkeys-made")
    go("/account/sign-in", "signing-in")
    go("/account/password", "password")
    field(browser, "password").send_keys("one and another")
    field(browser, "again").send_keys("another and one")
    field(browser, "current").send_keys("x")
    press(browser, "Set the new password")
    look("password-wrong")
    go("/account/app-passwords", "app-password-form")
    browser.find_element(By.CSS_SELECTOR, "summary").click()
    field(browser, "name").send_keys("Phone")
    field(browser, "from").send_keys("nowhere")
    press(browser, "Make it")
    look("app-password-limits")
    go("/account/sessions", "sessions")
    go("/account/second-factor", "second-factor-off")
    field(browser, "password").send_keys(person.password)
    press(browser, "Ask for a passkey")
    look("recovery-codes")
    go("/account/second-factor", "second-factor-on")
    sign_out(browser)
    enter(browser, server, person)
    look("second-step")
    browser.execute_cdp_cmd("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    go("/signin", "signin")
    refusal(browser, "Sign in with a passkey")
    look("signin-no-passkey")
    assert not looker.faults, "\n".join(looker.faults)
