"""What the account's set-up page and the machine pages give to mail programs, read with other people's parsers: Thunderbird's
add-on, Apple's profile, Outlook's autodiscovery, Mozilla's autoconfiguration."""
import base64
import hashlib
import http.cookiejar
import io
import json
import plistlib
import secrets
import ssl
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree
import zipfile

import pytest

import play_browser
from conftest import DEADLINE


class Stop(urllib.request.HTTPRedirectHandler):
    """Follows redirects as a browser does, until one leads to the program that asked."""

    def redirect_request(self, request, body, code, text, headers, address):
        if address.startswith("http://"):
            raise Arrived(address)
        return super().redirect_request(request, body, code, text, headers, address)


class Arrived(Exception):
    pass


class Browser:
    """Somebody signed in on the web."""

    def __init__(self, person):
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.server, self.person = person.server, person
        self.opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=person.server.tls()), cookies, Stop())
        self.go("/account")

    def get(self, path, body=None):
        request = path if isinstance(path, urllib.request.Request) else urllib.request.Request(urllib.parse.urljoin(self.server["issuer"], path), body)
        return self.opener.open(request, timeout=DEADLINE)

    def go(self, path):
        """Goes there, and answers what is asked on the way."""
        known = {"address": self.person.address, "password": self.person.password}
        while path is not None:
            answer = self.get(path)
            page = answer.read().decode()
            path = play_browser.next_step(page, answer.geturl(), known, "allow")
        return page


@pytest.fixture
def browser(person):
    return Browser(person)


def kept(answer):
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    return answer.read()


def test_the_page_leads_to_the_files(browser):
    page = browser.go("/account/setup")
    for path in ("/account/setup/thunderbird.xpi", "/account/setup/apple.mobileconfig", "/account/setup/authority.pem"):
        assert f'href="{path}"' in page
        assert kept(browser.get(path))


def test_the_files_are_for_people_who_are_signed_in(server):
    for path in ("thunderbird.xpi", "apple.mobileconfig", "authority.pem"):
        with urllib.request.urlopen(f"{server['issuer']}/account/setup/{path}", context=server.tls()) as answer:
            assert answer.geturl().endswith("/signin")


def manifest(browser):
    archive = zipfile.ZipFile(io.BytesIO(kept(browser.get("/account/setup/thunderbird.xpi"))))
    assert archive.testzip() is None and archive.namelist() == ["manifest.json"]
    return json.loads(archive.read("manifest.json"))


def test_thunderbirds_add_on(server, browser):
    read = manifest(browser)
    assert read["manifest_version"] == 3 and read["version"] == "1.0"
    gecko = read["browser_specific_settings"]["gecko"]
    assert gecko["strict_min_version"] == "140.0" and gecko["id"] == "pillarbox@localhost"
    provider = read["oauth_provider"]
    assert set(provider) == {"issuer", "clientId", "authorizationEndpoint", "tokenEndpoint", "redirectionEndpoint", "usePKCE", "hostnames", "scopes"}
    assert provider["authorizationEndpoint"] == server["auth_url"] and provider["tokenEndpoint"] == server["token_url"]
    assert "127.0.0.1" in provider["hostnames"] and provider["usePKCE"] is True


@pytest.mark.parametrize("redirect", ["http://localhost", "http://localhost/", "http://127.0.0.1:49152/"])
def test_what_the_add_on_says_is_enough_to_sign_in(server, person, browser, redirect):
    provider = manifest(browser)["oauth_provider"]
    verifier = secrets.token_urlsafe(32)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {"response_type": "code", "client_id": provider["clientId"], "redirect_uri": redirect, "scope": provider["scopes"],
             "code_challenge": challenge, "code_challenge_method": "S256", "login_hint": person.address, "state": "s"}
    with pytest.raises(Arrived) as arrived:
        browser.go(provider["authorizationEndpoint"] + "?" + urllib.parse.urlencode(asked))
    answer = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(str(arrived.value)).query))
    form = {"grant_type": "authorization_code", "client_id": provider["clientId"], "code": answer["code"], "redirect_uri": redirect, "code_verifier": verifier}
    with urllib.request.urlopen(provider["tokenEndpoint"], urllib.parse.urlencode(form).encode(), context=server.tls()) as tokens:
        tokens = json.load(tokens)
    assert tokens["refresh_token"]
    import imaplib
    box = imaplib.IMAP4_SSL("127.0.0.1", server.port("imap"), ssl_context=server.tls())
    blob = f"user={person.address}\1auth=Bearer {tokens['access_token']}\1\1".encode()
    assert box.authenticate("XOAUTH2", lambda _: blob)[0] == "OK"
    box.logout()


def test_apples_profile(server, person, browser):
    answer = browser.get("/account/setup/apple.mobileconfig")
    assert answer.headers["Content-Type"] == "application/x-apple-aspen-config"
    profile = plistlib.loads(kept(answer))
    assert profile["PayloadType"] == "Configuration" and person.address in profile["PayloadDisplayName"]
    mail, authority = profile["PayloadContent"]
    assert mail["PayloadType"] == "com.apple.mail.managed" and mail["EmailAccountType"] == "EmailTypeIMAP"
    assert mail["EmailAddress"] == mail["IncomingMailServerUsername"] == mail["OutgoingMailServerUsername"] == person.address
    assert (mail["IncomingMailServerHostName"], mail["IncomingMailServerPortNumber"]) == ("localhost", server.port("imap"))
    assert (mail["OutgoingMailServerHostName"], mail["OutgoingMailServerPortNumber"]) == ("localhost", server.port("smtps"))
    assert mail["IncomingMailServerUseSSL"] is mail["OutgoingMailServerUseSSL"] is True
    assert not any("Password" in key and isinstance(value, str) and value != "EmailAuthPassword" for key, value in mail.items())
    ids = [part["PayloadUUID"] for part in (profile, mail, authority)]
    assert len(set(ids)) == 3
    assert authority["PayloadType"] == "com.apple.security.root"
    with open(server["ca"]) as pem:
        assert authority["PayloadContent"] == ssl.PEM_cert_to_DER_cert(pem.read())
    again = plistlib.loads(browser.get("/account/setup/apple.mobileconfig").read())
    assert again == profile


def test_the_authoritys_certificate(server, browser):
    with open(server["ca"], "rb") as pem:
        assert kept(browser.get("/account/setup/authority.pem")) == pem.read()


def test_a_name_with_marks_stays_a_name(server):
    address = "o'hara&co@example.test"
    server.run("account", "add", address, stdin="a long pass phrase\n")
    from conftest import Person
    browser = Browser(Person(server, address, "a long pass phrase"))
    profile = plistlib.loads(browser.get("/account/setup/apple.mobileconfig").read())
    assert profile["PayloadContent"][0]["EmailAddress"] == address


def outlook(server, address, path="/autodiscover/autodiscover.xml"):
    asked = ('<?xml version="1.0"?><Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request>'
             f"<EMailAddress>{address}</EMailAddress><AcceptableResponseSchema>http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
             "</AcceptableResponseSchema></Request></Autodiscover>")
    request = urllib.request.Request(server["issuer"] + path, asked.encode(), {"Content-Type": "text/xml"})
    with urllib.request.urlopen(request, context=server.tls()) as answer:
        assert answer.headers["Content-Type"].startswith("application/xml")
        return xml.etree.ElementTree.fromstring(answer.read())


@pytest.mark.parametrize("path", ["/autodiscover/autodiscover.xml", "/Autodiscover/Autodiscover.xml"])
def test_outlooks_autodiscovery(server, path):
    space = {"o": "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"}
    # people who do not exist are answered like all others
    for address in ("ada@example.test", "nobody&amp;co@elsewhere.test"):
        account = outlook(server, address, path).find("o:Response/o:Account", space)
        assert account.find("o:Action", space).text == "settings"
        found = {}
        for protocol in account.findall("o:Protocol", space):
            read = {child.tag.split("}")[1]: child.text for child in protocol}
            assert read["Server"] == "localhost" and read["SSL"] == "on" and read["SPA"] == "off"
            assert read["LoginName"] == address.replace("&amp;", "&")
            found[read["Type"]] = int(read["Port"])
        assert found == {"IMAP": server.port("imap"), "POP3": server.port("pop"), "SMTP": server.port("smtps")}


def test_outlook_without_an_address_is_told_so(server):
    for nothing in ("", "nobody", "<x>&boom;</x>"):
        answer = outlook(server, nothing)
        assert [element.text for element in answer.iter() if element.tag.endswith("ErrorCode")] == ["600"]


def test_mozillas_autoconfiguration(server):
    with urllib.request.urlopen(server["issuer"] + "/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress=ada%40example.test", context=server.tls()) as answer:
        config = xml.etree.ElementTree.fromstring(answer.read())
    oauth = {child.tag: child.text for child in config.find("oAuth2")}
    assert oauth == {"issuer": "localhost", "scope": server["scope"], "authURL": server["auth_url"], "tokenURL": server["token_url"]}
    incoming = config.find("emailProvider/incomingServer[@type='imap']")
    assert int(incoming.find("port").text) == server.port("imap")
    assert [method.text for method in incoming.findall("authentication")] == ["OAuth2", "password-cleartext"]
