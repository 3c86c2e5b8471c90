"""Authlib, the independent relying party of the Python world, against the issuer: a program that registers itself, code with PKCE
and the id token's checks, refresh, introspection, revocation; the same proven by a key; service accounts."""
import html.parser
import json
import urllib.parse

import pytest
import requests
from authlib.integrations.requests_client import AssertionSession, OAuth2Session, OAuthError
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc7591 import ClientMetadataClaims
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from conftest import eventually

MAIL = "https://mail.google.com/"
SCOPE = f"openid email {MAIL}"
CB = "https://app.example/cb"


def trusting(server, session):
    """Checks certificates by our authority, whatever bundle the environment names."""
    session.verify, session.trust_env = server["ca"], False
    return session


@pytest.fixture
def http(server):
    with trusting(server, requests.Session()) as session:
        yield session


@pytest.fixture
def issuer(server, http):
    """The discovery document."""
    return http.get(server["issuer"] + "/.well-known/openid-configuration").json()


@pytest.fixture
def register(http, issuer):
    """Registers programs; they leave when the test ends."""
    made = []

    def one(**metadata):
        answer = http.post(issuer["registration_endpoint"], json=metadata)
        assert answer.status_code == 201, answer.text
        made.append(answer.json())
        return made[-1]

    yield one
    for told in made:
        bearer = {"Authorization": "Bearer " + told["registration_access_token"]}
        http.delete(told["registration_client_uri"], headers=bearer)


class Page(html.parser.HTMLParser):
    """The hidden fields of a page."""

    def __init__(self, text):
        super().__init__()
        self.text, self.fields = text, {}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "input" and attributes.get("type") == "hidden":
            self.fields[attributes["name"]] = attributes.get("value", "")


def allow(server, person, address):
    """Signs in and allows, as a browser without scripts: the consent page, and where it sends the browser."""
    with trusting(server, requests.Session()) as browser:
        page = Page(browser.get(address).text)
        form = page.fields | {"address": person.address, "password": person.password}
        consent = Page(browser.post(server["issuer"] + "/signin", form).text)
        sent = browser.post(server["issuer"] + "/consent", consent.fields | {"answer": "allow"}, allow_redirects=False)
    return consent.text, sent.headers["location"]


def signed_in(server, person, issuer, session, **more):
    """Code with PKCE to the end: the tokens and the consent page."""
    verifier = "x" * 20 + "-verifier-" + "y" * 20
    address, state = session.create_authorization_url(
        issuer["authorization_endpoint"], code_verifier=verifier, nonce="n-0S6_WzA2Mj", **more)
    page, back = allow(server, person, address)
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(back).query))
    assert query["state"] == state and query["iss"] == issuer["issuer"]
    tokens = session.fetch_token(issuer["token_endpoint"], authorization_response=back, code_verifier=verifier, state=state)
    return tokens, page


def read_id_token(http, issuer, tokens, client_id):
    """By the published keys and nothing else; which algorithm is said by discovery, not by the token."""
    keys = KeySet.import_key_set(http.get(issuer["jwks_uri"]).json())
    token = jwt.decode(tokens["id_token"], keys, algorithms=issuer["id_token_signing_alg_values_supported"])
    rules = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": issuer["issuer"]}, aud={"essential": True, "value": client_id},
        nonce={"essential": True, "value": "n-0S6_WzA2Mj"}, exp={"essential": True}, sub={"essential": True})
    rules.validate(token.claims)
    return token.claims


def session_of(server, told, **more):
    options = {"client_id": told["client_id"], "scope": SCOPE, "redirect_uri": CB, "code_challenge_method": "S256"}
    return trusting(server, OAuth2Session(**(options | more)))


def test_a_program_that_registers_itself(server, person, http, issuer, register):
    told = register(client_name="Archive of Ada", redirect_uris=[CB], token_endpoint_auth_method="client_secret_basic", contacts=["x@y.example"])
    # Authlib's own idea of what a registration is.
    ClientMetadataClaims({name: value for name, value in told.items() if not name.startswith("registration_")}, {}).validate()
    session = session_of(server, told, client_secret=told["client_secret"], token_endpoint_auth_method="client_secret_basic")
    tokens, page = signed_in(server, person, issuer, session, access_type="offline")
    assert "Archive of Ada" in page and "Not approved." in page
    assert read_id_token(http, issuer, tokens, told["client_id"])["email"] == person.address
    assert session.get(issuer["userinfo_endpoint"]).json()["email"] == person.address
    refreshed = session.refresh_token(issuer["token_endpoint"])
    assert refreshed["access_token"] != tokens["access_token"]
    found = session.introspect_token(issuer["introspection_endpoint"], token=refreshed["access_token"]).json()
    assert found["active"] and found["username"] == person.address and found["client_id"] == told["client_id"]
    assert session.revoke_token(issuer["revocation_endpoint"], token=tokens["refresh_token"]).status_code == 200
    found = session.introspect_token(issuer["introspection_endpoint"], token=refreshed["access_token"]).json()
    assert found == {"active": False}
    with pytest.raises(OAuthError, match="invalid_grant"):
        session.refresh_token(issuer["token_endpoint"], refresh_token=tokens["refresh_token"])


def test_its_registration_is_its_own(http, issuer, register):
    told, other = register(redirect_uris=[CB]), register(redirect_uris=[CB])
    bearer = {"Authorization": "Bearer " + told["registration_access_token"]}
    uri = told["registration_client_uri"]
    assert http.get(uri, headers=bearer).json()["redirect_uris"] == [CB]
    change = {"client_id": told["client_id"], "client_name": "Renamed", "redirect_uris": ["https://app.example/2"]}
    assert http.put(uri, json=change, headers=bearer).json()["client_name"] == "Renamed"
    assert http.get(other["registration_client_uri"], headers=bearer).status_code == 401
    assert http.delete(uri, headers=bearer).status_code == 204
    assert http.get(uri, headers=bearer).status_code == 401


@pytest.mark.parametrize("metadata, error", [
    ({"redirect_uris": ["http://app.example/cb"]}, "invalid_redirect_uri"),
    ({}, "invalid_redirect_uri"),
    ({"redirect_uris": [CB], "grant_types": ["client_credentials"]}, "invalid_client_metadata"),
    ({"redirect_uris": [CB], "client_name": "Pillarbox command line"}, "invalid_client_metadata"),
])
def test_registrations_that_cannot_be(http, issuer, metadata, error):
    answer = http.post(issuer["registration_endpoint"], json=metadata)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_approved_by_command(server, person, issuer, register):
    told = register(client_name="Looked at", redirect_uris=[CB])
    session = session_of(server, told, client_secret=told["client_secret"])
    server.run("app", "approve", told["client_id"])
    _, page = signed_in(server, person, issuer, session)
    assert "Not approved." not in page and "Registered by" in page


KEYS = [
    (RSAKey.generate_key(2048, {"kid": "r"}), "RS256"),
    (ECKey.generate_key("P-256", {"kid": "e"}), "ES256"),
    (OKPKey.generate_key("Ed25519", {"kid": "o"}), "EdDSA"),
]


@pytest.mark.parametrize("key, algorithm", KEYS, ids=[name for _, name in KEYS])
def test_a_key_in_place_of_a_secret(server, person, http, issuer, register, key, algorithm):
    assert algorithm in issuer["token_endpoint_auth_signing_alg_values_supported"]
    told = register(client_name="Keyed", redirect_uris=[CB], token_endpoint_auth_method="private_key_jwt",
                    jwks={"keys": [key.as_dict(private=False)]})
    assert "client_secret" not in told

    def with_key(key):
        session = session_of(server, told, client_secret=key, token_endpoint_auth_method="private_key_jwt",
                             revocation_endpoint_auth_method="private_key_jwt")
        session.register_client_auth_method(PrivateKeyJWT(issuer["token_endpoint"], alg=algorithm))
        return session

    session = with_key(key)
    tokens, _ = signed_in(server, person, issuer, session, access_type="offline")
    assert read_id_token(http, issuer, tokens, told["client_id"])["email"] == person.address
    assert session.refresh_token(issuer["token_endpoint"])["access_token"]
    found = session.introspect_token(issuer["introspection_endpoint"], token=tokens["access_token"]).json()
    assert found["active"] and found["username"] == person.address
    stranger = with_key(type(key).generate_key(*([2048] if algorithm == "RS256" else ["P-256"] if algorithm == "ES256" else ["Ed25519"])))
    with pytest.raises(OAuthError, match="invalid_client"):
        stranger.refresh_token(issuer["token_endpoint"], refresh_token=tokens["refresh_token"])
    assert session.revoke_token(issuer["revocation_endpoint"], token=tokens["refresh_token"]).status_code == 200


def test_client_credentials(server, issuer):
    file = json.loads(server.run("app", "add", "Robot", "--service", "--delegate", "pillarbox:admin", "--delegate", MAIL))
    try:
        session = trusting(server, OAuth2Session(file["client_id"], file["client_secret"], scope="pillarbox:admin"))
        tokens = session.fetch_token(issuer["token_endpoint"], grant_type="client_credentials")
        assert tokens["scope"] == "pillarbox:admin" and "refresh_token" not in tokens
        found = session.introspect_token(issuer["introspection_endpoint"], token=tokens["access_token"]).json()
        assert found["active"] and found["client_id"] == file["client_id"]
        with pytest.raises(OAuthError, match="invalid_scope"):
            session.fetch_token(issuer["token_endpoint"], grant_type="client_credentials", scope=MAIL)
        # The same by its key.
        session = trusting(server, OAuth2Session(file["client_id"], file["private_key"], token_endpoint_auth_method="private_key_jwt"))
        session.register_client_auth_method(PrivateKeyJWT(issuer["token_endpoint"]))
        assert session.fetch_token(issuer["token_endpoint"], grant_type="client_credentials")["access_token"]
        # In a person's name, as delegated.
        person = server.ada()
        session = trusting(server, AssertionSession(
            issuer["token_endpoint"], file["client_id"], person.address, issuer["token_endpoint"], claims={"scope": MAIL},
            key=file["private_key"], header={"alg": "RS256", "kid": file["private_key_id"]}))
        session.refresh_token()
        found = trusting(server, requests.Session()).post(
            issuer["introspection_endpoint"], {"token": session.token["access_token"]}, auth=("web", "pillarbox")).json()
        assert found["username"] == person.address
    finally:
        server.run("app", "remove", file["client_id"], "--yes")


def test_where_it_is_off(own_server):
    server = own_server(env={"PILLARBOX_OAUTH_REGISTRATION": "off"})
    http = trusting(server, requests.Session())
    assert "registration_endpoint" not in http.get(server["issuer"] + "/.well-known/openid-configuration").json()
    assert http.post(server["issuer"] + "/register", json={"redirect_uris": [CB]}).status_code == 404


def test_with_approval(own_server):
    server = own_server(env={"PILLARBOX_OAUTH_REGISTRATION": "approval"})
    http = trusting(server, requests.Session())
    issuer = http.get(server["issuer"] + "/.well-known/openid-configuration").json()
    told = http.post(issuer["registration_endpoint"], json={"client_name": "Waits", "redirect_uris": [CB]}).json()
    session = session_of(server, told, client_secret=told["client_secret"])
    address, _ = session.create_authorization_url(issuer["authorization_endpoint"], code_verifier="v" * 50)
    page = http.get(address)
    assert page.status_code == 400 and "The administrator has not approved this program yet" in page.text.replace("the admin", "The admin")
    with pytest.raises(OAuthError, match="unauthorized_client"):
        session.refresh_token(issuer["token_endpoint"], refresh_token="x")
    listed = server.run("app", "list", "--json")
    assert told["client_id"] in listed
    server.run("app", "approve", told["client_id"])
    signed_in(server, server.ada(), issuer, session)


def test_what_nobody_uses_is_forgotten(own_server):
    server = own_server()
    http = trusting(server, requests.Session())
    told = http.post(server["issuer"] + "/register", json={"client_name": "Unused", "redirect_uris": [CB]}).json()
    assert told["client_id"] in server.run("app", "list")
    server.run("clock", "advance", "31d")
    eventually(lambda: told["client_id"] not in server.run("app", "list"), what="its end")
    server.logged("programs that nobody used are forgotten: Unused")
