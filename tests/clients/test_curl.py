"""curl: IMAP, POP and SMTP, OAUTHBEARER and XOAUTH2."""
import subprocess

import pytest

from conftest import eventually, message

MECHANISMS = ["OAUTHBEARER", "XOAUTH2"]


def curl(person, url, *options, token=None, data=None):
    """curl with the token on its standard input, not among its arguments."""
    secret = f'oauth2-bearer = "{token or person.token()}"\nuser = "{person.address}"\n'
    config = person.server.folder / "curl.conf"
    config.write_text(secret)
    return subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "20", "--cacert", person.server["ca"], "--config", config,
         "--url", url, *options], input=data, capture_output=True)


def send(person, to, data, scheme, *options, token=None):
    url = person.server["smtps"] if scheme == "smtps" else person.server["smtp"]
    more = ["--ssl-reqd"] if scheme == "smtp" else []
    return curl(person, url, "--mail-from", person.address, "--mail-rcpt", to.address, "--upload-file", "-", *more, *options,
                token=token, data=data)


@pytest.mark.parametrize("scheme", ["smtps", "smtp"])
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_sends_and_reads_over_imap_and_pop(server, mechanism, scheme):
    ada, bob = server.person("ada"), server.person("bob")
    option = ["--login-options", f"AUTH={mechanism}"]
    data = message(ada.address, bob.address, f"Hello {mechanism} {scheme}")
    sent = send(ada, bob, data, scheme, *option)
    assert sent.returncode == 0, sent.stderr
    read = curl(bob, server["imaps"] + "/INBOX;MAILINDEX=1;SECTION=HEADER.FIELDS%20(SUBJECT)", *option)
    assert read.returncode == 0, read.stderr
    assert read.stdout.strip() == f"Subject: Hello {mechanism} {scheme}".encode()
    popped = curl(bob, server["pop3s"] + "/1", *option)
    assert popped.returncode == 0, popped.stderr
    assert popped.stdout.endswith(data), "the message came back changed"
    copy = curl(ada, server["imaps"] + "/%5BGmail%5D%2FSent%20Mail?ALL", *option)
    assert copy.stdout.strip() == b"* SEARCH 1", "one copy in Sent"


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_bad_token_is_a_login_refusal(server, person, mechanism):
    for url in (server["imaps"] + "/INBOX", server["pop3s"], server["smtps"]):
        done = curl(person, url, "--login-options", f"AUTH={mechanism}", token="not-a-token")
        assert done.returncode == 67, (url, done.stderr)


def test_an_expired_and_a_revoked_token_are_refused(server, person):
    for option in ("--expired", "--revoked"):
        done = curl(person, server["imaps"] + "/INBOX", token=person.token(option))
        assert done.returncode == 67, (option, done.stderr)


def test_somebody_elses_token_is_refused_and_why_tells_the_owner(server, person):
    other = server.person("other")
    done = curl(person, server["imaps"] + "/INBOX", "--verbose", token=other.token())
    assert done.returncode == 67
    greeting = next(line for line in done.stderr.decode().splitlines() if "ready for requests" in line)
    told = server.run("why", greeting.split()[-1])
    assert f"the token belongs to {other.address}" in told and "[AUTHENTICATIONFAILED]" in told


@pytest.mark.slow
def test_an_append_of_35_megabytes_passes_and_one_octet_more_does_not(server, person):
    limit = 35_651_584
    head = message(person.address, person.address, "Large", "")
    line = b"0123456789" * 7 + b"\r\n"
    body = (line * (limit // len(line) + 1))[: limit - len(head) - 2] + b"\r\n"
    # curl must know the size of an upload before it begins, so it is read from a file
    big = server.folder / "big.eml"
    big.write_bytes(head + body)
    passed = curl(person, server["imaps"] + "/INBOX", "--upload-file", str(big))
    assert passed.returncode == 0, passed.stderr
    back = curl(person, server["imaps"] + "/INBOX;MAILINDEX=1")
    assert back.stdout.rstrip(b"\r\n") == (head + body).rstrip(b"\r\n")
    big.write_bytes(head + body + b"x")
    refused = curl(person, server["imaps"] + "/INBOX", "--upload-file", str(big), "--verbose")
    assert refused.returncode != 0 and b"[TOOBIG]" in refused.stderr
    big.unlink()


def test_mail_of_another_server_arrives(server, person):
    person.deliver(message("someone@elsewhere.test", person.address, "From afar"))
    read = eventually(lambda: curl(person, server["imaps"] + "/INBOX;MAILINDEX=1").stdout)
    assert b"Subject: From afar" in read and read.startswith(b"Return-Path: <someone@elsewhere.test>\r\nReceived: ")
