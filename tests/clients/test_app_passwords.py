"""App passwords with limits, made on the command line and tried with imaplib, poplib and smtplib."""
import imaplib
import json
import poplib
import smtplib

import pytest


def make(person, *limits):
    return person.server.run("app-password", "add", person.address, *limits).strip().splitlines()[-1]


def imap(person, password):
    box = imaplib.IMAP4_SSL("localhost", person.server.port("imap"), ssl_context=person.server.tls())
    return box.login(person.address, password)


def test_services(person):
    password = make(person, "--name", "reader", "--only", "imap,smtp", "--from", "127.0.0.0/8,::1", "--until", "2100-01-01")
    assert imap(person, password)[0] == "OK"
    with smtplib.SMTP_SSL("localhost", person.server.port("smtps"), context=person.server.tls()) as server:
        server.login(person.address, password)
    box = poplib.POP3_SSL("localhost", person.server.port("pop"), context=person.server.tls())
    box.user(person.address)
    with pytest.raises(poplib.error_proto, match="not accepted"):
        box.pass_(password)
    listed = json.loads(person.server.run("app-password", "list", person.address, "--json"))
    assert [(one["name"], one["only"], one["from"], one["until"]) for one in listed] == [
        ("reader", "imap,smtp", "127.0.0.0/8,::1/128", "2100-01-01T00:00:00Z")]


def test_networks(person):
    with pytest.raises(imaplib.IMAP4.error, match="Invalid credentials"):
        imap(person, make(person, "--from", "192.0.2.0/24"))


@pytest.mark.parametrize("limits", [("--until", "2020-01-01"), ("--from", "192.0.2.1/24"), ("--only", "ftp"), ("--until", "soon")])
def test_limits_that_cannot_be(person, limits):
    done = person.server.run("app-password", "add", person.address, *limits, check=False)
    assert done.returncode in (1, 2) and not done.stdout.strip()
