"""SCRAM-SHA-256 and -PLUS with programs that others wrote: scramp over imaplib, poplib and smtplib, msmtp and mutt (libgsasl),
and openssl for the keying material of tls-exporter. Passwords are app passwords; none of them crosses the wire."""
import base64
import imaplib
import poplib
import re
import smtplib
import subprocess

import pytest
import scramp.core
from conftest import eventually
from test_unix import home, run  # noqa: F401 (a fixture)

MECHANISMS = "XOAUTH2, OAUTHBEARER, PLAIN, SCRAM-SHA-256, SCRAM-SHA-256-PLUS"


@pytest.fixture(scope="module")
def scram_server(tmp_path_factory):
    from conftest import Server
    server = Server(tmp_path_factory.mktemp("scram"), env={"PILLARBOX_SIGN_IN_MECHANISMS": MECHANISMS})
    yield server
    assert server.stop() == 0


@pytest.fixture
def ada(scram_server):
    return scram_server.person("ada")


class Dance:
    """A client's answers, one after the other."""

    def __init__(self, user, password, mechanism, binding=None):
        self.client = scramp.ScramClient([mechanism], user, password, channel_binding=binding)
        self.turn = 0

    def __call__(self, challenge=b""):
        self.turn += 1
        text = (challenge or b"").decode()
        if self.turn == 1:
            return self.client.get_client_first()
        if self.turn == 2:
            self.client.set_server_first(text)
            return self.client.get_client_final()
        self.client.set_server_final(text)  # raises unless the server has proved itself
        return ""


def binding(mechanism, sock):
    return ("tls-server-end-point", sock) if mechanism.endswith("PLUS") else None


def imap(ada, mechanism, password, bound=None):
    box = imaplib.IMAP4_SSL("localhost", ada.server.port("imap"), ssl_context=ada.server.tls())
    dance = Dance(ada.address, password, mechanism, bound or binding(mechanism, box.sock))
    box.authenticate(mechanism, lambda challenge: dance(challenge).encode())
    assert dance.turn == 3
    return box


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"])
def test_imap(ada, mechanism):
    assert imap(ada, mechanism, ada.app_password).select("INBOX")[0] == "OK"
    with pytest.raises(imaplib.IMAP4.error, match="Invalid credentials"):
        imap(ada, mechanism, "aaaabbbbccccdddd")


def test_a_server_in_between_is_found_out(ada):
    with pytest.raises(imaplib.IMAP4.error, match="Invalid SASL"):
        imap(ada, "SCRAM-SHA-256-PLUS", ada.app_password, bound=("tls-server-end-point", b"x" * 32))


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"])
def test_pop(ada, mechanism):
    box = poplib.POP3_SSL("localhost", ada.server.port("pop"), context=ada.server.tls())
    assert mechanism in box.capa()["SASL"]
    dance = Dance(ada.address, ada.app_password, mechanism, binding(mechanism, box.sock))
    reply = box._shortcmd(f"AUTH {mechanism} " + base64.b64encode(dance().encode()).decode())
    while reply.startswith(b"+ "):
        reply = box._shortcmd(base64.b64encode(dance(base64.b64decode(reply[2:])).encode()).decode())
    assert reply == b"+OK Welcome." and dance.turn == 3
    assert box.stat() == (0, 0)
    box.quit()


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"])
@pytest.mark.parametrize("tls", ["smtps", "submission"])
def test_smtp(ada, mechanism, tls):
    port = ada.server.port(tls)
    if tls == "smtps":
        server = smtplib.SMTP_SSL("localhost", port, context=ada.server.tls())
    else:
        server = smtplib.SMTP("localhost", port)
        server.starttls(context=ada.server.tls())
    with server:
        server.ehlo()
        assert mechanism in server.esmtp_features["auth"].split()
        dance = Dance(ada.address, ada.app_password, mechanism, binding(mechanism, server.sock))
        code, _ = server.auth(mechanism, lambda challenge=b"": dance(challenge))
        assert (code, dance.turn) == (235, 3)
        server.sendmail(ada.address, [ada.address], f"From: {ada.address}\r\nSubject: Bound\r\n\r\nIt works.\r\n")


def test_tls_exporter_with_openssl(ada, tool, monkeypatch):
    """Python does not export keying material, and scramp refuses what it cannot fetch itself. openssl prints it, and carries
    the dialogue; scramp takes it once its list of names says so."""
    names = scramp.core.CbName
    monkeypatch.setattr(names, "SUPPORTED_TYPES", names.SUPPORTED_TYPES | names.UNSUPPORTED_TYPES)
    monkeypatch.setattr(names, "UNSUPPORTED_TYPES", frozenset())
    words = [tool("openssl"), "s_client", "-connect", f"localhost:{ada.server.port('imap')}", "-CAfile", ada.server["ca"],
             "-verify_return_error", "-tls1_3", "-keymatexport", "EXPORTER-Channel-Binding", "-keymatexportlen", "32"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as talk:
        def line(wanted):
            for text in talk.stdout:
                if re.search(wanted, text):
                    return text.decode().strip()
            pytest.fail(f"openssl ended before {wanted}")
        material = bytes.fromhex(line(rb"^ *Keying material: ").split(": ")[1])
        line(rb"^\* OK")
        dance = Dance(ada.address, ada.app_password, "SCRAM-SHA-256-PLUS", ("tls-exporter", material))
        say = lambda text: (talk.stdin.write(text.encode() + b"\n"), talk.stdin.flush())
        encode = lambda text: base64.b64encode(text.encode()).decode()
        say("a AUTHENTICATE SCRAM-SHA-256-PLUS " + encode(dance()))
        say(encode(dance(base64.b64decode(line(rb"^\+ ")[2:]))))
        say(encode(dance(base64.b64decode(line(rb"^\+ ")[2:]))))
        assert "authenticated" in line(rb"^a ")
        talk.stdin.close()


@pytest.mark.parametrize("tls", ["smtps", "submission"])
def test_msmtp(scram_server, ada, home, tool, tls):  # noqa: F811
    tool("msmtp")

    def rc(password):
        path = home / "msmtprc"
        path.write_text(f"""
account default
host localhost
port {scram_server.port(tls)}
tls on
tls_starttls {"off" if tls == "smtps" else "on"}
tls_trust_file {scram_server['ca']}
auth scram-sha-256
user {ada.address}
from {ada.address}
password {password}
""")
        path.chmod(0o600)
        return path
    text = f"From: {ada.address}\r\nTo: {ada.address}\r\nSubject: By msmtp\r\n\r\nIt works.\r\n".encode()
    run(ada, ["msmtp", "-C", rc(ada.app_password), ada.address], home, text)
    box = ada.imap()
    assert eventually(lambda: box.select("INBOX")[1] == [b"1"])
    refused = run(ada, ["msmtp", "-C", rc("aaaabbbbccccdddd"), ada.address], home, text, check=False)
    assert refused.returncode == 77, refused.stderr
    assert b"535" in refused.stderr


def test_mutt(scram_server, ada, home, tool):  # noqa: F811
    tool("mutt")
    path = home / "muttrc"
    path.write_text(f"""
set ssl_ca_certificates_file="{scram_server['ca']}"
set certificate_file="{home}/certs"
set ssl_force_tls=yes
set smtp_url="smtps://{ada.address.replace('@', '%40')}@localhost:{scram_server.port('smtps')}/"
set smtp_pass="{ada.app_password}"
set imap_user="{ada.address}"
set imap_pass="{ada.app_password}"
set smtp_authenticators="scram-sha-256"
set imap_authenticators="scram-sha-256"
set from="{ada.address}"
set record="imaps://localhost:{scram_server.port('imap')}/Copies"
set confirmcreate=no
set confirmappend=no
""")
    run(ada, ["mutt", "-n", "-F", path, "-s", "By mutt", "--", ada.address], home, b"It works.\n")
    box = ada.imap()
    assert eventually(lambda: box.select("INBOX")[1] == [b"1"])
    scram_server.logged(f"{ada.address} signed in, SCRAM-SHA-256")
