"""The page behind the address in refusals: every address that a mail service gives leads to it, and what was shown stands first."""
import imaplib
import poplib
import re
import smtplib

import pytest
from conftest import NODE_MODULES
from looks import LOOKS, Looker
from test_browser import browser  # noqa: F401  (a fixture)

pytest.importorskip("selenium", reason="the Python package selenium is not installed; ./check installs it")
from selenium.webdriver.common.by import By  # noqa: E402


def addresses(server, person):
    """What programs are told when they are refused: {words: address}."""
    box = imaplib.IMAP4_SSL("localhost", server.port("imap"), ssl_context=server.tls())
    box.send(b"x ID NIL\r\n")  # imaplib would keep for all that ID is a command before sign-in
    told = [box.readline().decode()]
    assert box.readline().startswith(b"x OK")
    with pytest.raises(imaplib.IMAP4.error) as refused:
        box.login(person.address, person.password)
    told.append(str(refused.value))
    box.shutdown()
    pop = poplib.POP3_SSL("localhost", server.port("pop"), context=server.tls())
    pop.user(person.address)
    with pytest.raises(poplib.error_proto) as refused:
        pop.pass_(person.password)
    told.append(str(refused.value))
    pop.close()
    for password in (person.password, "abcdabcdabcdabcd"):
        with smtplib.SMTP_SSL("localhost", server.port("smtps"), context=server.tls()) as smtp:
            with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
                smtp.login(person.address, password)
            told.append(str(refused.value))
            told.append(str(smtp.docmd("MAIL FROM:<a@b.test>")))
    return [re.search(r"https://[^\s\"'\\]+", text)[0] for text in told]


def test_every_address_in_a_refusal_is_a_page(server, person, browser):  # noqa: F811
    found = set(addresses(server, person))
    help_page = server["issuer"] + "/help"
    assert found == {help_page, *(f"{help_page}?p={name}" for name in ("InvalidSecondFactor", "BadCredentials", "WantAuthError"))}
    for address in sorted(found):
        browser.get(address)
        headings = [one.get_attribute("id") for one in browser.find_elements(By.CSS_SELECTOR, "main h2")]
        asked = address.partition("?p=")[2] or "InvalidSecondFactor"
        assert headings[0] == asked and len(headings) == 5, (address, headings)
    # nobody signed in; what it links to asks for that, or is there
    links = {one.get_attribute("href") for one in browser.find_elements(By.CSS_SELECTOR, "main a")}
    assert {server["issuer"] + path for path in ("/account/app-passwords", "/account/setup", "/account/sessions", "/account/activity", "/account/apps")} <= links
    for link in sorted(links):
        browser.get(link)
        assert "There is no such page" not in browser.page_source, link


@pytest.mark.parametrize("width,scheme", LOOKS)
def test_it_fits_and_is_accessible(server, browser, width, scheme):  # noqa: F811
    if not (NODE_MODULES / "axe-core" / "axe.min.js").exists():
        pytest.skip("axe-core is not installed; ./check installs it")
    looker = Looker(browser, width, scheme)
    for name in ("", "?p=BadCredentials", "?p=WantAuthError"):
        browser.get(server["issuer"] + "/help" + name)
        looker.look("help" + name.replace("?p=", "-"))
    assert not looker.faults, "\n".join(looker.faults)
