"""Variables of a project's ``.env``: read again when they change, and after those of the environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from leat.pipelines.declare.profile import read_variables


def test_the_file_is_read_again_and_the_environment_goes_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LEAT_PROFILE", "SHOP_LATE", "SHOP_KEY"):
        monkeypatch.setenv(name, "")  # so that it is as before after the test
        monkeypatch.delenv(name)
    monkeypatch.setenv("LEAT_VARIABLES_OF_FILE", "")
    monkeypatch.setenv("SHOP_SET", "by the environment")
    read_variables(tmp_path)
    (tmp_path / ".env").write_text("SHOP_KEY=wrong\nSHOP_SET=by the file\nSHOP_EMPTY\n")
    read_variables(tmp_path)
    assert (os.environ["SHOP_KEY"], os.environ["SHOP_SET"]) == ("wrong", "by the environment")
    (tmp_path / ".env").write_text("SHOP_KEY=right\nSHOP_LATE='of later'\nSHOP_SET=by the file\n")
    read_variables(tmp_path)
    assert (os.environ["SHOP_KEY"], os.environ["SHOP_LATE"]) == ("right", "of later")
    assert os.environ["SHOP_SET"] == "by the environment"
    (tmp_path / ".env").write_text("SHOP_KEY=newest\n")
    code = "import os, sys; from pathlib import Path; from leat.pipelines.declare.profile import read_variables\n"
    code += "read_variables(Path(sys.argv[1])); print(os.environ['SHOP_KEY'])"
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout == "newest\n", "a process that this one starts knows which variables come from the file"
