"""Who is suspended in the middle of sending hears of their own account, not of the recipient's."""
import smtplib

import pytest

from conftest import message


@pytest.mark.parametrize("to", ["ada@example.test", None], ids=["somebody", "oneself"])
def test_within_data(server, to):
    person = server.person("sender")
    smtp = smtplib.SMTP_SSL("localhost", server.port("smtps"), context=server.tls())
    smtp.login(person.address, person.app_password)
    smtp.mail(person.address)
    assert smtp.rcpt(to or person.address)[0] == 250
    assert smtp.docmd("DATA")[0] == 354
    server.run("account", "suspend", person.address)
    smtp.send(message(person.address, to or person.address, "too late") + b".\r\n")
    code, text = smtp.getreply()
    smtp.close()
    assert code == 550 and text.startswith(b"5.7.1 Your account is disabled."), (code, text)
