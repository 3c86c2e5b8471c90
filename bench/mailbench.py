"""Shared helpers for the benchmark drivers: sockets, SASL, statistics, memory.

Standard library only.  Works against any IMAP/POP3 server.
"""
import base64
import json
import os
import resource
import socket
import ssl
import statistics
import threading
import time


def add_common_args(p, port):
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--port", type=int, default=port)
    p.add_argument("--tls", choices=["none", "implicit", "starttls"], default="none")
    p.add_argument("--tls-max", choices=["1.2", "1.3"], default="1.3")
    p.add_argument("--mech", default="PLAIN",
                   choices=["LOGIN", "PLAIN", "XOAUTH2", "OAUTHBEARER"],
                   help="LOGIN is the IMAP LOGIN / POP3 USER+PASS command")
    p.add_argument("--user", default="user1",
                   help="may contain %%d, replaced by first-user..first-user+users-1")
    p.add_argument("--users", type=int, default=1)
    p.add_argument("--first-user", type=int, default=1)
    p.add_argument("--password", default="pass")
    p.add_argument("--token-file",
                   help="one bearer token per line; line k is user k's (or one line for all)")
    p.add_argument("--password-file", help="one password per line; line k is user k's")
    p.add_argument("--ca", help="PEM file: check the server's certificate (name: localhost)")
    p.add_argument("--timeout", type=float, default=300.0)
    p.add_argument("--label", default="")
    p.add_argument("--pid", default=[], type=lambda s: [int(x) for x in s.split(",")],
                   help="server master process ids, comma-separated: CPU and memory of "
                        "their process trees are reported")


class Target:
    """Where to connect and as whom."""

    def __init__(self, args):
        self.a = args
        self.tokens = []
        if args.token_file:
            with open(args.token_file) as f:
                self.tokens = f.read().split()
        self.passwords = [args.password]
        if args.password_file:
            with open(args.password_file) as f:
                self.passwords = f.read().split()
        self.ctx = None
        if args.tls != "none":
            c = ssl.create_default_context(cafile=args.ca)
            if args.tls_max == "1.2":
                c.maximum_version = ssl.TLSVersion.TLSv1_2
            self.ctx = c

    def user(self, k=0):
        k %= self.a.users
        return self.a.user.replace("%d", str(self.a.first_user + k))

    def line(self, k):
        """Which line of a file of tokens or passwords is this user's; the first is user 1's."""
        return k % self.a.users + self.a.first_user - 1

    def secret(self, k=0):
        if self.a.mech in ("XOAUTH2", "OAUTHBEARER"):
            if not self.tokens:
                raise SystemExit("--token-file is needed for " + self.a.mech)
            return self.tokens[self.line(k) % len(self.tokens)]
        return self.passwords[self.line(k) % len(self.passwords)]

    def tcp(self):
        s = socket.create_connection((self.a.host, self.a.port), self.a.timeout)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def wrap(self, s):
        return self.ctx.wrap_socket(s, server_hostname="localhost")

    def sasl_initial(self, k=0):
        user, secret = self.user(k), self.secret(k)
        mech = self.a.mech
        if mech == "PLAIN":
            raw = "\0%s\0%s" % (user, secret)
        elif mech == "XOAUTH2":
            raw = "user=%s\x01auth=Bearer %s\x01\x01" % (user, secret)
        elif mech == "OAUTHBEARER":
            raw = "n,a=%s,\x01host=%s\x01port=%d\x01auth=Bearer %s\x01\x01" % (
                user, self.a.host, self.a.port, secret)
        else:
            raise ValueError(mech)
        return base64.b64encode(raw.encode()).decode()


class LineSocket:
    """Buffered reader: lines and counted octets, without keeping the octets."""

    CHUNK = 1 << 18

    def __init__(self, sock):
        self.s = sock
        self.buf = b""
        self.pos = 0
        self.bytes_in = 0

    def _more(self):
        data = self.s.recv(self.CHUNK)
        if not data:
            raise EOFError("server closed the connection")
        self.bytes_in += len(data)
        if self.pos >= len(self.buf):
            self.buf = data
        else:
            self.buf = self.buf[self.pos:] + data
        self.pos = 0

    def line(self):
        start = self.pos
        while True:
            end = self.buf.find(b"\n", start)
            if end >= 0:
                out = self.buf[self.pos:end + 1]
                self.pos = end + 1
                return out
            have = len(self.buf) - self.pos
            self._more()
            start = have

    def skip(self, n):
        avail = len(self.buf) - self.pos
        while n > avail:
            n -= avail
            self.pos = len(self.buf)
            self._more()
            avail = len(self.buf)
        self.pos += n

    def send(self, data):
        self.s.sendall(data)

    def close(self):
        try:
            self.s.close()
        except OSError:
            pass


def run_clients(n, work, meter):
    """Run work(k) in n threads, started together; returns their results.

    work(k) is a generator: up to its first yield it prepares, unmeasured;
    what it yields second is its result."""
    results, errors = [None] * n, []
    gate = threading.Barrier(n + 1)
    ready = threading.Barrier(n + 1)

    def body(k):
        try:
            gen = work(k)
            next(gen)                    # connect, log in, prepare
        except Exception as e:           # noqa: BLE001 - reported below
            errors.append((k, repr(e)))
            ready.wait()
            gate.wait()
            return
        ready.wait()
        gate.wait()
        try:
            results[k] = next(gen)       # the measured part
        except Exception as e:           # noqa: BLE001
            errors.append((k, repr(e)))

    threads = [threading.Thread(target=body, args=(k,)) for k in range(n)]
    for t in threads:
        t.start()
    ready.wait()
    meter.start()
    gate.wait()
    for t in threads:
        t.join()
    meter.stop()
    if errors:
        raise SystemExit("client errors: %s" % errors[:5])
    return results


def quantiles(values):
    v = sorted(values)
    if not v:
        return {}
    pick = lambda q: v[min(len(v) - 1, int(q * len(v)))]
    return {"p50_ms": round(1e3 * statistics.median(v), 3),
            "p95_ms": round(1e3 * pick(0.95), 3),
            "p99_ms": round(1e3 * pick(0.99), 3),
            "max_ms": round(1e3 * v[-1], 3)}


TICK = os.sysconf("SC_CLK_TCK")


def own_cpu():
    """CPU seconds of this process and of its finished children."""
    both = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(r.ru_utime + r.ru_stime for r in both)


def tree_cpu(roots):
    """CPU seconds used so far by process trees, with children already reaped."""
    total = 0
    for root in roots:
        for pid in process_tree(root):
            try:
                with open("/proc/%d/stat" % pid) as f:
                    v = f.read().rsplit(")", 1)[1].split()
                total += sum(int(x) for x in v[11:15])
            except OSError:
                pass
    return total / TICK


def machine_cpu():
    """Busy CPU seconds of the whole machine."""
    with open("/proc/stat") as f:
        v = [int(x) for x in f.readline().split()[1:]]
    return (sum(v[:8]) - v[3] - v[4]) / TICK


class Meter:
    """Wall time and CPU of client, server (--pid) and everything else."""

    def __init__(self, pids):
        self.pids = pids
        self.start()

    def start(self):
        self.client0 = own_cpu()
        self.server0 = tree_cpu(self.pids)
        self.machine0 = machine_cpu()
        self.t0 = time.perf_counter()

    def stop(self):
        self.seconds = time.perf_counter() - self.t0
        machine = machine_cpu() - self.machine0
        client = own_cpu() - self.client0
        out = {"client_cpu_s": round(client, 3)}
        if self.pids:
            server = tree_cpu(self.pids) - self.server0
            out["server_cpu_s"] = round(server, 3)
            out["other_cpu_s"] = round(max(0.0, machine - client - server), 3)
        self.cpu = out
        return self.seconds


def report(op, **fields):
    print(json.dumps({"op": op, **fields}), flush=True)


def process_tree(root):
    """pid and all its descendants."""
    parent = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name) as f:
                    parent[int(name)] = int(f.read().rsplit(")", 1)[1].split()[1])
            except OSError:
                pass
    kids = {}
    for pid, pp in parent.items():
        kids.setdefault(pp, []).append(pid)
    out, todo = [], [root]
    while todo:
        pid = todo.pop()
        out.append(pid)
        todo += kids.get(pid, [])
    return out


def memory_kb(roots):
    """Sum of PSS, RSS and private memory (kB) over the process trees."""
    tot = {"pss": 0, "rss": 0, "private": 0, "processes": 0}
    for pid in {p for root in roots for p in process_tree(root)}:
        try:
            with open("/proc/%d/smaps_rollup" % pid) as f:
                for line in f:
                    key, _, rest = line.partition(":")
                    if key == "Pss":
                        tot["pss"] += int(rest.split()[0])
                    elif key == "Rss":
                        tot["rss"] += int(rest.split()[0])
                    elif key in ("Private_Clean", "Private_Dirty"):
                        tot["private"] += int(rest.split()[0])
            tot["processes"] += 1
        except OSError:
            pass
    return tot


def slab_kb():
    """Kernel memory seen by the whole machine: slab, page tables, kernel stacks (kB)."""
    want = {"Slab", "PageTables", "KernelStack", "MemAvailable"}
    out = {}
    with open("/proc/meminfo") as f:
        for line in f:
            key, _, rest = line.partition(":")
            if key in want:
                out[key] = int(rest.split()[0])
    return out
