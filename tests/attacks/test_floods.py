"""What one network or one program does until it has to stop must stop nobody else. Networks are addresses of loopback."""
import http.client
import imaplib
import re
import socket
import time
import urllib.parse

import pytest

from attacks.attacker import PATIENCE, App, Browser
from attacks.fixtures import RealServer
from attacks.test_secrets import one_time_code, second_factor
from conftest import DEADLINE

OWNERS, ATTACKERS = "127.0.0.1", "127.0.0.2"


@pytest.fixture
def guarded(tmp_path):
    """A real server of a test's own: what is remembered of guesses is one memory for all of it."""
    server = RealServer(tmp_path)
    yield server
    assert server.stop() == 0


def post(server, network, path, **fields):
    """A form that a browser of that network sends: the status, and the page."""
    tls = server.tls()
    tls.check_hostname = False
    line = http.client.HTTPSConnection("127.0.0.1", server.port("web"), context=tls, timeout=PATIENCE, source_address=(network, 0))
    try:
        line.request("POST", path, urllib.parse.urlencode(fields), {
            "Content-Type": "application/x-www-form-urlencoded", "Origin": server["issuer"],
            "Host": f"localhost:{server.port('web')}"})
        answer = line.getresponse()
        return answer.status, answer.read().decode()
    finally:
        line.close()


def half_way(server, network, person):
    """The right password; what the second step wants back."""
    status, page = post(server, network, "/signin", address=person.address, password=person.password)
    assert status == 200, page
    return re.search(r'name="ticket" value="([^"]+)"', page)[1]


def test_wrong_codes_elsewhere_keep_no_owner_out(guarded):
    person = guarded.person()
    browser = Browser(guarded)
    browser.sign_in(person)
    secret, recovery = second_factor(browser, person.password)

    def code(network, text):
        return post(guarded, network, "/signin/code", ticket=half_way(guarded, network, person), code=text)[0]

    mine = half_way(guarded, OWNERS, person)
    wrong = []
    while len(wrong) < 30 and 429 not in wrong:
        wrong.append(code(ATTACKERS, "000000"))
    assert wrong[-1] == 429 and set(wrong[:-1]) == {403}, wrong
    for _ in range(25):
        half_way(guarded, ATTACKERS, person)  # and as many sign-ins begun as they like
    right = one_time_code(secret, time.time() + 30)
    assert post(guarded, OWNERS, "/signin/code", ticket=mine, code=right)[0] == 303, "begun before all that"
    assert code("127.0.0.3", recovery[0]) == 303, "from a new place"


def test_where_a_token_was_used_the_network_is_known(guarded):
    with_token, with_nothing = guarded.person("token"), guarded.person("nothing")
    app = App(guarded, "Mutt", "--native", redirects=("http://127.0.0.1/cb",))
    browser = Browser(guarded)
    browser.sign_in(with_token)
    token = app.tokens(browser)["access_token"]

    class There(imaplib.IMAP4_SSL):
        def _create_socket(self, timeout=None):
            line = socket.create_connection((OWNERS, guarded.port("imap")), source_address=(ATTACKERS, 0))
            return guarded.tls().wrap_socket(line, server_hostname="localhost")

    box = There("localhost", guarded.port("imap"), ssl_context=guarded.tls())
    told = box.authenticate("XOAUTH2", lambda _: f"user={with_token.address}\1auth=Bearer {token}\1\1".encode())
    assert told[0] == "OK"
    box.logout()
    # Somebody else there guesses at many accounts, and goes on whenever a pause is over: until it is eight seconds long.
    statuses, ends = [], time.monotonic() + 2 * DEADLINE
    while statuses.count(403) < 53:
        assert time.monotonic() < ends, statuses
        user = f"nobody{len(statuses)}@example.test"
        statuses.append(post(guarded, ATTACKERS, "/signin", address=user, password="wrong password")[0])
    assert 429 in statuses

    def sign_in(person):
        return post(guarded, ATTACKERS, "/signin", address=person.address, password=person.password)[0]

    assert sign_in(with_nothing) == 429
    assert sign_in(with_token) == 303
