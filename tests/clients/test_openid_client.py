"""openid-client, a strict relying party from npm, against the issuer: every endpoint of the discovery document."""
import json
import subprocess

import pytest

from conftest import NODE_MODULES, ROOT

SCRIPT = ROOT / "tests" / "clients" / "node" / "openid-client.mjs"


def test_openid_client(server, tool, tmp_path):
    program = tool("node")
    if not (NODE_MODULES / "openid-client").exists():
        pytest.skip("the Node packages are not installed; ./check installs them")
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    copy = tmp_path / SCRIPT.name
    copy.write_text(SCRIPT.read_text())  # beside node_modules, where imports are looked up
    person = server.ada()
    env = server.env | {"NODE_EXTRA_CA_CERTS": server["ca"], "PILLARBOX_USER": person.address}
    ran = subprocess.run([program, copy], env=env, capture_output=True, text=True, timeout=90)
    assert ran.returncode == 0, ran.stderr
    seen = json.loads(ran.stdout)
    scope = "openid email https://mail.google.com/"
    assert seen["email"] == seen["userinfo"] == seen["introspected"] == person.address
    assert seen["refreshed"] == seen["pushed"] == seen["device"] == scope
    assert seen["reuse"] == "invalid_grant", "a refresh token used twice"
    assert seen["revoked"] == [False, False] and seen["deviceToken"] is True
    assert seen["boundType"].lower() == seen["boundRefreshed"].lower() == "dpop"
    assert seen["boundUser"] == person.address and seen["boundConfirmed"] is True
    assert seen["boundAsBearer"] == 401 and seen["boundStolen"] == "invalid_grant"
    assert seen["denied"] == "access_denied"
    assert seen["hasty"] == ["authorization_pending", "slow_down", "tokens"]
    assert seen["waited"] >= 5_900, "5 seconds longer than before"
