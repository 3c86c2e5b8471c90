"""Guessing: passwords, app passwords, codes. On a server as it is installed, because `dev` forgives test programs. What is
asserted is that guessing stops and that nobody else is stopped for long; after how many tries exactly is the rule's own test."""
import base64
import imaplib
import json
import poplib
import re
import smtplib
import socket

import pytest

from attacks.attacker import MAIL, App, Browser
from attacks.fixtures import RealServer
from conftest import eventually

TRIES = 60


@pytest.fixture
def guarded(tmp_path):
    """A real server of a test's own: what is remembered of guesses is one memory for all of it."""
    server = RealServer(tmp_path)
    yield server
    assert server.stop() == 0


def web(server, address, password):
    return Browser(server).post("/signin", {"address": address, "password": password})


def test_guessing_a_password_on_the_web_is_stopped(guarded):
    person = guarded.person()
    statuses = []
    for number in range(TRIES):
        statuses.append(web(guarded, person.address, f"wrong password {number}").status)
        if statuses[-1] == 429:
            break
    assert statuses[-1] == 429 and set(statuses[:-1]) == {403}, statuses
    right = web(guarded, person.address, person.password)
    assert right.status == 429 and right.header("set-cookie") is None, "the right one cannot be told from a wrong one now"
    page = Browser(guarded).get("/account/activity")
    assert page.location == "/signin"


def imap_guess(server, user, password):
    box = imaplib.IMAP4_SSL("localhost", server.port("imap"), ssl_context=server.tls())
    try:
        return box.login(user, password)
    except (imaplib.IMAP4.error, OSError) as error:
        return "NO", str(error)
    finally:
        box.shutdown()


def pop_guess(server, user, password):
    box = poplib.POP3_SSL("localhost", server.port("pop"), context=server.tls())
    try:
        box.user(user)
        return "OK", box.pass_(password)
    except (poplib.error_proto, OSError) as error:
        return "NO", str(error)
    finally:
        box.close()


def smtp_guess(server, user, password):
    with smtplib.SMTP_SSL("localhost", server.port("smtps"), context=server.tls()) as smtp:
        try:
            return "OK", smtp.login(user, password)
        except smtplib.SMTPException as error:
            return "NO", str(error)


@pytest.mark.parametrize("guess", [imap_guess, pop_guess, smtp_guess])
def test_guessing_an_app_password_is_stopped(guarded, guess):
    person = guarded.person()
    letters = person.app_password
    assert guess(guarded, person.address, letters)[0] == "OK"
    for number in range(12):
        wrong = "".join(chr(ord("a") + (number * 7 + place) % 26) for place in range(16))
        assert guess(guarded, person.address, wrong)[0] == "NO"
    assert guess(guarded, person.address, letters)[0] == "NO", "the pause holds for the right one too"
    assert guess(guarded, person.address.upper(), letters)[0] == "NO", "another spelling is the same person"


def test_guessing_a_users_code_is_stopped(guarded):
    person = guarded.person()
    device = App(guarded, "Television", "--device", redirects=())
    browser = Browser(guarded)
    browser.sign_in(person)
    code = device.call("/device/code", scope=MAIL).json["user_code"]
    statuses = []
    for number in range(400):
        guess = "BCDFGHJKLMNPQRSTVWXZ"[number % 20] * 4 + "-" + "BCDFGHJKLMNPQRSTVWXZ"[number // 20 % 20] * 4
        statuses.append(browser.post("/device", {"user_code": guess}).status)
        if statuses[-1] == 429:
            break
    assert statuses[-1] == 429, statuses
    assert browser.post("/device", {"user_code": code}).status == 429
    assert browser.get("/device/consent?user_code=" + code).status == 429, "the other door"


def test_guessing_a_one_time_code_is_stopped(guarded):
    from attacks.test_secrets import second_factor
    person = guarded.person()
    browser = Browser(guarded)
    browser.sign_in(person)
    second_factor(browser, person.password)
    page = Browser(guarded).post("/signin", {"address": person.address, "password": person.password})
    ticket = re.search(r'name="ticket" value="([^"]+)"', page.text)[1]
    answers = [Browser(guarded).post("/signin/code", {"ticket": ticket, "code": f"{number:06}"}) for number in range(12)]
    assert all(answer.status in (403, 429) and answer.header("set-cookie") is None for answer in answers)
    # Five tries a password, and the account itself slows down: a fresh ticket does not begin anew.
    fresh = Browser(guarded).post("/signin", {"address": person.address, "password": person.password})
    if fresh.status == 200:
        ticket = re.search(r'name="ticket" value="([^"]+)"', fresh.text)[1]
        assert Browser(guarded).post("/signin/code", {"ticket": ticket, "code": "000000"}).status == 429
    else:
        assert fresh.status == 429


def without_names(text, *names):
    for name in names:
        text = text.replace(name, "NAME")
    return text


def test_nobody_learns_who_exists(guarded):
    """The same bytes for an unknown person, a known one, and one who is suspended."""
    known, suspended, unknown = guarded.person("known"), guarded.person("gone"), "nobody77@example.test"
    guarded.run("account", "suspend", suspended.address)
    names = (known.address, suspended.address, unknown)
    letters = "abcdefghijklmnop"
    pages = {without_names(web(guarded, name, "not the password").text, *names) for name in names}
    assert len(pages) == 1
    headers = {tuple(sorted((key, value) for key, value in web(guarded, name, "not the password").headers
                            if key.lower() not in ("date", "content-length"))) for name in names}
    assert len(headers) == 1
    imap = {without_names(str(imap_guess(guarded, name, letters)), *names) for name in names}
    pop = {without_names(str(pop_guess(guarded, name, letters)), *names) for name in names}
    smtp = {re.sub(r" \S+ - pillarbox", "", without_names(str(smtp_guess(guarded, name, letters)), *names)) for name in names}
    assert (len(imap), len(pop), len(smtp)) == (1, 1, 1), (imap, pop, smtp)
    told = set()
    for name in names:
        box = imaplib.IMAP4_SSL("localhost", guarded.port("imap"), ssl_context=guarded.tls())
        with pytest.raises(imaplib.IMAP4.error) as refused:
            box.authenticate("XOAUTH2", lambda _: f"user={name}\1auth=Bearer ya29.invalid\1\1".encode())
        told.add(without_names(str(refused.value), *names))
        box.shutdown()
    assert len(told) == 1


def test_mail_from_elsewhere_is_the_one_place_that_tells(guarded):
    """RCPT TO from another server has to be refused for addresses that do not exist, or bounces would go to strangers; VRFY
    and EXPN tell nothing."""
    known = guarded.person("known")
    with smtplib.SMTP("localhost", guarded.port("incoming")) as mx:
        mx.ehlo()
        for word in ("VRFY", "EXPN"):
            answers = {without_names(str(mx.docmd(word, name)), known.address, "nobody@example.test")
                       for name in (known.address, "nobody@example.test")}
            assert len(answers) == 1, answers


def test_an_unknown_person_costs_as_much_as_a_wrong_password(guarded):
    """Processor time, not time: what a hash costs is spent for both. Without it the one would be a hundredth of the other."""
    known = [guarded.person("work").address for _ in range(4)]
    unknown = [f"nobody{number}@example.test" for number in range(4)]
    web(guarded, "warm@example.test", "up the pages first")

    def ticks(addresses):
        before = guarded.processor_ticks()
        for address in addresses:
            assert web(guarded, address, "not the password").status == 403
        return guarded.processor_ticks() - before
    costs = ticks(known), ticks(unknown)
    assert min(costs) > 0 and max(costs) <= 3 * min(costs), costs


def test_a_password_is_never_taken_in_clear(guarded):
    """Nothing that proves who somebody is crosses a connection without TLS."""
    with smtplib.SMTP("localhost", guarded.port("incoming")) as mx:
        mx.ehlo()
        assert "auth" not in mx.esmtp_features
        code, _ = mx.docmd("AUTH", "PLAIN " + base64.b64encode(b"\0ada@example.test\0abcdefghijklmnop").decode())
        assert code >= 500


def refused_from(server, address, person):
    """One wrong app password, sent from one of the many addresses of loopback."""
    link = socket.create_connection(("127.0.0.1", server.port("imap")), 10, source_address=(address, 0))
    with server.tls().wrap_socket(link, server_hostname="localhost") as imap:
        lines = imap.makefile("rwb")
        lines.readline()
        lines.write(b"a LOGIN %s abcdabcdabcdabcd\r\n" % person.address.encode())
        lines.flush()
        assert lines.readline().startswith(b"a NO")


def test_a_flood_of_refusals_erases_nothing_in_the_trail(guarded):
    """Strangers need no account to be refused: what they do pushes nothing out, hides no sign-in, and is told in few lines."""
    person = guarded.person()
    letters = person.app_password
    assert imap_guess(guarded, person.address, letters)[0] == "OK"
    flood = 300
    for number in range(flood):
        refused_from(guarded, f"127.0.{1 + number // 250}.{1 + number % 250}", person)
    for _ in range(40):
        refused_from(guarded, "127.0.9.9", person)  # in pauses, mostly
    assert pop_guess(guarded, person.address, letters)[0] == "OK", "where somebody signed in lately, only their own mistakes count"

    def trail(*only):
        return json.loads(guarded.run("account", "activity", person.address, "--json", *only))

    def refused():
        return [one for one in trail() if one["deed"] == "refused"]

    eventually(lambda: sum(one["times"] for one in refused()) == flood + 40, what="all are counted")
    assert len(refused()) <= 12, refused()
    others = {one["detail"]: one["others"] for one in refused() if "others" in one}
    assert max(others.values()) > 100 and not any("counts in" in cause for cause in others), others
    assert {one["service"] for one in trail() if one["deed"] == "signed-in"} >= {"imap", "pop"}
    assert [one["deed"] for one in trail("--only", "changes")].count("app-password-made") == 1
    assert trail("--only", "refused") == refused()
