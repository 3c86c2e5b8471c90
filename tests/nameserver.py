"""A name server for tests: PyPI's dnslib on a free port of loopback, UDP and TCP, with zones the test fills."""
import pytest

dnslib = pytest.importorskip("dnslib", reason="the Python package dnslib is not installed; ./check installs it")
from dnslib import CNAME, MX, QTYPE, RCODE, RR, SRV, TXT  # noqa: E402
from dnslib.server import DNSError, DNSLogger, DNSServer  # noqa: E402

UDP_OCTETS_MAX = 512


class Names:
    """A name server on loopback: `zone` is name → type → records; `failing` is domain → how."""

    def __init__(self):
        self.zone, self.failing, self.asked, self.by_tcp = {}, {}, [], []
        quiet = DNSLogger(log="-request,-reply,-truncated,-error", prefix=False)
        self.udp = DNSServer(self, address="127.0.0.1", port=0, logger=quiet)
        self.port = self.udp.server.server_address[1]
        self.tcp = DNSServer(self, address="127.0.0.1", port=self.port, tcp=True, logger=quiet)
        for one in (self.udp, self.tcp):
            one.start_thread()

    def resolve(self, request, handler):
        name, kind = str(request.q.qname).rstrip("."), QTYPE[request.q.qtype]
        self.asked.append((name, kind))
        if handler.protocol == "tcp":
            self.by_tcp.append((name, kind))
        reply = request.reply()
        how = next((how for domain, how in self.failing.items() if name.endswith(domain)), None)
        if how == "silent":
            raise DNSError("nothing is said")
        if how:
            reply.header.rcode = getattr(RCODE, how)
            return reply
        there = self.zone.get(name.lower())
        if there is None:
            reply.header.rcode = RCODE.NXDOMAIN
        for record in (there or {}).get(kind, (there or {}).get("CNAME", [])):
            reply.add_answer(RR(request.q.qname, getattr(QTYPE, record.__class__.__name__), rdata=record, ttl=300))
        if handler.protocol == "udp" and len(reply.pack()) > UDP_OCTETS_MAX:
            reply.rr, reply.header.tc = [], 1  # dnslib's own way of cutting drops the question too, which nobody should believe
        return reply

    def put(self, name, *records):
        for record in records:
            self.zone.setdefault(name, {}).setdefault(record.__class__.__name__, []).append(record)

    def stop(self):
        for one in (self.udp, self.tcp):
            one.stop()
            one.server.server_close()


def publish(names, domain, server):
    """Everything as `domain dns` says."""
    for name, kind, *value in (line.split(" ", 3)[0:1] + line.split(" ")[2:] for line in server.run("domain", "dns", domain).splitlines()):
        name = name.rstrip(".")
        if kind == "MX":
            names.put(name, MX(value[1], int(value[0])))
        elif kind == "TXT":
            names.put(name, TXT(" ".join(value).strip('"')))
        elif kind == "SRV":
            names.put(name, SRV(int(value[0]), int(value[1]), int(value[2]), value[3]))
        elif kind == "CNAME":
            names.put(name, CNAME(value[0]))
        else:
            raise AssertionError(kind)
