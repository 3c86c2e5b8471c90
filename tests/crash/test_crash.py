"""What was acknowledged survives: SIGKILL at random moments, the n-th write failing for every n, a disk without space left.

Run by hand for longer: PILLARBOX_KILL_ROUNDS=500 pytest tests/crash -k kill
"""
import hashlib
import json
import os
import random
import shutil
import smtplib
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import PROGRAM, ROOT, Person, Server

ROUNDS = int(os.environ.get("PILLARBOX_KILL_ROUNDS", "20"))
CLIENTS = 20
SEED = int(os.environ.get("PILLARBOX_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
PEOPLE = ("ada@example.test", "bob@example.test")


def make(serial, rng, large=False):
    """A message of its own: the serial is its subject, the digest of its body a header."""
    body = "".join(f"{rng.getrandbits(256):064x}\r\n" for _ in range(rng.choice((1, 20, 150))))
    if large or rng.random() < 0.03:
        body *= 1 + 1_200_000 // len(body)  # over 1 MB: a file of its own
    digest = hashlib.sha256(body.encode()).hexdigest()
    head = f"From: <a@elsewhere.test>\r\nSubject: {serial}\r\nX-Digest: {digest}\r\nMessage-ID: <{serial}@crash.test>\r\n"
    return (head + "\r\n" + body).encode()


class Senders:
    """Clients that deliver until they are told to stop, and remember what was acknowledged."""

    def __init__(self, server, first, rng):
        self.server, self.acknowledged, self.offered = server, {}, set()
        self.stop, self.lock, self.next = threading.Event(), threading.Lock(), first
        seeds = [rng.getrandbits(64) for _ in range(CLIENTS)]
        self.threads = [threading.Thread(target=self.work, args=(seed,)) for seed in seeds]
        for thread in self.threads:
            thread.start()

    def serial(self):
        with self.lock:
            self.next += 1
            return self.next

    def work(self, seed):
        rng = random.Random(seed)
        try:
            with smtplib.SMTP("localhost", self.server.port("incoming"), timeout=30) as mx:
                while not self.stop.is_set():
                    serial, to = self.serial(), rng.choice(PEOPLE)
                    data = make(serial, rng)
                    with self.lock:
                        self.offered.add((to, serial))
                    mx.sendmail("a@elsewhere.test", [to], data)
                    with self.lock:
                        self.acknowledged[(to, serial)] = len(data)
        except (OSError, smtplib.SMTPException):
            pass  # the server was killed: what has no 250 was not acknowledged

    def join(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()


def found(server, address):
    """What lies in the inbox: [(uid, serial)], every body compared with the digest it carries."""
    box = Person(server, address, "pillarbox").imap()
    box.select("INBOX", readonly=True)
    seen = []
    kind, parts = box.uid("FETCH", "1:*", "(UID BODY.PEEK[])")
    for part in parts:
        if not isinstance(part, tuple):
            continue
        head, _, body = part[1].partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line and line[0] not in " \t")
        assert hashlib.sha256(body).hexdigest() == fields["X-Digest"], f"{address}: message {fields['Subject']} is damaged"
        seen.append((int(part[0].split(b"UID ")[1].split()[0]), int(fields["Subject"])))
    box.logout()
    return seen


def compare(server, acknowledged, offered):
    for address in PEOPLE:
        seen = found(server, address)
        uids, serials = [uid for uid, _ in seen], [serial for _, serial in seen]
        assert uids == sorted(set(uids)), f"{address}: UIDs do not ascend"
        assert len(serials) == len(set(serials)), f"{address}: a message is there twice"
        lost = {serial for to, serial in acknowledged if to == address} - set(serials)
        assert not lost, f"{address}: acknowledged and lost: {sorted(lost)}"
        strange = set(serials) - {serial for to, serial in offered if to == address}
        assert not strange, f"{address}: never sent: {strange}"


def check_store(folder):
    done = subprocess.run([PROGRAM, "store", "check", "--data", folder], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_was_acknowledged_survives_sigkill(tmp_path):
    rng = random.Random(SEED)
    print(f"seed {SEED}, {ROUNDS} rounds")
    data = tmp_path / "data"
    acknowledged, offered, last = set(), set(), 0
    server = Server(tmp_path, "--data", str(data))
    for round_ in range(ROUNDS):
        senders = Senders(server, last, rng)
        time.sleep(rng.uniform(0.05, 0.8))  # the random moment is the test
        server.kill()
        senders.join()
        last = senders.next
        acknowledged |= senders.acknowledged.keys()
        offered |= senders.offered
        if round_ % 5 == 4 or round_ == ROUNDS - 1:
            check_store(data)
        server.start()
        if round_ % 5 == 4 or round_ == ROUNDS - 1:
            compare(server, acknowledged, offered)
    assert len(acknowledged) > 10 * ROUNDS, "hardly anything was delivered; the test shows nothing"
    assert server.stop() == 0
    print(f"{len(acknowledged)} acknowledged of {len(offered)} offered")


@pytest.fixture(scope="session")
def fault(tmp_path_factory):
    library = tmp_path_factory.mktemp("fault") / "fault.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, ROOT / "tests/crash/fault.c", "-ldl"], check=True)
    return library


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """A data folder that has keys and people already, so that the faults fall on mail."""
    folder = tmp_path_factory.mktemp("prepared")
    server = Server(folder, "--data", str(folder / "data"))
    assert server.stop() == 0
    return folder


SENT = 8


def one_fault(prepared, fault, folder, at, error):
    """Delivers a few messages while the `at`-th change to a file fails; how many changes there were."""
    shutil.copytree(prepared / "data", folder / "data")
    shutil.copytree(prepared / "home", folder / "home")
    count = folder / "count"
    env = {"LD_PRELOAD": str(fault), "FAULT_FOLDER": str(folder / "data"), "FAULT_AT": str(at), "FAULT_ERRNO": str(error),
           "FAULT_COUNT": str(count)}
    offered, acknowledged = set(), set()
    rng = random.Random(at)
    command = subprocess.Popen(
        [PROGRAM, "dev", "--ports", "auto", "--json", "--data", folder / "data"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, env=os.environ | {"HOME": str(folder / "home"), "XDG_DATA_HOME": str(folder / "home/share")} | env)
    try:
        line = command.stdout.readline()
        if line:  # else the fault fell on the start, which must end with an error and lose nothing
            port = json.loads(line)["incoming_port"]
            for serial in range(1, SENT + 1):
                to = PEOPLE[serial % 2]
                offered.add((to, serial))
                try:
                    with smtplib.SMTP("localhost", port, timeout=20) as mx:
                        mx.sendmail("a@elsewhere.test", [to], make(serial, rng, large=serial == SENT // 2))
                    acknowledged.add((to, serial))
                except smtplib.SMTPResponseException as refused:
                    assert refused.smtp_code < 500 or refused.smtp_code >= 600, f"a full or bad disk is no reason to bounce: {refused}"
                except (smtplib.SMTPRecipientsRefused, smtplib.SMTPServerDisconnected, ConnectionError):
                    pass
        else:
            assert command.wait(20) != 0
    finally:
        command.kill()
        command.wait()
        command.stdout.close()
    check_store(folder / "data")
    server = Server(folder, "--data", str(folder / "data"))
    try:
        compare(server, acknowledged, offered)
        # and it takes mail again
        with smtplib.SMTP("localhost", server.port("incoming"), timeout=20) as mx:
            mx.sendmail("a@elsewhere.test", [PEOPLE[0]], make(999, rng))
    finally:
        assert server.stop() == 0
    calls = int(count.read_text())
    shutil.rmtree(folder)
    return calls


@pytest.mark.parametrize("error", [5, 28], ids=["input-output-error", "no-space-left"])
def test_every_write_that_fails_loses_nothing(prepared, fault, tmp_path, error):
    first = tmp_path / "count"
    first.mkdir()
    calls = one_fault(prepared, fault, first, 0, error)
    assert calls > 2 * SENT, "a delivery that is durable writes and flushes"

    def attempt(at):
        folder = tmp_path / f"at{at}"
        folder.mkdir()
        one_fault(prepared, fault, folder, at, error)
        return at

    with ThreadPoolExecutor(2) as pool:
        tried = list(pool.map(attempt, range(1, calls + 1)))
    print(f"{len(tried)} faults, one at each of {calls} changes to files")
