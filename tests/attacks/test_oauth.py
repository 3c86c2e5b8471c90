"""RFC 9700, section 4 in its order, each attack tried on the running server. What is the client's or a resource server's to
do, and so has no test here, stands with its reason in docs/explain/threat-model.md."""
import base64
import json
import secrets
import time
import urllib.parse

import pytest

from attacks.attacker import CALLBACK, MAIL, App, Browser, Pkce, ask, elements, form_field, opens_imap, takes_no_body_of, userinfo
from attacks.routes import filled, is_for_programs, routes

REGISTERED = "https://app.example/cb"
TRICKS = {
    "subdomain": "https://evil.app.example/cb",
    "suffix of the host": "https://app.example.evil.example/cb",
    "prefix of the host": "https://notapp.example/cb",
    "trailing dot": "https://app.example./cb",
    "userinfo": "https://app.example@evil.example/cb",
    "userinfo before the right host": "https://evil.example@app.example/cb",
    "userinfo with an encoded at": "https://app.example%40evil.example/cb",
    "longer path": "https://app.example/cb/../evil",
    "path below": "https://app.example/cb/below",
    "path suffix": "https://app.example/cbx",
    "trailing slash": "https://app.example/cb/",
    "dot segments": "https://app.example/x/../cb",
    "encoded dot segments": "https://app.example/x/%2e%2e/cb",
    "encoded letter": "https://app.example/c%62",
    "encoded slash": "https://app.example%2fcb",
    "double slash": "https://app.example//cb",
    "path parameter": "https://app.example/cb;x",
    "query": "https://app.example/cb?next=https://evil.example",
    "query that pollutes": "https://app.example/cb?code=mine&state=mine",
    "empty query": "https://app.example/cb?",
    "fragment": "https://app.example/cb#x",
    "empty fragment": "https://app.example/cb#",
    "encoded fragment": "https://app.example/cb%23x",
    "backslash": "https://app.example\\@evil.example/cb",
    "backslash for slash": "https:\\\\app.example\\cb",
    "mixed case host": "https://APP.example/cb",
    "mixed case scheme": "HTTPS://app.example/cb",
    "mixed case path": "https://app.example/CB",
    "http": "http://app.example/cb",
    "port": "https://app.example:8443/cb",
    "default port": "https://app.example:443/cb",
    "unicode dot": "https://app。example/cb",
    "unicode letter": "https://аpp.example/cb",
    "wide letters": "https://ａpp.example/cb",
    "punycode": "https://xn--pp-7kc.example/cb",
    "tab": "https://app.exam\tple/cb",
    "newline": "https://app.example/cb\r\nX: y",
    "nul": "https://app.example/cb\0",
    "leading blank": " https://app.example/cb",
    "no host": "https:///cb",
    "protocol relative": "//app.example/cb",
    "script": "javascript:alert(1)//app.example/cb",
    "data": "data:text/html,x",
    "two addresses": "https://app.example/cb https://evil.example/cb",
    "out of band": "urn:ietf:wg:oauth:2.0:oob",
    "absent": None,
    "empty": "",
}


def refused_on_a_page(answer):
    """An error that only the person sees: the browser is sent nowhere."""
    return answer.status == 400 and answer.location is None and "cannot go on" in answer.text


# ---- 4.1 insufficient validation of redirect URIs

@pytest.mark.parametrize("trick", TRICKS, ids=lambda trick: trick.replace(" ", "-"))
def test_4_1_redirect_uris_are_compared_exactly(victim, web_app, trick):
    answer = victim.browser.authorize(**web_app.request(redirect_uri=TRICKS[trick]))
    assert refused_on_a_page(answer), answer


def test_4_1_the_exact_address_is_taken_with_its_query(victim, web_app):
    for address in ("https://app.example/cb", "https://app.example/other?from=mail"):
        answer = victim.browser.allow(**web_app.request(redirect_uri=address))
        assert answer.location.startswith(address) and answer.sent["code"]


@pytest.mark.parametrize("address", ["http://127.0.0.1/cb?x", "http://127.0.0.1/cb/", "http://127.0.0.1:80@evil.example/cb",
                                     "http://127.0.0.1.evil.example/cb", "http://localhost/cb", "http://127.1/cb", "http://2130706433/cb",
                                     "https://127.0.0.1/cb", "http://[::1]/cb", "com.example.app://cb", "com.example.app:/cb/..",
                                     "com.example.app.evil:/cb", "COM.example.app:/cb"])
def test_4_1_of_loopback_only_the_port_is_free(victim, native_app, address):
    assert refused_on_a_page(victim.browser.authorize(**native_app.request(Pkce(), redirect_uri=address)))


def test_4_1_a_loopback_port_is_free_and_bound_to_the_code(victim, native_app):
    pkce = Pkce()
    got = victim.browser.allow(**native_app.request(pkce, redirect_uri="http://127.0.0.1:51004/cb"))
    code = got.sent["code"]
    assert native_app.redeem(code, pkce, redirect_uri="http://127.0.0.1:51005/cb").json["error"] == "invalid_grant"
    assert native_app.redeem(code, pkce, redirect_uri="http://127.0.0.1:51004/cb").status == 200


def test_4_1_plain_http_is_registered_for_loopback_only(server):
    for address in ("http://app.example/cb", "http://192.0.2.1/cb", "http://127.0.0.1.example/cb", "https://app.example/cb#x",
                    "https://user@app.example/cb", "javascript:alert(1)", "data:text/html,x", "ftp://app.example/"):
        assert server.run("app", "add", "x", "--redirect", address, check=False).returncode != 0, address


def test_4_1_another_clients_address_is_not_this_clients(victim, web_app, evil_app):
    assert refused_on_a_page(victim.browser.authorize(**web_app.request(redirect_uri="https://evil.example/cb")))
    assert refused_on_a_page(victim.browser.authorize(**evil_app.request(redirect_uri="https://app.example/cb")))


# ---- 4.2, 4.3 leakage by Referer and browser history

def test_4_2_pages_tell_no_other_site_where_the_browser_was(victim, web_app):
    consent = victim.browser.authorize(**web_app.request())
    for answer in (consent, victim.browser.answer_consent(consent), Browser(victim.server).get("/signin"),
                   victim.browser.authorize(client_id="nobody")):
        assert answer.header("referrer-policy") in ("same-origin", "no-referrer"), answer
    # Nothing on it loads from, or links to, another site, so there is nobody to tell.
    assert "http://" not in consent.text and "https://app.example" not in consent.text.replace("app.example%", "")


def test_4_3_no_token_is_ever_in_an_address(victim, web_app):
    for kind in ("token", "id_token", "code token", "code id_token", "id_token token", "none", "CODE", "code code"):
        answer = victim.browser.authorize(**web_app.request(response_type=kind))
        assert answer.sent["error"] == "unsupported_response_type" and "token" not in answer.sent, kind
    for mode in ("fragment", "form_post", "jwt", "query.jwt"):
        answer = victim.browser.authorize(**web_app.request(response_mode=mode))
        assert answer.sent["error"] == "invalid_request" and "#" not in answer.location, mode
    tokens = web_app.tokens(victim.browser)
    by_address = ask(victim.server, "GET", f"/v1/userinfo?access_token={tokens['access_token']}")
    assert by_address.status == 401


# ---- 4.4 mix-up

def test_4_4_every_answer_names_its_issuer(victim, web_app, native_app, server, discovery):
    assert discovery["authorization_response_iss_parameter_supported"] is True
    answers = [
        victim.browser.allow(**web_app.request()),
        victim.browser.authorize(**web_app.request(response_type="token")),
        victim.browser.authorize(**web_app.request(scope="no such scope")),
        victim.browser.authorize(**web_app.request(prompt="nonsense")),
        victim.browser.authorize(**native_app.request(redirect_uri="http://127.0.0.1:1/cb")),
        victim.browser.authorize(**web_app.request(request="e30.e30.")),
        victim.browser.authorize(**web_app.request(resource="https://other.example")),
        Browser(server).authorize(**web_app.request(prompt="none")),
        victim.browser.answer_consent(victim.browser.authorize(**web_app.request(prompt="consent")), "cancel"),
    ]
    for answer in answers:
        assert answer.status == 303 and answer.sent["iss"] == server["issuer"], answer
    assert sum("error" in answer.sent for answer in answers) == len(answers) - 1


# ---- 4.5 code injection, 4.8 PKCE downgrade

@pytest.fixture
def code(victim, web_app):
    pkce = Pkce()
    return victim.browser.allow(**web_app.request(pkce)).sent["code"], pkce


def error(answer):
    assert answer.status in (400, 401), answer
    assert answer.header("cache-control") == "no-store" and answer.header("content-type") == "application/json"
    return answer.json["error"]


def test_4_5_a_code_is_its_own_clients(code, evil_app, web_app):
    text, pkce = code
    assert error(evil_app.redeem(text, pkce)) == "invalid_grant"
    assert error(evil_app.redeem(text, pkce, redirect_uri=CALLBACK)) == "invalid_grant"
    assert error(web_app.redeem(text, pkce, client_secret=evil_app.secret)) == "invalid_client"
    assert error(web_app.redeem(text, pkce, client_secret=None)) == "invalid_client"
    assert web_app.redeem(text, pkce).status == 200, "none of that used it up"


def test_4_5_a_stolen_code_is_worth_nothing_without_its_verifier(code, web_app):
    text, pkce = code
    wrong = {"another": Pkce().verifier, "the challenge itself": pkce.challenge, "cut": pkce.verifier[:-1], "longer": pkce.verifier + "A",
             "too short": "a" * 42, "too long": "a" * 129, "other characters": pkce.verifier[:-1] + "+"}
    for name, verifier in wrong.items():
        assert error(web_app.redeem(text, pkce, code_verifier=verifier)) == "invalid_grant", name
    assert error(web_app.redeem(text)) == "invalid_grant", "none at all"
    assert web_app.redeem(text, pkce).status == 200


def test_4_5_a_code_is_bound_to_its_address(code, web_app):
    text, pkce = code
    for address in ("https://app.example/other?from=mail", "https://evil.example/cb", "https://app.example/cb/"):
        assert error(web_app.redeem(text, pkce, redirect_uri=address)) == "invalid_grant"
    assert error(web_app.redeem(text, pkce, redirect_uri=None)) == "invalid_request"


def test_4_5_a_code_that_comes_twice_ends_what_it_gave(victim, code, web_app):
    text, pkce = code
    tokens = web_app.redeem(text, pkce).json
    assert opens_imap(victim.server, victim.address, tokens["access_token"])
    assert error(web_app.redeem(text, pkce)) == "invalid_grant"
    assert not opens_imap(victim.server, victim.address, tokens["access_token"])
    assert userinfo(victim.server, tokens["access_token"]).status == 401


def test_4_5_made_up_codes(web_app, code):
    text, pkce = code
    kind, account, _ = text.split("~")
    for made in ("", "x", "~~", "c~~", f"{kind}~{account}~", f"{kind}~{account}~" + "A" * 43, f"s~{account}~" + "A" * 43,
                 f"{kind}~Li4vLi4~" + "A" * 43, f"{kind}~b2F1dGgvcHVzaGVk~" + "A" * 43, text + "A", text[:-1], "A" * 60_000):
        assert error(web_app.redeem(made, pkce)) in ("invalid_grant", "invalid_request"), made[:80]


def test_4_5_the_nonce_is_in_the_id_token(victim, web_app):
    import base64
    nonce = secrets.token_urlsafe(16)
    tokens = web_app.tokens(victim.browser, scope="openid", nonce=nonce)
    claims = json.loads(base64.urlsafe_b64decode(tokens["id_token"].split(".")[1] + "=="))
    assert claims["nonce"] == nonce and claims["aud"] == web_app.id and claims["iss"] == victim.server["issuer"]


def test_4_8_pkce_cannot_be_taken_away(victim, web_app, native_app, discovery):
    assert discovery["code_challenge_methods_supported"] == ["S256"]
    pkce = Pkce()
    # A challenge taken out on the way: the verifier that the honest program sends then gives it away.
    text = victim.browser.allow(**web_app.request()).sent["code"]
    assert error(web_app.redeem(text, pkce)) == "invalid_grant"
    for wrong in ({"code_challenge_method": "plain"}, {"code_challenge_method": None}, {"code_challenge_method": "s256"},
                  {"code_challenge": None}, {"code_challenge": ""}, {"code_challenge": "short"}, {"code_challenge": pkce.challenge + "="},
                  {"code_challenge": pkce.verifier}):
        answer = victim.browser.authorize(**web_app.request(pkce, **wrong))
        assert answer.sent["error"] == "invalid_request", (wrong, answer)
    answer = victim.browser.authorize(**native_app.request(redirect_uri="http://127.0.0.1:51004/cb"))
    assert answer.sent["error"] == "invalid_request", "a program without a secret cannot leave it out"


# ---- 4.6, 4.9, 4.10 access tokens: injected, leaked, misused

def test_4_9_a_token_opens_no_other_mailbox_and_no_other_service(victim, web_app, server):
    tokens = web_app.tokens(victim.browser, scope="pillarbox:pop openid")
    other = server.person("other")
    assert not opens_imap(server, victim.address, tokens["access_token"]), "it is for POP"
    assert not opens_imap(server, other.address, web_app.tokens(victim.browser)["access_token"])
    admin = ask(server, "GET", "/admin/accounts", headers={"Authorization": "Bearer " + server["token"]})
    assert admin.status == 303 and admin.location == "/signin", "pages take no token"


def test_4_10_the_audience_is_this_server(victim, web_app):
    import base64
    for resource in ("https://other.example", "https://localhost.evil.example", "imaps://localhost@evil.example", "https://localhost/x",
                     "urn:x", "", "https://"):
        answer = victim.browser.authorize(**web_app.request(resource=resource))
        if resource:
            assert answer.sent["error"] == "invalid_target", resource
    pkce = Pkce()
    text = victim.browser.allow(**web_app.request(pkce, resource="imaps://localhost")).sent["code"]
    assert error(web_app.redeem(text, pkce, resource="https://other.example")) == "invalid_target"
    token = web_app.redeem(text, pkce, resource="imaps://localhost").json["access_token"]
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["aud"] == "localhost"


def forge(header, claims, sign=lambda _: b""):
    import base64

    def text(value):
        raw = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    message = f"{text(header)}.{text(claims)}"
    return f"{message}.{text(sign(message.encode()))}"


def test_4_10_forged_tokens_open_nothing(victim, web_app, server):
    import base64
    import hashlib
    import hmac
    good = web_app.tokens(victim.browser, scope=f"openid email {MAIL}")
    token, id_token = good["access_token"], good["id_token"]
    assert userinfo(server, token).status == 200
    header, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    real = json.loads(base64.urlsafe_b64decode(header + "=="))
    keys = ask(server, "GET", "/oauth2/v3/certs")
    public = keys.json["keys"][0]

    def mac(key):
        return lambda message: hmac.new(key, message, hashlib.sha256).digest()
    tries = {
        "alg none": forge({**real, "alg": "none"}, claims),
        "alg None": forge({**real, "alg": "None"}, claims),
        "no alg": forge({"typ": "at+jwt"}, claims),
        "no signature": f"{header}.{body}.",
        "two parts": f"{header}.{body}",
        "five parts": f"{header}.{body}.{signature}..",
        "HMAC with the public keys": forge({**real, "alg": "HS256"}, claims, mac(keys.body)),
        "HMAC with one public key": forge({**real, "alg": "HS256"}, claims, mac(json.dumps(public).encode())),
        "HMAC with nothing": forge({**real, "alg": "HS256"}, claims, mac(b"")),
        "a kid that is a path": forge({**real, "kid": "../../../../dev/null"}, claims, mac(b"")),
        "a kid that is SQL": forge({**real, "kid": "x' UNION SELECT 'x"}, claims, mac(b"x")),
        "a key in the header": forge({**real, "jwk": public}, claims, mac(b"x")),
        "a key address in the header": forge({**real, "jku": "https://evil.example/keys"}, claims, mac(b"x")),
        "crit": forge({**real, "crit": ["exp"]}, claims, mac(b"x")),
        "later end": f"{header}.{forge({}, {**claims, 'exp': claims['exp'] + 9999}).split('.')[1]}.{signature}",
        "more scope": f"{header}.{forge({}, {**claims, 'scope': 'pillarbox:admin'}).split('.')[1]}.{signature}",
        "an id token": id_token,
        "a refresh token": good.get("refresh_token", "r~x~y~z~w"),
        "padding": token + "=",
        "line": token[:-1] + "\\n",
        "huge": token + "A" * 5_000,
    }
    for name, forged in tries.items():
        assert userinfo(server, forged).status == 401, name
        assert not opens_imap(server, victim.address, forged), name
        told = web_app.call("/introspect", token=forged).json
        assert told["active"] is (name == "a refresh token" and "refresh_token" in good), (name, told)
    assert userinfo(server, token).status == 200 and opens_imap(server, victim.address, token)


def test_4_10_id_tokens_are_signed_with_what_discovery_says(victim, web_app, discovery):
    import base64
    tokens = web_app.tokens(victim.browser, scope="openid")
    header = json.loads(base64.urlsafe_b64decode(tokens["id_token"].split(".")[0] + "=="))
    assert [header["alg"]] == discovery["id_token_signing_alg_values_supported"] == ["RS256"]
    assert header["kid"] in {key["kid"] for key in ask(victim.server, "GET", "/oauth2/v3/certs").json["keys"]}


# ---- 4.7 CSRF at the redirect

@pytest.mark.parametrize("state", ["x", "a b+c%20&d=e#f", "Ünïcode ✓ 字", "\"><script>alert(1)</script>", "../../../x\r\nSet-Cookie: a=b", "s" * 2048])
def test_4_7_state_comes_back_as_it_went(victim, web_app, state):
    assert victim.browser.allow(**web_app.request(state=state)).sent["state"] == state
    assert victim.browser.authorize(**web_app.request(state=state, response_type="token")).sent["state"] == state
    refused = victim.browser.answer_consent(victim.browser.authorize(**web_app.request(state=state, prompt="consent")), "cancel")
    assert refused.sent["state"] == state and refused.sent["error"] == "access_denied"


def test_4_7_no_state_is_no_state(victim, web_app):
    assert "state" not in victim.browser.allow(**web_app.request(state=None)).sent
    assert refused_on_a_page(victim.browser.authorize(**web_app.request(state="s" * 2049)))


# ---- 4.11 open redirectors

ELSEWHERE = ["https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "https:evil.example", "javascript:alert(1)",
             "/%09/evil.example", "http:%0aevil.example", "%2f%2fevil.example", ".evil.example", "@evil.example"]


@pytest.mark.parametrize("target", ELSEWHERE)
def test_4_11_no_parameter_of_ours_leads_elsewhere(server, target):
    person = server.person("led")
    names = ("then", "next", "continue", "return", "return_to", "redirect", "redirect_uri", "post_logout_redirect_uri", "url", "RelayState")
    query = urllib.parse.urlencode({name: target for name in names})
    browser = Browser(server, {"__Host-next": urllib.parse.quote(target, safe="/:")})
    assert browser.get("/signin?" + query).location is None
    answer = browser.post("/signin?" + query, {**dict.fromkeys(names, target), "address": person.address, "password": person.password})
    assert answer.status == 303 and answer.location == "/account", answer
    for path in ("/", "/account", "/device", "/invite"):
        assert browser.get(f"{path}?{query}").location is None, path
    out = browser.post("/signout?" + query, dict.fromkeys(names, target))
    assert out.status == 303 and out.location == "/", out


def test_4_11_a_nested_request_is_checked_like_any_other(server, web_app):
    person, browser = server.person("nested"), Browser(server)
    bad = urllib.parse.urlencode(web_app.request(redirect_uri="https://evil.example/cb"))
    assert browser.sign_in(person, then=bad).location == "/account"
    good = urllib.parse.urlencode(web_app.request())
    assert browser.sign_in(person, then=good).location.startswith("/o/oauth2/v2/auth?client_id=")


def test_4_11_as_long_as_the_client_is_in_doubt_nobody_is_redirected(victim, web_app):
    for query in ({}, {"client_id": "nobody", "redirect_uri": CALLBACK}, web_app.request(client_id=None), web_app.request(client_id="x" * 5000)):
        assert refused_on_a_page(victim.browser.authorize(**query)), query


def test_4_11_who_registered_itself_sends_nobody_on(victim, server):
    """RFC 9700 §4.11.2: not by an error, not silently, not after Cancel; until an administrator looked at it."""
    body = json.dumps({"client_name": "Stranger", "redirect_uris": ["https://phish.example/cb", "http://127.0.0.1/cb"],
                       "token_endpoint_auth_method": "client_secret_post"})
    made = ask(server, "POST", "/register", body.encode(), {"Content-Type": "application/json"})
    assert made.status == 201, made
    stranger = {"client_id": made.json["client_id"], "redirect_uri": "https://phish.example/cb", "response_type": "code", "scope": MAIL, "state": "s"}

    def parting(answer, status):
        assert answer.status == status and answer.location is None, answer
        links = [link for link in elements(answer.text, "a") if link["href"].startswith("https://phish.example/cb?")]
        assert len(links) == 1 and links[0]["rel"] == "noreferrer" and "phish.example" in answer.text
    for wrong in ({"scope": "no such scope"}, {"response_type": "token"}, {"prompt": "none"}):
        parting(victim.browser.authorize(**stranger | wrong), 400)
        parting(Browser(server).authorize(**stranger | wrong), 400)
    page = victim.browser.authorize(**stranger)
    assert "Not approved" in page.text
    parting(victim.browser.answer_consent(page, "cancel"), 200)
    # What the person allowed goes where the page said, and a program on their own computer is no other site.
    assert victim.browser.answer_consent(page).sent["code"]
    native = stranger | {"redirect_uri": "http://127.0.0.1/cb", "scope": "no such scope"}
    assert victim.browser.authorize(**native).sent["error"] == "invalid_scope"
    server.run("app", "approve", made.json["client_id"])
    assert victim.browser.authorize(**stranger | {"scope": "no such scope"}).sent["error"] == "invalid_scope"


# ---- 4.12 307

def test_4_12_credentials_are_never_posted_on(server, web_app):
    """Every redirect after a form is 303: the browser goes on with GET and takes nothing along."""
    person, browser = server.person("posted"), Browser(server)
    steps = [browser.sign_in(person, then=urllib.parse.urlencode(web_app.request()))]
    page = browser.get(steps[0].location)
    steps.append(browser.answer_consent(page))
    steps.append(browser.post("/o/oauth2/v2/auth", web_app.request()))
    steps.append(browser.post("/o/oauth2/auth", web_app.request()))
    steps.append(browser.post("/signout", {}))
    for step in steps:
        assert step.status == 303 and person.password not in step.location, step


# ---- 4.13 TLS-terminating proxies

def test_4_13_headers_of_proxies_are_not_believed(server, victim, web_app):
    told = {"X-Forwarded-For": "198.51.100.7", "Forwarded": "for=198.51.100.7;host=evil.example;proto=http", "X-Real-IP": "198.51.100.7",
            "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "X-Original-URL": "/admin", "X-Rewrite-URL": "/admin",
            "X-HTTP-Method-Override": "DELETE"}
    document = ask(server, "GET", "/.well-known/openid-configuration", headers=told)
    assert document.json["issuer"] == server["issuer"] and b"evil" not in document.body
    victim.browser.post("/signin", {"address": victim.address, "password": "wrong password"}, **told)
    page = victim.browser.get("/account/activity")
    assert "Sign-in refused" in page.text and "198.51.100.7" not in page.text and "127.0.0.1" in page.text


# ---- 4.14 refresh tokens

def test_4_14_a_rotated_refresh_token_that_comes_again_ends_the_family(victim, native_app):
    pkce = Pkce()
    address = "http://127.0.0.1:51004/cb"
    got = victim.browser.allow(**native_app.request(pkce, redirect_uri=address))
    first = native_app.redeem(got.sent["code"], pkce, redirect_uri=address).json
    second = native_app.refresh(first["refresh_token"]).json
    assert second["refresh_token"] != first["refresh_token"]
    assert opens_imap(victim.server, victim.address, second["access_token"])
    assert error(native_app.refresh(first["refresh_token"])) == "invalid_grant"
    assert error(native_app.refresh(second["refresh_token"])) == "invalid_grant", "the newest ends too"
    assert not opens_imap(victim.server, victim.address, second["access_token"])


def test_4_14_of_two_who_refresh_with_one_token_both_never_go_on(victim, native_app):
    """A thief may come within the minute that lost answers are given: what either of them got first is then dead, and says so."""
    address = "http://127.0.0.1:51004/cb"
    for brings in (0, 1):
        pkce = Pkce()
        got = victim.browser.allow(**native_app.request(pkce, redirect_uri=address))
        stolen = native_app.redeem(got.sent["code"], pkce, redirect_uri=address).json["refresh_token"]
        holders = [native_app.refresh(stolen).json, native_app.refresh(stolen).json]
        if brings == 1:
            newest = native_app.refresh(holders[1]["refresh_token"]).json
            assert opens_imap(victim.server, victim.address, newest["access_token"]), "the later one goes on, for now"
        assert error(native_app.refresh(holders[0]["refresh_token"])) == "invalid_grant"
        for one in holders:
            assert error(native_app.refresh(one["refresh_token"])) == "invalid_grant"
            assert not opens_imap(victim.server, victim.address, one["access_token"])


def test_4_14_a_refresh_token_is_its_own_clients_and_never_gives_more(victim, web_app, evil_app):
    tokens = web_app.tokens(victim.browser, scope="pillarbox:read", access_type="offline", prompt="consent")
    refresh = tokens["refresh_token"]
    assert error(evil_app.refresh(refresh)) == "invalid_grant"
    assert error(web_app.refresh(refresh, client_secret=None)) == "invalid_client"
    assert error(web_app.refresh(refresh, scope=MAIL)) == "invalid_scope"
    kept = web_app.refresh(refresh)
    assert kept.status == 200 and kept.json["scope"] == "pillarbox:read", "attackers' attempts ended nothing"
    cut = refresh.split("~")
    cut[2] = "A" * len(cut[2])
    for forged in ("~".join(cut), refresh[:-1], refresh + "A", refresh.replace("r~", "c~", 1)):
        assert error(web_app.refresh(forged)) == "invalid_grant"


def test_scopes_that_nobody_knows_give_nothing(victim, web_app):
    """RFC 6749 §3.3: passed over beside others, and the answer says so; one that no person can give is never passed over."""
    tokens = web_app.tokens(victim.browser, scope="openid address pillarbox:everything https://www.googleapis.com/auth/drive")
    assert tokens["scope"] == "openid" and not opens_imap(victim.server, victim.address, tokens["access_token"])
    for scope in ("address phone", "openid pillarbox:admin", "openid https://www.googleapis.com/auth/gmail.imap_admin"):
        assert victim.browser.authorize(**web_app.request(scope=scope)).sent["error"] == "invalid_scope", scope


def test_4_14_another_client_cannot_ask_about_or_end_a_token(victim, web_app, evil_app):
    tokens = web_app.tokens(victim.browser, access_type="offline", prompt="consent")
    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert evil_app.call("/introspect", token=token).json == {"active": False}
        assert web_app.call("/introspect", token=token).json["active"] is True
        assert error(evil_app.call("/revoke", token=token)) == "invalid_grant"
        assert error(web_app.call("/revoke", token=token, client_secret="wrong")) == "invalid_client"
    assert opens_imap(victim.server, victim.address, tokens["access_token"])
    assert web_app.call("/introspect", token=tokens["access_token"], client_secret=None).status == 401
    assert web_app.call("/revoke", token=tokens["refresh_token"]).status == 200
    assert not opens_imap(victim.server, victim.address, tokens["access_token"]), "either token ends the grant"


# ---- 4.15 a client that passes for a person

def test_4_15_a_clients_own_token_is_no_persons(server):
    app = App(server, "Administrating", "--service", "--delegate", "pillarbox:admin", redirects=())
    answer = app.call("/token", grant_type="client_credentials")
    assert answer.status == 200 and answer.json["scope"] == "pillarbox:admin" and "refresh_token" not in answer.json, answer
    token = answer.json["access_token"]
    assert userinfo(server, token).status in (401, 403)
    for user in ("ada@example.test", app.id, ""):
        assert not opens_imap(server, user, token)
    people = {line.split()[0] for line in server.run("account", "list").splitlines() if line}
    assert app.id not in people, "ids are drawn by the server, nobody chooses them"


# ---- 4.17 in-browser communication

def test_4_17_pages_take_no_message(victim, web_app):
    """Where people consent there is no script at all; where they sign in, one file of ours that listens to no other window."""
    for answer in (victim.browser.authorize(**web_app.request()), victim.browser.get("/account")):
        assert "<script" not in answer.text.lower() and "script-src" not in answer.header("content-security-policy")
    for path, methods in routes().items():
        if "get" in methods and not is_for_programs(path):
            answer = victim.browser.get(filled(path))
            policy = answer.header("content-security-policy")
            assert "default-src 'none'" in policy
            if (answer.header("content-type") or "").startswith("text/html"):
                assert all(one == {"src": "/passkey.js", "defer": None} for one in elements(answer.text, "script")), path
                assert ("<script" in answer.text) <= (f"script-src {victim.server['issuer']}/passkey.js;" in policy), path
    # It may ask for its own page anew; it reads and sets no address.
    script = ask(victim.server, "GET", "/passkey.js").text.replace("location.reload()", "")
    for word in ("postMessage", '"message"', "opener", "innerHTML", "outerHTML", "document.write", "eval(", "Function(", "localStorage", "location"):
        assert word not in script, word


# ---- beyond section 4

@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "response_type", "scope", "state", "code_challenge", "nonce", "prompt"])
def test_repeated_parameters_are_refused(victim, web_app, name):
    """RFC 6749 §3.1: which of two would count is what parsers disagree about."""
    query = web_app.request(Pkce(), nonce="n", prompt="consent")
    answer = victim.browser.get("/o/oauth2/v2/auth?" + urllib.parse.urlencode([*query.items(), (name, query[name])]))
    assert answer.location is None and answer.status == 400, answer
    other = victim.browser.get("/o/oauth2/v2/auth?" + urllib.parse.urlencode([*query.items(), (name, "https://evil.example/cb")]))
    assert other.location is None and other.status == 400


@pytest.mark.parametrize("path", ["/token", "/revoke", "/introspect", "/par", "/device/code"])
def test_repeated_parameters_are_refused_by_endpoints(server, web_app, path):
    fields = [("client_id", web_app.id), ("client_secret", web_app.secret), ("grant_type", "refresh_token"), ("token", "x"), ("scope", MAIL)]
    for name, value in fields:
        body = urllib.parse.urlencode([*fields, (name, value)]).encode()
        answer = ask(server, "POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"})
        assert error(answer) == "invalid_request" and "twice" in answer.json["error_description"]


def test_requests_by_value_or_by_reference_are_refused(victim, web_app):
    for name, code in (("request", "request_not_supported"), ("request_uri", "request_uri_not_supported")):
        for value in ("e30.e30.", "https://evil.example/request.jwt", "file:///etc/passwd", "urn:ietf:params:oauth:request_uri:" + "A" * 32):
            answer = victim.browser.authorize(**web_app.request(**{name: value}))
            ours = name == "request_uri" and value.startswith("urn:")
            assert answer.sent["error"] == ("invalid_request_uri" if ours else code), answer


def push(app, pkce=None, **more):
    return app.call("/par", **app.request(pkce, **more))


def test_a_pushed_request_is_its_own_clients_and_used_once(victim, web_app, evil_app):
    pkce = Pkce()
    pushed = push(web_app, pkce)
    assert pushed.status == 201, pushed
    reference = pushed.json["request_uri"]
    assert refused_on_a_page(victim.browser.authorize(client_id=evil_app.id, request_uri=reference))
    assert refused_on_a_page(victim.browser.authorize(request_uri=reference))
    # What stands beside it does not count.
    page = victim.browser.authorize(client_id=web_app.id, request_uri=reference, scope="openid", redirect_uri="https://evil.example/cb", state="mine")
    got = victim.browser.answer_consent(page)
    assert got.location.startswith(CALLBACK) and got.sent["state"] != "mine"
    assert web_app.redeem(got.sent["code"], pkce).json["scope"] == MAIL
    again = victim.browser.authorize(client_id=web_app.id, request_uri=reference)
    assert refused_on_a_page(again), "answered, so over (RFC 9126 §4)"


def test_what_cannot_be_pushed(web_app, evil_app):
    assert error(push(web_app, client_secret="wrong")) == "invalid_client"
    assert error(push(web_app, redirect_uri="https://evil.example/cb")) == "invalid_request"
    assert error(push(web_app, request_uri="urn:ietf:params:oauth:request_uri:x")) == "invalid_request"
    assert error(push(web_app, client_id=evil_app.id)) == "invalid_client"


def test_prompt_none_shows_nothing_and_gives_nothing_away(victim, web_app, native_app, server):
    nobody = Browser(server).authorize(**web_app.request(prompt="none"))
    assert nobody.sent["error"] == "login_required"
    not_yet = victim.browser.authorize(**web_app.request(prompt="none"))
    assert not_yet.sent["error"] == "consent_required"
    victim.browser.allow(**web_app.request())
    for hidden in ("none login", "none consent", "none select_account"):
        assert victim.browser.authorize(**web_app.request(prompt=hidden)).sent["error"] == "invalid_request"
    pkce, address = Pkce(), "http://127.0.0.1:51004/cb"
    victim.browser.allow(**native_app.request(pkce, redirect_uri=address))
    silent = victim.browser.authorize(**native_app.request(Pkce(), redirect_uri=address, prompt="none"))
    assert silent.sent["error"] == "consent_required", "a public client's name proves nothing (RFC 8252 §8.6)"


def test_offline_access_is_never_given_in_silence(server, victim):
    """Who allowed a program something while they are there is asked before it may go on without them."""
    app, offline = App(server, "Shop"), {"access_type": "offline"}
    assert "refresh_token" not in app.tokens(victim.browser)
    for more in ({}, {"include_granted_scopes": "true"}, {"scope": MAIL + " offline_access"}):
        assert victim.browser.authorize(**app.request(prompt="none", **(offline | more))).sent["error"] == "consent_required"
    pkce = Pkce()
    page = victim.browser.authorize(**app.request(pkce, **offline))
    assert page.status == 200 and "while you are away" in page.text
    first = app.redeem(victim.browser.answer_consent(page).sent["code"], pkce).json
    silent = victim.browser.authorize(**app.request(prompt="none", **offline))
    assert "refresh_token" not in app.redeem(silent.sent["code"]).json, "it comes with the page"
    # More of it: a page, and a refresh token for all that the page says.
    more = {"scope": "openid email", "include_granted_scopes": "true"}
    page = victim.browser.authorize(**app.request(pkce, **offline, **more))
    assert "while you are away" in page.text and "Send mail as you" in page.text and "See your mail address" in page.text
    second = app.redeem(victim.browser.answer_consent(page).sent["code"], pkce).json
    assert app.refresh(second["refresh_token"]).json["scope"] == second["scope"] == f"openid email {MAIL}"
    assert app.refresh(first["refresh_token"]).json["scope"] == MAIL
    # Ended, it is asked for again.
    for tokens in (first, second):
        assert app.call("/revoke", token=tokens["refresh_token"]).status == 200
    assert victim.browser.authorize(**app.request(prompt="none", **offline)).sent["error"] == "consent_required"


@pytest.mark.parametrize("redirect", ["http://127.0.0.1/cb", "http://[::1]/cb", "http://localhost:8085/cb"])
def test_a_secret_on_a_persons_computer_proves_nothing(server, victim, redirect):
    """RFC 8252 §8.6: whoever listens there, at any port, knows the secret too."""
    app = App(server, "Installed, with a secret", redirects=(redirect,))
    # As libraries do it that know no PKCE.
    page = victim.browser.authorize(**app.request(access_type="offline"))
    assert "refresh_token" in app.redeem(victim.browser.answer_consent(page).sent["code"]).json
    for port in ("", ":59999"):
        elsewhere = redirect.replace(":8085", "").replace("/cb", port + "/cb")
        for pkce in (None, Pkce()):
            silent = victim.browser.authorize(**app.request(pkce, redirect_uri=elsewhere, prompt="none"))
            assert silent.sent["error"] == "consent_required"
            assert victim.browser.authorize(**app.request(pkce, redirect_uri=elsewhere)).status == 200
    pkce = Pkce()
    code = victim.browser.allow(**app.request(pkce)).sent["code"]
    assert error(app.redeem(code)) == "invalid_grant", "PKCE that was sent counts"


def test_who_registered_for_some_grants_gets_no_other(server):
    """RFC 7591 §2, at each endpoint where a grant begins or ends."""
    told = {}
    code, refresh, device = "authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"
    for grant in (code, device):
        wanted = {"token_endpoint_auth_method": "none", "grant_types": [grant]} | ({"redirect_uris": ["http://127.0.0.1/cb"]} if grant == code else {})
        told[grant] = ask(server, "POST", "/register", json.dumps(wanted).encode(), {"Content-Type": "application/json"}).json
        assert told[grant]["grant_types"] == [*([code] if grant == code else []), refresh, *([device] if grant == device else [])]
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    def asked(own, path, **fields):
        return error(ask(server, "POST", path, urllib.parse.urlencode({"client_id": told[own]["client_id"], **fields}).encode(), form))

    for path in ("/device/code", "/device/authorize"):
        assert asked(code, path, scope=MAIL) == "unauthorized_client"
    request = {"redirect_uri": "http://127.0.0.1/cb", "response_type": "code", "scope": MAIL, **Pkce().asked}
    assert asked(device, "/par", **request) == "unauthorized_client"
    assert "unauthorized_client" in Browser(server).authorize(client_id=told[device]["client_id"], **request).text
    proof = {"code": "x", "redirect_uri": "http://127.0.0.1/cb", "device_code": "x", "refresh_token": "x"}
    for own in (code, device):
        for grant in (code, refresh, device, "client_credentials"):
            expected = "invalid_grant" if grant in (own, refresh) else "unauthorized_client"
            assert asked(own, "/token", grant_type=grant, **proof) == expected, (own, grant)


@pytest.mark.parametrize("path", ["/o/oauth2/v2/auth", "/token", "/revoke", "/introspect", "/par", "/device/code"])
def test_nothing_hides_behind_many_parameters(server, victim, web_app, path):
    """What is not read cannot be seen to be there twice, so it is all read or nothing is."""
    fields = [*web_app.request(Pkce()).items(), ("client_secret", web_app.secret), ("grant_type", "refresh_token"), ("token", "x")]
    noise = [(f"x{number}", "1") for number in range(64)]
    for behind in ([], [("client_id", "other")], [("grant_type", "password")]):
        body = urllib.parse.urlencode([*fields, *noise, *behind])
        if path.startswith("/o/"):
            answer = victim.browser.get(f"{path}?{body}")
            assert refused_on_a_page(answer) and "too many parameters" in answer.text
        else:
            answer = ask(server, "POST", path, body.encode(), {"Content-Type": "application/x-www-form-urlencoded"})
            assert error(answer) == "invalid_request" and "too many parameters" in answer.json["error_description"]


def test_a_token_that_is_bound_to_nothing_is_no_bound_one(server, victim):
    """RFC 9449 §7.1: by this scheme no token opens anything without its proof."""
    token = App(server, "Unbound").tokens(victim.browser, scope="openid")["access_token"]
    assert userinfo(server, token).status == 200
    refused = userinfo(server, token, "DPoP")
    assert refused.status == 401 and refused.header("www-authenticate").startswith('DPoP error="invalid_dpop_proof"')


def test_client_impersonation(victim, web_app, native_app):
    """Nobody passes for a client with a secret; a native program's name opens the consent page and nothing else."""
    for secret in (None, "", "pillarbox", web_app.secret[:-1], web_app.secret + "x", web_app.secret.swapcase()):
        answer = web_app.call("/token", grant_type="refresh_token", refresh_token="x", client_secret=secret)
        assert answer.status == 401 and answer.json["error"] == "invalid_client" and answer.header("www-authenticate")
    both = ask(victim.server, "POST", "/token", f"grant_type=refresh_token&client_id={web_app.id}&client_secret={web_app.secret}".encode(),
               {"Content-Type": "application/x-www-form-urlencoded", "Authorization": "Basic " + "d2ViOnBpbGxhcmJveA=="})
    assert both.status == 400, "two proofs at once"
    for request in (native_app.request(Pkce(), redirect_uri="http://127.0.0.1:1/cb"), native_app.request(Pkce(), redirect_uri="com.example.app:/cb")):
        for _ in range(2):
            page = victim.browser.authorize(**request)
            assert page.status == 200 and "Native program" in page.text, "asked every time"
            victim.browser.answer_consent(page)


def test_the_password_grant_and_other_old_ways_are_not_there(victim, web_app, discovery):
    for kind in ("password", "implicit", "PASSWORD", "token-exchange", "urn:ietf:params:oauth:grant-type:saml2-bearer"):
        answer = web_app.call("/token", grant_type=kind, username=victim.address, password=victim.password)
        assert error(answer) == "unsupported_grant_type"
    assert "password" not in discovery["grant_types_supported"] and discovery["response_types_supported"] == ["code"]


def test_endpoints_for_programs_take_no_cookie(victim, web_app):
    """A page of another site can send the cookie nowhere where it counts."""
    text = victim.browser.allow(**web_app.request()).sent["code"]
    for path in ("/token", "/revoke", "/introspect", "/par", "/device/code", "/v1/userinfo"):
        answer = victim.browser.post(path, {"grant_type": "authorization_code", "code": text, "token": "x", "redirect_uri": CALLBACK})
        assert answer.status in (400, 401) or path == "/revoke", path
        assert answer.header("set-cookie") is None and answer.header("access-control-allow-credentials") is None


def test_huge_parameters_are_refused(server, victim, web_app):
    for name in ("state", "scope", "redirect_uri", "client_id", "nonce", "prompt", "login_hint", "resource", "code_challenge"):
        answer = victim.browser.authorize(**web_app.request(Pkce(), **{name: "x" * 20_000}))
        assert answer.status in (200, 303, 400, 414, 431), name
        assert len(answer.location or "") < 12_000, f"{name} is sent on"
    many = "&".join(f"p{number}=1" for number in range(5_000))
    assert victim.browser.get("/o/oauth2/v2/auth?" + many).status == 400
    for path in ("/token", "/par", "/signin", "/consent", "/introspect"):
        assert takes_no_body_of(server, path, 100_000), path
    assert ask(server, "POST", "/o/oauth2/v2/auth", b"a=" + b"x" * 20_000, {"Content-Type": "application/x-www-form-urlencoded"}).status == 413


def test_consent_is_for_the_person_whose_page_it_was(server, web_app):
    """Another tab switched accounts: what was allowed on one person's page is not given for another."""
    ada, bob = server.person("tab"), server.person("tab")
    browser = Browser(server)
    browser.sign_in(ada)
    page = browser.authorize(**web_app.request())
    browser.sign_in(bob)
    again = browser.answer_consent(page)
    assert again.status == 200 and bob.address in again.text and again.location is None


def test_a_device_code_that_somebody_was_sent(server, victim):
    """RFC 8628 §5.4: a link fills the code in and does no more, the page says whose device it must be, Cancel is final, and
    the tokens go to the client that began."""
    device, other = (App(server, name, "--device", redirects=()) for name in ("Television", "Radio"))
    grant = "urn:ietf:params:oauth:grant-type:device_code"
    begun = device.call("/device/code", scope=MAIL).json
    link = begun["verification_uri_complete"]
    assert victim.browser.get(link).status == 200
    assert device.call("/token", grant_type=grant, device_code=begun["device_code"]).json["error"] == "authorization_pending"
    page = victim.browser.post("/device", {"user_code": begun["user_code"]})
    page = victim.browser.get(page.location)
    assert begun["user_code"] in page.text and "Television" in page.text and "somebody sent you the code" in page.text
    fields = {name: form_field(page.text, name) for name in ("then", "account")}
    bob = Browser(server)
    bob.sign_in(server.person("bob"))
    assert "Television" in bob.post("/device/consent", {**fields, "answer": "allow"}).text, "another person is asked anew"
    assert device.call("/token", grant_type=grant, device_code=begun["device_code"]).json["error"] in ("authorization_pending", "slow_down")
    victim.browser.post("/device/consent", {**fields, "answer": "cancel"})
    assert device.call("/token", grant_type=grant, device_code=begun["device_code"]).json["error"] == "access_denied"
    assert victim.browser.post("/device/consent", {**fields, "answer": "allow"}).status == 404, "answered once"
    again = device.call("/device/code", scope=MAIL).json
    victim.browser.post("/device/consent", {"then": urllib.parse.urlencode({"user_code": again["user_code"]}), "account": victim.address, "answer": "allow"})
    assert error(other.call("/token", grant_type=grant, device_code=again["device_code"])) == "invalid_grant"
    for forged in (again["device_code"][:-1], again["user_code"], "d~" + again["user_code"].replace("-", "") + "~x~y"):
        assert error(device.call("/token", grant_type=grant, device_code=forged)) == "invalid_grant"
    assert device.call("/token", grant_type=grant, device_code=again["device_code"]).status == 200
    assert error(device.call("/token", grant_type=grant, device_code=again["device_code"])) == "invalid_grant", "taken once"


def test_max_age_and_login_ask_anew(server, victim, web_app):
    """One sign-in is enough, nothing but one is, and the program learns when it was."""
    def claims(token):
        part = token.split(".")[1]
        return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))

    for more in ({"prompt": "login"}, {"max_age": "0"}):
        before, pkce = time.time(), Pkce()
        answer = victim.browser.authorize(**web_app.request(pkce, scope="openid", **more))
        assert answer.status == 303 and answer.location.startswith("/signin?then="), answer
        then = answer.sent["then"]
        for crafted in (then, then + "&pillarbox_signed_in=1", then + f"&pillarbox_signed_in={int(before * 1000)}.AAAAAAAAAAAAAAAAAAAAAA"):
            assert victim.browser.get("/o/oauth2/v2/auth?" + crafted).location.startswith("/signin?then=")
            by_hand = victim.browser.post("/consent", {"then": crafted, "account": victim.address, "answer": "allow"})
            assert by_hand.location.startswith("/signin?then="), by_hand
        # what somebody else's sign-in for the same request gave them is worth nothing here
        mallory, other = Browser(server), server.person("mallory")
        theirs = mallory.sign_in(other, then).location
        assert victim.browser.get(theirs).location.startswith("/signin?then=")
        answer = victim.browser.get(victim.browser.sign_in(victim, then).location)
        if answer.status == 200:
            answer = victim.browser.answer_consent(answer)
        told = claims(web_app.redeem(answer.sent["code"], pkce).json["id_token"])
        assert int(before) <= told["auth_time"] <= time.time(), more
