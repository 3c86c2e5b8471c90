"""Names that strangers choose, put everywhere a name can be put: on pages they must be text, on terminals and in logs they
must not move the cursor. Judged by a parser that is not the template's; tests/browser/test_markup.py lets a browser judge."""
import imaplib
import re
import smtplib
import unicodedata
import urllib.parse

import pytest

from attacks.attacker import App, Browser, Pkce, ask, parsed
from attacks.routes import filled, is_for_programs, routes

# Opens an element, closes what it may stand in, and tries to add an attribute whatever the quotes are.
PAYLOAD = "\"'></title></textarea><x-evil onclick=evil() evil=1>&lt;script&gt;{{7*7}}` onfocus=evil() evil=2 x="
SHORT = "'\"><x-evil evil=1>"
TERMINAL = "\x1b[2J\x1b]0;evil\x07evil\x7f\x9b31mx"


def planted(server, person, text, short):
    """Everything a mail program or a correspondent can name, with these texts; the connections stay open."""
    box = person.imap()

    def say(*words):
        try:
            return box.xatom(*words)
        except imaplib.IMAP4.error:
            return None  # refused whole, which is as good
    say("ID", f'("name" "{escaped(text)}" "version" "{escaped(short)}" "vendor" "{escaped(short)}")')
    say("CREATE", f'"{escaped(short)}"')
    refused = imaplib.IMAP4_SSL("localhost", server.port("imap"), ssl_context=server.tls())
    for user in (short + "@example.test", text, person.address):
        with pytest.raises(imaplib.IMAP4.error):
            refused.xatom("LOGIN", f'"{escaped(user)}"', f'"{escaped(short)}"')
            refused.login(user.encode("ascii", "ignore").decode(), "abcdabcdabcdabcd")
    refused.shutdown()
    with smtplib.SMTP("localhost", server.port("incoming")) as mx:
        mx.command_encoding = "latin-1"
        mx.ehlo()
        mx.docmd(f"EHLO {short}")
        mx.docmd(f'MAIL FROM:<"{escaped(short)}"@evil.example>')
        mx.docmd(f"RCPT TO:<{person.address}>")
        mx.docmd(f'RCPT TO:<"{escaped(short)}"@example.test>')
        if mx.docmd("DATA")[0] == 354:
            mx.send(f'From: "{text}" <a@evil.example>\r\nSubject: {text}\r\nX-Mailer: {text}\r\n\r\nx\r\n.\r\n'.encode("utf-8", "replace"))
            mx.getreply()
    return box


def escaped(text):
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "").replace("\n", "").encode("ascii", "ignore").decode()


def assert_only_text(answer, where):
    page = parsed(answer.text)
    for tag, attributes, names in page.tags:
        if (tag, attributes) == ("script", {"src": "/passkey.js", "defer": None}):
            continue  # the one script there is
        # The pages have one script of their own, in a file (passkeys).
        own_script = tag == "script" and attributes == {"src": "/passkey.js", "defer": None}
        assert own_script or tag not in ("x-evil", "script", "iframe", "object", "embed"), (where, tag, attributes)
        assert not [name for name in names if name.startswith("on") or name == "evil" or "'" in name or '"' in name], (where, tag, names)
    assert "{{7*7}}49" not in answer.text


@pytest.fixture(scope="module")
def evil(server):
    """Somebody with an account, a program, an app password and mail full of it, seen by themselves and by an administrator."""
    person = server.person("marked")
    person.browser = Browser(server)
    person.browser.sign_in(person)
    app = App(server, PAYLOAD, redirects=("https://app.example/cb?x=%3Cx-evil%3E",))
    app.tokens(person.browser)
    app.redeem("made-up-" + SHORT)  # the log names who was refused
    server.run("app-password", "add", person.address, "--name", PAYLOAD)
    person.browser.post("/account/app-passwords", {"name": SHORT})
    person.box = planted(server, person, PAYLOAD, SHORT)
    person.app = app
    ada = Browser(server)
    ada.sign_in(server.ada())
    person.administrator = ada
    yield person
    person.box.shutdown()


def test_names_are_text_on_every_page(server, evil):
    seen = {}
    for path, methods in sorted(routes().items()):
        if "get" not in methods or is_for_programs(path) and not path.startswith("/dev"):
            continue
        for browser in (evil.browser, evil.administrator):
            address = f"{filled(path)}?address={evil.address}"
            answer = browser.get(address)
            if (answer.header("content-type") or "").startswith("text/html"):
                assert_only_text(answer, path)
                seen[path] = seen.get(path, "") + "".join(parsed(answer.text).words)
    for path in ("/account/apps", "/account/app-passwords", "/account/sessions", "/account/activity", "/admin/apps", "/admin/log", "/dev"):
        assert "x-evil" in seen[path], f"{path} shows no name at all, so this test proves nothing of it"


def test_consent_and_sign_in_show_names_as_text(server, evil):
    request = evil.app.request(login_hint=SHORT + "@example.test", prompt="consent")
    for answer in (evil.browser.authorize(**request), Browser(server).get("/signin?" + urllib.parse.urlencode({"then": urllib.parse.urlencode(request)}))):
        assert_only_text(answer, "consent")
        assert "<x-evil" in "".join(parsed(answer.text).words)


REFLECTIONS = ["/signin?then={}", "/device?user_code={}", "/invite?for={}", "/admin/accounts?search={}", "/admin/accounts?after={}",
               "/admin/accounts/view?address={}", "/admin/sessions?search={}", "/admin/log?search={}", "/admin/log?session={}", "/dev?search={}",
               "/dev?session={}", "/account?done={}&ended={}", "/account/apps?done={}", "/nowhere/{}?{}", "/dev/api/why/{}", "/help?p={}",
               "/o/oauth2/v2/auth?client_id={}", "/o/oauth2/v2/auth?client_id=web&redirect_uri={}", "/o/oauth2/v2/auth?{}=1&{}=2",
               "/mail/config-v1.1.xml?emailaddress=a@{}", "/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress={}"]


@pytest.mark.parametrize("address", REFLECTIONS)
def test_what_is_asked_for_is_shown_as_text(server, evil, address):
    for payload in (PAYLOAD, SHORT, SHORT + "@example.test", "]]><x-evil evil=1>", "--><x-evil evil=1>", "\0\r\n\t<x-evil>", "+ADw-x-evil+AD4-"):
        answer = evil.administrator.get(address.replace("{}", urllib.parse.quote(payload, safe="")))
        assert "charset=utf-8" in (answer.header("content-type") or "").lower() or answer.header("content-type") == "application/json", answer
        if answer.header("content-type") != "application/json":
            assert_only_text(answer, address)
        assert "\n" not in (answer.location or "") and "<" not in (answer.location or "")


@pytest.mark.parametrize("path,name", [("/signin", "address"), ("/signin", "then"), ("/device", "user_code"), ("/signin/code", "ticket"),
                                       ("/admin/accounts", "address"), ("/admin/accounts/change", "address"), ("/dev/token", "address"),
                                       ("/dev/token", "scope"), ("/dev/token", "lifetime"), ("/dev/clock", "advance"), ("/invite", "for"),
                                       ("/account/app-passwords", "name"), ("/account/second-factor", "code"), ("/consent", "then")])
def test_what_a_form_brings_is_shown_as_text(evil, path, name):
    for payload in (PAYLOAD, SHORT, SHORT + "@example.test"):
        assert_only_text(evil.administrator.post(path, {name: payload}), (path, name))


def test_errors_for_programs_are_json_whatever_was_sent(server, evil):
    for fields in ({"grant_type": PAYLOAD}, {"grant_type": "authorization_code", "code": PAYLOAD}, {"scope": PAYLOAD}, {"token": PAYLOAD},
                   {"grant_type": "refresh_token", "refresh_token": PAYLOAD}, {"client_id": PAYLOAD}, {PAYLOAD: "1", "x": PAYLOAD}):
        for path in ("/token", "/revoke", "/introspect", "/par", "/device/code"):
            answer = evil.app.call(path, **fields)
            assert answer.header("content-type") == "application/json" and isinstance(answer.json, dict)
            assert answer.header("x-content-type-options") == "nosniff"
            told = answer.json.get("error_description", "")
            # RFC 6749 §5.2: %x20-21 / %x23-5B / %x5D-7E
            assert re.fullmatch(r"[ !#-\[\]-~]*", told), told


def test_an_error_on_its_way_back_is_encoded(evil):
    for wrong in ({"response_type": PAYLOAD}, {"scope": PAYLOAD}, {"prompt": PAYLOAD}, {"resource": PAYLOAD}, {"state": PAYLOAD, "response_type": "x"}):
        answer = evil.browser.authorize(**evil.app.request(Pkce(), **wrong))
        assert answer.status == 303 and re.fullmatch(r"[!-;=?-~]+", answer.location) and '"' not in answer.location
        assert re.fullmatch(r"[ !#-\[\]-~]*", answer.sent["error_description"])


def moves_cursor(text):
    return [letter for letter in text if unicodedata.category(letter) == "Cc" and letter not in "\n"]


def test_names_move_no_cursor_and_begin_no_line(own_server):
    """Whoever looks at the log looks at it in a terminal."""
    server = own_server()
    person = server.person("terminal")
    browser = Browser(server)
    browser.sign_in(person)
    assert server.run("app", "add", TERMINAL, "--native", check=False).returncode != 0, "not even an administrator's slip"
    app = App(server, "Terminal")
    app.tokens(browser)
    server.run("app-password", "add", person.address, "--name", TERMINAL)
    box = planted(server, person, TERMINAL + "\rforged line", TERMINAL)
    browser.post("/signin", {"address": TERMINAL + "\r\n00:00:00 imap  forged line", "password": "x"})
    browser.post("/signin", {"address": f"{TERMINAL}@example.test", "password": "x"})
    sessions = re.findall(r"^\S+ +\S+ +([0-9a-f]{4,}) ", (server.folder / "log.txt").read_text(errors="replace"), re.M)
    assert sessions
    shown = [(server.folder / "log.txt").read_text(errors="replace")]
    for words in (["session", "list"], ["app", "list"], ["app", "show", app.id], ["grant", "list", person.address],
                  ["app-password", "list", person.address], ["account", "show", person.address], *(["why", one] for one in set(sessions))):
        done = server.run(*words, check=False)
        assert done.returncode == 0, (words, done.stderr)
        shown.append(done.stdout)
    box.shutdown()
    assert any("evil" in text for text in shown[1:])
    for text in shown:
        assert not moves_cursor(text), repr(text)
        assert not re.search(r"^\W*(00:00:00 imap  )?forged line", text, re.M)


def test_log_lines_as_json_are_one_line_each(own_server):
    import json
    server = own_server(env={"PILLARBOX_LOG_FORMAT": "json", "PILLARBOX_LOG_LEVEL": "debug"})
    person = server.person("json")
    planted(server, person, PAYLOAD + TERMINAL, SHORT + TERMINAL).shutdown()
    Browser(server).post("/signin", {"address": "x\n{\"at\":\"forged\"}", "password": "x"})
    server.stop()
    lines = (server.folder / "log.txt").read_text().splitlines()
    assert len(lines) > 5
    for line in lines:
        assert json.loads(line)["at"] != "forged"
