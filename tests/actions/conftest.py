"""What the tests of actions share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.acting import Acting, Desk, desk_server
from tests.kit.sender import be_impatient


@pytest.fixture
def desk() -> Iterator[Desk]:
    with desk_server() as desk:
        yield desk


@pytest.fixture(params=["sqlite", "postgres"])
def acting(request: pytest.FixtureRequest, tmp_path: Path, desk: Desk) -> Acting:
    url = f"sqlite:///{tmp_path / '.leat' / 'control.db'}"
    if request.param == "postgres":
        url = str(request.getfixturevalue("postgres_url"))
    acting = Acting(tmp_path, url)
    acting.declare(desk)
    return acting


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again soon."""
    from leat.actions import steps

    for name in ("RETRY", "ATTEMPTS"):
        monkeypatch.setattr(steps, name, getattr(steps, name))  # so that they are put back
    be_impatient()
