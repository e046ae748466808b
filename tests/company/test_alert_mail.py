"""The demo's alerts: they get to its mail server, and never into a mailbox that is read."""

from __future__ import annotations

import json
from pathlib import Path

from imapclient import IMAPClient

from leat.demo.site import open_site
from leat.demo.systems import ALERTED, open_email
from leat.quality.alerts.delivery import deliver
from leat.quality.alerts.text import Text


def test_alerts_of_the_demo_arrive_where_no_declaration_reads(tmp_path: Path) -> None:
    site = open_site(tmp_path)
    try:
        variables = open_email(site)
        assert dict(open_email(site)) == dict(variables), "a second start finds the server where it was"
        text = Text("leat: 1 new violation (charge_without_invoice)", "text\n", "warn")
        deliver(variables["ALERTS_MAIL"], text, "1", "mail")
        accounts = json.loads(variables["EMAIL_ACCOUNTS"])
        assert ALERTED not in accounts
        counts = {}
        for account in (ALERTED, *accounts):
            with IMAPClient("127.0.0.1", site.company.ports["mail"], ssl=False) as client:
                client.login(account, site.password)
                client.select_folder("INBOX", readonly=True)
                counts[account] = len(client.search(["SUBJECT", "leat"]))
        assert {account for account, count in counts.items() if count} == {ALERTED}
    finally:
        assert list(site.stop()) == ["mail"]
