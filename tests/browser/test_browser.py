"""A real browser (Debian's Chromium, headless) signs in and consents; the code becomes a token that opens IMAP."""
import base64
import hashlib
import http.server
import imaplib
import json
import os
import secrets
import shutil
import subprocess
import threading
import urllib.parse
import urllib.request

import pytest

selenium = pytest.importorskip("selenium", reason="the Python package selenium is not installed; ./check installs it")
from selenium import webdriver  # noqa: E402
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException, TimeoutException, WebDriverException  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

# Seconds that a page, a script or a condition may take: a deadline for machines that are busy, not a measure.
PATIENCE = 60
# What chromedriver says of a question that came between two pages; it has no code of its own for it.
BETWEEN_PAGES = ("aborted by navigation", "does not belong to the document", "no such execution context", "Cannot find context",
                 "Execution context was destroyed")


@pytest.fixture
def browser(server, tool, tmp_path):
    """Chromium in a home of its own that trusts the development CA, the way a person would make it."""
    yield from chromium(tool, tmp_path, server["ca"])


def chromium(tool, tmp_path, *authorities):
    tool("chromium"), tool("certutil")
    home = tmp_path / "home"
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    subprocess.run(["certutil", "-d", f"sql:{database}", "-N", "--empty-password"], check=True)
    for number, authority in enumerate(authorities):
        trust = ["-A", "-n", f"authority {number}", "-t", "C,,", "-i", authority]
        subprocess.run(["certutil", "-d", f"sql:{database}", *trust], check=True)
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
                 "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
                 "--window-size=1000,900",
                 f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(word)
    service = webdriver.ChromeService(shutil.which("chromedriver"), env=os.environ | {"HOME": str(home)})
    driver = webdriver.Chrome(options=options, service=service)
    driver.set_page_load_timeout(PATIENCE)
    driver.set_script_timeout(PATIENCE)
    yield driver
    driver.quit()


@pytest.fixture
def program():
    """The other end: a program on this computer that waits for the browser on a loopback port."""
    caught = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if "code=" in self.path or "error=" in self.path:
                caught.append(dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query)))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>Back</title><p id=back>You can close this window.")

        def log_message(self, *_):
            pass

    listener = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{listener.server_port}/", caught
    listener.shutdown()


def post(server, url, **fields):
    request = urllib.request.Request(url, urllib.parse.urlencode(fields).encode())
    with urllib.request.urlopen(request, context=server.tls(), timeout=20) as answer:
        return json.load(answer)


def field(browser, *names):
    return wait(browser, lambda b: next((found for name in names for found in b.find_elements(By.NAME, name)), None), names)


def wait(browser, check, what="what was waited for"):
    """Until it is true; its result. A page that is just leaving is no answer: then it is asked again."""
    def asked(driver):
        try:
            return check(driver)
        except (NoSuchElementException, StaleElementReferenceException):
            return None
        except WebDriverException as fault:
            if any(words in (fault.msg or "") for words in BETWEEN_PAGES):
                return None
            raise

    try:
        return WebDriverWait(browser, PATIENCE).until(asked)
    except TimeoutException:
        raise AssertionError(f"{what} is not on {browser.current_url}: {browser.page_source[:3000]}") from None


def ask(server, redirect, challenge, state, **more):
    query = {"client_id": "desktop", "redirect_uri": redirect, "response_type": "code", "scope": server["scope"],
             "state": state, "code_challenge": challenge, "code_challenge_method": "S256", **more}
    return server["auth_url"] + "?" + urllib.parse.urlencode(query)


def sign_in(browser, person, password=None):
    field(browser, "address", "email", "username").send_keys(person.address)
    secret = field(browser, "password")
    secret.send_keys(password or person.password)
    secret.submit()


def test_sign_in_consent_code_token_imap(server, person, browser, program):
    redirect, caught = program
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(12)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    browser.get(ask(server, redirect, challenge, state))
    sign_in(browser, person, "not the password")
    wait(browser, lambda b: b.find_elements(By.CSS_SELECTOR, "[role=alert]"))
    field(browser, "address", "email", "username").clear()
    sign_in(browser, person)
    page = wait(browser, lambda b: "wants" in b.page_source and b.find_element(By.TAG_NAME, "main").text)
    assert person.address in page and "a program on this computer" in page and "delete" in page
    save_screenshot(browser, "consent")
    allow = next(b for b in browser.find_elements(By.CSS_SELECTOR, "button") if b.text.strip().lower().startswith("allow"))
    allow.click()
    wait(browser, lambda b: b.find_elements(By.ID, "back"))
    assert caught[0]["state"] == state and caught[0]["iss"] == server["issuer"]
    tokens = post(server, server["token_url"], grant_type="authorization_code", code=caught[0]["code"], redirect_uri=redirect,
                  client_id="desktop", code_verifier=verifier)
    assert tokens["token_type"] == "Bearer" and tokens["scope"] == server["scope"] and 3590 <= tokens["expires_in"] <= 3600
    box = imaplib.IMAP4_SSL("localhost", server.port("imap"), ssl_context=server.tls())
    blob = f"user={person.address}\1auth=Bearer {tokens['access_token']}\1\1"
    assert box.authenticate("XOAUTH2", lambda _: blob.encode())[0] == "OK"
    box.logout()
    again = post(server, server["token_url"], grant_type="refresh_token", refresh_token=tokens["refresh_token"], client_id="desktop")
    assert again["access_token"] != tokens["access_token"]


def test_cancel_says_so_to_the_program(server, person, browser, program):
    redirect, caught = program
    browser.get(ask(server, redirect, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "s"))
    sign_in(browser, person)
    wait(browser, lambda b: "wants" in b.page_source)
    cancel = next(b for b in browser.find_elements(By.CSS_SELECTOR, "button") if b.text.strip().lower().startswith("cancel"))
    cancel.click()
    wait(browser, lambda b: b.find_elements(By.ID, "back"))
    assert caught[0]["error"] == "access_denied" and caught[0]["state"] == "s"


@pytest.mark.parametrize("width", [320, 1280])
def test_pages_fit_and_load_nothing_from_elsewhere(server, person, browser, width):
    browser.set_window_size(width, 900)
    for path in ("/", "/signin"):
        browser.get(server["issuer"] + path)
        save_screenshot(browser, f"{path.strip('/') or 'home'}-{width}")
        overflow = browser.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"{path} is {overflow} pixels too wide at {width}"
        elsewhere = browser.execute_script(
            "return performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith(location.origin))")
        assert elsewhere == []


def save_screenshot(browser, name):
    """Kept only where somebody asks for them, to be looked at."""
    folder = os.environ.get("PILLARBOX_SCREENSHOTS")
    if folder:
        os.makedirs(folder, exist_ok=True)
        browser.save_screenshot(os.path.join(folder, name + ".png"))
