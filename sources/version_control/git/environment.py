"""The environment of a git command: fixed, with nothing of the user's or the machine's configuration.

Credentials travel in the environment of the one command that needs them, as configuration (``GIT_CONFIG_COUNT``,
git-config(1)); they are never on a command line and never in a file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

PROTOCOLS = ("http", "https", "ssh", "file")
_PASSED_ON = re.compile(
    r"PATH|HOME|USER|LOGNAME|TMPDIR|SSH_AUTH_SOCK|SSL_CERT_(FILE|DIR)|GIT_SSH(_COMMAND)?|GIT_SSL_CA(INFO|PATH)"
    r"|(https?|no|all)_proxy",
    re.IGNORECASE,
)
_CONFIG = {
    "core.quotePath": "false",
    "core.hooksPath": os.devnull,
    "core.attributesFile": os.devnull,
    "core.autocrlf": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "fetch.unpackLimit": "1",
    "fetch.recurseSubmodules": "false",
    "http.followRedirects": "false",
    "http.sslVerify": "true",
    "http.sslVersion": "tlsv1.2",  # or newer
    "i18n.logOutputEncoding": "UTF-8",
    "log.showSignature": "false",
    "protocol.version": "2",
}


def environment(folder: Path | None, config: Mapping[str, str], env: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of a command.

    Args:
        folder: the repository's folder; None outside of one.
        config: configuration in addition to leat's own.
        env: variables in addition.
    """
    fixed = {name: value for name, value in os.environ.items() if _PASSED_ON.fullmatch(name)}
    fixed |= {
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_ALLOW_PROTOCOL": ":".join(PROTOCOLS),
        "GIT_OPTIONAL_LOCKS": "0",
    }
    if folder is not None:
        fixed["GIT_DIR"] = str(folder)
    whole = {**_CONFIG, **config}
    fixed["GIT_CONFIG_COUNT"] = str(len(whole))
    for i, (key, value) in enumerate(whole.items()):
        fixed[f"GIT_CONFIG_KEY_{i}"], fixed[f"GIT_CONFIG_VALUE_{i}"] = key, value
    return {**fixed, **env}
