#!/usr/bin/env python3
"""Requests to a token endpoint over kept connections; works with any OAuth server.

  token_driver.py --port 443 --ca ca.pem --grant refresh --client web --secret s --refresh-file tokens --clients 8 --count 500
  token_driver.py --port 443 --ca ca.pem --grant client --client svc-1 --secret s --scope pillarbox:admin --clients 8 --count 500

Each client is a thread with one TLS connection and, for `refresh`, a line of --refresh-file of its own; a token that was rotated is used
from then on. Prints one JSON line a run.
"""
import argparse
import http.client
import json
import ssl
import time
import urllib.parse

from mailbench import Meter, quantiles, report, run_clients


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--host", default="localhost")
    p.add_argument("--port", type=int, required=True)
    p.add_argument("--path", default="/token")
    p.add_argument("--ca", required=True)
    p.add_argument("--grant", choices=["refresh", "client"], required=True)
    p.add_argument("--client", required=True)
    p.add_argument("--secret")
    p.add_argument("--scope")
    p.add_argument("--refresh-file")
    p.add_argument("--clients", type=int, default=8)
    p.add_argument("--count", type=int, default=500)
    p.add_argument("--runs", type=int, default=1)
    p.add_argument("--pid", default=[], type=lambda s: [int(x) for x in s.split(",")])
    p.add_argument("--label", default="")
    a = p.parse_args()
    tls = ssl.create_default_context(cafile=a.ca)
    refresh = open(a.refresh_file).read().split() if a.refresh_file else [None] * a.clients
    fixed = {"client_id": a.client}
    if a.secret:
        fixed["client_secret"] = a.secret
    if a.scope:
        fixed["scope"] = a.scope

    def ask(web, k):
        form = dict(fixed, grant_type="client_credentials" if a.grant == "client" else "refresh_token")
        if a.grant == "refresh":
            form["refresh_token"] = refresh[k]
        web.request("POST", a.path, urllib.parse.urlencode(form), {"Content-Type": "application/x-www-form-urlencoded"})
        answer = web.getresponse()
        body = json.load(answer)
        if answer.status != 200:
            raise RuntimeError(body)
        refresh[k] = body.get("refresh_token", refresh[k])

    def work(k):
        web = http.client.HTTPSConnection(a.host, a.port, context=tls)
        web.connect()
        ask(web, k)
        yield
        times = []
        for _ in range(a.count):
            begun = time.perf_counter()
            ask(web, k)
            times.append(time.perf_counter() - begun)
        web.close()
        yield times

    for run in range(a.runs):
        meter = Meter(a.pid)
        results = run_clients(a.clients, work, meter)
        requests = a.clients * a.count
        report("token", label=a.label, run=run, grant=a.grant, clients=a.clients, requests=requests, seconds=round(meter.seconds, 3),
               per_s=round(requests / meter.seconds, 1), **meter.cpu, **quantiles([t for one in results for t in one]))


if __name__ == "__main__":
    main()
