"""Signing keys of a running server: the schedule follows its clock, a command replaces them, a leaked key ends what it signed."""
import json
import time
import urllib.parse
import urllib.request

from conftest import eventually


def fetch(server, path, form=None):
    data = urllib.parse.urlencode(form).encode() if form else None
    request = urllib.request.Request(server["issuer"] + path, data=data)
    with urllib.request.urlopen(request, context=server.tls(), timeout=10) as answer:
        return json.load(answer), answer.headers


def keys(server, state=None):
    listed = json.loads(server.run("key", "list", "--json"))
    return {one["id"] for one in listed if state is None or one["state"] == state}


def published(server):
    return {one["kid"] for one in fetch(server, "/oauth2/v3/certs")[0]["keys"]}


def test_keys_follow_the_clock(own_server):
    server = own_server()
    first = keys(server, "signs")
    assert published(server) == first and len(first) == 2
    server.run("clock", "advance", "89d")
    eventually(lambda: len(published(server)) == 4, what="a new key in the JWKS a day before it signs")
    assert keys(server, "signs") == first
    _, headers = fetch(server, "/oauth2/v3/certs")
    assert headers["Cache-Control"] == "public, max-age=3600"
    before = server.ada().token()
    server.run("clock", "advance", "24h")
    assert keys(server, "replaced") == first and len(keys(server, "signs")) == 2
    eventually(lambda: published(server).isdisjoint(first) is False, what="the old ones are there still")
    after = server.ada().token()
    assert before.split(".")[0] != after.split(".")[0]
    server.ada().imap().logout()
    server.run("clock", "advance", "2h")
    eventually(lambda: published(server).isdisjoint(first), what="the end of the old keys")
    assert "is published, and signs access tokens from" in server.logged("of id tokens is deleted")


def test_a_leaked_key_ends_what_it_signed(own_server):
    server = own_server()
    ada = server.ada()
    old = ada.token()
    box = ada.imap()
    box.send(b"x IDLE\r\n")
    assert box.readline().startswith(b"+")
    refused = server.run("key", "rotate", "--leaked", check=False)
    assert refused.returncode != 0, "nobody is there to be asked"
    begun = time.monotonic()
    said = server.run("key", "rotate", "--leaked", "--yes")
    assert said.count("from now on") == 2 and said.count("is deleted") == 2
    line = box.readline()
    assert line.startswith(b"* BYE") and time.monotonic() - begun < 2, line
    again = server.run("token", "inspect", "--json", stdin=old, check=False)
    assert again.returncode == 1 and "not one of this server's" in json.loads(again.stdout)["why_not"]
    # Programs with a refresh token go on by themselves.
    form = {"grant_type": "refresh_token", "refresh_token": server["refresh_token"],
            "client_id": "web", "client_secret": "pillarbox"}
    fresh, _ = fetch(server, "/token", form)
    assert fresh["access_token"].split(".")[0] != old.split(".")[0]
    ada.imap().logout()


def test_by_command(own_server):
    server = own_server()
    said = server.run("key", "rotate")
    assert said.count("is published, and signs") == 2
    assert len(keys(server, "announced")) == 2
    again = server.run("key", "rotate", check=False)
    assert again.returncode == 0 and "announced already" in again.stderr
    assert "EdDSA" in server.run("key", "list")
    [change] = [one for one in json.loads(server.run("log", "changes", "--json")) if one["deed"] == "keys-replaced"]
    assert change["detail"].endswith("on the server’s command line"), "the trail says who did it"
