"""Profiles of a project, such as dev and prod: the same files, with other variables and another state folder."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from dotenv.main import DotEnv

from leat.pipelines.declare.diagnostics import meant

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")
_EXAMPLE = "example"  # .env.example is a template


class NoProfile(Exception):
    """``LEAT_PROFILE`` names a profile that the project doesn't have; the text says what to do next."""


_OF_FILE = "LEAT_VARIABLES_OF_FILE"
"""Variable with the names of those that come from the file, also for the processes that this one starts."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Where a project reads its variables and, unless ``LEAT_HOME`` says otherwise, has its state.

    Attributes:
        variables: the file of ``NAME=value`` lines; the default profile may lack it.
        state: the state folder.
    """

    variables: Path
    state: Path


def current_profile(folder: Path) -> Profile:
    """Return the profile of a project that ``LEAT_PROFILE`` names: ``.env.NAME``, and state in ``.leat/profiles/NAME``.

    Nothing is inherited from ``.env``, so that no profile writes into the warehouse of another by mistake.

    Raises:
        NoProfile: the project has no such file.
    """
    name = os.environ.get("LEAT_PROFILE")
    if not name:
        return Profile(folder / ".env", folder / ".leat")
    path = folder / f".env.{name}"
    if _NAME.fullmatch(name) and path.is_file():
        return Profile(path, folder / ".leat" / "profiles" / name)
    profiles = _profiles(folder)
    near = meant(name, profiles)
    step = "Next: write its variables into a file `.env.NAME`, or leave out --profile and LEAT_PROFILE"
    msg = f"there is no profile {name[:40]!r}{near}; profiles: {', '.join(profiles) or 'none'}. {step}"
    raise NoProfile(msg)


def has_profiles(folder: Path) -> bool:
    """Return whether a project has profiles, which share its files."""
    return bool(_profiles(folder))


def _profiles(folder: Path) -> list[str]:
    named = sorted(each.name.removeprefix(".env.") for each in folder.glob(".env.*"))
    return [each for each in named if each != _EXAMPLE and _NAME.fullmatch(each)]


def read_variables(folder: Path) -> None:
    """Set the variables of a project's profile as their file has them now; what is set elsewhere goes before.

    Raises:
        NoProfile: ``LEAT_PROFILE`` names a profile that isn't there.
    """
    of_file = set(os.environ.get(_OF_FILE, "").split())
    for name, value in DotEnv(current_profile(folder).variables, override=False).dict().items():
        if value is not None and (name not in os.environ or name in of_file):
            os.environ[name] = value
            of_file.add(name)
    os.environ[_OF_FILE] = " ".join(sorted(of_file))
