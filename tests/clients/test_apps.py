"""What administrators say anew of an app, by command and by API: who tries it out, and by which key it proves itself. And that an
account in a domain of its own is not made without a word."""
import imaplib
import json
import time

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import RSAKey

from attacks.attacker import MAIL, App, Browser, Pkce, ask
from test_admin_api import Api


ASSERTION = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@pytest.fixture(scope="module")
def api(server):
    return Api(server, "Panel of apps")


def opened(server, address, token):
    """A mail session that this token opened."""
    box = imaplib.IMAP4_SSL("localhost", server.port("imap"), ssl_context=server.tls(), timeout=20)
    try:
        box.authenticate("XOAUTH2", lambda _: f"user={address}\1auth=Bearer {token}\1\1".encode())
    except imaplib.IMAP4.error:
        box.shutdown()
        raise
    return box


def service_token(server, file, address):
    """What the token endpoint answers to a service account with this key file."""
    now = int(time.time())
    claims = {"iss": file["client_id"], "sub": address, "aud": file["token_uri"], "iat": now, "exp": now + 600, "scope": MAIL}
    key = RSAKey.import_key(file["private_key"])
    assertion = jwt.encode({"alg": "RS256", "kid": file["private_key_id"]}, claims, key)
    body = f"grant_type={ASSERTION}&assertion={assertion}".encode()
    return ask(server, "POST", "/token", body, {"Content-Type": "application/x-www-form-urlencoded"})


def test_who_tries_an_app_out(server, api, person):
    shop = App(server, "On trial", "--tester", person.address)
    browser = Browser(server)
    browser.sign_in(person)
    tokens = shop.tokens(browser, access_type="offline")
    box = opened(server, person.address, tokens["access_token"])
    path = f"/apps/{shop.id}/testers"
    for wrong, status in [({}, 422), ({"add": ["nobody@example.test"]}, 422), ({"remove": ["bob@example.test"]}, 422),
                          ({"add": ["bob@example.test"], "everybody": True}, 422), ({"add": "bob@example.test"}, 400), ({"ad": []}, 400)]:
        assert api("POST", path, wrong)[0] == status, wrong
    assert api("POST", "/apps/app-none/testers", {"everybody": True})[0] == 404
    assert api("POST", path, {"add": ["bob@example.test"]})[2] == {"grants": 0}
    assert server.run("app", "testers", shop.id).split() == [person.address, "bob@example.test"]
    began = time.monotonic()
    assert api("POST", path, {"remove": [person.address]})[2] == {"grants": 1}
    assert b"BYE" in box.readline() and time.monotonic() - began < 1
    box.shutdown()
    assert shop.refresh(tokens["refresh_token"]).status == 400
    refused = browser.authorize(**shop.request(Pkce()))
    assert refused.sent["error"] == "access_denied"
    ended = server.run("app", "testers", shop.id, "--everybody", check=False)
    assert ended.returncode == 0 and "do not end after 7 days" in ended.stderr
    assert api.get(f"/apps/{shop.id}")["audience"] == "everyone"
    changes = [one["detail"] for one in api.get("/changes") if one["deed"] == "app-testers-changed"]
    by = f"by {api.name} ({api.id}), over the API"
    assert changes[:3] == ["everybody with an account, on the server’s command line", f"removed: {person.address}, {by}", f"added: bob@example.test, {by}"]


def test_a_leaked_key_of_a_service_account(server, api, tmp_path):
    made = api("POST", "/apps", {"name": "Rekeyed", "kind": "service", "delegated": "https://mail.google.com/"})[2]
    path = "/apps/" + made["client_id"]
    first, ada = made["key"], "ada@example.test"
    token = service_token(server, first, ada)
    box = opened(server, ada, token.json["access_token"])
    status, _, second = api("POST", path + "/rotate-key", {"overlap": "1h"})
    assert status == 200 and second["until"] and second["grants"] == 0
    assert "client_secret" not in second["key"] and second["key"]["private_key_id"] != first["private_key_id"]
    assert service_token(server, first, ada).status == service_token(server, second["key"], ada).status == 200
    assert [bool(one["until"]) for one in api.get(path)["keys"]] == [False, True]
    began = time.monotonic()
    told = server.run("app", "rotate-key", made["client_id"], "--leaked", check=False)
    assert told.returncode == 0 and "opens nothing any more; 1 grants ended" in told.stderr
    assert b"BYE" in box.readline() and time.monotonic() - began < 5
    box.shutdown()
    third = json.loads(told.stdout)
    assert [service_token(server, key, ada).status for key in (first, second["key"], third)] == [400, 400, 200]
    with pytest.raises(imaplib.IMAP4.error):
        opened(server, ada, token.json["access_token"])
    # A public key of its own.
    private = ec.generate_private_key(ec.SECP256R1())
    public = private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    (tmp_path / "public.pem").write_text(public)
    server.run("app", "rotate-key", made["client_id"], "--key", str(tmp_path / "public.pem"))
    assert api("POST", path + "/rotate-key", {"keys": public})[0] == 422, "it has this key already"
    assert api("POST", path + "/rotate-key", {"keys": "nothing"})[0] == 422
    assert [one["algorithm"] for one in api.get(path)["keys"]] == ["ES256", "RS256"]
    assert api("POST", "/apps/web/rotate-key")[0] == 404
    assert api("POST", path + "/rotate-key", {"leaked": True, "overlap": "1h"})[0] == 400
    assert api("POST", path + "/rotate-key", {"leaked": True})[2]["until"] is None
    deeds = [(one["deed"], one.get("app")) for one in api.get("/changes")]
    assert deeds.count(("app-key-rotated", "Rekeyed")) == 4


def test_a_new_domain_is_named(server, api):
    made = api("POST", "/accounts", {"address": "first@Brand-New.test"})[2]
    assert made["new_domain"] == "brand-new.test"
    assert "new_domain" not in api("POST", "/accounts", {"address": "second@brand-new.test"})[2]
    told = server.run("account", "add", "x@gmial.test", stdin="\n", check=False)
    assert told.returncode == 0 and "takes mail for it" in told.stderr and "gmial.test" in told.stderr
    told = server.run("account", "add", "y@gmial.test", stdin="\n", check=False)
    assert told.returncode == 0 and "gmial.test before" not in told.stderr
    for address in ("first@brand-new.test", "second@brand-new.test", "x@gmial.test", "y@gmial.test"):
        server.run("account", "remove", address, "--yes")
