"""Below the requests: TLS versions and ciphers, requests that two parsers would read differently, sizes, slowness, HTTP/2."""
import re
import socket
import ssl
import subprocess
import threading
import time

import pytest

from attacks.attacker import Browser, ask, by_hand
from conftest import eventually

TLS_PORTS = ("imap", "pop", "smtps", "web")
PATIENCE = 30


def handshake(server, service, **settings):
    """The version and cipher agreed on, or the error."""
    context = server.tls()
    context.set_ciphers(settings.get("ciphers", "DEFAULT:@SECLEVEL=0"))
    context.minimum_version = settings.get("least", ssl.TLSVersion.TLSv1_2)
    context.maximum_version = settings.get("most", ssl.TLSVersion.MAXIMUM_SUPPORTED)
    plain = socket.create_connection(("127.0.0.1", server.port(service)), timeout=PATIENCE)
    with plain:
        if service == "submission":
            file = plain.makefile("rb")
            for line in ("", "EHLO x", "STARTTLS"):
                if line:
                    plain.sendall(line.encode() + b"\r\n")
                while (got := file.readline())[3:4] == b"-":
                    pass
                assert got[:1] == b"2", got
        with context.wrap_socket(plain, server_hostname="localhost") as line:
            return line.version(), line.cipher()[0], line.compression()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("service", [*TLS_PORTS, "submission"])
def test_old_tls_is_refused(server, service):
    assert handshake(server, service)[0] == "TLSv1.3"
    assert handshake(server, service, most=ssl.TLSVersion.TLSv1_2)[0] == "TLSv1.2"
    for old in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        with pytest.raises(ssl.SSLError, match="(?i)protocol version|unsupported|alert"):
            handshake(server, service, least=old, most=old)


@pytest.mark.parametrize("ciphers", ["AES128-SHA:AES256-SHA", "ECDHE+AESCCM", "aNULL", "ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA256", "AES128-GCM-SHA256",
                                     "DHE+AESGCM", "ECDHE-ECDSA-AES256-SHA384"])
def test_weak_ciphers_are_refused(server, ciphers):
    with pytest.raises(ssl.SSLError, match="(?i)handshake failure|no shared cipher|alert"):
        handshake(server, "web", most=ssl.TLSVersion.TLSv1_2, ciphers=ciphers + ":@SECLEVEL=0")


def test_tls_compresses_nothing(server):
    assert handshake(server, "web", most=ssl.TLSVersion.TLSv1_2)[2] is None and handshake(server, "web")[2] is None


def test_renegotiation_is_refused(own_server, tool):
    """TLS 1.2 allowed a client to begin anew in the middle, at the server's cost."""
    server = own_server()
    words = [tool("openssl"), "s_client", "-connect", f"localhost:{server.port('imap')}", "-CAfile", server["ca"], "-tls1_2", "-msg"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as talk:
        try:
            for line in talk.stdout:
                if b"ready for requests" in line:
                    break
            talk.stdin.write(b"R\n")
            talk.stdin.flush()
            for line in talk.stdout:
                if b"ClientHello" in line:
                    break
            assert ask(server, "GET", "/healthz").status == 200
            server.stop()  # its last words bring along whatever it wanted to say before
            rest, _ = talk.communicate(timeout=PATIENCE)
        finally:
            talk.kill()
    assert b"ServerHello" not in rest, rest[-2000:]


@pytest.mark.parametrize("service", TLS_PORTS)
def test_nothing_is_said_in_clear_on_a_tls_port(server, service):
    for line in (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"a LOGIN ada@example.test pillarbox\r\n", b"EHLO x\r\n", b"\x80\x2e\x01\x03\x01"):
        got = by_hand(server, line, service, tls=False)
        assert not re.search(rb"HTTP/|OK|220|Pillarbox", got), got


def test_a_password_that_was_compressed_could_be_guessed_by_its_size(server):
    """BREACH: nothing is compressed, so no answer's size tells of what is in it."""
    browser = Browser(server)
    browser.sign_in(server.person())
    for path in ("/account", "/style.css", "/.well-known/openid-configuration"):
        answer = browser.get(path, **{"Accept-Encoding": "gzip, br, deflate, zstd"})
        assert answer.header("content-encoding") is None and answer.status == 200


# ---- requests that two parsers read differently

def answers(got):
    return re.findall(rb"HTTP/1\.1 (\d{3})", got)


INNER = b"GET /icon.svg HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = b"0\r\n\r\n" + INNER
HEAD = b"POST /device/code HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
SMUGGLED = {
    "two lengths": HEAD + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(INNER) + INNER,
    "a list of lengths": HEAD + b"Content-Length: 0, %d\r\n\r\n" % len(INNER) + INNER,
    "a signed length": HEAD + b"Content-Length: +0\r\n\r\n" + INNER,
    "a negative length": HEAD + b"Content-Length: -1\r\n\r\n" + INNER,
    "a length in hex": HEAD + b"Content-Length: 0x0\r\n\r\n" + INNER,
    "a length that overflows": HEAD + b"Content-Length: 18446744073709551616\r\n\r\n" + INNER,
    "an unknown coding": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNKED,
    "chunked that is not last": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n" + CHUNKED,
    "a coding with a tab": HEAD + b"Transfer-Encoding:\x0bchunked\r\n\r\n" + CHUNKED,
    "a blank before the colon": HEAD + b"Transfer-Encoding : chunked\r\n\r\n" + CHUNKED,
    "a folded line": HEAD + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + CHUNKED,
    "a name with a blank": HEAD + b"Transfer Encoding: chunked\r\n\r\n" + CHUNKED,
    "a bare CR in a value": HEAD + b"X: a\rContent-Length: 0\r\n\r\n" + INNER,
    "a NUL in a value": HEAD + b"X: a\0b\r\nContent-Length: 0\r\n\r\n" + INNER,
    "a chunk of another base": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + INNER,
    "a chunk that overflows": HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" + INNER,
    "a chunk that does not end": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab" + INNER,
    "no HTTP version": b"GET /\r\n\r\n" + INNER,
    "another version": b"GET / HTTP/3.7\r\nHost: localhost\r\n\r\n" + INNER,
    "a first line with more words": b"GET / /x HTTP/1.1\r\nHost: localhost\r\n\r\n" + INNER,
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_a_request_that_could_be_read_two_ways_is_refused(server, name):
    got = by_hand(server, SMUGGLED[name])
    assert b"<svg" not in got, "what was inside was taken for a request of its own"
    assert len(answers(got)) <= 1 and (not answers(got) or answers(got)[0] in (b"400", b"401", b"505", b"501")), got[:300]


def test_length_and_chunks_at_once_end_the_connection(server):
    """RFC 9112 §6.1: chunks count, and the connection is over, whatever came behind."""
    got = by_hand(server, HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED, patience=PATIENCE)
    assert b"<svg" not in got and len(answers(got)) <= 1, got


def test_version_1_0_knows_no_chunks(server):
    got = by_hand(server, HEAD.replace(b"HTTP/1.1", b"HTTP/1.0") + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKED)
    assert b"<svg" not in got and len(answers(got)) <= 1, got


def test_answers_cannot_be_split(server):
    """What comes back in a header is encoded or not there."""
    for path in ("/signin?then=%0d%0aX-Evil:%201", "/account?x=%0d%0aX-Evil:1", "/device/consent?user_code=%0d%0aX-Evil:1",
                 "/o/oauth2/v2/auth?client_id=web&redirect_uri=http://localhost/%0d%0aX-Evil:1&response_type=code",
                 "/o/oauth2/v2/auth?client_id=web&redirect_uri=http://localhost/&response_type=x&state=%0d%0aX-Evil:1"):
        answer = ask(server, "GET", path)
        assert answer.header("x-evil") is None and "\n" not in (answer.location or "")
    posted = Browser(server).post("/o/oauth2/v2/auth", {"state": "\r\nX-Evil: 1"})
    assert posted.header("x-evil") is None


# ---- sizes

def test_heads_are_bounded(server):
    for raw in (b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 1_000 + b"\r\n",
                b"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: " + b"a=b; " * 40_000 + b"\r\n\r\n"):
        got = by_hand(server, raw)
        assert not answers(got) or answers(got)[0] in (b"400", b"414", b"431"), got[:200]
    assert ask(server, "GET", "/healthz").status == 200


def test_a_body_without_a_length_is_bounded_too(server):
    chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    for path in (b"/signin", b"/token"):
        got = by_hand(server, HEAD.replace(b"/device/code", path) + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 40)
        assert not answers(got) or answers(got)[0] == b"413", got[:200]


# ---- slowness

def hangs_up(server, within, data, tls, drip):
    """Seconds until the server ends a connection on which so much was said and then, each second, a little more; None if it
    does not."""
    begun = time.monotonic()
    line = socket.create_connection(("127.0.0.1", server.port("web")), timeout=within)
    if tls:
        line = server.tls().wrap_socket(line, server_hostname="localhost")
    with line:
        line.sendall(data)
        line.settimeout(1)
        while time.monotonic() - begun < within:
            try:
                if not line.recv(4096):
                    break
            except TimeoutError:
                try:
                    line.sendall(drip)
                except OSError:
                    break
            except OSError:
                break
        else:
            return None
        return round(time.monotonic() - begun)


@pytest.mark.slow
def test_who_never_finishes_is_hung_up_on(server):
    """Slow loris: a byte now and then keeps nothing open, neither in the handshake, nor in a head, nor in a body."""
    body = HEAD + b"Content-Length: 1000\r\n\r\na"
    tries = {
        "silent": (b"", False, b""),
        "in the handshake": (b"\x16\x03\x01", False, b""),
        "silent behind the handshake": (b"", True, b""),
        "one letter": (b"G", True, b""),
        "half an HTTP/2 preface": (b"PRI * HTTP/2.0\r\n", True, b""),
        "in the head": (b"GET / HTTP/1.1\r\nHost: localhost\r\n", True, b"X: y\r\n"),
        "in the body": (body, True, b"b"),
        "in a chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", True, b"1\r\na\r\n"),
        "behind an answer": (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", True, b""),
    }
    results = {}

    def run(name):
        results[name] = hangs_up(server, 120, *tries[name])
    threads = [threading.Thread(target=run, args=(name,)) for name in tries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(results) == set(tries) and all(results.values()), results


def test_many_who_wait_do_not_keep_out_one_who_asks(server):
    held = [socket.create_connection(("127.0.0.1", server.port("web")), timeout=PATIENCE) for _ in range(300)]
    try:
        assert ask(server, "GET", "/healthz").status == 200
        Browser(server).sign_in(server.person())
    finally:
        for one in held:
            one.close()


# ---- HTTP/2

h2 = pytest.importorskip("h2", reason="the Python package h2 is not installed; ./check installs it")
import h2.config  # noqa: E402
import h2.connection  # noqa: E402
import h2.errors  # noqa: E402
import h2.events  # noqa: E402


class Two:
    """An HTTP/2 connection that sends what it is told, right or wrong."""

    def __init__(self, server):
        context = server.tls()
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection(("127.0.0.1", server.port("web")), timeout=PATIENCE)
        self.line = context.wrap_socket(plain, server_hostname="localhost")
        assert self.line.selected_alpn_protocol() == "h2"
        config = h2.config.H2Configuration(client_side=True, validate_outbound_headers=False, normalize_outbound_headers=False)
        self.http = h2.connection.H2Connection(config=config)
        self.http.initiate_connection()
        self.send()

    def send(self):
        self.line.sendall(self.http.data_to_send())

    def ask(self, headers, body=b""):
        """The status and body, or the name of what ended stream or connection."""
        stream = self.http.get_next_available_stream_id()
        self.http.send_headers(stream, headers, end_stream=not body)
        if body:
            self.http.send_data(stream, body, end_stream=True)
        self.send()
        status, text = None, b""
        while True:
            data = self.line.recv(1 << 16)
            if not data:
                return "closed", text
            for event in self.http.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    status = int(dict(event.headers)[b":status"])
                elif isinstance(event, h2.events.DataReceived):
                    text += event.data
                    self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
                    return "reset", text
                elif isinstance(event, h2.events.StreamEnded):
                    return status, text
            self.send()

    def close(self):
        self.line.close()


def get(path="/healthz", **more):
    fields = {":method": "GET", ":scheme": "https", ":authority": "localhost", ":path": path, **more}
    return list(fields.items())


def test_http_2_gives_the_same(server):
    two = Two(server)
    status, text = two.ask(get("/.well-known/openid-configuration", **{":authority": "evil.example"}))
    assert status == 200 and b"evil" not in text and server["issuer"].encode() in text
    form = {"content-type": "application/x-www-form-urlencoded", "origin": "https://evil.example"}
    assert two.ask(get("/signout", **{":method": "POST", ":authority": "localhost"}, **form), b"x=1")[0] == 403
    two.close()


@pytest.mark.parametrize("headers", [
    get(**{"transfer-encoding": "chunked"}), get(**{"connection": "keep-alive"}), get(**{"x": "a\r\nx-evil: 1"}), get(**{"x\r\ny": "1"}),
    get(**{"X-Upper": "1"}), get("/healthz HTTP/1.1\r\nHost: evil\r\n\r\nGET /icon.svg"), get(**{"content-length": "5"}), get(""),
    [*get(), (":path", "/icon.svg")], [*get(), (":evil", "1")], get()[1:], [("x", "1"), *get()],
], ids=lambda headers: repr(headers[-1])[:30])
def test_http_2_tricks_are_refused(server, headers):
    two = Two(server)
    try:
        status, text = two.ask(headers)
    except (ConnectionError, ssl.SSLError):
        status, text = "closed", b""
    assert status in ("closed", "reset", 400, 404) and b"<svg" not in text, (status, text)
    two.close()
    assert ask(server, "GET", "/healthz").status == 200


def test_http_2_bounds(server):
    two = Two(server)
    try:
        assert two.ask(get(**{f"x-{number}": "y" * 4_000 for number in range(60)}))[0] in ("closed", "reset", 400, 431)
    except (ConnectionError, ssl.SSLError):
        pass
    two.close()


def test_rapid_resets_end_the_connection_and_nothing_else(server):
    """CVE-2023-44487: streams opened and cancelled without end."""
    two = Two(server)
    try:
        for _ in range(200):
            for _ in range(50):
                stream = two.http.get_next_available_stream_id()
                two.http.send_headers(stream, get("/signin"), end_stream=True)
                two.http.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
            two.send()
            assert ask(server, "GET", "/healthz").status == 200
        two.line.settimeout(PATIENCE)

        def over():
            events = two.http.receive_data(two.line.recv(1 << 16) or b"")
            return any(isinstance(event, h2.events.ConnectionTerminated) for event in events)
        eventually(over, what="the end of the connection")
    except (ConnectionError, ssl.SSLError, OSError):
        pass  # hung up on, as it should be
    finally:
        two.close()
    assert ask(server, "GET", "/healthz").status == 200
