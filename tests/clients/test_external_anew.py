"""When somebody signed in at a provider with one sign-on for everything (npm oidc-provider, its clock moved like the server's): who
has no password here shows who they are there, a program that asks for a sign-in anew gets one, and nobody gets by with an old one
by changing the address they are sent to."""
import base64
import json
import re
import secrets
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from elsewhere import Forms, provider  # noqa: F401  (provider is a fixture)

PHRASE = "four words nobody guesses"


@pytest.fixture
def corp(own_server, provider):  # noqa: F811
    class Corp:
        server = own_server("--settings", provider.settings("create = true"))

        def forms(self):
            return Forms(self.server, provider)

        def advance(self, seconds):
            self.server.run("clock", "advance", f"{seconds}s")
            provider.advance(seconds)

    corp = Corp()
    provider.start(corp.server)
    corp.provider = provider
    return corp


def sent_there(forms, path, change=lambda query: None):
    """Where our server sends a browser, after somebody changed the address; the provider's first answer."""
    class Stop(Exception):
        pass

    def stop(request):
        if request.full_url.startswith(forms.provider.issuer):
            raise Stop(request.full_url)
        return request

    handler = type("Stops", (), {"https_request": staticmethod(stop), "add_parent": lambda *_: None, "handler_order": 10})()
    forms.opener.process_request.setdefault("https", []).append(handler)
    try:
        forms.open(path)
        raise AssertionError("the browser was not sent away")
    except Stop as there:
        url = urlsplit(str(there))
    finally:
        forms.opener.process_request["https"].remove(handler)
    query = dict(parse_qsl(url.query))
    asked = dict(query)
    change(query)
    return asked, forms.open(url._replace(query=urlencode(query)).geturl())


def strip(query):
    for name in ("prompt", "max_age", "claims"):
        query.pop(name, None)


def loosen(query):
    strip(query)
    query["max_age"] = "86400"


def again(forms, page):
    """From a page that takes a recent sign-in to the provider's button."""
    shown = forms.open(page)
    assert "Sign in again" in shown.text and 'type="password"' not in shown.text, shown.text
    shown = forms.open(shown.link("/signin?then="))
    return shown.link("/signin/external/corp")


def test_no_circle_for_people_without_a_password(corp):
    forms = corp.forms()
    assert forms.sign_in("carol").url.endswith("/account")
    corp.advance(7200)
    home = corp.server["issuer"]

    def refused():
        done = forms.open(home + "/account/password", password=PHRASE, again=PHRASE)
        assert done.status == 422 and "Sign in again" in done.text, done.text
        made = forms.open(home + "/account/passkeys/options", name="telephone", password="")
        assert made.status == 403 and json.loads(made.text)["again"] is True
        on = forms.open(home + "/account/second-factor", do="on", code="000000", password="")
        assert on.status == 403 and "Sign in again" in on.text, on.text

    refused()
    # Out and in again is through without a question there, and so no more than before.
    forms.open(home + "/signout", x="")
    page = forms.sign_in("carol")
    assert page.url.endswith("/account")
    refused()
    for path in ("/account/password", "/account/passkeys", "/account/second-factor"):
        corp.advance(3600)
        asked, page = sent_there(forms, again(forms, home + path))
        assert (asked["prompt"], asked["max_age"], asked["login_hint"]) == ("login", "0", "carol@example.test")
        assert 'name="login"' in page.text, "the provider asks who they are"
        page = forms.at_provider(page, "carol")
        assert page.url == home + path and "Sign in again" not in page.text, (page.url, page.text)
        made = forms.open(home + "/account/passkeys/options", name="telephone", password="")
        assert made.status == 200 and "challenge" in made.text, made.text
    done = forms.open(home + "/account/password", password=PHRASE, again=PHRASE)
    assert done.status == 200 and "Your new password is set" in done.text, done.text
    # With it they are in, provider or not, and it is what is asked for.
    corp.provider.stop()
    corp.server.run("clock", "advance", "3h")
    shown = forms.open(home + "/account/password")
    assert "Sign in again" not in shown.text and "Your password until now" in shown.text
    other = corp.forms()
    page = other.open(home + "/signin")
    assert other.open("/signin", address="carol@example.test", password=PHRASE, **page.hidden()).url.endswith("/account")


@pytest.mark.parametrize("change,words", [(strip, "does not say when you signed in"), (loosen, "without asking who you are")])
def test_an_old_sign_in_does_not_pass_for_a_new_one(corp, change, words):
    forms = corp.forms()
    forms.sign_in("carol")
    corp.advance(7200)
    path = again(forms, corp.server["issuer"] + "/account/password")
    _, page = sent_there(forms, path, change)
    page = forms.at_provider(page, "carol")
    assert page.status == 403 and words in page.text, page.text
    # The page has the way that works, to the same end.
    page = forms.at_provider(forms.open(page.link("/signin/external/corp")), "carol")
    assert page.url.endswith("/account/password") and 'name="again"' in page.text, page.text


def ask_for(forms, **more):
    server = forms.server
    query = {"client_id": "desktop", "redirect_uri": "http://127.0.0.1/", "response_type": "code", "scope": "openid", "state": "s",
             "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256", **more}
    return forms.open(server["auth_url"] + "?" + urlencode(query))


def id_claims(forms, page):
    """Of the id token that comes of the consent page."""
    server = forms.server
    page = forms.open("/consent", answer="allow", **page.hidden())
    code = dict(parse_qsl(urlsplit(page.left).query))["code"]
    page = forms.open(server["issuer"] + "/token", grant_type="authorization_code", code=code, client_id="desktop",
                      redirect_uri="http://127.0.0.1/", code_verifier="dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    body = json.loads(page.text)["id_token"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


@pytest.mark.parametrize("wish", [{"prompt": "login"}, {"max_age": "0"}, {"max_age": "300"}])
def test_programs_get_the_sign_in_they_ask_for(corp, wish):
    forms = corp.forms()
    forms.sign_in("carol")
    corp.advance(7200)
    # As well where nobody is signed in here any more, but still there.
    for out in (False, True):
        if out:
            forms.open(corp.server["issuer"] + "/signout", x="")
            corp.advance(7200)
        page = ask_for(forms, **wish)
        href = page.link("/signin/external/corp")
        for change in (strip, loosen):
            _, page = sent_there(forms, href, change)
            page = forms.at_provider(page, "carol")
            assert page.status == 403 and "takes a sign-in just now" in page.text, page.text
        asked, page = sent_there(forms, page.link("/signin/external/corp"))
        assert asked["max_age"] == wish.get("max_age", "0") and 'name="login"' in page.text, asked
        page = forms.at_provider(page, "carol")
        claims = id_claims(forms, page)
        assert claims["iat"] - 60 <= claims["auth_time"] <= claims["iat"], claims
        corp.advance(7200)


def test_our_id_tokens_say_no_more_of_the_time_than_the_provider(corp):
    forms = corp.forms()
    forms.sign_in("carol")
    corp.advance(7200)
    # It says when: then that is when, though they came here now.
    forms.open(corp.server["issuer"] + "/signout", x="")
    loose = lambda query: query.update(max_age="86400")
    _, page = sent_there(forms, "/signin/external/corp", loose)
    assert forms.at_provider(page, "carol").url.endswith("/account")
    claims = id_claims(forms, ask_for(forms))
    assert 7200 <= claims["iat"] - claims["auth_time"] <= 7300, claims
    # It does not say: neither do we.
    forms.open(corp.server["issuer"] + "/signout", x="")
    asked, page = sent_there(forms, "/signin/external/corp")
    assert not {"prompt", "max_age", "claims"} & set(asked), "nothing here wants it recent"
    assert forms.at_provider(page, "carol").url.endswith("/account")
    page = ask_for(forms, nonce=secrets.token_hex(4))
    assert "auth_time" not in id_claims(forms, page)


def test_the_way_back_leads_to_pages_of_ours_only(corp):
    forms = corp.forms()
    for then in ("again=https://evil.example", "again=//evil.example", "again=/o/oauth2/v2/auth", "again=/account&again=/admin"):
        page = forms.open(corp.server["issuer"] + "/signin?" + urlencode({"then": then}))
        assert page.hidden()["then"] == "", page.text
        assert re.search(r'href="/signin/external/corp"', page.text)
