"""What a rate budget costs a request: as a file of one machine, and as a row of a control store on Postgres.

.venv/bin/python -m bench.budgets
"""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from leat.control.budgets import SharedBudgets
from leat.control.engine import open_control
from leat.sources.http.budget import Budget, open_budget, share_budgets
from leat.sources.http.headers import Quota
from leat.sources.http.request import Limits
from tests.kit.databases import NewDatabase
from tests.servers.postgres import start_postgres, stop_postgres

_REQUESTS = 500


def milliseconds(budget: Budget, quota: Quota) -> float:
    """Return the median time that a request spends with its budget, before and after it was sent."""
    times = []
    for _ in range(_REQUESTS):
        began = time.perf_counter()
        budget.take(60)
        budget.answered(quota, None)
        times.append(time.perf_counter() - began)
    return 1000 * median(times)


def main() -> None:
    """Print the times."""
    silent = Quota(None, None, None)
    reports = Quota(1_000_000, 900_000, datetime.now(UTC) + timedelta(minutes=10))
    cases = (("neither limit", Limits(), silent), ("limits.rate", Limits(rate=1e6), silent),
             ("the server reports its limit", Limits(), reports))  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="leat-budgets-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = start_postgres(folder / "postgres")
        try:
            engine = open_control(NewDatabase(server)())
            share_budgets(folder / "shared", lambda: SharedBudgets(engine))
            for what, limits, quota in cases:
                alone = milliseconds(open_budget(folder / "alone", what, "host", limits), quota)
                shared = milliseconds(open_budget(folder / "shared", what, "host", limits), quota)
                print(f"{what}: {alone:.2f} ms in a file, {shared:.2f} ms in Postgres")
            engine.dispose()
        finally:
            stop_postgres(server)


if __name__ == "__main__":
    main()
