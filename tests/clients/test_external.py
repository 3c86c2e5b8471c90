"""Sign-in with an OpenID provider that others wrote (npm oidc-provider): on the web through its own pages, at the mail services
with tokens it issued; with keys that change, clocks that differ, and a provider that is down."""
import base64
import hmac
import imaplib
import json
import re
import smtplib

import pytest
from conftest import Person, eventually
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from elsewhere import Forms, provider  # noqa: F401  (provider is a fixture)
from joserfc import jwk

INVALID = "Invalid credentials"
TEMPORARY = "Temporary System Error"


@pytest.fixture
def corp(own_server, provider):  # noqa: F811
    """A server that knows the provider, both running, and a way to have either otherwise."""

    class Corp:
        def __init__(self, *lines, start=True, **more):
            self.provider = provider
            self.server = own_server("--settings", provider.settings(*lines))
            if start:
                provider.start(self.server, **more)

        def forms(self):
            return Forms(self.server, provider)

    return Corp


def imap(server, user, token, mechanism="XOAUTH2"):
    box = imaplib.IMAP4_SSL("localhost", server.port("imap"), ssl_context=server.tls())
    blob = {"XOAUTH2": f"user={user}\1auth=Bearer {token}\1\1",
            "OAUTHBEARER": f"n,a={user},\1auth=Bearer {token}\1\1"}[mechanism].encode()
    answers = iter([blob])
    try:
        box.authenticate(mechanism, lambda _: next(answers, b""))
    except BaseException:
        box.shutdown()
        raise
    return box


def log(server):
    return (server.folder / "log.txt").read_text()


def refused(server, user, token, words=INVALID):
    """Refuses with these words; the true cause, as `pillarbox why` tells it."""
    lines = lambda: [line for line in log(server).splitlines() if f"{user} refused" in line]
    before = len(lines())
    with pytest.raises(imaplib.IMAP4.error, match=words):
        imap(server, user, token)
    session = eventually(lambda: lines()[before:], what="the refusal in the log")[-1].split()[2]
    why = server.run("why", session)
    return next(line.split("refused", 1)[1].strip() for line in why.splitlines() if line.strip().startswith("refused"))


def test_web_sign_in_makes_an_account_that_goes_on_by_itself(corp):
    corp = corp("create = true")
    forms, server = corp.forms(), corp.server
    page = forms.sign_in("carol")
    assert page.url == server["issuer"] + "/account", page.text
    assert "carol@example.test" in page.text
    assert {cookie.name for cookie in forms.jar if cookie.name.startswith("__Host")} == {"__Host-session"}
    # An app password, made on the pages, opens IMAP: nobody depends on the provider.
    made = forms.open("/account/app-passwords", name="phone", imap="on", pop="on", smtp="on")
    letters = re.search(r"<code>([a-z ]{16,19})</code>", made.text)
    assert letters, made.text
    box = imaplib.IMAP4_SSL("localhost", server.port("imap"), ssl_context=server.tls())
    corp.provider.stop()
    assert box.login("carol@example.test", letters[1].replace(" ", ""))[0] == "OK"
    box.logout()
    # The trail says how.
    trail = forms.open("/account/activity").text
    assert "Corp" in trail and "tied to this account" in trail
    # Those who have a password go on with it, provider or not.
    ada = Forms(server, corp.provider)
    page = ada.open("/signin")
    page = ada.open("/signin", address="ada@example.test", password="pillarbox", **page.hidden())
    assert page.url.endswith("/account")


def test_the_way_back_leads_to_the_program_that_asked(corp):
    corp = corp()
    forms, server = corp.forms(), corp.server
    query = {"client_id": "desktop", "redirect_uri": "http://127.0.0.1/", "response_type": "code", "scope": server["scope"],
             "state": "s", "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256",
             "login_hint": "bob@example.test"}
    from urllib.parse import urlencode
    page = forms.open(server["auth_url"] + "?" + urlencode(query))
    page = forms.open(page.link("/signin/external/corp"))
    assert 'value="bob@example.test"' in page.text, "the hint reaches the provider"
    page = forms.at_provider(page, "bob")
    assert "Desktop program" in page.text and "bob@example.test" in page.text and "/o/oauth2/v2/auth" in page.url
    page = forms.open("/consent", answer="allow", **page.hidden())
    assert page.left and "code=" in page.left and "state=s" in page.left


def test_who_does_not_get_in_is_told_why(corp):
    corp = corp(start=False)
    corp.provider.people = {
        "mallory": {"email": "ada@example.test", "email_verified": False},
        "second": {"email": "ada@example.test", "email_verified": True},
        "foreign": {"email": "x@elsewhere.test", "email_verified": True},
    }
    server = corp.server
    page = corp.forms().open(server["issuer"] + "/signin")
    down = corp.forms().open(page.link("/signin/external/corp"))
    assert down.status == 503 and "Corp does not answer just now" in down.text
    corp.provider.start(server)

    def words(who):
        page = corp.forms().sign_in(who)
        assert page.status == 403, page.text
        return page.text

    eventually(lambda: corp.forms().open(server["issuer"] + "/signin/external/corp").status == 200, what="the provider is asked again")
    assert "has not confirmed" in words("mallory")
    assert "there is no mailbox for you" in words("stranger")
    assert "there is no mailbox for you" in words("foreign")
    assert corp.forms().sign_in("ada").url.endswith("/account")
    assert "cannot be accepted here" in words("second")
    eventually(lambda: "another person at Corp" in log(server), what="the cause in the log")
    server.run("account", "unbind", "ada@example.test")
    told = json.loads(server.run("account", "activity", "ada@example.test", "--only", "changes", "--json"))[0]["detail"]
    assert told.endswith("on the server’s command line"), "the trail says who did it"
    assert corp.forms().sign_in("second").url.endswith("/account")
    assert "cannot be accepted here" in words("ada")
    server.run("account", "suspend", "ada@example.test")
    assert "cannot be accepted here" in words("second")
    # Nobody's answer, and an answer in another browser.
    here, there = corp.forms(), corp.forms()
    page = there.open(there.open(server["issuer"] + "/signin").link("/signin/external/corp"))
    stolen = server["issuer"] + "/signin/external/corp/back?code=stolen&state=x"
    assert "begun in another browser" in here.open(stolen).text


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_its_tokens_open_mail_and_end_sessions(corp, mechanism):
    corp = corp(lifetime=300)
    server, forms = corp.server, corp.forms()
    token = forms.token("ada")
    box = imap(server, "ada@example.test", token, mechanism)
    assert box.select()[0] == "OK"
    sessions = json.loads(server.run("session", "list", "--json"))
    mine = [one for one in sessions if one.get("address") == "ada@example.test" or "ada@example.test" in json.dumps(one)]
    assert mine, sessions
    eventually(lambda: "mutt (Corp)" in log(server), what="the program in the log")
    with smtplib.SMTP_SSL("localhost", server.port("smtps"), context=server.tls()) as smtp:
        smtp.ehlo()
        smtp.auth("XOAUTH2", lambda _=None: f"user=ada@example.test\1auth=Bearer {token}\1\1")
        smtp.sendmail("ada@example.test", ["ada@example.test"], "From: ada@example.test\nSubject: Hello\n\nIt works.\n")
    eventually(lambda: box.noop() and box.search(None, "ALL")[1][0], what="the message")
    cause = refused(server, "bob@example.test", token)
    assert "the token belongs to ada@example.test" in cause
    # The session ends when the token does.
    box.send(b"x1 IDLE\r\n")
    assert box.readline().startswith(b"+")
    server.run("clock", "advance", "5m")
    assert b"BYE Session expired" in eventually(box.readline)
    box.shutdown()
    assert "the token expired" in refused(server, "ada@example.test", token)


def test_suspension_ends_its_sessions_within_a_second(corp):
    corp = corp()
    server, forms = corp.server, corp.forms()
    token = forms.token("ada")
    box = imap(server, "ada@example.test", token)
    box.sock.settimeout(5)
    server.run("account", "suspend", "ada@example.test")
    assert b"BYE" in box.readline()
    box.shutdown()
    assert "suspended" in refused(server, "ada@example.test", token)


def test_scope_audience_and_kind_of_token(corp):
    corp = corp('mail-scope = "corp:mail"')
    server, forms = corp.server, corp.forms()
    ada = "ada@example.test"
    imap(server, ada, forms.token("ada", scope="corp:mail")).logout()
    box = imap(server, ada, forms.token("ada", scope="pillarbox:read"))
    with pytest.raises(imaplib.IMAP4.readonly):
        box.select()
    box.shutdown()
    wrong = forms.token("ada", resource="https://calendar.example.test")
    assert "another audience" in refused(server, ada, wrong)
    poor = forms.token("ada", scope="corp:calendar")
    assert "is not enough" in refused(server, ada, poor)
    # Without introspection an opaque token is nobody's.
    assert "not one of this server's" in refused(server, ada, forms.token("ada", client="opaque"))
    forged = wrong.rsplit(".", 1)[0] + "." + forms.token("ada").rsplit(".", 1)[1]
    assert "signature is wrong" in refused(server, ada, forged)


def test_tokens_forged_from_what_the_provider_publishes(corp):
    """No signature at all, and the provider's public key taken for an HMAC secret or brought along in the header (RFC 8725 §2.1)."""
    corp = corp()
    server, forms = corp.server, corp.forms()
    ada = "ada@example.test"
    real = forms.token("ada")
    imap(server, ada, real).logout()
    header, claims, _ = real.split(".")
    head = json.loads(unpadded(header))
    published = json.loads(forms.open(json.loads(forms.open(corp.provider.issuer + "/.well-known/openid-configuration").text)["jwks_uri"]).text)
    key = next(key for key in published["keys"] if key["kid"] == head["kid"])
    public = jwk.import_key(key)
    assert not public.is_private

    def refuses(head, sign):
        message = f"{padless(json.dumps(head).encode())}.{claims}"
        cause = refused(server, ada, f"{message}.{padless(sign(message.encode()))}")
        assert "signs with RS256 only" in cause or "does not publish" in cause, (head, cause)

    for name in ("none", "None", "NONE", ""):
        refuses(head | {"alg": name}, lambda message: b"")
    for name, digest in (("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512")):
        for secret in (public.as_pem(private=False), public.as_der(private=False), json.dumps(key).encode(), unpadded(key.get("n") or key["x"]), b""):
            refuses(head | {"alg": name}, lambda message: hmac.digest(secret, message, digest))
    own = jwk.generate_key("EC", "P-256")
    inside = own.as_dict(private=False)
    sign = lambda message: own.private_key.sign(message, ec.ECDSA(hashes.SHA256()))
    raw = lambda message: b"".join(part.to_bytes(32, "big") for part in utils.decode_dss_signature(sign(message)))
    for more in ({}, {"jwk": inside}, {"jwk": inside, "kid": "mine"}, {"jku": "https://evil.example/keys"}):
        refuses(head | {"alg": "ES256"} | more, raw)
    imap(server, ada, real).logout()


def padless(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def unpadded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_opaque_tokens_by_introspection(corp):
    corp = corp("introspection = true", "create = true", lifetime=300)
    server, forms = corp.server, corp.forms()
    token = forms.token("dora", client="opaque")
    assert "." not in token
    box = imap(server, "dora@example.test", token)
    assert box.select()[0] == "OK"
    assert "token belongs to dora" in refused(server, "ada@example.test", token)
    wrong = forms.token("dora", client="opaque", resource="https://calendar.example.test")
    assert "another audience" in refused(server, "dora@example.test", wrong)
    assert "not active" in refused(server, "dora@example.test", "n" * 43)
    server.run("clock", "advance", "5m")
    assert b"BYE Session expired" in eventually(box.readline)
    box.shutdown()
    corp.provider.stop()
    assert "cannot be reached" in refused(server, "dora@example.test", token, TEMPORARY)


def test_keys_rotate_and_a_provider_that_is_down(corp):
    corp = corp(lifetime=48 * 3600)
    server, ada = corp.server, "ada@example.test"
    old = corp.forms().token("ada")
    imap(server, ada, old).logout()
    # Another key with another name: asked for when it is first seen, and the old one is gone.
    corp.provider.restart(server, kid="second", lifetime=48 * 3600)
    new = corp.forms().token("ada")
    imap(server, ada, new).logout()
    assert "does not publish" in refused(server, ada, old)
    # Down: what is known goes on for a day.
    corp.provider.stop()
    imap(server, ada, new).logout()
    server.run("clock", "advance", "23h")
    imap(server, ada, new).logout()
    server.run("clock", "advance", "2h")
    assert "cannot be reached" in refused(server, ada, new, TEMPORARY)
    admin = corp.forms()
    page = admin.open("/signin")
    admin.open("/signin", address=ada, password="pillarbox", **page.hidden())
    assert "Corp: localhost cannot be reached" in admin.open("/admin/health").text
    # And what is not the provider's goes on without it.
    imap(server, ada, Person(server, ada, "pillarbox").token()).logout()
    corp.provider.start(server, kid="third")
    server.run("clock", "advance", "10s")
    assert "does not publish" in refused(server, ada, new)
    # The same name for another key is no way around the signature.
    corp.provider.restart(server, kid="second")
    server.run("clock", "advance", "2h")
    assert "signature is wrong" in refused(server, ada, new)


def test_clocks_may_differ_a_little(corp):
    corp = corp(lifetime=3600)
    server = corp.server
    server.run("clock", "advance", "50s")
    assert corp.forms().sign_in("ada").url.endswith("/account")
    imap(server, "ada@example.test", corp.forms().token("ada")).logout()
    server.run("clock", "advance", "12m")
    page = corp.forms().sign_in("ada")
    assert page.status == 403 and "cannot be accepted" in page.text
    eventually(lambda: "the id token" in log(server), what="the cause in the log")


def test_configuration_is_checked_and_explained(server, provider, tmp_path):  # noqa: F811
    base = (f'domain = "example.test"\nhost = "localhost"\ndata = "{tmp_path}"\n'
            f'[tls]\nmode = "private"\n')

    def check(text):
        file = tmp_path / "pillarbox.toml"
        file.write_text(base + text)
        done = server.run("--config", str(file), "config", "check", check=False)
        return done.returncode, done.stdout + done.stderr

    good = open(provider.settings()).read()
    assert check(good) == (0, "The configuration is good.\n")
    for change, want in [
        (('issuer = "https', 'issuer = "http'), "issuer must be an https:// address"),
        (("secret\"\nlabel", "secrets\"\nlabel"), "client-secret-file"),
        (("ca.pem", "secret"), "ca-file"),
        (("client-id", "client-ids"), "did you mean client-id?"),
        (('label = "Corp"', 'create = "perhaps"'), "true or false"),
        (('label = "Corp"', 'scopes = ["email"]'), "must contain openid"),
    ]:
        status, text = check(good.replace(*change))
        assert status != 0 and want in text, text
    shown = server.run("--config", provider.settings(), "config", "show", "--origin")
    assert "[oauth.external.corp]" in shown and re.search(r'label = "Corp" +# .*settings\w+\.toml:5', shown), shown
    told = server.run("config", "explain", "oauth.external.corp.account-claim")
    assert "email_verified" in told and "PILLARBOX_OAUTH_EXTERNAL_NAME_ACCOUNT_CLAIM" in told
