"""imapflow and nodemailer, from npm."""
import json
import os
import subprocess

import pytest

from conftest import NODE_MODULES, ROOT, message

SCRIPTS = ROOT / "tests" / "clients" / "node"


@pytest.fixture
def node(tool, tmp_path):
    program = tool("node")
    if not (NODE_MODULES / "imapflow").exists():
        pytest.skip("the Node packages are not installed; ./check installs them")
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)

    def start(script, server, **values):
        copy = tmp_path / script
        copy.write_text((SCRIPTS / script).read_text())  # beside node_modules, where imports are looked up
        env = server.env | {"NODE_EXTRA_CA_CERTS": server["ca"], "PATH": os.environ["PATH"]} | {k: str(v) for k, v in values.items()}
        return subprocess.Popen([program, copy], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return start


FAILURES = {
    "XOAUTH2": {"status": "400", "schemes": "Bearer", "scope": "https://mail.google.com/"},
    "OAUTHBEARER": {"status": "invalid_token", "scope": "https://mail.google.com/"},
}


@pytest.mark.parametrize("mechanism", FAILURES)
def test_imapflow(own_server, node, tmp_path, mechanism):
    server = own_server(env={"PILLARBOX_SIGN_IN_IMAP_MECHANISMS": mechanism})
    person = server.ada()
    data = message(person.address, person.address, "For imapflow")
    (tmp_path / "message.eml").write_bytes(data)
    child = node("imapflow.mjs", server, TEST_USER=person.address, TEST_TOKEN=person.token(), TEST_MESSAGE=tmp_path / "message.eml",
                 TEST_SECOND_TOKEN=person.token("--lifetime", "3h"))
    try:
        assert child.stdout.readline() == "idling\n", child.stderr.read()
        person.deliver(message("a@b.test", person.address, "Second"))
        assert child.stdout.readline() == "exists\n", child.stderr.read()
        server.run("clock", "advance", "1h")
        out, err = child.communicate(timeout=40)
    finally:
        child.kill()
    seen = json.loads(out)
    assert seen["refused"]["authenticationFailed"] is True
    assert FAILURES[mechanism].items() <= seen["refused"]["oauthError"].items()
    assert seen["gmail"] and seen["subject"] == "For imapflow" and "\\Seen" in seen["flags"] and seen["same"]
    assert seen["labels"] == ["Later"] and len(seen["search"]) == 1 and seen["moved"] == "[Gmail]/Trash"
    assert {"\\All", "\\Drafts", "\\Sent", "\\Junk", "\\Trash", "\\Flagged"} <= set(seen["special"])
    assert seen["exists"] == 1 and seen["reconnected"] == 1


def test_nodemailer(server, node):
    ada, bob = server.ada(), server.person("bob")
    child = node("nodemailer.mjs", server, TEST_USER=ada.address, TEST_TO=bob.address, TEST_TOKEN=ada.token(),
                 TEST_REFRESH_TOKEN=server["refresh_token"])
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    seen = json.loads(out)
    assert seen["accepted"] == [[bob.address]] * 3
    assert seen["refused"] == {"code": "EAUTH", "responseCode": 535}
    box = bob.imap()
    assert box.select("INBOX")[1] == [b"3"]
