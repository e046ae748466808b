"""The API of `leat serve` in this process, behind its real front, without a socket."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient

from leat.runs.workspace import Workspace, open_workspace
from leat.security.principal import ROLES, local_principal
from leat.security.tokens import create_token
from leat.serve.app import create_app
from leat.serve.current import Current
from leat.serve.front import Front
from leat.serve.health import Health
from leat.serve.limits import Buckets
from leat.serve.metrics import Metrics

RULE = """/* ---
title: Nothing has a label
description: A label.
next_step: Remove it.
owner: shop
key: [id]
--- */
SELECT id, label FROM tally.fed WHERE _deleted_at IS NULL
"""
"""A rule that each row of tally.fed with a label violates."""


@dataclass
class InProcess:
    """The API with a token for each role.

    Attributes:
        workspace: the project.
        app: the application.
        front: the application with its front.
        client: sends requests.
        tokens: by role.
    """

    workspace: Workspace
    app: FastAPI
    front: Front
    client: TestClient
    tokens: dict[str, str] = field(default_factory=dict)

    def __call__(self, method: str, path: str, role: str = "admin", **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.tokens[role]}", **more.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **more)


@contextlib.contextmanager
def api_in_process(folder: Path) -> Iterator[InProcess]:
    """Open a project and give its API; nobody is made to wait for asking too often."""
    workspace = open_workspace(folder)
    app = create_app(Health(workspace), Current(workspace), Buckets(failures=1_000_000))

    async def no_hooks(*_: Any) -> None:
        raise AssertionError

    front = Front(app, no_hooks, frozenset({"127.0.0.1"}), Metrics())
    expires = datetime.now(UTC) + timedelta(days=1)
    tokens = {role: create_token(workspace.store, local_principal(), role, expires, role=role)[1] for role in ROLES}
    with TestClient(front, base_url="http://127.0.0.1") as client:
        yield InProcess(workspace, app, front, client, tokens)
    app.state.changes.close()
    workspace.close()
