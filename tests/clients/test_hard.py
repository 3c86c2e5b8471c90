"""What clients do to a server when they mean no good, or a lot: odd messages, the largest ones, silence, slow readers,
and 20,000 messages. Over real sockets, spoken by hand."""
import base64
import pathlib
import re
import smtplib
import socket
import time

import pytest

from conftest import ROOT, message

CORPUS = sorted((ROOT / "crates" / "pillarbox-message" / "tests" / "corpus").glob("*.eml"))
APPENDLIMIT = 35_651_584
PATIENCE = 60


class Wire:
    """A TLS connection spoken by hand."""

    def __init__(self, server, service, receive_buffer=None):
        plain = socket.socket(socket.AF_INET)
        if receive_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.settimeout(PATIENCE)
        plain.connect(("127.0.0.1", server.port(service)))
        self.socket = server.tls().wrap_socket(plain, server_hostname="localhost")
        self.buffer = bytearray()
        self.greeting = self.line()

    def send(self, data):
        self.socket.sendall(data)

    def more(self):
        piece = self.socket.recv(1 << 20)
        if not piece:
            raise EOFError(self.buffer[-500:])
        self.buffer += piece

    def line(self):
        return self.until(b"\r\n")[:-2]

    def exactly(self, count):
        while len(self.buffer) < count:
            self.more()
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def until(self, end):
        """Up to and with `end`."""
        looked = 0
        while (found := self.buffer.find(end, looked)) < 0:
            looked = max(0, len(self.buffer) - len(end))
            self.more()
        return self.exactly(found + len(end))

    def rest(self):
        """Everything up to the end of the connection."""
        try:
            while True:
                self.more()
        except (EOFError, ConnectionResetError, BrokenPipeError):
            return bytes(self.buffer)

    def close(self):
        self.socket.close()


def xoauth2(person):
    return base64.b64encode(f"user={person.address}\1auth=Bearer {person.token()}\1\1".encode())


class Imap(Wire):
    """Commands and their replies; a literal is part of its line."""

    def __init__(self, person, secret=None, **more):
        super().__init__(person.server, "imap", **more)
        self.tags = 0
        done, _ = self.command(b"AUTHENTICATE XOAUTH2 " + xoauth2(person) if secret is None
                               else f'LOGIN {person.address} "{secret}"'.encode())
        assert done.startswith(b"OK"), done

    def begin(self, command):
        self.tags += 1
        self.send(b"t%d %s\r\n" % (self.tags, command))
        return b"t%d " % self.tags

    def response(self):
        whole = self.line()
        while literal := re.search(rb"\{(\d+)\}$", whole):
            whole += b"\r\n" + self.exactly(int(literal[1])) + self.line()
        return whole

    def end(self, tag):
        said = []
        while not (line := self.response()).startswith(tag):
            said.append(line)
        return line[len(tag):], said

    def command(self, command):
        return self.end(self.begin(command))

    def append(self, data, mailbox=b"INBOX", plus=b""):
        tag = self.begin(b"APPEND %s {%d%s}" % (mailbox, len(data), plus))
        if not plus:
            line = self.response()
            if not line.startswith(b"+"):
                return line[len(tag):]
        self.send(data + b"\r\n")
        return self.end(tag)[0]


def body(line):
    """The one literal of a FETCH response."""
    head, rest = line.split(b"}\r\n", 1)
    return rest[:int(head.rsplit(b"{", 1)[1])]


class Pop(Wire):
    def __init__(self, person, **more):
        super().__init__(person.server, "pop", **more)
        assert self.ask(b"AUTH XOAUTH2 " + xoauth2(person)) == b"+OK Welcome."

    def ask(self, command):
        self.send(command + b"\r\n")
        return self.line()

    def text(self):
        """A multi-line reply, read as RFC 1939 §3 has it."""
        self.buffer[:0] = b"\r\n"
        text = self.until(b"\r\n.\r\n")[:-3]
        return text.replace(b"\r\n.", b"\r\n")[2:]


def large(size, subject=b"large"):
    head = b"From: a@b.test\r\nSubject: %s\r\n\r\n" % subject
    line = b"0123456789" * 7 + b"\r\n"
    data = head + line * ((size - len(head)) // len(line) + 1)
    return data[:size - 2] + b"\r\n"


# ---- odd messages --------------------------------------------------------------------------------------------------------

def test_odd_messages_come_back_byte_for_byte(server, person):
    assert len(CORPUS) > 40
    box = Imap(person)
    stored = []
    for path in CORPUS:
        data = path.read_bytes()
        done = box.append(data)
        if not data:
            continue  # RFC 3501 has no message without a byte; see the transcript
        assert done.startswith(b"OK [APPENDUID"), (path.name, done)
        stored.append((path.name, data))
    done, _ = box.command(b"SELECT INBOX")
    for number, (name, data) in enumerate(stored, 1):
        _, said = box.command(b"FETCH %d (RFC822.SIZE BODY.PEEK[])" % number)
        assert body(said[0]) == data, name
        assert b"RFC822.SIZE %d " % len(data) in said[0], name
        _, said = box.command(b"FETCH %d (BODY.PEEK[HEADER] BODY.PEEK[TEXT])" % number)
        header, text = re.split(rb" BODY\[TEXT\] ", said[0], maxsplit=1)
        both = [part.split(b"}\r\n", 1)[1] if b"}\r\n" in part else b"" for part in (header, text)]
        assert (both[0] + both[1].removesuffix(b")")) == data or b'""' in said[0], name
        done, _ = box.command(b"FETCH %d (ENVELOPE BODY BODYSTRUCTURE FLAGS)" % number)
        assert done.startswith(b"OK"), name
    pop = Pop(person)
    assert pop.ask(b"STAT").split()[1] == b"%d" % len(stored)
    sizes = dict(line.split() for line in [pop.ask(b"LIST")] and pop.text().split(b"\r\n") if line)
    for number, (name, data) in enumerate(stored, 1):
        assert int(sizes[b"%d" % number]) == len(data), name
        assert pop.ask(b"RETR %d" % number) == b"+OK message follows"
        # A text without a line end at its end gets one on the wire: the dot must stand on a line of its own.
        expected = data if data.endswith(b"\r\n") else data + b"\r\n"
        assert pop.text() == expected, name


# ---- the largest ---------------------------------------------------------------------------------------------------------

@pytest.mark.slow
def test_the_largest_message_passes_imap_and_one_byte_more_does_not(server, person):
    box = Imap(person)
    whole = large(APPENDLIMIT)
    assert b"APPENDLIMIT=%d" % APPENDLIMIT in b" ".join(box.command(b"CAPABILITY")[1])
    assert box.append(whole + b"x") == b"NO [TOOBIG] Message too large (Failure)"
    assert box.append(whole).startswith(b"OK [APPENDUID")
    assert box.append(b"Subject: small\r\n\r\nx\r\n", plus=b"+").startswith(b"OK [APPENDUID")
    # LITERAL- (RFC 7888 §5): more than 4096 bytes must be announced; what comes is read and the connection goes on
    assert box.append(large(4096), plus=b"+").startswith(b"OK [APPENDUID")
    assert box.append(large(4097), plus=b"+").startswith((b"BAD", b"NO"))
    done, said = box.command(b"SELECT INBOX")
    assert b"* 3 EXISTS" in said
    _, said = box.command(b"FETCH 1 BODY.PEEK[]")
    assert body(said[0]) == whole
    pop = Pop(person)
    assert pop.ask(b"RETR 1") == b"+OK message follows"
    assert pop.text() == whole


def submission(person):
    mail = smtplib.SMTP_SSL("localhost", person.server.port("smtps"), context=person.server.tls(), timeout=PATIENCE)
    mail.ehlo("x")
    assert mail.docmd("AUTH", "XOAUTH2 " + xoauth2(person).decode())[0] == 235
    return mail


def begin(mail, person, options=""):
    code = mail.docmd("MAIL", f"FROM:<{person.address}>{options}")[0]
    return code if code != 250 else mail.docmd("RCPT", f"TO:<{person.address}>")[0]


@pytest.mark.slow
@pytest.mark.parametrize("way", ["DATA", "BDAT", "BDATs"])
def test_the_largest_message_passes_smtp_and_one_byte_more_does_not(server, person, way):
    mail = submission(person)
    limit = int(mail.esmtp_features["size"])

    def give(data):
        assert begin(mail, person) == 250
        if way == "DATA":
            assert mail.docmd("DATA")[0] == 354
            mail.sock.sendall(data + b".\r\n")
            return mail.getreply()
        cut = len(data) // 2 if way == "BDATs" else 0
        replies = []
        for piece, last in [(data[:cut], b""), (data[cut:], b" LAST")] if cut else [(data, b" LAST")]:
            mail.sock.sendall(b"BDAT %d%s\r\n" % (len(piece), last) + piece)
            replies.append(mail.getreply())
        return replies[-1]

    head = f"From: {person.address}\r\nTo: {person.address}\r\nSubject: s\r\nMessage-ID: <{way}@x.test>\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n\r\n".encode()
    whole = head + large(limit - len(head))
    code, text = give(whole[:-2] + b"x\r\n")
    assert code == 552 and text.startswith(b"5.3.4"), text
    assert mail.noop()[0] == 250
    code, text = give(whole)
    assert code == 250, text
    # SIZE= (RFC 1870 §6.1)
    assert begin(mail, person, f" SIZE={limit + 1}") == 552
    assert begin(mail, person, f" SIZE={limit}") == 250
    mail.quit()
    box = Imap(person)
    box.command(b"SELECT INBOX")
    _, said = box.command(b"FETCH 1 BODY.PEEK[TEXT]")
    assert body(said[0]) == whole.split(b"\r\n\r\n", 1)[1]


# ---- silence, drips and readers that do not read ---------------------------------------------------------------------------

def resident(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024


@pytest.mark.slow
def test_readers_that_do_not_read_cost_little(own_server):
    server = own_server()
    person = server.person()
    box = Imap(person)
    assert box.append(large(30_000_000)).startswith(b"OK")
    box.command(b"SELECT INBOX")
    box.command(b"FETCH 1 BODY.PEEK[]")
    before = resident(server)
    stuck = []
    for _ in range(8):
        other = Imap(person, receive_buffer=4096)
        other.command(b"EXAMINE INBOX")
        other.begin(b"FETCH 1 BODY[]")
        stuck.append(other)
    for _ in range(4):
        pop = Pop(person, receive_buffer=4096)
        pop.send(b"RETR 1\r\n")
        stuck.append(pop)
    # The server still answers others, and what waits for the twelve is a few hundred kB each, not 30 MB.
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        assert box.command(b"NOOP")[0] == b"OK Success"
        assert resident(server) - before < 30_000_000
        time.sleep(0.1)


# ---- many ------------------------------------------------------------------------------------------------------------------

@pytest.mark.slow
def test_twenty_thousand_messages(own_server):
    server = own_server()
    person = server.person()
    box = Imap(person)
    box.command(b"CREATE many")
    for number in range(1, 21):
        assert box.append(message("a@b.test", person.address, f"Number {number}"), b"many").startswith(b"OK")
    box.command(b"SELECT many")
    count = 20
    while count < 20_000:
        take = min(count, 20_000 - count)
        done, _ = box.command(b"COPY 1:%d many" % take)
        assert done.startswith(b"OK [COPYUID"), done
        count += take
    clock = {}

    def timed(name, command):
        begun = time.monotonic()
        done, said = box.command(command)
        clock[name] = round(time.monotonic() - begun, 2)
        assert done.startswith(b"OK"), (name, done)
        return done, said

    _, said = timed("select", b"SELECT many")
    assert b"* 20000 EXISTS" in said
    _, said = timed("flags", b"FETCH 1:* FLAGS")
    assert len(said) == 20_000 and said[-1].startswith(b"* 20000 FETCH (FLAGS")
    _, said = timed("envelopes", b"FETCH 1:* (UID ENVELOPE RFC822.SIZE)")
    assert len(said) == 20_000
    # 10,000 ranges, as clients send that synchronise by their own lists
    odd = b",".join(b"%d" % uid for uid in range(1, 20_000, 2))
    _, said = timed("odd flags", b"UID FETCH %s FLAGS" % odd)
    assert len(said) == 10_000 and b"UID 19999" in said[-1]
    _, said = timed("odd search", b"UID SEARCH UID %s SUBJECT Number" % odd)
    assert len(said[0].split()) == 2 + 10_000
    _, said = timed("odd store", rb"STORE %s +FLAGS (\Answered)" % odd)
    assert len(said) == 10_000
    _, said = timed("esearch", b"UID SEARCH RETURN (ALL COUNT) ANSWERED")
    assert b"COUNT 10000" in said[0]
    assert box.command(b"UID FETCH %s FLAGS" % (odd + b"," + odd))[0].startswith(b"BAD")  # longer than a line may be
    _, said = timed("store", rb"STORE 1:* +FLAGS (\Seen)")
    assert sum(b"FETCH" in line and rb"\Seen" in line for line in said) == 20_000
    _, said = timed("search", b"SEARCH SEEN SUBJECT \"Number 7\"")
    assert len(said[0].split()) == 2 + 1000
    box.command(b"CREATE twin")
    done, _ = timed("copy", b"COPY 1:* twin")
    assert b"[COPYUID " in done
    timed("delete", rb"STORE 1:* +FLAGS.SILENT (\Deleted)")
    _, said = timed("expunge", b"EXPUNGE")
    assert sum(b"EXPUNGE" in line for line in said) == 20_000
    _, said = timed("again", b"SELECT twin")
    assert b"* 20000 EXISTS" in said
    print(clock)
