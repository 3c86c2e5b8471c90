"""docs/reference/openapi.yaml against the routes of the server, and the server against it: schemathesis asks every operation
for what is right, nearly right and wrong, and compares the answers with what is written."""
import os
import pathlib
import subprocess
import sys

import pytest

from attacks.attacker import App, ask
from attacks.routes import is_for_programs, routes
from conftest import ROOT

DOCUMENT = ROOT / "docs" / "reference" / "openapi.yaml"
METHODS = {"get", "post", "put", "delete", "patch"}


def test_the_document_names_every_route_for_programs_and_no_other():
    yaml = pytest.importorskip("yaml", reason="the Python package PyYAML is not installed; ./check installs it")
    written = {(path, method) for path, item in yaml.safe_load(DOCUMENT.read_text())["paths"].items() for method in METHODS & set(item)}
    there = {(path, method) for path, methods in routes().items() for method in methods if is_for_programs(path)}
    assert written - there == set(), "written, but not there"
    assert there - written == set(), "there, but not written"


def test_the_endpoints_of_discovery_are_written(server, discovery):
    paths = set(routes())
    for name, value in discovery.items():
        if (name.endswith("_endpoint") or name == "jwks_uri") and isinstance(value, str):
            path = value.removeprefix(server["issuer"])
            assert path in paths and is_for_programs(path), name


# What proves who asks, and the operations it is for.
ASKERS = {"a client": ["authorization", "tokens"], "a token": ["tokens"], "an administrator": ["administration"], "nobody": []}


@pytest.mark.slow
@pytest.mark.parametrize("asker", ASKERS, ids=lambda asker: asker.replace(" ", "-"))
def test_schemathesis_finds_nothing(own_server, tmp_path, asker):
    pytest.importorskip("schemathesis", reason="the Python package schemathesis is not installed; ./check installs it")
    server = own_server()
    proof = []
    if asker == "a client":
        proof = ["--auth", "web:pillarbox"]
    elif asker == "a token":
        proof = ["-H", "Authorization: Bearer " + server["token"]]
    elif asker == "an administrator":
        app = App(server, "Panel", "--service", "--delegate", "pillarbox:admin", redirects=())
        proof = ["-H", "Authorization: Bearer " + app.call("/token", grant_type="client_credentials").json["access_token"]]
    only = [word for tag in ASKERS[asker] for word in ("--include-tag", tag)]
    words = [pathlib.Path(sys.executable).with_name("schemathesis"), "run", DOCUMENT, "--url", server["issuer"], "--tls-verify", server["ca"],
             "--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance",
             "--phases", "examples,coverage,fuzzing", "--max-examples", "40", "--max-time", "40", "--generation-deterministic",
             # A server may end a connection at any time; a panic that ended one stands in the log.
             "--request-retries", "2", "--max-redirects", "0", "--suppress-health-check", "all", "--no-color", *only, *proof]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600, cwd=tmp_path, env=os.environ | {"HOME": str(tmp_path)})
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    log = (server.folder / "log.txt").read_text(errors="replace")
    assert "a bug ended" not in log, "no panic"
    assert ask(server, "GET", "/healthz").status == 200
