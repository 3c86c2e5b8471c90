"""The page of a trail after a flood of strangers' refusals: what matters is on it, the rest is one step away."""
import socket

import pytest
from conftest import eventually
from looks import LOOKS, Looker
from test_browser import browser  # noqa: F401  (a fixture)
from test_pages import enter, press, text


def imap_from(server, address, person, password):
    link = socket.create_connection(("127.0.0.1", server.port("imap")), 10, source_address=(address, 0))
    with server.tls().wrap_socket(link, server_hostname="localhost") as imap:
        lines = imap.makefile("rwb")
        lines.readline()
        lines.write(b"a LOGIN %s %s\r\n" % (person.address.encode(), password.encode()))
        lines.flush()
        answer = b"*"
        while answer.startswith(b"*"):
            answer = lines.readline()
        return answer


@pytest.fixture
def busy(server, person):
    letters = person.app_password.replace(" ", "")
    for number in range(105):
        assert imap_from(server, f"127.1.0.{number + 1}", person, letters).startswith(b"a OK")
    for number in range(30):
        assert imap_from(server, f"127.2.0.{number + 1}", person, "abcdabcdabcdabcd").startswith(b"a NO")
    return person


def test_the_trail_in_pages(server, busy, browser):  # noqa: F811
    enter(browser, server, busy)
    browser.get(server["issuer"] + "/account/activity")

    def found():
        browser.refresh()
        return "from 22 other addresses" in text(browser)

    eventually(found, what="the flood")
    press(browser, "Older")
    assert "101 to " in text(browser) and "from 22 other" not in text(browser)
    press(browser, "Newer")
    press(browser, "Refused")
    assert text(browser).count("Sign-in refused") == 8 and "signed in" not in text(browser)
    assert "More sign-ins refused" in text(browser)
    press(browser, "Changes")
    assert "App password" in text(browser) and "Sign-in refused" not in text(browser)
    faults = []
    for width, scheme in LOOKS:
        looker = Looker(browser, width, scheme)
        for name, query in (("all", ""), ("older", "?page=2"), ("refused", "?show=refused")):
            browser.get(server["issuer"] + "/account/activity" + query)
            looker.look("trail-" + name)
        faults += looker.faults
    assert not faults, "\n".join(faults)
