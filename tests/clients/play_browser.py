#!/usr/bin/env python3
"""A person at a browser, as a program: BROWSER="play_browser.py" opens the address it is given, signs in, and answers.

What the person does comes from the environment: PLAY_ADDRESS, PLAY_PASSWORD, PLAY_ANSWER (allow or cancel), PLAY_CODE (for a
device), PLAY_SHOWN (a file for the last page). Certificates are checked against PILLARBOX_CA. It submits the forms of the
pages as they are: their addresses, their hidden fields, their buttons.
"""
import html.parser
import http.cookiejar
import os
import ssl
import sys
import urllib.parse
import urllib.request

PAGES_MAX = 10


class Forms(html.parser.HTMLParser):
    """The forms of a page: where each goes, its fields with their values, its buttons."""

    def __init__(self, page):
        super().__init__()
        self.forms = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        it = dict(attributes)
        name, value = it.get("name"), it.get("value") or ""
        if tag == "form":
            self.forms.append((it.get("action", ""), {}, []))
        elif self.forms and tag == "button" and name:
            self.forms[-1][2].append((name, value))
        elif self.forms and tag == "input" and name:
            self.forms[-1][1][name] = value


def play(address):
    tls = ssl.create_default_context(cafile=os.environ["PILLARBOX_CA"])
    cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=tls), cookies, urllib.request.ProxyHandler({}))
    answer = os.environ.get("PLAY_ANSWER", "allow")
    known = {
        "address": os.environ.get("PLAY_ADDRESS", "ada@example.test"),
        "password": os.environ.get("PLAY_PASSWORD", "pillarbox"),
        "user_code": os.environ.get("PLAY_CODE", ""),
    }
    request = urllib.request.Request(address)
    for _ in range(PAGES_MAX):
        with opener.open(request, timeout=20) as response:
            page, here = response.read().decode(), response.geturl()
        request = next_step(page, here, known, answer)
        if request is None:
            break
    if shown := os.environ.get("PLAY_SHOWN"):
        with open(shown + ".part", "w") as file:
            file.write(f"{here}\n{page}")
        os.rename(shown + ".part", shown)


def next_step(page, here, known, answer):
    """What a person does on this page: a form, filled in; None if there is nothing to do any more."""
    for action, fields, buttons in Forms(page).forms:
        if ("answer", answer) in buttons:
            fields["answer"] = answer
        elif "password" in fields or "user_code" in fields:
            fields.update({name: value for name, value in known.items() if name in fields})
        else:
            continue
        target = urllib.parse.urljoin(here, action)
        origin = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(target))
        return urllib.request.Request(target, urllib.parse.urlencode(fields).encode(), {"Origin": origin})
    return None


if __name__ == "__main__":
    play(sys.argv[1])
