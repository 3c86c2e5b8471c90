"""A domain's page with every way a record can stand, in a real browser: it fits, is accessible, and says it in words."""
import pytest
from nameserver import Names
from test_browser import browser, save_screenshot  # noqa: F401  (browser is a fixture)
from test_pages import LOOKS, axe, enter, text  # noqa: F401  (axe is a fixture)

from dnslib import AAAA, CNAME, MX, TXT, A

HOST = "mail.example.org"


@pytest.fixture
def house(server, own_server):
    """A server that asks a name server, under the authority the browser trusts."""
    names = Names()
    env = {"PILLARBOX_DNS_SERVERS": f"127.0.0.1:{names.port}", "PILLARBOX_HOST": HOST}
    started = own_server(env=env | {"XDG_DATA_HOME": server.env["XDG_DATA_HOME"]})
    names.put(HOST, A("192.0.2.7"), AAAA("2001:db8::7"))
    names.put("example.test", MX(HOST, 10), MX("a-rather-long-name-of-a-backup-server.elsewhere.example", 20),
              TXT("v=spf1 include:_spf.elsewhere.example " + "ip4:198.51.100.0/24 " * 9 + "<b>-all"))
    names.put("autoconfig.example.test", CNAME("www.elsewhere.example"))
    names.failing["_submissions._tcp.example.test"] = "SERVFAIL"
    yield started
    names.stop()


@pytest.mark.parametrize("width,scheme", LOOKS)
def test_the_page_of_a_domain_fits_and_is_accessible(house, browser, axe, width, scheme):  # noqa: F811
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": 3000, "deviceScaleFactor": 1, "mobile": False})
    browser.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
    enter(browser, house, house.ada())
    browser.get(house["issuer"] + "/admin/domains/view?domain=example.test")
    words = text(browser)
    for one in ("records are missing or different; 1 could not be asked for", "published", "different", "missing", "could not be asked",
                "also points to a-rather-long-name", "Check again", "(SERVFAIL)", "www.elsewhere.example."):
        assert one in words, f"{one!r} is not in {words}"
    save_screenshot(browser, f"domain-{width}-{scheme}")
    assert browser.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    browser.execute_script(axe)
    found = browser.execute_async_script("axe.run(document, {}).then(arguments[0], e => arguments[0]({error: String(e)}))")
    assert found["violations"] == [], found["violations"]
