"""`fault clear` releases what a fault holds at that moment: a greeting that waits, an answer that drips, at every kind of endpoint."""
import socket
import threading
import time
import urllib.request

import pytest

from conftest import eventually, message

PROMPT = 20  # seconds; what is not released waits for its hour


@pytest.fixture
def dev(own_server):
    return own_server()


def connect(dev, service="imap"):
    return dev.tls().wrap_socket(socket.create_connection(("localhost", dev.port(service)), timeout=PROMPT), server_hostname="localhost")


def struck(dev, words):
    eventually(lambda: words in (dev.folder / "log.txt").read_text(), what=words)


def test_a_greeting_that_waits(dev):
    dev.run("fault", "set", "imap.connect", "delay", "1h")
    dev.run("fault", "set", "pop.connect", "delay", "1h")
    imap, pop = connect(dev), connect(dev, "pop")
    struck(dev, "imap.connect delay")
    struck(dev, "pop.connect delay")
    dev.run("fault", "clear", "imap.connect")
    assert imap.recv(100).startswith(b"* OK ")
    pop.settimeout(0.2)
    with pytest.raises(TimeoutError):
        pop.recv(100)  # another's fault still stands
    pop.settimeout(PROMPT)
    dev.run("fault", "clear")
    assert pop.recv(100).startswith(b"+OK ")
    imap.close()
    pop.close()


def test_an_answer_that_drips(dev):
    ada = dev.ada()
    ada.deliver(message("a@b.test", ada.address, "Long", "x" * 70 + "\r\n" + "y" * 5000 + "\r\n"))
    box = ada.imap()
    eventually(lambda: box.select("INBOX")[1] == [b"1"], what="the message")
    box.sock.settimeout(PROMPT)
    dev.run("fault", "set", "imap.fetch", "throttle", "2")
    box.send(b"x FETCH 1 BODY[]\r\n")
    struck(dev, "imap.fetch throttle")
    dev.run("fault", "clear")
    said, end = b"", time.monotonic() + PROMPT
    while b"x OK" not in said:
        said += box.sock.recv(65_536)
        assert time.monotonic() < end, f"{len(said)} octets, and still dripping"
    box.shutdown()


@pytest.mark.parametrize("kind", [("delay", "1h"), ("throttle", "1")])
def test_an_endpoint(dev, kind):
    dev.run("fault", "set", "oauth.discovery", *kind)
    answers = []

    def ask():
        with urllib.request.urlopen(dev["issuer"] + "/.well-known/openid-configuration", context=dev.tls(), timeout=PROMPT) as answer:
            answers.append(answer.read())

    asking = threading.Thread(target=ask)
    asking.start()
    struck(dev, f"oauth.discovery {kind[0]}")
    dev.run("fault", "clear")
    asking.join(PROMPT)
    assert answers and answers[0].endswith(b"}")
