"""The systems of the demo company: starts and seeds each where necessary, and returns its variables."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from leat.demo.seed import calendar, sso
from leat.demo.seed import git as git_seed
from leat.demo.seed.crm_accounting import seed_crm_accounting
from leat.demo.seed.email import mail_accounts, seed_email
from leat.demo.seed.storage import seed_storage
from leat.demo.seed.stripe import seed_payments
from leat.demo.seed.support import seed_support
from leat.demo.servers.canaille import DATABASE, LOG, start_canaille
from leat.demo.servers.datasette_server import start_datasette, token_of
from leat.demo.servers.git_server import start_git_server
from leat.demo.servers.mail_devel import start_mail_devel
from leat.demo.servers.radicale import start_radicale
from leat.demo.servers.seaweedfs import start_seaweedfs
from leat.demo.site import DASHBOARD, Site
from leat.demo.stripe.front import start_stripe_front
from leat.demo.stripe.localstripe import start_localstripe
from leat.demo.stripe.webhooks import register_webhooks
from leat.demo.tryton.server import DATABASE as TRYTON
from leat.demo.tryton.server import start_tryton

OFFICE = "office"
"""The account that reads everything."""

ALERTED = "alerts@demo.example"
"""Where the alerts of the demo go; it is none of the accounts that are read, so alerts never become rows."""

Variables = Mapping[str, str]
"""Environment variables that a declaration names, and their values."""


def openers(checkout: Path, repositories: Sequence[str]) -> dict[str, Callable[[Site], Variables]]:
    """Return what opens each system, by the name that a person reads; what takes longest comes first."""
    return {
        "sign-in": open_sso,
        "customers and books": open_crm_accounting,
        "storage": open_storage,
        "payments": open_payments,
        "calendars": open_calendars,
        "git repositories": lambda site: open_repositories(site, checkout, repositories),
        "mail": open_email,
        "support desk": open_support,
    }


def open_calendars(site: Site) -> Variables:
    """Open Radicale, with a calendar of everybody's and one of the team's."""
    people = (OFFICE, *calendar.PEOPLE, *calendar.LEAVERS)
    users = dict.fromkeys(people, site.password)
    folder = site.folder / "radicale"
    server, _ = site.running("radicale", lambda port: start_radicale(folder, users, port))
    url = f"http://127.0.0.1:{server.port}/"
    calendar.seed_calendars(url, folder, users, site.story.began_at)
    return {
        "CALENDAR_URL": url,
        "CALENDAR_USERNAME": OFFICE,
        "CALENDAR_PASSWORD": site.password,
        "CALENDAR_STORAGE": str(folder / "collections" / "collection-root"),
    }


def open_email(site: Site) -> Variables:
    """Open mail-devel; it forgets its mail when it ends, so it is seeded whenever it was started.

    Alerts go there as well, to a mailbox that no declaration reads.
    """
    server, is_new = site.running(
        "mail", lambda port: start_mail_devel(site.folder / "mail", site.password, port, site.port("smtp"))
    )
    smtp = site.company.ports["smtp"]  # where it was started; asking for a port again would give another one
    if is_new:
        seed_email(server.port, site.password, site.story)
    return {
        "EMAIL_HOST": f"127.0.0.1:{server.port}",
        "EMAIL_SECURITY": "none",
        "EMAIL_ACCOUNTS": json.dumps(dict.fromkeys(mail_accounts(site.story), site.password)),
        "EMAIL_SMTP_HOST": f"127.0.0.1:{smtp}",
        "EMAIL_WITNESS_PASSWORD": site.password,
        "ALERTS_MAIL": f"mailto://127.0.0.1:{smtp}?from=leat@demo.example&to={ALERTED}",
    }


def open_repositories(site: Site, checkout: Path, others: Sequence[str]) -> Variables:
    """Open a git server with the shop, this project's own history, and other repositories."""
    root = site.folder / "repositories"
    root.mkdir(exist_ok=True)
    served = git_seed.seed_repositories(root, site.story.began_at, checkout, others)
    server, _ = site.running(
        "git", lambda port: start_git_server(site.folder / "git", root, port, OFFICE, site.password)
    )
    return {
        "VERSION_CONTROL_REPOSITORIES": " ".join(f"http://127.0.0.1:{server.port}/{each.name}" for each in served),
        "VERSION_CONTROL_USERNAME": OFFICE,
        "VERSION_CONTROL_PASSWORD": site.password,
    }


def open_payments(site: Site) -> Variables:
    """Open localstripe, and before it the fake that adds what it lacks."""
    key = f"sk_test_{site.password}"
    behind, _ = site.running("localstripe", lambda port: start_localstripe(site.folder / "localstripe", port))
    address = f"http://127.0.0.1:{behind.port}"
    front, _ = site.running("stripe_front", lambda port: start_stripe_front(site.folder / "stripe", key, address, port))
    url = f"http://127.0.0.1:{front.port}"
    seed_payments(url, key, site.story)
    secret = f"whsec_{site.password}"
    register_webhooks(url, key, f"{dashboard_url(site)}/hooks/payments", secret)
    return {"PAYMENTS_URL": url, "PAYMENTS_API_KEY": key, "PAYMENTS_HOOK_SECRET": secret}


def open_storage(site: Site) -> Variables:
    """Open SeaweedFS, with two buckets."""
    keys = {OFFICE: (OFFICE, site.password)}
    server, _ = site.running("seaweedfs", lambda port: start_seaweedfs(site.folder / "seaweedfs", keys, port))
    url = f"http://127.0.0.1:{server.port}"
    seed_storage(url, *keys[OFFICE], site.story)
    return {
        "CLOUD_STORAGE_URL": url,
        "CLOUD_STORAGE_ACCESS_KEY": OFFICE,
        "CLOUD_STORAGE_SECRET_KEY": site.password,
    }


def open_crm_accounting(site: Site) -> Variables:
    """Open Tryton; its database is filled before it starts."""
    folder = site.folder / "tryton"
    seed_crm_accounting(folder, site.story)
    server, _ = site.running("tryton", lambda port: start_tryton(folder, [site.password], port))
    return {"CRM_ACCOUNTING_URL": f"http://127.0.0.1:{server.port}/{TRYTON}/", "CRM_ACCOUNTING_KEY": site.password}


def open_support(site: Site) -> Variables:
    """Open Datasette with the support desk, which represents any REST API."""
    folder = site.folder / "datasette"
    folder.mkdir(mode=0o700, exist_ok=True)
    database = folder / "support.db"
    seed_support(database, site.story)
    server, _ = site.running("datasette", lambda port: start_datasette(folder, database, port, site.password))
    return {"SUPPORT_URL": f"http://127.0.0.1:{server.port}/", "SUPPORT_TOKEN": token_of(site.password)}


def open_sso(site: Site) -> Variables:
    """Open Canaille, with everybody's account and who has signed in."""
    folder = site.folder / "canaille"
    accounts = sso.accounts_of(site.story, site.password, site.sign_in_password, dashboard_url(site))
    server, _ = site.running("canaille", lambda port: start_canaille(folder, accounts, port))
    url = f"http://127.0.0.1:{server.port}"
    sso.seed_sso(url, folder, site.story, site.password, site.sign_in_password)
    return {
        "SSO_URL": f"{url}/scim/v2",
        "SSO_TOKEN_URL": f"{url}/oauth/token",
        "SSO_CLIENT_ID": sso.READER,
        "SSO_CLIENT_SECRET": site.password,
        "SSO_LOG": str(folder / LOG),
        "SSO_DATABASE": f"sqlite:///{folder / DATABASE}",
        "SSO_REVOCATION_URL": f"{url}/oauth/revoke",
        "SSO_OFFICE_SECRET": site.password,
        "SSO_ISSUER": url,
        "SSO_DASHBOARD_SECRET": site.password,
    }


def dashboard_url(site: Site) -> str:
    """Return the address of the dashboard, which is started after the systems."""
    return f"http://127.0.0.1:{site.company.ports[DASHBOARD]}"
