"""What no server knows and the declaration says: owners of folders, quotas, where backups and their tests are."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _folder(text: str) -> str:
    if text and (not text.endswith("/") or text.startswith("/")):
        msg = "a folder ends with a slash and doesn't begin with one, for example finance/"
        raise ValueError(msg)
    return text


def _top(text: str) -> str:
    if text.count("/") > 1:
        msg = "usage is counted by first folder: name one, for example finance/"
        raise ValueError(msg)
    return text


Folder = Annotated[str, AfterValidator(_folder)]
TopFolder = Annotated[Folder, AfterValidator(_top)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Owner(_Part):
    """The owner of a folder; the deepest matching folder applies."""

    prefix: Folder = Field(description="Folder with its slash, for example finance/; empty for the whole bucket.")
    email: str = Field(description="The owner's mail address.")
    bucket: str | None = Field(default=None, description="Bucket; none for all.")


class Quota(_Part):
    """How much may be stored; anything not named is unlimited."""

    bytes: int = Field(ge=0, description="Allowed bytes; older versions don't count.")
    bucket: str = Field(default="", description="Bucket; empty for all together.")
    prefix: TopFolder = Field(default="", description="First folder with its slash; empty for all.")
    owner: str = Field(default="", description="Owner as in usage_daily; empty for all.")


class Backup(_Part):
    """Where the runs of a backup are written: each a folder, or an object, directly below the prefix."""

    name: str = Field(description="What it is called.")
    bucket: str = Field(description="Bucket.")
    prefix: Folder = Field(default="", description="Folder with its slash; empty for the whole bucket.")


class Reports(_Part):
    """Where reports of restore tests are written: JSON objects, one per test, with names that end in .json."""

    bucket: str = Field(description="Bucket.")
    prefix: Folder = Field(default="", description="Folder with its slash; empty for the whole bucket.")


class Declared(_Part):
    """All of it."""

    owners: tuple[Owner, ...] = ()
    quotas: tuple[Quota, ...] = ()
    backups: tuple[Backup, ...] = ()
    restore_tests: tuple[Reports, ...] = ()

    def owners_of(self, bucket: str) -> list[tuple[str, str]]:
        """Return folder and mail address for a bucket, the deepest folder last."""
        owners = {o.prefix: o.email.lower() for o in self.owners if o.bucket is None}
        owners |= {o.prefix: o.email.lower() for o in self.owners if o.bucket == bucket}
        return sorted(owners.items(), key=lambda pair: len(pair[0]))
