"""How pages are looked at: in two widths and two colour schemes, with a screenshot for whoever asks for one, and by axe-core,
the accessibility checker others wrote."""
from conftest import NODE_MODULES
from test_browser import save_screenshot

LOOKS = [(1280, "light"), (1280, "dark"), (320, "light"), (320, "dark")]


class Looker:
    """Looks at the pages of one browser, and keeps what is wrong with them."""

    def __init__(self, browser, width, scheme):
        self.browser, self.width, self.scheme, self.faults = browser, width, scheme, []
        self.axe = (NODE_MODULES / "axe-core" / "axe.min.js").read_text()
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        self.size(900)
        # The content policy of the pages is for the pages; the checker is not one of them.
        browser.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})

    def size(self, height):
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                     {"width": self.width, "height": max(height, 600), "deviceScaleFactor": 1, "mobile": False})

    def look(self, name):
        browser = self.browser
        for height in (900, browser.execute_script("return document.documentElement.scrollHeight")):
            self.size(height)
        save_screenshot(browser, f"{name}-{self.width}-{self.scheme}")
        overflow = browser.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if overflow > 0:
            self.faults.append(f"{name} is {overflow} pixels too wide")
        browser.execute_script(self.axe)
        found = browser.execute_async_script("axe.run(document, {}).then(arguments[0], e => arguments[0]({error: String(e)}))")
        assert "violations" in found, found
        for one in found["violations"]:
            self.faults.append(f"{name}: {one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes'][:3]]}")
