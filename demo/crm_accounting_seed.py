"""The demo company's CRM and books: its customers, leads and products, and an invoice and payment for what was ordered.

Tryton's own code writes them, in a process of its own and before the server starts, for that is ten times as fast as
asking the server.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from demo.story import Story
from demo.tryton import make_database


def seed_crm_accounting(folder: Path, story: Story) -> bool:
    """Fill the database of a Tryton that doesn't run; return whether there was anything to do.

    Args:
        folder: the one that :func:`demo.tryton.start_tryton` will be given.
        story: what happened.

    Raises:
        RuntimeError: it can't be filled; then it is as it was.
    """
    done = folder / "seeded"
    if done.exists():
        return False
    file = make_database(folder)
    argv = [sys.executable, "-m", "demo.tryton_story", str(file), story.began_at.isoformat()]
    seeded = subprocess.run(argv, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    if seeded.returncode:
        msg = f"Tryton's database could not be filled:\n{seeded.stderr[-2000:]}"
        raise RuntimeError(msg)
    done.touch()
    return True
