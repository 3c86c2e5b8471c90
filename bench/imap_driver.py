#!/usr/bin/env python3
"""IMAP benchmark driver: one client program, any server.

Every subcommand prints one JSON line per measured step.  The connection and
the login are not inside the measured time unless the subcommand is `login`.

  imap_driver.py --port 143 --user user1 --password pass fill --mailbox big --count 20000
  imap_driver.py --port 143 --user user1 fetch-meta --mailbox big
  imap_driver.py --port 993 --tls implicit --mech XOAUTH2 --token-file t login --count 500
  imap_driver.py --port 993 --tls implicit --user user%d --users 200 --pid $(cat pidfile) idle --count 1000
"""
import argparse
import itertools
import random
import re
import sys
import time

from mailbench import (LineSocket, Meter, Target, add_common_args, memory_kb, quantiles, report, run_clients, slab_kb)

LITERAL = re.compile(rb"\{(\d+)\+?\}\r?\n$")


class ImapError(Exception):
    pass


class Imap(LineSocket):
    def __init__(self, target, k=0, login=True):
        sock = target.tcp()
        if target.a.tls == "implicit":
            sock = target.wrap(sock)
        super().__init__(sock)
        self.target, self.k, self.n = target, k, 0
        greeting = self.line()
        if not greeting.startswith(b"* OK"):
            raise ImapError("greeting: %r" % greeting)
        if target.a.tls == "starttls":
            self.cmd("STARTTLS")
            self.s = target.wrap(self.s)
        if login:
            self.login()

    def tag(self):
        self.n += 1
        return b"t%d" % self.n

    def login(self):
        t = self.target
        if t.a.mech == "LOGIN":
            return self.cmd('LOGIN "%s" "%s"' % (t.user(self.k), t.secret(self.k)))
        tag = self.tag()
        self.send(b"%s AUTHENTICATE %s %s\r\n" % (
            tag, t.a.mech.encode(), t.sasl_initial(self.k).encode()))
        return self.wait(tag)

    def wait(self, tag, keep=None):
        """Read up to the tagged reply; literals are counted, not kept.

        Returns (untagged responses, literal octets)."""
        lines = octets = 0
        prefix = tag + b" "
        while True:
            line = self.line()
            if line.startswith(prefix):
                if not line.startswith(b"OK", len(prefix)):
                    raise ImapError(line.decode("utf8", "replace").strip())
                return lines, octets
            if line[:1] == b"+":
                self.s.sendall(b"\r\n")      # e.g. a SASL error challenge
                continue
            lines += 1
            if keep is not None:
                keep.append(line)
            while line.endswith(b"}\r\n"):
                m = LITERAL.search(line)
                if not m:
                    break
                size = int(m.group(1))
                octets += size
                self.skip(size)
                line = self.line()
                if keep is not None:
                    keep.append(line)

    def cmd(self, text, keep=None):
        tag = self.tag()
        if isinstance(text, str):
            text = text.encode()
        self.send(tag + b" " + text + b"\r\n")
        return self.wait(tag, keep)

    def try_cmd(self, text):
        try:
            return self.cmd(text)
        except ImapError:
            return None

    def append(self, mailbox, message):
        """With a literal every server takes: announced, waited for, sent."""
        tag = self.tag()
        self.send(b"%s APPEND %s {%d}\r\n" % (tag, quote(mailbox), len(message)))
        line = self.line()
        while not line.startswith(b"+"):
            if line.startswith(tag):
                raise ImapError(line.decode("utf8", "replace").strip())
            line = self.line()
        self.send(message + b"\r\n")
        return self.wait(tag)


def quote(name):
    return b'"' + name.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


WORDS = ("alpha meeting report invoice quarterly budget server database storage "
         "protocol customer project deadline review design network delivery order "
         "system update schedule travel contract payment summary office window "
         "library mountain river yellow orange purple kitchen garden winter").split()


def plain_message(rng, size, serial):
    """A text/plain message of about `size` octets with unique Message-ID."""
    head = ("Return-Path: <sender%d@example.test>\r\n"
            "Received: from mail.example.test (mail.example.test [192.0.2.%d])\r\n"
            "\tby mx.example.test with ESMTPS id %08x;\r\n"
            "\tSat, 21 Nov 2026 10:%02d:%02d +0000\r\n"
            "Date: Sat, 21 Nov 2026 10:%02d:%02d +0000\r\n"
            "From: \"Sender Number %d\" <sender%d@example.test>\r\n"
            "To: \"The Receiver\" <receiver@example.test>\r\n"
            "Cc: team%d@example.test\r\n"
            "Subject: %s %d\r\n"
            "Message-ID: <%08x.%d@bench.example.test>\r\n"
            "In-Reply-To: <%08x.parent@bench.example.test>\r\n"
            "MIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            "Content-Transfer-Encoding: 7bit\r\n\r\n") % (
        serial % 97, serial % 254 + 1, rng.getrandbits(32),
        serial // 60 % 60, serial % 60, serial // 60 % 60, serial % 60,
        serial % 97, serial % 97, serial % 13,
        " ".join(rng.choices(WORDS, k=5)), serial,
        rng.getrandbits(32), serial, rng.getrandbits(32))
    out, length = [head], len(head)
    while length < size:
        line = " ".join(rng.choices(WORDS, k=10)) + "\r\n"
        out.append(line)
        length += len(line)
    body = "".join(out)
    return (body[:size - 2] + "\r\n").encode()


def messages(args, seed=1):
    """Endless messages of --size, each with a Message-ID of its own."""
    rng = random.Random(seed)
    pool = [plain_message(rng, args.size, seed * 1000003 + i) for i in range(200)]
    for i in itertools.count():
        yield pool[i % len(pool)].replace(b"Message-ID: <", b"Message-ID: <%06d." % (i % 1000000), 1)


def recreate(c, mailbox):
    if mailbox.upper() == "INBOX":
        c.cmd("SELECT INBOX")
        c.try_cmd("STORE 1:* +FLAGS.SILENT (\\Deleted)")
        c.cmd("CLOSE")
        return
    c.try_cmd(b"DELETE " + quote(mailbox))
    c.cmd(b"CREATE " + quote(mailbox))


def op_fill(target, args):
    recreate(Imap(target), args.mailbox)

    def work(k):
        src = messages(args, seed=k + 1)
        c = Imap(target, k)
        yield
        for _ in range(args.count // args.clients):
            c.append(args.mailbox, next(src))
        yield
        c.close()
    meter = Meter(args.pid)
    run_clients(args.clients, work, meter)
    count = args.count // args.clients * args.clients
    report("fill", label=args.label, mailbox=args.mailbox, count=count, clients=args.clients,
           seconds=round(meter.seconds, 3), per_s=round(count / meter.seconds, 1), **meter.cpu)


def op_fetch_meta(target, args):
    for run in range(args.runs):
        c = Imap(target)
        t0 = time.perf_counter()
        keep = []
        c.cmd(b"SELECT " + quote(args.mailbox), keep)
        t1 = time.perf_counter()
        before = c.bytes_in
        meter = Meter(args.pid)
        lines, _ = c.cmd("FETCH 1:* (%s)" % args.items)
        dt = meter.stop()
        report("fetch-meta", label=args.label, run=run, messages=lines,
               bytes=c.bytes_in - before, select_ms=round(1e3 * (t1 - t0), 2),
               fetch_ms=round(1e3 * dt, 2), per_s=round(lines / dt, 0), **meter.cpu)
        c.cmd("LOGOUT")
        c.close()


def op_fetch_body(target, args):
    for run in range(args.runs):
        c = Imap(target)
        c.cmd(b"EXAMINE " + quote(args.mailbox))
        meter = Meter(args.pid)
        lines, octets = c.cmd("FETCH 1:* (BODY.PEEK[])")
        dt = meter.stop()
        report("fetch-body", label=args.label, run=run, messages=lines,
               bytes=octets, seconds=round(dt, 4),
               mb_per_s=round(octets / dt / 1e6, 1), per_s=round(lines / dt, 0), **meter.cpu)
        c.cmd("LOGOUT")
        c.close()


def op_append(target, args):
    src = messages(args)
    batch = [next(src) for _ in range(500)]
    for run in range(args.runs):
        def work(k):
            c = Imap(target, k)
            box = args.mailbox
            if k < target.a.users:
                recreate(c, box)
            yield
            times = []
            for i in range(args.count):
                message = batch[(i + 17 * k) % len(batch)]
                t0 = time.perf_counter()
                c.append(box, message)
                times.append(time.perf_counter() - t0)
            yield times
            c.close()
        meter = Meter(args.pid)
        res = run_clients(args.clients, work, meter)
        dt = meter.seconds
        n = args.clients * args.count
        report("append", label=args.label, run=run, clients=args.clients, users=target.a.users,
               size=args.size, messages=n, seconds=round(dt, 3), per_s=round(n / dt, 1),
               **meter.cpu, **quantiles([t for r in res for t in r]))


def op_login(target, args):
    """Whole sessions: connect, TLS, greeting, authenticate, (SELECT), LOGOUT."""
    for run in range(args.runs):
        def work(k):
            target.secret(k)
            yield
            times = []
            for i in range(args.count):
                t0 = time.perf_counter()
                c = Imap(target, k + i * args.clients)
                times.append(time.perf_counter() - t0)
                if args.select:
                    c.cmd("SELECT INBOX")
                if not args.leave:
                    c.cmd("LOGOUT")
                c.close()
            yield times
        meter = Meter(args.pid)
        res = run_clients(args.clients, work, meter)
        dt = meter.seconds
        n = args.clients * args.count
        report("login", label=args.label, run=run, mech=target.a.mech, tls=target.a.tls,
               clients=args.clients, sessions=n, seconds=round(dt, 3),
               per_s=round(n / dt, 1), **meter.cpu,
               **quantiles([t for r in res for t in r]))


def op_handshake(target, args):
    """What is left of a session without signing in: connect, TLS in full, greeting, close."""
    for run in range(args.runs):
        def work(k):
            yield
            times = []
            for _ in range(args.count):
                t0 = time.perf_counter()
                c = Imap(target, k, login=False)
                times.append(time.perf_counter() - t0)
                c.close()
            yield times
        meter = Meter(args.pid)
        res = run_clients(args.clients, work, meter)
        n = args.clients * args.count
        report("handshake", label=args.label, run=run, tls=target.a.tls, clients=args.clients, sessions=n,
               seconds=round(meter.seconds, 3), per_s=round(n / meter.seconds, 1), **meter.cpu,
               **quantiles([t for r in res for t in r]))


def op_idle(target, args):
    """Open --count authenticated connections, SELECT INBOX, IDLE; measure memory."""
    base = memory_kb(args.pid) if args.pid else None
    meter = Meter(args.pid)
    slab0 = slab_kb()
    conns, t0, step = [], time.perf_counter(), max(1, args.count // 10)
    for k in range(args.count):
        c = Imap(target, k)
        if not args.no_select:
            c.cmd("SELECT INBOX")
        if not args.no_idle:
            c.send(c.tag() + b" IDLE\r\n")
            line = c.line()
            while not line.startswith(b"+"):
                line = c.line()
        conns.append(c)
        if (k + 1) % step == 0 and not args.quiet:
            print("# %d open, %.1f s" % (k + 1, time.perf_counter() - t0),
                  file=sys.stderr, flush=True)
    opened = meter.stop()
    for wait in args.settle:
        time.sleep(wait)
        out = dict(label=args.label, connections=len(conns), open_seconds=round(opened, 2), **meter.cpu,
                   after_s=round(time.perf_counter() - t0 - opened, 1))
        if base:
            now = memory_kb(args.pid)
            out.update(base=base, now=now, **{
                "per_conn_%s_kb" % key: round((now[key] - base[key]) / len(conns), 2)
                for key in ("pss", "rss", "private")})
        slab = slab_kb()
        out["per_conn_kernel_kb"] = round(sum(
            slab[k] - slab0[k] for k in ("Slab", "PageTables", "KernelStack")) / len(conns), 2)
        out["per_conn_memavailable_kb"] = round(
            (slab0["MemAvailable"] - slab["MemAvailable"]) / len(conns), 2)
        report("idle", **out)
    alive = 0
    if not args.no_idle:
        for c in conns[::max(1, len(conns) // 50)]:
            c.send(b"DONE\r\n")
            c.wait(b"t%d" % c.n)
            alive += 1
        report("idle-alive", checked=alive)
    for c in conns:
        c.close()


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common_args(p, 143)
    sub = p.add_subparsers(dest="op", required=True)

    def add(name, func, mailbox="bench", runs=3, source=False):
        s = sub.add_parser(name)
        s.set_defaults(func=func)
        s.add_argument("--mailbox", default=mailbox)
        s.add_argument("--runs", type=int, default=runs)
        if source:
            s.add_argument("--size", type=int, default=10240)
        return s

    s = add("fill", op_fill, source=True)
    s.add_argument("--count", type=int, default=1000)
    s.add_argument("--clients", type=int, default=10)
    s = add("fetch-meta", op_fetch_meta)
    s.add_argument("--items", default="FLAGS UID ENVELOPE")
    add("fetch-body", op_fetch_body)
    s = add("append", op_append, source=True)
    s.add_argument("--clients", type=int, default=1)
    s.add_argument("--count", type=int, default=1000, help="messages per client")
    s = add("login", op_login)
    s.add_argument("--clients", type=int, default=1)
    s.add_argument("--count", type=int, default=500, help="sessions per client")
    s.add_argument("--select", action="store_true")
    s.add_argument("--leave", action="store_true", help="close without LOGOUT, as `handshake` does")
    s = add("handshake", op_handshake)
    s.add_argument("--clients", type=int, default=1)
    s.add_argument("--count", type=int, default=500, help="connections per client")
    s = add("idle", op_idle)
    s.add_argument("--count", type=int, default=1000)
    s.add_argument("--settle", type=float, nargs="*", default=[3.0])
    s.add_argument("--no-idle", action="store_true")
    s.add_argument("--no-select", action="store_true")
    s.add_argument("--quiet", action="store_true")

    args = p.parse_args()
    args.func(Target(args), args)


if __name__ == "__main__":
    main()
