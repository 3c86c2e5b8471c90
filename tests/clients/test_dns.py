"""Whether a domain's records are published, by command, API and page, asked of a name server that others wrote (dnslib) over
UDP and TCP: right, wrong, missing, failing, silent and hostile answers."""
import html
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from attacks.attacker import Browser
from conftest import Person
from nameserver import Names, publish
from test_admin_api import Api

from dnslib import AAAA, CNAME, MX, SRV, TXT, A  # nameserver skips these tests where it is not installed

HOST = "mail.example.org"
DEADLINE = 5  # seconds a page or command may take for all questions
HOSTILE = b"v=spf1 <script>alert(1)</script>\x1b[31m\r\n\x07 -all"


@pytest.fixture(scope="module")
def names():
    names = Names()
    names.put(HOST, A("192.0.2.7"), AAAA("2001:db8::7"))
    yield names
    names.stop()


@pytest.fixture(scope="module")
def house(names, tmp_path_factory):
    """A server that asks it, with an account in every domain of these tests."""
    from conftest import Server
    server = Server(tmp_path_factory.mktemp("dns"), env={"PILLARBOX_DNS_SERVERS": f"127.0.0.1:{names.port}", "PILLARBOX_HOST": HOST})
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def everywhere(house):
    """What the three say of a domain, once they were found to say the same: the records of the API by name and type, the page, and
    how the command ended."""
    api, browser = Api(house), Browser(house)
    browser.sign_in(Person(house, "ada@example.test", "pillarbox"))

    def look(domain, account=True):
        if account:
            house.run("account", "add", f"post@{domain}", stdin="a long pass phrase\n")
        told = api.get(f"/domains/{domain}/check")
        done = house.run("domain", "check", domain, "--json", check=False)
        assert json.loads(done.stdout) == told
        assert done.returncode == house.run("domain", "check", domain, check=False).returncode
        people = house.run("domain", "check", domain, check=False).stdout
        page = browser.get(f"/admin/domains/view?domain={domain}")
        assert page.status == 200
        for one in told:
            assert f"{one['name']} {one['type']}" in people
            assert html.escape(one["name"]) in page.text
            for line in ([one["note"]] if one["note"] else []) + one["found"]:
                assert line in people, line
                assert line in html.unescape(page.text), line
        words = [one["published"].replace("-", " ") for one in told]
        for word in set(words):
            shown = {"unknown": "could not be asked"}.get(word, word)
            assert page.text.count(f">{shown}</strong>") == words.count(word), word
        return {(one["name"], one["type"]): one for one in told}, page.text, done

    return look


def standing(told):
    return {one["published"] for one in told.values()}


def test_all_is_published(names, house, everywhere):
    house.run("account", "add", "post@right.example", stdin="a long pass phrase\n")
    publish(names, "right.example", house)
    told, page, done = everywhere("right.example", account=False)
    assert standing(told) == {"published"} and len(told) == 9, told
    assert told[(HOST + ".", "A")]["found"] == ["192.0.2.7", "2001:db8::7"]
    assert told[(HOST + ".", "A")]["value"] is None
    assert done.returncode == 0 and done.stderr == ""
    assert "Everything is published." in page
    assert len([one for one in names.asked if one == ("right.example", "MX")]) == 1, "what was answered is remembered"


def test_nothing_is_published(everywhere):
    told, page, done = everywhere("nothing.example")
    del told[(HOST + ".", "A")]
    assert standing(told) == {"missing"}
    assert done.returncode == 1 and "8 of 9 records are missing or different" in done.stderr
    assert "8 of 9 records are missing or different" in page


def test_one_of_each_is_missing_in_turn(names, house, everywhere):
    for number, kind in enumerate(["MX", "TXT", "SRV", "CNAME"]):
        domain = f"without{number}.example"
        house.run("account", "add", f"post@{domain}", stdin="a long pass phrase\n")
        publish(names, domain, house)
        for name in [name for name in names.zone if name.endswith(domain)]:
            names.zone[name].pop(kind, None)  # the name stays: there is no data, and no NXDOMAIN
        told, _, done = everywhere(domain, account=False)
        assert {one["type"] for one in told.values() if one["published"] == "missing"} == {kind}
        assert done.returncode == 1


def test_what_is_different(names, house, everywhere):
    names.put("other.example", MX("mx.elsewhere.example", 10), TXT("v=spf1 include:elsewhere.example -all"), TXT("something else"))
    names.put("_imaps._tcp.other.example", SRV(0, 1, 1993, "mail.elsewhere.example"))
    names.put("autoconfig.other.example", CNAME("www.elsewhere.example"))
    names.put("autodiscover.other.example", A("192.0.2.99"))
    told, _, done = everywhere("other.example")
    by = {kind: one for (name, kind), one in told.items() if one["published"] == "different"}
    assert set(by) == {"MX", "TXT", "SRV", "CNAME"} and done.returncode == 1
    assert by["MX"]["note"] == "Mail for the domain goes to mx.elsewhere.example." and by["MX"]["found"] == ["10 mx.elsewhere.example."]
    assert by["TXT"]["found"] == ['"v=spf1 include:elsewhere.example -all"'], "other texts are nobody's business"
    assert told[("autoconfig.other.example.", "CNAME")]["found"] == ["www.elsewhere.example."]
    assert told[("autodiscover.other.example.", "CNAME")]["found"] == ["192.0.2.99"]
    # Another policy that lets this server send, a second MX, and the same addresses instead of an alias are no faults.
    names.put("own.example", MX(HOST.upper(), 50), MX("backup.example", 60), TXT("v=spf1 mx include:elsewhere.example ~all"))
    names.put("autoconfig.own.example", A("127.0.0.1"), AAAA("::1"))
    told, _, _ = everywhere("own.example")
    assert told[("own.example.", "MX")]["published"] == told[("own.example.", "TXT")]["published"] == "published"
    assert "also points to backup.example" in told[("own.example.", "MX")]["note"]
    assert told[("autoconfig.own.example.", "CNAME")]["note"] == "It leads to the same addresses."
    names.put("two.example", TXT("v=spf1 mx -all"), TXT("v=spf1 -all"))
    told, _, _ = everywhere("two.example")
    assert "2 SPF records" in told[("two.example.", "TXT")]["note"]


@pytest.mark.parametrize("how,words", [("SERVFAIL", "(SERVFAIL)"), ("REFUSED", "(REFUSED)"), ("NOTIMP", "Not Implemented")])
def test_a_name_server_that_fails(names, everywhere, how, words):
    names.failing[f"{how.lower()}.example"] = how
    told, page, done = everywhere(f"{how.lower()}.example")
    assert told.pop((HOST + ".", "A"))["published"] == "published"
    assert standing(told) == {"unknown"}
    assert all(words in one["note"] for one in told.values()), told
    assert done.returncode == 3 and "8 of 9 records could not be asked for" in done.stderr, "nobody knows whether it is published"
    assert "8 of 9 records could not be asked for." in page


def test_silence_ends(names, house, own_server, tmp_path):
    """Both a name server that answers for some names only, and one that is not there at all."""
    names.failing["silent.example"] = "silent"
    house.run("account", "add", "post@silent.example", stdin="a long pass phrase\n")
    begun = time.monotonic()
    done = house.run("domain", "check", "silent.example", "--json", check=False)
    assert time.monotonic() - begun < DEADLINE + 3
    told = {(one["name"], one["type"]): one for one in json.loads(done.stdout)}
    assert told.pop((HOST + ".", "A"))["published"] == "published", "one that is silent takes no other along"
    assert standing(told) == {"unknown"} and done.returncode == 3
    assert all("dns.servers" in one["note"] for one in told.values())

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        nobody.settimeout(0)
        server = own_server(env={"PILLARBOX_DNS_SERVERS": f"127.0.0.1:{nobody.getsockname()[1]}"})
        browser = Browser(server)
        browser.sign_in(Person(server, "ada@example.test", "pillarbox"))
        begun = time.monotonic()
        with ThreadPoolExecutor(8) as many:
            checks = [many.submit(server.run, "domain", "check", "example.test", check=False) for _ in range(8)]
            page = browser.get("/admin/domains/view?domain=example.test")
            assert {one.result().returncode for one in checks} == {3}
        assert time.monotonic() - begun < DEADLINE + 3
        assert page.status == 200 and "could not be asked" in page.text and "dns.servers" in page.text
        begun = time.monotonic()
        assert browser.get("/admin/domains").status == 200
        assert time.monotonic() - begun < DEADLINE, "the list asks nobody"
        datagrams = 0
        try:
            while nobody.recv(4096):
                datagrams += 1
        except BlockingIOError:
            pass
        assert 10 < datagrams < 300, f"{datagrams} datagrams for nine checks at once"


def test_long_answers_come_by_tcp(names, everywhere):
    policy = "v=spf1 mx " + " ".join(f"ip4:198.51.100.{n}" for n in range(60)) + " -all"
    names.put("long.example", TXT([policy[at:at + 200] for at in range(0, len(policy), 200)]))
    told, _, _ = everywhere("long.example")
    found = told[("long.example.", "TXT")]
    assert ("long.example", "TXT") in names.by_tcp
    assert found["published"] == "published" and "lets this server send too" in found["note"]
    [line] = found["found"]
    assert line.startswith('"v=spf1 mx ip4:198.51.100.0 ') and line.endswith("…") and len(line) <= 201


def test_hostile_answers(names, everywhere):
    names.put("hostile.example", TXT(HOSTILE), *(MX(f"{'x' * 60}.{n}.example", n) for n in range(50)))
    names.put("_imaps._tcp.hostile.example", *(SRV(0, 0, n, f"{n}.example") for n in range(1500)))
    names.put("autoconfig.hostile.example", *(A(f"10.{n >> 8}.{n & 255}.1") for n in range(3000)))
    names.put("autodiscover.hostile.example", CNAME("autodiscover.hostile.example"))
    told, page, _ = everywhere("hostile.example")
    spf = told[("hostile.example.", "TXT")]
    assert spf["found"] == ['"v=spf1 <script>alert(1)</script>\ufffd[31m\ufffd\ufffd\ufffd -all"']
    assert "<script>alert" not in page and "&#60;script&#62;alert" in page
    assert told[("hostile.example.", "MX")]["found"][-1] == "and 45 more"
    assert "3000 records" in told[("autoconfig.hostile.example.", "CNAME")]["note"]
    assert "1500 records" in told[("_imaps._tcp.hostile.example.", "SRV")]["note"]
    assert told[("autodiscover.hostile.example.", "CNAME")]["published"] != "published", "an alias of itself leads nowhere"
    assert not any(ord(c) < 32 and c != "\n" for c in page)
    assert len(page) < 40_000


def test_names_beyond_ascii_are_asked_for_as_the_dns_knows_them(names, house, everywhere):
    house.run("account", "add", "post@m\u00fcnchen.example", stdin="a long pass phrase\n")
    publish(names, "m\u00fcnchen.example", house)
    assert "xn--mnchen-3ya.example" in names.zone
    done = house.run("domain", "check", "m\u00fcnchen.example", check=False)
    assert done.returncode == 0, done.stdout


def test_a_development_server_asks_nobody(server, person):
    done = server.run("domain", "check", "example.test", check=False)
    assert done.returncode == 3 and "Not asked: this is a development server" in done.stderr
    assert "not-asked" in done.stdout and "missing" not in done.stdout
    assert server.run("domain", "check", "elsewhere.example", check=False).returncode == 1
    browser = Browser(server)
    browser.sign_in(server.ada())
    page = browser.get("/admin/domains/view?domain=example.test").text
    assert "Not asked: this is a development server" in page and ">missing</strong>" not in page
