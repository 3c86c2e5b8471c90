"""EXTERNAL: client certificates made with openssl, shown by curl, `openssl s_client` and Python's ssl, over TLS 1.2 and 1.3."""
import base64
import imaplib
import json
import poplib
import smtplib
import ssl
import subprocess

import pytest
from conftest import DEADLINE, eventually, message

MECHANISMS = "XOAUTH2, PLAIN, EXTERNAL"


@pytest.fixture(scope="module")
def certificate_server(tmp_path_factory):
    from conftest import Server
    server = Server(tmp_path_factory.mktemp("certificates"), env={"PILLARBOX_SIGN_IN_MECHANISMS": MECHANISMS})
    yield server
    assert server.stop() == 0


@pytest.fixture
def ada(certificate_server):
    return certificate_server.person("ada")


class Certificate:
    """A self-signed certificate and its key, in files."""

    def __init__(self, folder, name, key="ec", days=30):
        self.pem, self.key = folder / f"{name}.pem", folder / f"{name}.key"
        kind = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["rsa:2048"], "ed25519": ["ed25519"]}[key]
        subprocess.run(["openssl", "req", "-x509", "-newkey", *kind, "-nodes", "-subj", f"/CN={name}", "-days", str(days),
                        "-keyout", self.key, "-out", self.pem], check=True, capture_output=True, timeout=DEADLINE)

    def tls(self, person, version=None):
        context = person.server.tls()
        context.load_cert_chain(self.pem, self.key)
        if version:
            context.minimum_version = context.maximum_version = version
        return context

    def add(self, person, *limits):
        return person.server.run("client-certificate", "add", person.address, str(self.pem), *limits).strip()


@pytest.fixture
def certificate(tmp_path):
    return Certificate(tmp_path, "laptop")


def imap(person, context):
    return imaplib.IMAP4_SSL("localhost", person.server.port("imap"), ssl_context=context)


def external(person, context, identity=b""):
    box = imap(person, context)
    box.authenticate("EXTERNAL", lambda _: identity)
    return box


@pytest.mark.parametrize("key", ["ec", "rsa", "ed25519"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_imap(ada, tmp_path, key, version):
    shown = Certificate(tmp_path, "one", key)
    shown.add(ada, "--name", "my laptop")
    for identity in (b"", ada.address.encode()):
        box = external(ada, shown.tls(ada, version), identity)
        assert box.select("INBOX")[0] == "OK"
    session = json.loads(ada.server.run("session", "list", "--json"))[-1]
    assert session["address"] == ada.address and session["app"] == "my laptop"


def test_announced_to_whoever_shows_one(ada, certificate):
    assert "AUTH=EXTERNAL" not in imap(ada, ada.server.tls()).capabilities
    assert "AUTH=EXTERNAL" in imap(ada, certificate.tls(ada)).capabilities
    with pytest.raises(imaplib.IMAP4.error, match="Unsupported"):
        external(ada, ada.server.tls())


def test_not_asked_for_where_it_is_not_offered(server, certificate):
    context = certificate.tls(server.person())
    box = imaplib.IMAP4_SSL("localhost", server.port("imap"), ssl_context=context)
    assert "AUTH=EXTERNAL" not in box.capabilities


def test_pop(ada, certificate):
    certificate.add(ada)
    box = poplib.POP3_SSL("localhost", ada.server.port("pop"), context=certificate.tls(ada))
    assert "EXTERNAL" in box.capa()["SASL"]
    assert box._shortcmd("AUTH EXTERNAL =").startswith(b"+OK")
    assert box.stat() == (0, 0)


@pytest.mark.parametrize("starttls", [False, True])
def test_smtp(ada, certificate, starttls):
    certificate.add(ada)
    context = certificate.tls(ada)
    if starttls:
        client = smtplib.SMTP("localhost", ada.server.port("submission"))
        client.starttls(context=context)
    else:
        client = smtplib.SMTP_SSL("localhost", ada.server.port("smtps"), context=context)
    with client:
        client.ehlo()
        assert "EXTERNAL" in client.esmtp_features["auth"]
        assert client.auth("EXTERNAL", lambda challenge=None: ada.address, initial_response_ok=True)[0] == 235
        client.sendmail(ada.address, [ada.address], message(ada.address, ada.address, "Signed in by a key"))


@pytest.mark.parametrize("scheme, service", [("imaps", "imap"), ("pop3s", "pop"), ("smtps", "smtps")])
def test_curl(ada, certificate, tool, scheme, service):
    curl = tool("curl")
    certificate.add(ada)
    common = [curl, "--silent", "--show-error", "--cacert", ada.server["ca"], "--cert", certificate.pem, "--key", certificate.key,
              "--max-time", str(DEADLINE),
              "--url", f"{scheme}://{ada.address.replace('@', '%40')};AUTH=EXTERNAL@localhost:{ada.server.port(service)}/"]
    if service == "smtps":
        common += ["--mail-from", ada.address, "--mail-rcpt", ada.address, "--upload-file", "-"]
    mail = message(ada.address, ada.address, "From curl")
    done = subprocess.run(common, input=mail, capture_output=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
    if service == "imap":
        assert b"INBOX" in done.stdout


def test_openssl(ada, certificate, tool):
    certificate.add(ada)
    blob = base64.b64encode(ada.address.encode()).decode()
    script = f"a AUTHENTICATE EXTERNAL {blob}\r\nb LOGOUT\r\n"
    done = subprocess.run(
        [tool("openssl"), "s_client", "-quiet", "-verify_return_error", "-CAfile", ada.server["ca"], "-cert", certificate.pem,
         "-key", certificate.key, "-connect", f"localhost:{ada.server.port('imap')}", "-ign_eof"],
        input=script.encode(), capture_output=True, timeout=DEADLINE)
    assert f"a OK {ada.address} authenticated (Success)".encode() in done.stdout


def test_somebody_else_is_refused_and_the_owner_told_why(ada, certificate):
    other = ada.server.person("bob")
    with pytest.raises(imaplib.IMAP4.error, match="Invalid credentials"):
        external(ada, certificate.tls(ada), ada.address.encode())
    key = certificate.add(other)
    box = imap(ada, certificate.tls(ada))
    token = box.welcome.split()[-1].decode()
    with pytest.raises(imaplib.IMAP4.error, match="Invalid credentials"):
        box.authenticate("EXTERNAL", lambda _: ada.address.encode())
    story = ada.server.run("why", token)
    assert f"EXTERNAL for {ada.address}" in story and f"the certificate belongs to {other.address}" in story
    taken = ada.server.run("client-certificate", "add", ada.address, str(certificate.pem), check=False)
    assert taken.returncode == 1 and "registered already" in taken.stderr
    assert [one["id"] for one in json.loads(other.server.run("client-certificate", "list", other.address, "--json"))] == [key]


def test_limits(ada, certificate):
    certificate.add(ada, "--only", "pop", "--until", "2100-01-01")
    with pytest.raises(imaplib.IMAP4.error, match="Invalid credentials"):
        external(ada, certificate.tls(ada))
    box = poplib.POP3_SSL("localhost", ada.server.port("pop"), context=certificate.tls(ada))
    assert box._shortcmd("AUTH EXTERNAL =").startswith(b"+OK")


def test_revocation_ends_the_session_in_idle(ada, certificate):
    key = certificate.add(ada)
    box = external(ada, certificate.tls(ada))
    box.select("INBOX")
    box.send(b"i IDLE\r\n")
    assert box.readline().startswith(b"+ ")
    ada.server.run("client-certificate", "revoke", ada.address, key)
    assert box.readline() == b"* BYE Session expired, please login again.\r\n"
    with pytest.raises(imaplib.IMAP4.error, match="Invalid credentials"):
        external(ada, certificate.tls(ada))
    gone = ada.server.run("client-certificate", "revoke", ada.address, key, check=False)
    assert gone.returncode == 1


def test_the_certificates_end_ends_sessions_and_sign_ins(own_server, tmp_path):
    server = own_server(env={"PILLARBOX_SIGN_IN_MECHANISMS": MECHANISMS})
    ada, short = server.person("ada"), Certificate(tmp_path, "short", days=1)
    short.add(ada)
    server.run("clock", "advance", "23h")
    box = external(ada, short.tls(ada))
    server.run("clock", "advance", "2h")
    assert eventually(box.readline) == b"* BYE Session expired, please login again.\r\n"
    assert "AUTH=EXTERNAL" not in imap(ada, short.tls(ada)).capabilities
    with pytest.raises(imaplib.IMAP4.error, match="Invalid credentials"):
        external(ada, short.tls(ada))


def test_what_is_no_certificate(ada):
    done = ada.server.run("client-certificate", "add", ada.address, stdin="no\n", check=False)
    assert done.returncode == 1 and "not a certificate" in done.stderr
