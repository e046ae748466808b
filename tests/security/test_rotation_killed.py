"""Keys are rotated under load while processes are killed at random: nothing is lost, and old keys are refused.

``python -m bench.keys_rotation --kills 50`` kills more.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.planted import leaks
from tests.kit.rotating import aftermath, storming


@pytest.mark.parametrize(("engine", "seed"), [("sqlite", 1), ("postgres", 2)])
def test_rotation_survives_kills(tmp_path: Path, request: pytest.FixtureRequest, engine: str, seed: int) -> None:
    variables = {"LEAT_CONTROL": request.getfixturevalue("postgres_url")} if engine == "postgres" else {}
    with storming(tmp_path, 6, seed, **variables) as storm:
        assert aftermath(storm) == []
        assert {"run", "query", "check_secrets"} == storm.done.keys()
        assert leaks(tmp_path, storm.values.values()) == []
