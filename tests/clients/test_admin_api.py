"""The administrators' API over HTTPS: the example of its page as it stands there, every noun, what it refuses, and that it says
what the commands say."""
import base64
import http.client
import json
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest

from conftest import ROOT, eventually

PAGE = ROOT / "docs" / "reference" / "admin-api.md"


class Api:
    """A program that administrates."""

    def __init__(self, server, name="Panel"):
        self.server, self.name = server, name
        made = json.loads(server.run("app", "add", name, "--service", "--delegate", "pillarbox:admin"))
        self.id, self.secret = made["client_id"], made["client_secret"]
        self.token = self.fresh()

    def fresh(self):
        form = {"grant_type": "client_credentials", "client_id": self.id, "client_secret": self.secret}
        request = urllib.request.Request(self.server["token_url"], urllib.parse.urlencode(form).encode())
        with urllib.request.urlopen(request, context=self.server.tls(), timeout=20) as answer:
            token = json.load(answer)
        assert token["scope"] == "pillarbox:admin"
        return token["access_token"]

    def __call__(self, method, path, body=None, headers=None, raw=None):
        """Status, headers and what the body says."""
        head = {"Authorization": f"Bearer {self.token}"} if headers is None else headers
        data = raw
        if body is not None:
            data, head = json.dumps(body).encode(), head | {"Content-Type": "application/json"}
        url = path if path.startswith("https:") else self.server["issuer"] + path if path.startswith("/admin") \
            else self.server["issuer"] + "/admin/api/v1" + path
        request = urllib.request.Request(url, data, head, method=method)
        try:
            answer = urllib.request.urlopen(request, context=self.server.tls(), timeout=20)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            text = answer.read()
        return answer.status, answer.headers, json.loads(text) if text else None

    def get(self, path):
        status, _, found = self("GET", path)
        assert status == 200, found
        return found


@pytest.fixture(scope="module")
def api(server):
    return Api(server)


def at(address):
    return "/accounts/" + urllib.parse.quote(address, safe="")


def test_the_example_of_the_page_runs(server, tool, tmp_path):
    tool("curl")
    block = re.search(r"```sh\n(.*?)```", PAGE.read_text(), re.S).group(1)
    # As a shell has it after `eval "$(pillarbox dev env)"`, and no more: the authority is not trusted from elsewhere.
    env = {name: value for name, value in server.env.items() if not name.endswith(("_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"))}
    env["PATH"] = f"{tmp_path}:{env['PATH']}"
    from conftest import PROGRAM
    (tmp_path / "pillarbox").symlink_to(PROGRAM)
    ran = subprocess.run(["bash", "-euo", "pipefail", "-c", block], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert '"grace@example.test"' in ran.stdout and "/invite?for=" in ran.stdout, ran.stdout
    assert server.run("account", "show", "grace@example.test")


def test_a_token_that_was_revoked_administrates_nothing_from_then_on(server, api):
    """RFC 7009; introspection knows it at once, and the same program gets another."""
    own = Api(server, "Own")

    def call(path, **form):
        form |= {"client_id": own.id, "client_secret": own.secret}
        request = urllib.request.Request(server["issuer"] + path, urllib.parse.urlencode(form).encode())
        with urllib.request.urlopen(request, context=server.tls(), timeout=20) as answer:
            return json.load(answer)

    assert own("GET", "/sessions")[0] == 200 and call("/introspect", token=own.token)["active"]
    call("/revoke", token=own.token)
    status, headers, _ = own("GET", "/sessions")
    assert status == 401 and 'error="invalid_token"' in headers["WWW-Authenticate"]
    assert call("/introspect", token=own.token) == {"active": False}
    own.token = own.fresh()
    assert own("GET", "/sessions")[0] == 200
    assert api("GET", "/sessions")[0] == 200, "others' are their own"


def test_it_says_what_the_commands_say(server, api, person):
    box = person.imap()
    box.xatom("ID", '("name" "Thunderbird")')
    for path, words in [
        ("/apps", ["app", "list"]),
        ("/apps/web", ["app", "show", "web"]),
        (at(person.address) + "/grants", ["grant", "list", person.address]),
        (at(person.address), ["account", "show", person.address]),
        (at(person.address) + "/activity", ["account", "activity", person.address]),
        ("/changes", ["log", "changes"]),
        ("/domains", ["domain", "list"]),
        ("/domains/example.test/dns", ["domain", "dns", "example.test"]),
    ]:
        assert api.get(path) == json.loads(server.run(*words, "--json")), path
    commands = json.loads(server.run("account", "list", "--json"))
    assert api.get("/accounts?limit=1000") == commands
    assert {"address": person.address, "id": api.get(at(person.address))["id"]} in commands
    live = [one for one in api.get("/sessions?limit=1000") if one["address"] == person.address]
    assert live == [one for one in json.loads(server.run("session", "list", "--json")) if one["address"] == person.address]
    assert live[0]["program"] == "Thunderbird"
    health = api.get("/health")
    assert health["good"] is True
    assert {one["name"] for one in health["conditions"]} >= {"Store", "Connections", "Version"}
    assert server.run("health", "--json")
    line = next(one for one in api.get(f"/log?search={urllib.parse.quote(person.address)}") if one["event"] == "signed-in")
    assert line["session"] == live[0]["session"] and line["about"] == "imap" and person.address in line["text"]
    box.shutdown()


def test_an_account_from_invitation_to_removal(server, api):
    from conftest import Person
    address = "dora@example.test"
    status, headers, made = api("POST", "/accounts", {"address": address, "invite": True})
    assert status == 201 and headers["Location"] == "/admin/api/v1" + at(address)
    assert made["address"] == address and "/invite?for=" in made["invitation"]["link"]
    assert api.get(headers["Location"])["id"] == made["id"]
    assert api("POST", "/accounts", {"address": address})[0] == 409
    again = api("POST", at(address) + "/invite")[2]
    assert again["link"] != made["invitation"]["link"]
    assert api("POST", "/accounts", {"address": "emil@example.test", "password": "short"})[0] == 422
    dora = Person(server, address, None)
    box = dora.imap()
    assert api("POST", at(address) + "/suspend")[0] == 204
    assert b"BYE" in box.readline()
    box.shutdown()
    assert api.get(at(address))["suspended"] is True
    assert api("POST", at(address) + "/resume")[0] == 204
    box = dora.imap()
    other = dora.imap()
    session = next(one["session"] for one in api.get("/sessions?search=DORA"))
    assert api("DELETE", "/sessions/" + session) [2] == {"ended": 1}
    assert b"BYE" in box.readline()
    box.shutdown()
    assert api("DELETE", "/sessions/" + session)[0] == 404
    assert api("DELETE", at(address) + "/sessions")[2] == {"ended": 1}
    assert b"BYE" in other.readline()
    other.shutdown()
    eventually(lambda: api("DELETE", at(address) + "/sessions")[2] == {"ended": 0}, what="no session left")
    box = dora.imap()
    grant = next(one for one in api.get(at(address) + "/grants") if not one["revoked"])
    for one in api.get(at(address) + "/grants"):
        assert api("DELETE", f"{at(address)}/grants/{one['id']}")[0] == 204
    assert b"BYE" in box.readline()
    box.shutdown()
    assert all(one["revoked"] for one in api.get(at(address) + "/grants"))
    other = grant["id"][:-1] + ("y" if grant["id"].endswith("x") else "x")
    assert api("DELETE", f"{at(address)}/grants/{other}")[0] == 404
    trail = api.get(at(address) + "/activity")
    by = f"by {api.name} ({api.id}), over the API"
    for deed in ["made", "invited", "suspended", "resumed", "grant-ended", "sessions-ended"]:
        entry = next(one for one in trail if one["deed"] == deed)
        assert entry["detail"].endswith(by) and entry["peer"] in ("127.0.0.1", "::1"), entry
    assert api("DELETE", at(address))[0] == 204
    assert api("GET", at(address))[0] == 404
    newest = api.get("/changes?limit=1")
    assert newest[0]["deed"] == "account-removed" and newest[0]["detail"] == f"{address}, {by}"


def test_an_app_from_registration_to_removal(server, api):
    status, headers, made = api("POST", "/apps", {"name": "Shop", "redirects": ["https://shop.example/cb"],
                                                  "testers": ["ada@example.test"]})
    assert status == 201 and made["client_secret"].startswith("pb-")
    path = headers["Location"]
    shown = api.get(path)
    assert shown["audience"] == "testing" and shown["registered_by"] == f"{api.name} ({api.id})"
    assert made["client_secret"] not in json.dumps(shown)
    status, _, rotated = api("POST", path + "/rotate-secret", {"overlap": "1h"})
    assert status == 200 and rotated["client_secret"] != made["client_secret"]
    assert api("POST", path + "/rotate-secret")[0] == 200, "the overlap may be left out"
    assert api("POST", path + "/rotate-secret", {"overlap": "soon"})[0] == 400
    assert api("POST", path + "/approve")[0] == 204
    assert api("DELETE", path)[2] == {"grants": 0}
    assert api("GET", path)[0] == 404
    service = api("POST", "/apps", {"name": "Archive", "kind": "service", "delegated": "pillarbox:read"})[2]
    assert service["key"]["client_id"] == service["client_id"] and "client_secret" not in service
    path = "/apps/" + service["client_id"]
    assert api("POST", path + "/delegate", {"delegated": ""})[0] == 204
    assert api.get(path)["delegated"] == ""
    assert api("POST", path + "/delegate", {"delegated": "everything"})[0] == 400
    for wrong, status in [({"name": "Shop", "redirects": ["http://shop.example/"]}, 422), ({"name": "Shop"}, 422),
                          ({"name": "Shop", "kind": "boat"}, 400), ({"name": "Shop", "colour": "red"}, 400), ({}, 400)]:
        found = api("POST", "/apps", wrong)
        assert found[0] == status and found[2]["error"], found
    deeds = [(one["deed"], one.get("app")) for one in api.get("/changes")]
    for deed in ["app-registered", "app-secret-rotated", "app-approved", "app-removed"]:
        assert (deed, "Shop") in deeds
    assert ("app-delegated", "Archive") in deeds


def test_long_lists_come_in_pages(server, api):
    people = {f"page{n}@example.test" for n in range(7)}
    for address in people:
        assert api("POST", "/accounts", {"address": address})[0] == 201
    seen, path = [], "/accounts?limit=3&search=PAGE"
    while path:
        status, headers, found = api("GET", path)
        assert status == 200 and len(found) <= 3
        seen += [one["address"] for one in found]
        link = re.fullmatch(r'<(\S+)>; rel="next"', headers["Link"] or "")
        assert link or not headers["Link"]
        path = link and link.group(1)
    assert len(seen) == len(set(seen)) and set(seen) == people
    boxes = [server.ada().imap() for _ in range(3)]
    seen, path = [], "/sessions?limit=1&search=ada"
    while path:
        _, headers, found = api("GET", path)
        seen += [one["session"] for one in found]
        path = headers["Link"] and headers["Link"].split(">")[0][1:]
    live = [one["session"] for one in api.get("/sessions?search=ada&limit=1000")]
    assert seen == live and len(seen) >= 3
    for box in boxes:
        box.shutdown()


def test_what_is_refused_and_how(server, api, person):
    def refused(headers, path="/health", method="GET"):
        return api(method, path, headers=headers)

    status, headers, body = refused({})
    assert status == 401 and "error=" not in headers["WWW-Authenticate"] and body["error"]
    status, headers, body = refused({"Authorization": "Bearer x.y.z"})
    assert status == 401 and 'error="invalid_token"' in headers["WWW-Authenticate"] and body["code"] == "invalid_token"
    mail = {"Authorization": f"Bearer {person.token()}"}
    status, headers, body = refused(mail, at("ada@example.test"), "DELETE")
    assert status == 403 and 'error="insufficient_scope"' in headers["WWW-Authenticate"]
    assert 'scope="pillarbox:admin"' in headers["WWW-Authenticate"]
    expired = {"Authorization": f"Bearer {person.token('--expired')}"}
    assert refused(expired)[0] == 401
    basic = base64.b64encode(f"{api.id}:{api.secret}".encode()).decode()
    assert refused({"Authorization": f"Basic {basic}"})[0] == 400
    assert refused({}, "/health?access_token=" + api.token)[0] == 401, "RFC 6750: not in the address"
    # Who is signed in on the web has no right here: no form of another site can use it.
    jar = {}
    form = urllib.parse.urlencode({"address": "ada@example.test", "password": "pillarbox"}).encode()

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None
    opener = urllib.request.build_opener(Stay, urllib.request.HTTPSHandler(context=server.tls()))
    try:
        opener.open(server["issuer"] + "/signin", form, timeout=20)
    except urllib.error.HTTPError as redirect:
        jar = {"Cookie": redirect.headers["Set-Cookie"].split(";")[0]}
    assert jar["Cookie"].startswith("__Host-session=")
    assert refused(jar)[0] == 401
    assert api.get(at("ada@example.test"))["suspended"] is False
    # And every other answer is JSON too.
    for method, path, body, raw, status in [
        ("GET", "/nowhere", None, None, 404),
        ("GET", "", None, None, 404),
        ("PATCH", "/accounts", None, b"", 405),
        ("GET", at("nobody@example.test"), None, None, 404),
        ("GET", "/accounts?limit=many", None, None, 400),
        ("GET", "/accounts?colour=red", None, None, 400),
        ("GET", "/accounts/ada%40example.test/activity?only=everything", None, None, 400),
        ("GET", "/accounts/%ff", None, None, 400),
        ("POST", "/accounts", [1, 2], None, 400),
        ("POST", "/accounts", {"address": "x"}, None, 422),
        ("POST", "/apps/none/approve", None, None, 404),
        ("GET", "/domains/elsewhere.example/dns", None, None, 404),
        ("GET", "/domains/elsewhere.example/check", None, None, 404),
        ("DELETE", "/sessions/ada@example.test", None, None, 404),
    ]:
        found = api(method, path, body, raw=raw)
        assert found[0] == status and found[2]["error"], (method, path, found)
        assert found[1]["Cache-Control"] == "no-store"
    # One octet more than is taken, and no more: what nobody reads any longer would break the connection under the answer.
    web = http.client.HTTPSConnection("localhost", server.port("web"), context=server.tls(), timeout=20)
    web.putrequest("POST", "/admin/api/v1/accounts")
    for name, value in {"Authorization": f"Bearer {api.token}", "Content-Type": "application/json", "Content-Length": "100000"}.items():
        web.putheader(name, value)
    web.endheaders(b"x" * (64 * 1024 + 1))
    answer = web.getresponse()
    assert answer.status == 413 and json.load(answer)["error"]
    web.close()
    found = api("POST", "/accounts", raw=b"address=x", headers={"Authorization": f"Bearer {api.token}"})
    assert found[0] == 400 and "application/json" in found[2]["error"]


def test_the_right_ends_when_it_is_taken_back(server):
    api = Api(server, "Short")
    assert api("GET", "/health")[0] == 200
    server.run("app", "delegate", api.id)
    status, headers, _ = api("GET", "/health")
    assert status == 401 and "invalid_token" in headers["WWW-Authenticate"]
    server.run("app", "delegate", api.id, "pillarbox:admin")
    assert api("GET", "/health")[0] == 200
    server.run("app", "remove", api.id, "--yes")
    assert api("GET", "/health")[0] == 401


def test_a_secret_stays_out_of_log_and_trail(server, api):
    _, _, made = api("POST", "/apps", {"name": "Quiet", "redirects": ["https://quiet.example/cb"]})
    api("POST", "/accounts", {"address": "quiet@example.test", "password": "a very secret phrase"})
    log = eventually(lambda: (text := (server.folder / "log.txt").read_text()).count("POST /admin/api/v1/accounts, 201") and text,
                     what="the change in the log")
    everything = log + json.dumps(api.get("/changes")) + json.dumps(api.get(at("quiet@example.test") + "/activity"))
    for secret in (made["client_secret"], "a very secret phrase", api.token, api.secret):
        assert secret not in everything
    assert f"{api.name} ({api.id}) from" in log
