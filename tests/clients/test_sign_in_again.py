"""A sign-in that has ended without this computer being told: after `pillarbox dev` was started again, after a revocation. Each
command says so and what to do, and no token is printed that opens nothing. And a server that is not there is named."""
import json
import socket

import pytest

from conftest import Server, eventually
from test_login import User, going, user  # noqa: F401  (two are fixtures)


def says_to_sign_in_again(done, person):
    assert (done.returncode, done.stdout) == (1, ""), done
    assert done.stderr.count("\n") == 1 and done.stderr.startswith(f"the sign-in of {person.address} has ended ("), done.stderr
    assert done.stderr.endswith(f"). Sign in again: pillarbox login {person.address}\n"), done.stderr


def revoke(server, person):
    grants = json.loads(server.run("grant", "list", person.address, "--json"))
    [grant] = [one["id"] for one in grants if not one["revoked"]]
    server.run("grant", "revoke", person.address, grant)


@pytest.mark.parametrize("first", [("mail", "list"), ("mail", "watch"), ("token", "--for"), ("mail", "send")])
def test_a_consent_that_was_taken_back(server, user, person, first):  # noqa: F811
    """Whichever command comes first, with an access token that looks good for an hour yet."""
    user.login(person)
    revoke(server, person)
    words = {"token": (*first, person.address), "mail": (*first, "--as", person.address)}[first[0]]
    if first == ("mail", "send"):
        words += ("--to", person.address)
    says_to_sign_in_again(user.run(*words, stdin="x\n"), person)
    says_to_sign_in_again(user.run("token", "--for", person.address), person)
    says_to_sign_in_again(user.run("mail", "list", "--as", person.address), person)
    user.login(person)
    assert user.run("mail", "list").returncode == 0
    assert user.good("token", "--for", person.address).strip() == user.kept(person)["access_token"]


def test_watch_ends_with_the_consent(server, user, person, going):  # noqa: F811
    user.login(person)
    process, said = user.start("mail", "watch", "--as", person.address)
    going.append(process)
    eventually(lambda: "Watching" in said(), what="the session")
    revoke(server, person)
    assert process.wait(30) == 1
    assert f"Sign in again: pillarbox login {person.address}\n" in said()


def test_a_token_that_was_refused_is_not_given_again(server, user, person):  # noqa: F811
    """Another program's refusal is not heard of; a look at the issuer tells."""
    user.login(person)
    first = user.good("token", "--for", person.address).strip()
    server.run("token", "revoke", stdin=first)
    second = user.run("token", "--for", person.address)
    assert second.stdout.strip() != first, "a dead token was printed"
    if second.returncode:
        says_to_sign_in_again(second, person)


def free_ports():
    """An offset from which the ports of a development server are free."""
    for offset in range(23_000, 50_000, 100):
        try:
            for usual in (25, 443, 465, 587, 993, 995):
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", offset + usual))
            return offset
        except OSError:
            continue
    raise AssertionError("no free ports")


def test_the_second_development_server(tmp_path):
    """Minute 3 after `pillarbox dev` was stopped and started again, on the same ports, with a new store."""
    ports = ("--offset", str(free_ports()))
    (tmp_path / "server").mkdir()
    server = Server(tmp_path / "server", ports=ports)
    try:
        ada = server.ada()
        user = User(server, tmp_path)
        user.login(ada)
        assert user.run("mail", "list").returncode == 0
        token = user.kept(ada)["access_token"]
        imap, web = server.port("imap"), server.port("web")
    finally:
        server.stop()
    for words in (("mail", "list"), ("mail", "watch")):
        done = user.run(*words)
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr == f"cannot connect to localhost:{imap}: Connection refused. Is the server running? Start it: pillarbox dev\n"
    # it opens nothing now, and nobody can tell whether it will
    assert user.good("token", "--for", ada.address).strip() == token
    user.age(ada)
    done = user.run("token", "--for", ada.address)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"cannot connect to localhost:{web}: Connection refused. Is the server running? Start it: pillarbox dev\n"
    user.age(ada, expires=2**33)
    server = Server(tmp_path / "server", ports=ports)
    try:
        user.server, user.env = server, server.env | {"XDG_STATE_HOME": str(user.state), "TMPDIR": str(tmp_path), "TZ": "UTC", "LC_ALL": "C.UTF-8"}
        for words in (("token", "--for", ada.address), ("mail", "list"), ("mail", "watch"), ("token", "--for", ada.address)):
            says_to_sign_in_again(user.run(*words), ada)
        user.login(server.ada())
        assert user.run("mail", "list").returncode == 0
    finally:
        server.stop()
