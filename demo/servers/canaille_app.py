"""Serves Canaille from a folder: ``python -m leat.demo.servers.canaille_app FOLDER PORT``.

One process creates what ``accounts.json`` names, in Canaille's own models, and serves the application by Hypercorn, as
``canaille run`` does; that command would load Canaille twice.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from leat.demo.servers.canaille import DATABASE, LOG

_FORMAT = "[%(asctime)s] - %(ip)s - %(levelname)s in %(module)s: %(message)s"
"""Canaille's own (``canaille.app.logging``)."""
_FAST_HASH = {"pbkdf2_sha512__rounds": 1000}
_TIMES = ("created", "last_modified", "issue_date", "revokation_date", "lock_date", "client_id_issued_at")
_ADDRESSES = ("client_uri", "redirect_uris", "post_logout_redirect_uris")
_KEYS = {"client": "client_id", "user": "user_name", "group": "display_name"}


def configuration(folder: Path) -> dict[str, Any]:
    """Return Canaille's configuration for a folder."""
    handler = {"class": "logging.FileHandler", "filename": str(folder / LOG), "formatter": "own", "encoding": "utf-8"}
    return {
        "SECRET_KEY": (folder / "key").read_text(encoding="utf-8"),
        "PREFERRED_URL_SCHEME": "http",
        "SESSION_COOKIE_SECURE": False,
        "CANAILLE": {
            "DATABASE": "sql",
            "SMTP": None,
            "JAVASCRIPT": False,
            "LOGGING": {
                "version": 1,
                "formatters": {"own": {"format": _FORMAT}},
                "handlers": {"file": handler},
                "root": {"level": "INFO", "handlers": ["file"]},
                "disable_existing_loggers": False,
            },
        },
        "CANAILLE_SQL": {"DATABASE_URI": f"sqlite:///{folder / DATABASE}", "PASSWORD_HASH_PARAMS": _FAST_HASH},
        "CANAILLE_OIDC": {"REQUIRE_NONCE": False},
        "CANAILLE_SCIM": {"ENABLE_SERVER": True},
    }


def create_accounts(accounts: Mapping[str, list[dict[str, Any]]]) -> None:
    """Create what isn't there yet; clients and users first, for the others name them.

    A client that is there gets its addresses again: its application may be on another port now.
    """
    from canaille.app import models  # type: ignore[import-untyped]
    from canaille.backends import Backend  # type: ignore[import-untyped]

    backend = Backend.instance
    for kind in ("client", "user", "group", "token", "consent"):
        model, key = getattr(models, kind.title()), _KEYS.get(kind, f"{kind}_id")
        for values in accounts[f"{kind}s"]:
            there = backend.get(model, **{key: values[key]})
            if there is not None:
                addresses = {name: values[name] for name in _ADDRESSES if name in values}
                if any(getattr(there, name) != value for name, value in addresses.items()):
                    backend.update(there, **addresses)
                    backend.save(there)
                continue
            for name, value in values.items():
                if name in _TIMES and value is not None:
                    values[name] = datetime.fromisoformat(value)
            audience = values.pop("audience", ())  # may name the client itself
            if kind == "group":
                values["members"] = [backend.get(models.User, user_name=name) for name in values["members"]]
            if kind in ("token", "consent"):
                values["client"] = backend.get(models.Client, client_id=values["client"])
                values["subject"] = backend.get(models.User, user_name=values["subject"])
            made = model(**values)
            backend.save(made)
            if audience:
                made.audience = [backend.get(models.Client, client_id=name) for name in audience]
                backend.save(made)


def main(folder: Path, port: int) -> None:
    """Create the accounts and serve until the process is ended."""
    import canaille  # type: ignore[import-untyped]
    from asgiref.wsgi import WsgiToAsgi
    from canaille.backends import Backend
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    app = canaille.create_app(config=configuration(folder), init_backend=True)
    accounts = json.loads((folder / "accounts.json").read_text(encoding="utf-8"))
    with app.app_context(), Backend.instance.session():
        create_accounts(accounts)
    wrapped: Any = WsgiToAsgi(app)  # type: ignore[no-untyped-call]
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    asyncio.run(serve(wrapped, config))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
