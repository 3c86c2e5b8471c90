"""The servers that are compared, each a private instance in a folder of its own, on loopback and free ports.

The distribution's services are neither started nor touched: only its programs are used, with our configuration. Postfix's and
Dovecot's masters start as root because they change to their own users; see README.md for what is set and why.
"""
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import mint_jwt

DOMAIN = "example.test"
PACKAGES = ["dovecot-core", "dovecot-imapd", "dovecot-lmtpd", "postfix", "openssl"]
START_SECONDS_MAX = 30


def address(k):
    return "user%d@%s" % (k, DOMAIN)


def install():
    """Installs what is missing, and keeps the services from being started now or at the next boot."""
    def missing(name):
        done = subprocess.run(["dpkg-query", "-W", "-f", "${Status}", name], capture_output=True, text=True)
        return "ok installed" not in done.stdout
    names = [name for name in PACKAGES if missing(name)]
    if not names:
        return
    if os.geteuid() != 0:
        sys.exit("these packages are missing, and installing them needs root: " + " ".join(names))
    print("installing: " + " ".join(names), file=sys.stderr)
    # Debian's way to say that a package must not start its service.
    policy = pathlib.Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        quiet = dict(check=True, stdout=subprocess.DEVNULL, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
        subprocess.run(["apt-get", "update"], **quiet)
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", *names], **quiet)
    finally:
        if ours:
            policy.unlink()
    for service in {"dovecot", "postfix"} & {name.split("-")[0] for name in names}:
        subprocess.run(["update-rc.d", service, "disable"], capture_output=True)


def run_daemon(command, log):
    """Runs a command that leaves a daemon behind, which would keep a pipe open: its output goes to a file."""
    with open(log, "wb") as out:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.exit("%s did not start: %s" % (command[0], log.read_text()))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, what):
    end = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit("%s did not start" % what)


def wait_for_socket(path, what):
    end = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < end:
        with socket.socket(socket.AF_UNIX) as s:
            try:
                return s.connect(str(path))
            except OSError:
                time.sleep(0.05)
    sys.exit("%s did not start" % what)


def wait_for_pid(file, what):
    end = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < end:
        if file.exists() and file.read_text().strip():
            return int(file.read_text())
        time.sleep(0.05)
    sys.exit("%s did not start" % what)


def end_process(pid):
    """Asks a process to end, and waits until it has."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, sign)
        except ProcessLookupError:
            return
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                if os.waitpid(pid, os.WNOHANG)[0] == pid:
                    return
            except ChildProcessError:
                if not pathlib.Path("/proc/%d" % pid).exists():
                    return
            time.sleep(0.05)


class Dovecot:
    """Dovecot as its documentation sets it up for many sign-ins, with reused processes: the fastest of its set-ups."""
    name = "dovecot"

    def __init__(self, folder, users):
        self.folder = folder / "dovecot"
        (self.folder / "keys/default/ES256").mkdir(parents=True)
        self.mail = self.folder / "mail"
        self.mail.mkdir()
        shutil.chown(self.mail, "nobody", "nogroup")
        self.imap, self.lmtp = free_port(), free_port()
        self.ca = self.folder / "cert.pem"
        self.passwords = self.folder / "passwords"
        self.tokens = self.folder / "tokens"
        self._credentials(users)
        self.config = self.folder / "dovecot.conf"
        self.config.write_text(DOVECOT.format(f=self.folder, imap=self.imap, lmtp=self.lmtp))

    def _credentials(self, users):
        def openssl(*args):
            subprocess.run(["openssl", *args], check=True, capture_output=True, cwd=self.folder)
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem",
                "-out", "cert.pem", "-days", "7", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "jwt.pem")
        openssl("ec", "-in", "jwt.pem", "-pubout", "-out", "keys/default/ES256/default")
        names = [address(k) for k in range(1, users + 1)]
        (self.folder / "users").write_text("".join("%s:{PLAIN}pass\n" % name for name in names))
        self.passwords.write_text("pass\n" * users)
        key = str(self.folder / "jwt.pem")
        self.tokens.write_text("".join(mint_jwt.mint("ES256", name, key) + "\n" for name in names))
        (self.folder / "oauth2.conf").write_text(
            "introspection_mode = local\nlocal_validation_key_dict = fs:posix:prefix=%s/keys/\n"
            "username_attribute = sub\n" % self.folder)

    def start(self):
        run_daemon(["dovecot", "-c", self.config], self.folder / "start")
        self.pids = [wait_for_pid(self.folder / "run/master.pid", "Dovecot")]
        wait_for_port(self.imap, "Dovecot")

    def stop(self):
        for pid in getattr(self, "pids", []):
            end_process(pid)


DOVECOT = """
base_dir = {f}/run
state_dir = {f}/state
log_path = {f}/log
protocols = imap lmtp
listen = 127.0.0.1
ssl = required
ssl_cert = <{f}/cert.pem
ssl_key = <{f}/key.pem
auth_mechanisms = plain xoauth2 oauthbearer
first_valid_uid = 1
mail_location = maildir:{f}/mail/%u
mail_max_userip_connections = 10000
default_client_limit = 10000
passdb {{
  driver = passwd-file
  mechanisms = plain
  args = {f}/users
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {f}/oauth2.conf
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={f}/mail/%u allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
}}
service imap-login {{
  service_count = 0
  process_min_avail = 2
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {imap}
    ssl = yes
  }}
}}
service imap {{
  service_count = 1000
  process_min_avail = 8
  process_limit = 4000
}}
service lmtp {{
  process_min_avail = 8
  process_limit = 400
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
"""


class Postfix:
    """Postfix that takes mail for the domain and hands it to Dovecot over LMTP."""
    name = "postfix"

    def __init__(self, folder, dovecot):
        self.folder = folder / "postfix"
        for name in ("etc", "queue", "data"):
            (self.folder / name).mkdir(parents=True)
        os.chown(self.folder / "data", pwd.getpwnam("postfix").pw_uid, -1)
        self.smtp = free_port()
        (self.folder / "etc/main.cf").write_text(MAIN_CF.format(f=self.folder, lmtp=dovecot.lmtp, domain=DOMAIN))
        (self.folder / "etc/master.cf").write_text(MASTER_CF.format(smtp=self.smtp))

    def start(self):
        run_daemon(["postfix", "-c", self.folder / "etc", "start"], self.folder / "start")
        self.pids = [wait_for_pid(self.folder / "queue/pid/master.pid", "Postfix")]
        wait_for_port(self.smtp, "Postfix")

    def stop(self):
        if hasattr(self, "pids"):
            subprocess.run(["postfix", "-c", self.folder / "etc", "abort"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            end_process(self.pids[0])


MAIN_CF = """
compatibility_level = 3.6
queue_directory = {f}/queue
data_directory = {f}/data
maillog_file = {f}/log
maillog_file_prefixes = {f}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = bench.{domain}
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = static:all
virtual_transport = lmtp:inet:127.0.0.1:{lmtp}
default_process_limit = 250
smtpd_client_connection_count_limit = 0
smtpd_peername_lookup = no
in_flow_delay = 0
lmtp_destination_concurrency_limit = 20
lmtp_destination_recipient_limit = 1
initial_destination_concurrency = 20
"""

MASTER_CF = """
127.0.0.1:{smtp} inet n - n - - smtpd
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
lmtp      unix  - - n - - lmtp
anvil     unix  - - n - 1 anvil
postlog   unix-dgram n - n - 1 postlogd
"""


class Pillarbox:
    """Our program as people run it: `serve`, with its mail in a folder. Tokens come from a service account."""
    name = "pillarbox"

    def __init__(self, folder, users, program, processor=None):
        """On any processor, or on one alone."""
        self.folder, self.users, self.program = folder / "pillarbox", users, str(program)
        self.processor = processor
        self.folder.mkdir(parents=True)
        self.passwords = self.folder / "passwords"
        self.tokens = self.folder / "tokens"
        self.imap, self.smtp, self.web = free_port(), free_port(), free_port()
        self.ca = self.folder / "data/authority/ca.pem"
        self.config = self.folder / "pillarbox.toml"
        self.config.write_text(PILLARBOX.format(f=self.folder, domain=DOMAIN, imap=self.imap, smtp=self.smtp, web=self.web))
        self.environment = {**os.environ, "PILLARBOX_CONFIG": str(self.config)}

    def start(self):
        log = open(self.folder / "log", "ab")
        place = None if self.processor is None else lambda: os.sched_setaffinity(0, {self.processor})
        self.process = subprocess.Popen([self.program, "serve"], stdout=log, stderr=log, env=self.environment, preexec_fn=place)
        self.pids = [self.process.pid]
        # Its ports are open before it accepts; the socket for commands comes later.
        wait_for_socket(self.folder / "data/admin.sock", "pillarbox")
        names = [address(k) for k in range(1, self.users + 1)]
        if not self.passwords.exists():
            for name in names:
                self.command("account", "add", name, stdin="a long pass phrase for benchmarks\n")
            self.passwords.write_text("".join(self.command("app-password", "add", name) + "\n" for name in names))
            self.service = json.loads(self.run("app", "add", "Bench", "--service", "--delegate", MAIL_SCOPE))
        self.tokens.write_text("".join(self.token(name) + "\n" for name in names))

    def token(self, name):
        """An access token for a person, asked for in the person's name (RFC 7523)."""
        service, key = self.service, self.folder / "service.pem"
        key.write_text(service["private_key"])
        assertion = mint_jwt.mint("RS256", name, str(key), kid=service["private_key_id"], lifetime=3600,
                                  iss=service["client_id"], aud=service["token_uri"], scope=MAIL_SCOPE)
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
        tls = ssl.create_default_context(cafile=self.ca)
        try:
            with urllib.request.urlopen(service["token_uri"], urllib.parse.urlencode(form).encode(), context=tls) as answer:
                return json.load(answer)["access_token"]
        except urllib.error.HTTPError as error:
            sys.exit("no token for %s: %s" % (name, error.read().decode()))

    def run(self, *args, stdin=""):
        done = subprocess.run([self.program, *args], input=stdin, capture_output=True, text=True, env=self.environment)
        if done.returncode:
            sys.exit("pillarbox %s: %s" % (" ".join(args), done.stderr.strip()))
        return done.stdout.strip()

    def command(self, *args, stdin=""):
        lines = self.run(*args, stdin=stdin).splitlines()
        return lines[-1].replace(" ", "") if lines else ""

    def stop(self):
        if hasattr(self, "process"):
            end_process(self.process.pid)
            self.process.wait()


MAIL_SCOPE = "https://mail.google.com/"

PILLARBOX = """
domain = "{domain}"
host = "localhost"
data = "{f}/data"

[listen]
imap = ["127.0.0.1:{imap}"]
incoming = ["127.0.0.1:{smtp}"]
web = ["127.0.0.1:{web}"]
pop = []
submission = []

[tls]
mode = "private"

[oauth]
issuer = "https://localhost:{web}"
"""
