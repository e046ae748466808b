"""Run every benchmark, one after the other: ``python -m bench``."""

from __future__ import annotations

import subprocess
import sys

for module in (
    "apply_rows",
    "small_load",
    "encryption",
    "nothing_new",
    "git_numstat",
    "git_refs",
    "s3_listing",
    "imap_messages",
    "rest_json",
    "models_and_rules",
    "incremental_models",
    "webhooks",
    "latency",
    "one_row",
    "pages",
    "actions",
    "role_files",
):
    print(f"\n== {module}", flush=True)
    subprocess.run([sys.executable, "-m", f"bench.{module}"], check=True)
