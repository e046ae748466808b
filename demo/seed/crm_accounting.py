"""The demo company's CRM and books: its customers, leads and products, and an invoice and payment for what was ordered.

Tryton's own code writes them, in a process of its own and before the server starts, for that is ten times as fast as
asking the server.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from leat.demo.story import Story
from leat.demo.tryton.server import make_database


def seed_crm_accounting(folder: Path, story: Story) -> bool:
    """Fill the database of a Tryton that doesn't run; return whether there was anything to do.

    Args:
        folder: the one that :func:`leat.demo.tryton.server.start_tryton` will be given.
        story: what happened.

    Raises:
        RuntimeError: it can't be filled; then it is as it was.
    """
    done = folder / "seeded"
    if done.exists():
        return False
    file = make_database(folder)
    argv = [sys.executable, "-m", "leat.demo.tryton.write_story", str(file), story.began_at.isoformat()]
    seeded = subprocess.run(argv, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False)
    if seeded.returncode:
        msg = f"Tryton's database could not be filled:\n{seeded.stderr[-2000:]}"
        raise RuntimeError(msg)
    done.touch()
    return True
