"""Every route of the pages and endpoints, read from the source, so that a new one cannot be forgotten by these tests."""
import re

from conftest import ROOT

WEB = ROOT / "crates" / "pillarbox-web" / "src"
API = ROOT / "crates" / "pillarbox" / "src" / "admin" / "api.rs"
METHODS = ("get", "post", "put", "delete", "patch", "head", "options", "any")


def arguments(text, at):
    """What stands between the bracket that opens at `at` and the one that closes it."""
    depth, quoted = 0, False
    for index in range(at, len(text)):
        letter = text[index]
        if letter == '"' and text[index - 1] != "\\":
            quoted = not quoted
        elif not quoted and letter in "([{":
            depth += 1
        elif not quoted and letter in ")]}":
            depth -= 1
            if depth == 0:
                return text[at + 1:index]
    raise AssertionError(f"a bracket does not close: {text[at:at + 200]}")


def constant(file, words):
    """The text of `module::NAME`, or of `NAME` in the same file."""
    *module, name = words.split("::")
    folders = [file.parent / f"{module[-1]}.rs", file.parent / module[-1] / "mod.rs"] if module else [file]
    for candidate in folders:
        if candidate.exists():
            found = re.search(rf'const {name}: &str\s*=\s*"([^"]*)"', candidate.read_text())
            if found:
                return found[1]
    raise AssertionError(f"{file}: which path is {words}?")


def sources():
    """Files with routes, and what stands before their paths."""
    for path in sorted(WEB.rglob("*.rs")):
        if "tests" not in path.relative_to(WEB).parts and path.name != "tests.rs":
            yield path, ""
    yield API, constant(API, "PATH")


def routes():
    """{path: {methods}}."""
    found = {}
    for file, prefix in sources():
        text = re.sub(r"//[^\n]*", lambda line: "" if '"' not in line[0] else line[0], file.read_text())
        for match in re.finditer(r"\.route\(", text):
            inside = arguments(text, match.end() - 1)
            path, _, handlers = inside.strip().partition(",")
            path = path.strip()
            path = path[1:-1] if path.startswith('"') else constant(file, path)
            methods = {word for word in METHODS if re.search(rf"(?:^|[\s.:]){word}(?:_service)?\(", handlers)}
            assert methods, f"{file}: {path} has no method that is known here: {handlers}"
            found.setdefault(prefix + path, set()).update(methods)
    assert len(found) > 40, found
    return found


def filled(path):
    """A path with something in the place of its parameters."""
    return re.sub(r"\{[^}]*\}", "x", path)


# Endpoints for programs: they take no cookie, and docs/reference/openapi.yaml describes them.
def is_for_programs(path):
    pages = ("/signin", "/signout", "/account", "/admin", "/device", "/consent", "/invite", "/dev")
    pages_of_ours = path in ("/", "/help", "/style.css", "/icon.svg", "/passkey.js") or any(path == start or path.startswith(start + "/") for start in pages)
    return path in ("/device/code", "/device/authorize") or path.startswith(("/dev/api", "/admin/api/")) or not pages_of_ours
