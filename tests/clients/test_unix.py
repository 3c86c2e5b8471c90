"""mutt, mbsync, msmtp, fetchmail and openssl: the programs people read and send mail with in a terminal."""
import os
import re
import socket
import subprocess

import pytest

from conftest import eventually, message

TIMEOUT = 40


@pytest.fixture
def home(tmp_path):
    (tmp_path / "tmp").mkdir()
    return tmp_path


def run(person, words, home, data=None, check=True):
    env = person.server.env | {"HOME": str(home), "TMPDIR": str(home / "tmp"), "TERM": "xterm", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(words, input=data, capture_output=True, timeout=TIMEOUT, env=env, cwd=home)
    if check:
        assert done.returncode == 0, (done.returncode, done.stdout.decode()[-1500:], done.stderr.decode()[-1500:])
    return done


def token_file(home, person, token=None):
    """Programs that run a command for their password read the token from a file only they may read."""
    path = home / f"token-{person.address}"
    path.touch(mode=0o600)
    path.write_text((token or person.token()) + "\n")
    return path


def mutt_rc(home, person, authenticators="xoauth2", token=None):
    path = home / "muttrc"
    secret = token_file(home, person, token)
    server = person.server
    path.write_text(f"""
set ssl_ca_certificates_file="{server['ca']}"
set certificate_file="{home}/certs"
set ssl_force_tls=yes
set imap_user="{person.address}"
set folder="imaps://localhost:{server.port('imap')}/"
set spoolfile="+INBOX"
set imap_authenticators="{authenticators}"
set imap_oauth_refresh_command="cat {secret}"
set smtp_url="smtps://{person.address.replace('@', '%40')}@localhost:{server.port('smtps')}/"
set smtp_authenticators="{authenticators}"
set smtp_oauth_refresh_command="cat {secret}"
set pop_oauth_refresh_command="cat {secret}"
set from="{person.address}"
set realname="Person"
set record=""
set copy=no
set header_cache=""
set sleep_time=0
set quit=yes
set confirmappend=no
set confirmcreate=no
set abort_nosubject=no
set mail_check=1
""")
    return path


@pytest.mark.parametrize("authenticator", ["xoauth2", "oauthbearer"])
def test_mutt_sends_and_reads(server, home, tool, authenticator):
    tool("mutt")
    ada, bob = server.person("ada"), server.person("bob")
    run(ada, ["mutt", "-n", "-F", mutt_rc(home, ada, authenticator), "-s", "From mutt", "--", bob.address], home, b"Hello, bob.\n")
    box = bob.imap()
    assert eventually(lambda: box.select("INBOX")[1] == [b"1"])
    copied = home / "copied"
    reader = mutt_rc(home, bob, authenticator)
    script = f"push '<copy-message>{copied}<enter><exit>'"
    run_in_terminal(bob, ["mutt", "-n", "-F", str(reader), "-e", script], home)
    assert "Subject: From mutt" in eventually(lambda: copied.exists() and copied.read_text(), what="mutt's copy")


def test_mutt_with_a_bad_token_does_not_send(server, person, home, tool):
    tool("mutt")
    done = run(person, ["mutt", "-n", "-F", mutt_rc(home, person, token="wrong"), "-s", "No", "--", person.address], home, b"x\n", check=False)
    assert done.returncode != 0
    box = person.imap()
    assert box.select("INBOX")[1] == [b"0"]


def run_in_terminal(person, words, home):
    """Runs a full-screen program under a pseudo-terminal of its own until it ends."""
    import pty
    import select
    import time
    env = person.server.env | {"HOME": str(home), "TERM": "xterm", "LC_ALL": "C.UTF-8"}
    master, slave = pty.openpty()
    child = subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, env=env, cwd=home, start_new_session=True)
    os.close(slave)
    screen, end = b"", time.monotonic() + TIMEOUT
    while child.poll() is None:
        if time.monotonic() > end:
            child.kill()
            child.wait()
            pytest.fail(f"{words[0]} did not end; its screen: {screen[-2000:]!r}")
        if select.select([master], [], [], 0.1)[0]:
            try:
                screen += os.read(master, 65536)
            except OSError:
                break
    child.wait()
    os.close(master)
    return screen


def mbsync_rc(home, person, token=None, mechanism="XOAUTH2"):
    path = home / "mbsyncrc"
    path.write_text(f"""
IMAPStore far
Host localhost
Port {person.server.port('imap')}
User {person.address}
PassCmd "cat {token_file(home, person, token)}"
AuthMechs {mechanism}
SSLType IMAPS
SystemCertificates no
CertificateFile {person.server['ca']}

MaildirStore near
Path {home}/mail/
Inbox {home}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns INBOX "Receipts"
Create Both
Expunge Both
SyncState *
""")
    (home / "mail").mkdir(exist_ok=True)
    return path


def test_mbsync_synchronises_both_ways(server, person, home, tool):
    tool("mbsync")
    data = message("a@b.test", person.address, "To sync")
    person.deliver(data)
    box = person.imap()
    box.create("Receipts")
    run(person, ["mbsync", "-c", mbsync_rc(home, person), "all"], home)
    near = [f for f in (home / "mail" / "INBOX").rglob("*") if f.is_file() and f.parent.name in ("new", "cur")]
    assert len(near) == 1 and b"Subject: To sync" in near[0].read_bytes()
    # from here to there: a new message, a flag
    (home / "mail" / "Receipts" / "new" / "1700000000.1.here").write_bytes(message("me@x.test", person.address, "From here").replace(b"\r\n", b"\n"))
    flagged = near[0].parent.parent / "cur" / (near[0].name.split(":")[0] + ":2,FS")
    near[0].rename(flagged)
    run(person, ["mbsync", "-c", mbsync_rc(home, person), "all"], home)
    assert box.select("Receipts")[1] == [b"1"]
    assert b"From here" in box.fetch("1", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1][0][1]
    box.select("INBOX")
    flags = box.fetch("1", "(FLAGS)")[1][0]
    assert rb"\Flagged" in flags and rb"\Seen" in flags
    box.logout()


@pytest.mark.slow
def test_mbsync_with_a_bad_token_fails(server, person, home, tool):
    tool("mbsync")
    done = run(person, ["mbsync", "-c", mbsync_rc(home, person, token="wrong"), "all"], home, check=False)
    assert done.returncode != 0 and b"Invalid credentials" in done.stdout + done.stderr


def msmtp_rc(home, person, auth, token=None, tls="smtps"):
    path = home / "msmtprc"
    starttls = "off" if tls == "smtps" else "on"
    path.write_text(f"""
account default
host localhost
port {person.server.port(tls)}
tls on
tls_starttls {starttls}
tls_trust_file {person.server['ca']}
auth {auth}
user {person.address}
from {person.address}
passwordeval cat {token_file(home, person, token)}
""")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("tls", ["smtps", "submission"])
@pytest.mark.parametrize("auth", ["xoauth2", "oauthbearer", "plain"])
def test_msmtp_sends(server, home, tool, auth, tls):
    tool("msmtp")
    ada, bob = server.person("ada"), server.person("bob")
    secret = ada.app_password if auth == "plain" else None
    run(ada, ["msmtp", "-C", msmtp_rc(home, ada, auth, secret, tls), bob.address], home, message(ada.address, bob.address, "From msmtp"))
    box = bob.imap()
    assert eventually(lambda: box.select("INBOX")[1] == [b"1"])
    box.logout()


def test_msmtp_with_a_bad_token_fails(server, person, home, tool):
    tool("msmtp")
    done = run(person, ["msmtp", "-C", msmtp_rc(home, person, "xoauth2", "wrong"), person.address], home, b"x\n", check=False)
    assert done.returncode == 77 and b"535" in done.stderr


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_fetchmail_fetches_with_an_app_password(server, person, home, tool, protocol):
    tool("fetchmail")
    person.deliver(message("a@b.test", person.address, "To fetch"))
    port = server.port("imap" if protocol == "imap" else "pop")
    rc = home / "fetchmailrc"
    got = home / "got"
    rc.write_text(f"""poll localhost protocol {protocol} port {port} user "{person.address}" password "{person.app_password}"
  ssl sslcertck sslcertfile "{server['ca']}" mda "cat >> {got}" keep
""")
    rc.chmod(0o600)
    run(person, ["fetchmail", "--fetchmailrc", rc, "--nosyslog", "--pidfile", home / "pid", "--idfile", home / "ids"], home)
    assert "Subject: To fetch" in got.read_text()
    rc.write_text(rc.read_text().replace(person.app_password, "wrongwrongwrongw"))
    refused = run(person, ["fetchmail", "--fetchmailrc", rc, "--nosyslog", "--pidfile", home / "pid", "--idfile", home / "ids"], home, check=False)
    assert refused.returncode == 3, refused.stderr


def dialogue(server, service, *options, lines):
    """openssl s_client fed with lines; what the server said."""
    words = ["openssl", "s_client", "-connect", f"localhost:{server.port(service)}", "-CAfile", server["ca"],
             "-verify_return_error", "-quiet", "-ign_eof", *options]
    done = subprocess.run(words, input="".join(line + "\r\n" for line in lines).encode(), capture_output=True, timeout=TIMEOUT)
    return done.stdout.decode()


def test_openssl_dialogues(server):
    said = dialogue(server, "imap", lines=["a1 CAPABILITY", "nonsense", "a2 FOO", "a3 SELECT INBOX", "a4 LOGOUT"])
    assert re.search(r"^\* OK \S+ ready for requests from \S+ \S+\r?$", said, re.M)
    assert "a2 BAD Unknown command" in said and "a3 BAD" in said and "* BYE Logout Requested" in said
    said = dialogue(server, "pop", lines=["STAT", "CAPA", "LAST", "QUIT"])
    assert "-ERR bad command" in said and "SASL" in said and "+OK Farewell." in said
    said = dialogue(server, "smtps", lines=["EHLO x", "MAIL FROM:<a@b.test>", "WHAT", "QUIT"])
    assert "530-5.7.0 Authentication Required" in said and "502 5.5.1 Unrecognized command" in said and "221 2.0.0" in said
    said = dialogue(server, "submission", "-starttls", "smtp", lines=["EHLO x", "QUIT"])
    assert "AUTH" in said and "STARTTLS" not in said


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_tls_is_refused(server, version):
    done = subprocess.run(["openssl", "s_client", "-connect", f"localhost:{server.port('imap')}", version, "-cipher", "ALL:@SECLEVEL=0"],
                          input=b"", capture_output=True, timeout=TIMEOUT)
    assert b"ready for requests" not in done.stdout and done.returncode != 0


@pytest.mark.parametrize("service", ["imap", "pop"])
def test_nothing_is_said_in_clear(server, service):
    plain = socket.create_connection(("localhost", server.port(service)), TIMEOUT)
    plain.sendall(b"a1 CAPABILITY\r\n")
    plain.settimeout(TIMEOUT)
    said = b""
    while piece := plain.recv(4096):
        said += piece
    assert b"CAPABILITY" not in said and b"OK" not in said
