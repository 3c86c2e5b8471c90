"""Minute 3: `pillarbox login`, `token --for` and `pillarbox mail`, as a user types them, with a browser that is played by a
program (play_browser.py) and every other part real."""
import concurrent.futures
import json
import os
import pathlib
import re
import resource
import signal
import stat
import subprocess
import sys
import urllib.request

import pytest

import test_setup_files
import test_unix
from attacks.fixtures import RealServer
from conftest import DEADLINE, PROGRAM, Person, eventually, message
from elsewhere import Forms, provider  # noqa: F401  (provider is a fixture)

BROWSER = pathlib.Path(__file__).with_name("play_browser.py")


def masked(text):
    """What is printed, with what differs from run to run made equal."""
    text = re.sub(r"https://localhost:\d+/o/oauth2/v2/auth\?client_id=cli&\S+", "https://localhost:N/o/oauth2/v2/auth?client_id=cli&…", text)
    text = re.sub(r"localhost:\d+", "localhost:N", text)
    text = re.sub(r"\b[A-Z]{4}-[A-Z]{4}\b", "XXXX-XXXX", text)
    text = re.sub(r"\b\d\d:\d\d\b", "HH:MM", text)
    return re.sub(r"person\d+@", "person@", text)


class User:
    """Somebody with a home of their own at a terminal."""

    def __init__(self, server, folder):
        self.server, self.folder = server, folder
        self.state = folder / "state"
        self.env = server.env | {"XDG_STATE_HOME": str(self.state), "TMPDIR": str(folder), "TZ": "UTC", "LC_ALL": "C.UTF-8"}
        self.env.pop("DISPLAY", None)
        self.env.pop("WAYLAND_DISPLAY", None)

    def playing(self, person, **more):
        return self.env | {"BROWSER": f"{sys.executable} {BROWSER} %s", "PLAY_ADDRESS": person.address, "PLAY_PASSWORD": person.password} | more

    def run(self, *words, stdin="", env=None):
        return subprocess.run([PROGRAM, *words], input=stdin, env=env or self.env, text=True, capture_output=True, timeout=DEADLINE, cwd=self.folder)

    def good(self, *words, **more):
        done = self.run(*words, **more)
        assert done.returncode == 0, (words, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def login(self, person, *options):
        return self.good("login", *options, person.address, env=self.playing(person))

    def file(self, person):
        return self.state / "pillarbox" / "sign-ins" / f"{person.address}.json"

    def kept(self, person):
        return json.loads(self.file(person).read_text())

    def age(self, person, **changes):
        """Makes the access token one that has ended, as after an hour."""
        self.file(person).write_text(json.dumps(self.kept(person) | {"expires": 1} | changes))

    def start(self, *words, env=None):
        """A command that goes on; its lines come from `lines`."""
        out = open(self.folder / f"{words[0]}.out", "w+")
        process = subprocess.Popen([PROGRAM, *words], env=env or self.env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self.folder)
        return process, lambda: (self.folder / f"{words[0]}.out").read_text()


@pytest.fixture
def user(server, tmp_path):
    return User(server, tmp_path)


@pytest.fixture
def going():
    """Commands that are ended with the test, by their own process."""
    started = []
    yield started
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


def test_login_by_the_browser(user, person):
    shown = user.folder / "shown"
    done = user.run("login", person.address, env=user.playing(person, PLAY_SHOWN=str(shown)))
    assert masked(done.stderr) == (
        "Opening https://localhost:N/o/oauth2/v2/auth?client_id=cli&…\n"
        "If no browser opens, visit that address yourself, or use: pillarbox login --device person@example.test\n"
        'Signed in. The app "Pillarbox command line" may now read, send and delete mail for person@example.test.\n')
    assert (done.returncode, done.stdout) == (0, "")
    page = eventually(lambda: shown.exists() and shown.read_text(), what="the last page")
    assert page.startswith("http://127.0.0.1:") and "You are signed in" in page and "You can close this window" in page
    # the address on screen is the whole one
    assert re.search(r"redirect_uri=http%3A%2F%2F127\.0\.0\.1%3A\d+%2F&.*&state=\S{43}&code_challenge=\S{43}&code_challenge_method=S256", done.stderr)
    kept = user.file(person)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600 and stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    log = user.server.folder.joinpath("log.txt").read_text()
    assert user.kept(person)["refresh_token"] not in log and user.kept(person)["access_token"] not in log


def test_login_without_a_browser_says_where_to_go(user, person, going):
    process, said = user.start("login", person.address)
    going.append(process)
    text = eventually(lambda: "\n" in said() and said(), what="the address")
    assert masked(text).startswith("Visit https://localhost:N/o/oauth2/v2/auth?client_id=cli&…\nIf there is no browser on this computer, use: pillarbox login --device ")
    address = re.search(r"https://\S+", text).group()
    subprocess.run([sys.executable, BROWSER, address], env=user.playing(person), check=True, timeout=DEADLINE)
    assert process.wait(DEADLINE) == 0 and "Signed in." in said()


def test_login_on_another_device(user, person, going):
    process, said = user.start("login", "--device", person.address)
    going.append(process)
    text = eventually(lambda: "Waiting…" in said() and said(), what="the code")
    assert masked(text) == "On any device visit   https://localhost:N/device   and enter   XXXX-XXXX   (15 minutes)\nWaiting…  "
    address, code = re.search(r"(https://\S+)   and enter   (\S+)", text).groups()
    subprocess.run([sys.executable, BROWSER, address], env=user.playing(person, PLAY_CODE=code), check=True, timeout=DEADLINE)
    assert process.wait(DEADLINE) == 0, said()
    assert masked(said()).endswith('Waiting…  Signed in. The app "Pillarbox command line" may now read, send and delete mail for person@example.test.\n')
    assert user.good("token", "--for", person.address).count("\n") == 1


def test_no_is_no(user, person):
    shown = user.folder / "shown"
    done = user.run("login", person.address, env=user.playing(person, PLAY_ANSWER="cancel", PLAY_SHOWN=str(shown)))
    assert done.returncode == 1 and not user.file(person).exists()
    assert "Nothing was allowed" in eventually(lambda: shown.exists() and shown.read_text(), what="the last page")


def test_another_person_in_the_browser_is_not_taken_for_the_one_who_was_named(server, user, person):
    other = server.person()
    done = user.run("login", person.address, env=user.playing(other))
    assert done.returncode == 1 and f"That was {other.address}, not {person.address}: nothing was kept." in done.stderr
    assert not user.file(person).exists() and not user.file(other).exists()
    grants = json.loads(server.run("grant", "list", other.address, "--json"))
    assert [grant["app"] for grant in grants if not grant["revoked"]] == []


def test_login_at_a_server_that_is_named(server, user, person):
    far = {name: value for name, value in user.env.items() if name != "PILLARBOX_ADMIN"}
    far |= {"HOME": str(user.folder), "XDG_DATA_HOME": str(user.folder / "share"), "XDG_RUNTIME_DIR": ""}
    playing = user.playing(person) | {name: far[name] for name in ("HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")}
    playing.pop("PILLARBOX_ADMIN")
    untrusted = user.run("login", "--server", server["issuer"], person.address, env=playing)
    assert untrusted.returncode == 3 and "--ca FILE" in untrusted.stderr
    nowhere = user.run("login", person.address, env=playing)
    assert nowhere.returncode == 3 and "pillarbox login --server https://mail.example.org" in nowhere.stderr
    host = server["issuer"].removeprefix("https://")
    done = user.run("login", "--server", host, "--ca", server["ca"], person.address, env=playing)
    assert done.returncode == 0, done.stderr
    listed = user.run("mail", "list", env=far)
    assert (listed.returncode, listed.stderr) == (0, "No messages in INBOX.\n")


def test_logout_gives_the_consent_back(server, user, person):
    user.login(person)
    refresh = user.kept(person)["refresh_token"]
    done = user.run("logout")
    assert (done.returncode, done.stderr) == (0, f"{person.address} is signed out.\n")
    assert not user.file(person).exists()
    assert server.run("token", "inspect", stdin=refresh, check=False).returncode == 1
    again = user.run("logout", person.address)
    assert again.returncode == 1 and "is not signed in here" in again.stderr
    nobody = user.run("mail", "list")
    assert nobody.returncode == 1 and "nobody is signed in here" in nobody.stderr


def test_a_token_alone_and_quickly(user, person):
    user.login(person)
    done = user.run("token", "--for", person.address.upper())
    assert done.stderr == "" and re.fullmatch(r"[\w.-]+\n", done.stdout)
    assert done.stdout.strip() == user.kept(person)["access_token"]
    nobody = user.run("token", "--for", "nobody@example.test")
    assert (nobody.returncode, nobody.stdout) == (1, "") and "pillarbox login nobody@example.test" in nobody.stderr


def test_five_programs_at_once_refresh_once(user, person):
    user.login(person)
    for _ in range(3):
        before = user.kept(person)["refresh_token"]
        user.age(person)
        with concurrent.futures.ThreadPoolExecutor(5) as pool:
            tokens = set(pool.map(lambda _: user.good("token", "--for", person.address), range(5)))
        assert tokens == {user.kept(person)["access_token"] + "\n"}
        assert user.kept(person)["refresh_token"] != before
        assert not [name for name in os.listdir(user.file(person).parent) if name.startswith(".")]
    # nobody sent an old one: the consent stands
    user.age(person)
    user.good("token", "--for", person.address)


def test_less_than_five_minutes_are_too_few(user, person):
    import time
    user.login(person)
    first = user.good("token", "--for", person.address)
    user.age(person, expires=int(time.time()) + 400)
    assert user.good("token", "--for", person.address) == first
    user.age(person, expires=int(time.time()) + 200)
    assert user.good("token", "--for", person.address) != first


def test_an_ended_consent_says_what_to_do(server, user, person):
    user.login(person)
    grant = json.loads(server.run("grant", "list", person.address, "--json"))[0]["id"]
    server.run("grant", "revoke", person.address, grant)
    user.age(person)
    done = user.run("token", "--for", person.address)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"Sign in again: pillarbox login {person.address}" in done.stderr
    listed = user.run("mail", "list")
    assert listed.returncode == 1 and f"Sign in again: pillarbox login {person.address}" in listed.stderr
    assert user.kept(person)["refresh_token"] not in done.stderr + listed.stderr


def test_a_server_that_is_down_costs_no_consent(own_server, tmp_path):
    server = own_server()
    user, ada = User(server, tmp_path), server.ada()
    user.login(ada)
    kept = user.kept(ada)
    server.stop()
    user.age(ada)
    done = user.run("token", "--for", ada.address)
    assert (done.returncode, done.stdout) == (3, "") and "localhost" in done.stderr
    assert user.kept(ada)["refresh_token"] == kept["refresh_token"]


def test_an_answer_that_was_lost_costs_no_consent(own_server, tmp_path):
    """The refresh is done, its answer does not arrive: within a minute the old refresh token is good once more."""
    server = own_server()
    user, ada = User(server, tmp_path), server.ada()

    def lose_an_answer():
        user.age(ada)
        server.run("fault", "set", "oauth.refresh", "half", "--times", "1")
        done = user.run("token", "--for", ada.address)
        assert (done.returncode, done.stdout) == (3, ""), done

    user.login(ada)
    before = user.kept(ada)["refresh_token"]
    lose_an_answer()
    assert user.kept(ada)["refresh_token"] == before
    assert user.good("token", "--for", ada.address)
    assert user.kept(ada)["refresh_token"] != before
    lose_an_answer()
    server.run("clock", "advance", "61s")
    late = user.run("token", "--for", ada.address)
    assert (late.returncode, late.stdout) == (1, "") and f"pillarbox login {ada.address}" in late.stderr
    assert json.loads(server.run("grant", "list", ada.address, "--json"))[-1]["revoked"]


def test_a_suspension_costs_no_consent(server, user, person):
    """While it lasts nothing is given; afterwards the refresh token that was refused is as good as before."""
    user.login(person)
    before = user.kept(person)["refresh_token"]
    server.run("account", "suspend", person.address)
    for _ in range(2):
        user.age(person)
        done = user.run("token", "--for", person.address)
        assert (done.returncode, done.stdout) == (1, ""), done
    assert user.kept(person)["refresh_token"] == before
    server.run("account", "resume", person.address)
    assert user.good("token", "--for", person.address)
    assert "two hold it" not in server.run("account", "activity", person.address)


def test_a_disk_that_is_full_costs_no_consent(user, person):
    user.login(person)
    user.age(person)
    # restore_signals: that a file may not grow is an error for the program, not its end
    done = subprocess.run([PROGRAM, "token", "--for", person.address], env=user.env, capture_output=True, timeout=DEADLINE, restore_signals=False,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)))
    assert (done.returncode, done.stdout) == (3, b"") and b"sign-ins" in done.stderr
    assert user.good("token", "--for", person.address)


def test_send_list_show(server, user, person):
    user.login(person)
    done = user.run("mail", "send", "--to", f"Me <{person.address}>", "--subject", "Grüße", stdin="It works.\n\nÄ line.\n")
    assert (done.returncode, done.stderr) == (0, f"Sent to {person.address}.\n")
    whole = f"From: {person.address}\nTo: {person.address}\nBcc: Hidden <{person.address}>\nSubject: Whole\n\nBody\n"
    user.good("mail", "send", stdin=whole)
    listed = eventually(lambda: (out := user.good("mail", "list")).count("\n") == 2 and out, what="two messages")
    assert masked(listed) == (
        "  1  Grüße  person@example.test  HH:MM\n"
        "  2  Whole  person@example.test  HH:MM\n")
    facts = json.loads(user.good("mail", "list", "--json"))
    assert [sorted(one) for one in facts] == [["arrived", "from", "seen", "size", "subject", "uid"]] * 2
    assert facts[0]["subject"] == "Grüße" and facts[0]["uid"] == 1 and facts[0]["seen"] is False
    shown = user.good("mail", "show", "1")
    assert re.fullmatch(rf"From:     {person.address}\nTo:       Me <{person.address}>\nDate:     \w+, \d\d \w+ \d{{4}} \d\d:\d\d:\d\d \+0000\n"
                        r"Subject:  Grüße\n\nIt works\.\n\nÄ line\.\n", shown)
    letter = json.loads(user.good("mail", "show", "2", "--json"))
    assert letter["text"].strip() == "Body" and letter["subject"] == "Whole"
    # a copy in Sent, as every program gets; and Bcc stayed here
    sent = user.good("mail", "list", "[Gmail]/Sent Mail", "-n", "1")
    assert "Whole" in sent and "Grüße" not in sent
    box = person.imap()
    box.select("INBOX", readonly=True)
    assert b"bcc" not in box.fetch("2", "(BODY.PEEK[])")[1][0][1].lower()
    box.logout()
    missing = user.run("mail", "show", "99")
    assert missing.returncode == 1 and "no message 99 in INBOX" in missing.stderr
    nowhere = user.run("mail", "list", "Nowhere")
    assert nowhere.returncode == 1 and nowhere.stdout == ""
    to_nobody = user.run("mail", "send", stdin="Subject: x\n\ny\n")
    assert to_nobody.returncode == 2 and "to whom?" in to_nobody.stderr


def test_nothing_that_a_terminal_obeys_is_shown(user, person):
    user.login(person)
    evil = message('"\x1b[31mred\x07" <a@b.test>', person.address, "title \x1b]0;owned\x07 \u202egpj.exe", "one\x1b[2Jtwo\r\n\x9bthree\r\n")
    person.deliver(evil)
    eventually(lambda: user.good("mail", "list"), what="the message")
    for words in (("mail", "list"), ("mail", "show", "1")):
        said = user.good(*words)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", said), said
        assert "owned" in said
    assert "one�[2Jtwo" in user.good("mail", "show", "1")


def test_as_somebody_else(server, user, person):
    other = server.person()
    user.login(other)
    user.login(person)
    other.deliver(message("a@b.test", other.address, "For the other"))
    eventually(lambda: "For the other" in user.good("mail", "list", "--as", other.address), what="the message")
    assert user.good("mail", "list") == ""


def test_watch_tells_of_mail_and_goes_on_after_the_hour(own_server, tmp_path, going):
    server = own_server()
    user, bob = User(server, tmp_path), server.ada()
    user.login(bob)
    process, said = user.start("mail", "watch")
    going.append(process)
    eventually(lambda: "Watching" in said(), what="the first line")
    assert masked(said()) == "Watching INBOX of ada@example.test. Ctrl-C stops.\n"
    bob.deliver(message("a@b.test", bob.address, "Second one"))
    eventually(lambda: "Second one" in said(), what="the message")
    assert masked(said()).splitlines()[1] == "HH:MM  new  Second one   a@b.test"
    before = user.kept(bob)["access_token"]
    server.run("clock", "advance", "1h")
    eventually(lambda: "signed in again" in said(), what="the next session")
    bob.deliver(message("a@b.test", bob.address, "Third one"))
    eventually(lambda: "Third one" in said(), what="the message after the hour")
    assert [line[7:] for line in said().splitlines()[2:]] == ["the session ended; signed in again", "new  Third one   a@b.test"]
    # the token that had ended was not even tried
    assert "refused" not in server.folder.joinpath("log.txt").read_text()
    assert user.kept(bob)["access_token"] != before
    # and so is the token for other programs, at once
    assert user.good("token", "--for", bob.address).strip() == user.kept(bob)["access_token"]
    process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE) == -signal.SIGINT


def test_an_issuer_that_others_wrote(server, provider, user, going):  # noqa: F811
    """npm's oidc-provider: signs in, refreshes with rotation; it takes nothing back, and the person is told so."""
    provider.start(server)
    words = ["--server", provider.issuer, "--ca", str(provider.ca), "--client-id", "desktop", "carol@example.test"]
    process, said = user.start("login", *words)
    going.append(process)
    address = eventually(lambda: re.search(r"https://\S+", said()), what="the address").group()
    forms = Forms(server, provider)
    page = forms.at_provider(forms.open(address), "carol")
    assert page.left and page.left.startswith("http://127.0.0.1:"), page.text
    with urllib.request.urlopen(page.left) as last:
        assert "You are signed in" in last.read().decode()
    assert process.wait(DEADLINE) == 0 and said().endswith("\nSigned in.\n")
    carol = Person(server, "carol@example.test", None)
    first = user.kept(carol)
    assert user.good("token", "--for", carol.address) == first["access_token"] + "\n"
    user.age(carol)
    second = user.good("token", "--for", carol.address).strip()
    assert second not in ("", first["access_token"]) and user.kept(carol)["refresh_token"] != first["refresh_token"]
    mail = user.run("mail", "list")
    assert mail.returncode == 3 and "does not say where its mail is" in mail.stderr
    gone = user.run("logout")
    assert gone.returncode == 0 and "was not told" in gone.stderr and not user.file(carol).exists()
    wrong = user.run("login", *words[:-1], "dave@example.test", "--device")
    assert wrong.returncode == 3 and "has no sign-in on another device" in wrong.stderr


@pytest.fixture
def real(tmp_path):
    """An installed server, not one for development."""
    folder = tmp_path / "real"
    folder.mkdir()
    server = RealServer(folder)
    yield server
    server.stop()


def test_a_real_server_and_a_user_of_another_computer(real, tmp_path):
    person = real.person()
    user = User(real, tmp_path)
    user.env = {name: value for name, value in user.env.items() if name != "PILLARBOX_CONFIG"} | {"HOME": str(tmp_path)}
    browser = test_setup_files.Browser(person)
    page = browser.go("/account/setup")
    assert str(real.folder) not in page and 'href="/account/setup/authority.pem"' in page
    assert f"pillarbox login --server {real['issuer']} {person.address}" in page
    ca = tmp_path / "authority.pem"
    ca.write_bytes(browser.get("/account/setup/authority.pem").read())
    playing = user.playing(person, PILLARBOX_CA=str(ca))
    done = user.run("login", "--server", real["issuer"], "--ca", "authority.pem", person.address, env=playing)
    assert done.returncode == 0, done.stderr
    assert user.run("mail", "send", "--to", person.address, "--subject", "Real", stdin="x\n").returncode == 0
    assert "Real" in eventually(lambda: user.good("mail", "list"), what="the message")
    user.age(person)
    assert user.good("token", "--for", person.address).strip() == user.kept(person)["access_token"]
    # on the server's own machine nothing has to be named
    near = user.playing(person, PILLARBOX_CA=str(ca), PILLARBOX_CONFIG=real.env["PILLARBOX_CONFIG"])
    assert user.run("login", person.address, env=near).returncode == 0
    manifest = test_setup_files.manifest(browser)["oauth_provider"]
    assert manifest["hostnames"] == ["localhost"] and manifest["clientId"] == "thunderbird"


def test_the_hour_that_takes_a_second(own_server, tmp_path, going):
    """Minute 4, as it is typed."""
    server = own_server()
    user, ada = User(server, tmp_path), server.ada()
    user.login(ada)
    process, said = user.start("mail", "watch")
    going.append(process)
    eventually(lambda: "Watching" in said(), what="the session")
    assert len(user.good("token", ada.address, "--lifetime", "60s").split()) == 1
    expired = user.good("token", ada.address, "--expired")
    inspected = user.run("token", "inspect", stdin=expired)
    assert inspected.returncode == 1
    moved = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "THEN", user.good("clock", "advance", "1h"))
    assert moved == "The clock is now THEN, one hour ahead. 1 mail session ended, 3 tokens expired.\n"  # of signing in, of 60s, of the environment
    eventually(lambda: "signed in again" in said(), what="the next session")
    assert user.run("fault", "set", "imap.login", "overquota", "--times", "1").returncode == 0
    refused = user.run("mail", "list")
    assert refused.returncode == 1 and "OVERQUOTA" in refused.stderr
    assert user.run("fault", "set", "oauth.refresh", "revoked").returncode == 0
    user.age(ada)
    over = user.run("token", "--for", ada.address)
    assert over.returncode == 1 and f"Sign in again: pillarbox login {ada.address}" in over.stderr
    assert user.run("fault", "clear").returncode == 0
    assert user.good("mail", "list") == ""
    other = server.person().token()
    import imaplib
    box = imaplib.IMAP4_SSL("localhost", server.port("imap"), ssl_context=server.tls())
    with pytest.raises(imaplib.IMAP4.error):
        box.authenticate("XOAUTH2", lambda _: f"user={ada.address}\1auth=Bearer {other}\1\1".encode())
    session = re.findall(r"imap  (\w+)  .*refused.*belongs to", eventually(lambda: (text := server.folder.joinpath("log.txt").read_text()).count("belongs to") and text, what="the log"))[-1]
    why = masked(user.good("why", session))
    assert re.fullmatch(
        rf"{session}  IMAP from (127\.0\.0\.1|::1), HH:MM:\d\d\n"
        r"      offered   XOAUTH2 for ada@example\.test\n"
        r"      refused   the token belongs to person@example\.test\n"
        r"      told      NO \[AUTHENTICATIONFAILED\] Invalid credentials \(Failure\)\n"
        r"(      ended     .*\n)?", why), why


def test_the_discovery_document_says_where_the_mail_is(server):
    with urllib.request.urlopen(server["issuer"] + "/.well-known/openid-configuration", context=server.tls()) as answer:
        said = json.load(answer)["mail_services"]
    assert said == [server["imaps"], server["pop3s"], server["smtps"], server["smtp"]]


def test_mutt_msmtp_and_mbsync_share_one_sign_in(server, tmp_path, tool):
    """All three at once, with an access token that has ended: the password command of each is `pillarbox token --for`."""
    for name in ("mutt", "msmtp", "mbsync"):
        tool(name)
    ada, bob = server.person(), server.person()
    user = User(server, tmp_path)
    user.login(ada)
    command = f"{PROGRAM} token --for {ada.address}"
    (tmp_path / "tmp").mkdir()
    for rc in (test_unix.mutt_rc(tmp_path, ada, token="unused"), test_unix.msmtp_rc(tmp_path, ada, "xoauth2", "unused"), test_unix.mbsync_rc(tmp_path, ada, "unused")):
        text = rc.read_text()
        assert "cat " in text
        rc.write_text(re.sub(r"cat [^\s\"]+", command, text))
    ada.deliver(message("a@b.test", ada.address, "To sync"))
    box = ada.imap()
    box.create("Receipts")
    eventually(lambda: box.select("INBOX")[1] == [b"1"], what="the message")
    user.age(ada)
    env = user.env | {"HOME": str(tmp_path), "TERM": "xterm"}
    commands = [
        (["mutt", "-n", "-F", tmp_path / "muttrc", "-s", "From mutt", "--", bob.address], b"Hello.\n"),
        (["msmtp", "-C", tmp_path / "msmtprc", bob.address], message(ada.address, bob.address, "From msmtp")),
        (["mbsync", "-c", tmp_path / "mbsyncrc", "all"], b""),
    ]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for done in pool.map(lambda it: subprocess.run(it[0], input=it[1], env=env, cwd=tmp_path, capture_output=True, timeout=DEADLINE), commands):
            assert done.returncode == 0, (done.args, done.stdout, done.stderr)
    inbox = bob.imap()
    assert eventually(lambda: inbox.select("INBOX")[1] == [b"2"])
    inbox.logout()
    synced = [file for file in (tmp_path / "mail" / "INBOX").rglob("*") if file.is_file() and file.parent.name in ("new", "cur")]
    assert len(synced) == 1 and b"Subject: To sync" in synced[0].read_bytes()
    box.logout()
