"""Mail as a person sends it: templates, a mail, and addresses that leat learns to spare, on Dovecot."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.kit.command import Leat, differs, documented_json
from tests.kit.mail_transfer import ANN, BOB, PASSWORD, SHOP, Server, mail_server

WELCOME = """\
---
subject: Welcome, {{ name }}
description: The first mail to a customer.
example: {name: Ann}
---
<p>Dear {{ name }}, welcome.</p>
"""
BOUNCE = """\
From: MAILER-DAEMON@x.example
To: shop@x.example
Subject: Returned
Message-ID: <bounce@x.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

It came back.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; x.example

Final-Recipient: rfc822; {to}
Action: failed
Status: 5.1.1

--b
Content-Type: text/rfc822-headers

Message-ID: <{message_id}>

--b--
"""

COMPLAINT = """\
From: feedback@provider.example
To: shop@x.example
Subject: FW: Welcome
Message-ID: <{kind}-{message_id}>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: text/plain

This is an abuse report.
--b
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: Provider/1.0
Version: 1
{more}
--b
Content-Type: message/rfc822

From: shop@x.example
To: redacted
Message-ID: <{message_id}>

Hello.
--b--
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with mail_server(tmp_path / "mail") as server:
        yield server


def test_mail_is_sent_and_who_bounces_or_leaves_is_spared(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    (folder / "pipelines").mkdir(parents=True)
    (folder / "templates").mkdir()
    (folder / "templates" / "welcome.html").write_text(WELCOME, encoding="utf-8")
    connection = server.connection(witness={"address": SHOP}, signing_key={"env": "SIGNING_KEY"})
    declared = {"source": "email", "driver": "imap", "connection": connection}
    (folder / "pipelines" / "email.yaml").write_text(yaml.safe_dump(declared))
    leat = Leat(folder, {"MAIL_PASSWORD": PASSWORD, "SIGNING_KEY": "planted-signing-key-1234"})
    documented = documented_json()

    assert "may send: 127.0.0.1 takes mail; witness shop@x.example" in leat("check", "email").stdout
    assert "1 template can be filled" in leat("templates", "check").stdout
    assert differs(leat.json("templates"), documented["templates"]) == []
    (folder / "d.json").write_text('{"name": "<Bob>"}')
    shown = leat("templates", "preview", "welcome", "--data", "d.json", "--html", "out.html").stdout
    assert shown == "Subject: Welcome, <Bob>\n\nDear <Bob>, welcome.\n"
    assert "Dear &lt;Bob&gt;" in (folder / "out.html").read_text()

    def sent(to: str) -> str:
        data = json.dumps({"name": "Ann"})
        said = leat("act", "email.send", "-p", f"to={to}", "-p", "template=welcome", "-p", f"data={data}",
                    "-p", "bulk=true", "--yes", "--json")  # fmt: skip
        [action] = json.loads(said.stdout)["actions"]
        assert action["state"] == "confirmed", said
        return str(action["id"])

    bounced, left = sent(BOB), sent(ANN)
    [mail] = server.mails(ANN, f"{left}@x.example")
    text = mail.get_body(("plain",))
    assert text is not None
    [token] = re.findall(r"unsubscribe%20(\S+)", text.get_content())
    with server.signed_in(SHOP) as client:
        for each in (
            BOUNCE.format(to=BOB, message_id=f"{bounced}@x.example"),
            BOUNCE.format(to=ANN, message_id="of-somebody-else@x.example"),
            f"From: {ANN}\nSubject: Re: unsubscribe {token}\nMessage-ID: <u@x.example>\n\n.\n",
            f"From: {ANN}\nSubject: unsubscribe {token.replace('u0', 'u1')}\nMessage-ID: <v@x.example>\n\n.\n",
            COMPLAINT.format(kind="abuse", message_id=f"{left}@x.example", more=""),
            COMPLAINT.format(kind="not-spam", message_id=f"{bounced}@x.example", more=""),
            COMPLAINT.format(kind="abuse", message_id="of-somebody-else@x.example", more=f"Original-Rcpt-To: {BOB}"),
        ):
            client.append("INBOX", "", "", each.replace("\n", "\r\n").encode())  # type: ignore[arg-type]
    assert leat("run", "email").returncode == 0
    listed = leat.json("suppressions")
    assert [(each["address"], each["reason"]) for each in listed["suppressions"]] == [
        (ANN, "complaint"),
        (ANN, "opt_out"),
        (BOB, "bounce"),
    ]
    assert differs(listed, documented["suppressions"]) == []
    refused = leat("act", "email.send", "-p", f"to={BOB}", "-p", "subject=Hi", "-p", "text=Hi", "--yes")
    assert refused.returncode != 0
    assert "its mail comes back" in refused.stderr
    assert "may get mail again" in leat("suppressions", "remove", BOB).stdout
    assert leat("run", "email").returncode == 0
    assert [each["address"] for each in leat.json("suppressions")["suppressions"]] == [
        ANN,
        ANN,
    ]  # not for the same bounce
    assert "gets no mail" in leat("suppressions", "add", BOB, "--reason", "complaint").stdout
    assert "write a mail address" in leat("suppressions", "add", "bob").stderr
    assert "--reason is one of" in leat("suppressions", "add", BOB, "--reason", "dislike").stderr
