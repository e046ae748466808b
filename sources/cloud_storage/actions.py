"""What can be done in a cloud storage: put, copy, move, delete and restore objects, share them.

The words are those of the API of S3 (https://docs.aws.amazon.com/AmazonS3/latest/API/). An object is replaced or
deleted only while its ETag is the planned one, and created only while there is none. The server judges that by
``If-Match`` and ``If-None-Match`` (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html).
leat looks at the object just before as well: some servers ignore conditions on a copy.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from leat.sources.actions import Parameters, Verb
from leat.sources.cloud_storage.declared import Folder
from leat.sources.http.address import moves

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")
_LONGEST_KEY = 1024
MOST_BYTES = 64 * 2**20
"""Size of an object that leat writes, at most: the outbox holds its bytes until they are sent."""


def _bucket(name: str) -> str:
    if not _BUCKET.fullmatch(name):
        msg = "a bucket's name has 2 to 63 letters, digits, dots, dashes and underscores"
        raise ValueError(msg)
    return name


def _key(key: str) -> str:
    if not key or len(key.encode()) > _LONGEST_KEY:
        msg = f"a key has 1 to {_LONGEST_KEY} bytes"
        raise ValueError(msg)
    if any(ord(char) < 32 or ord(char) == 127 for char in key):
        msg = "a key can't hold control characters"
        raise ValueError(msg)
    if key.startswith("/") or any(not part or moves(part) for part in key.removesuffix("/").split("/")):
        msg = "a key can't begin with a slash, and none of its parts may be empty, . or .."
        raise ValueError(msg)
    if key.endswith("/"):
        msg = "it names a folder: write the key of an object"
        raise ValueError(msg)
    return key


def _etag(etag: str) -> str:
    return etag.strip('"')


BucketName = Annotated[str, AfterValidator(_bucket)]
Key = Annotated[str, AfterValidator(_key)]
Etag = Annotated[str, AfterValidator(_etag)]
Policy = Annotated[dict[str, Any] | None, BeforeValidator(lambda value: None if value == "null" else value)]
RUN = re.compile(r"\d{8}T\d{6}Z-[0-9a-z]{8}")
"""How leat calls a run of a backup: when it was planned, and the beginning of the action's id."""


def _run(name: str) -> str:
    if not RUN.fullmatch(name):
        msg = "leat only knows what to do with its own runs, such as 20261129T141500Z-0f3k2p9s"
        raise ValueError(msg)
    return name


RunName = Annotated[str, AfterValidator(_run)]

_BUCKET_HELP = "Bucket; not needed if leat reads only one."
_ETAG_HELP = "Only if the object has this ETag: what somebody has changed since is left as it is."


class Put(Parameters):
    """What is written, and where."""

    bucket: BucketName | None = Field(default=None, description=_BUCKET_HELP)
    key: Key = Field(description="Key of the object, folders included.")
    file: str | None = Field(default=None, description="A file in the project folder whose content is written.")
    text: str | None = Field(default=None, description="Text to write, in UTF-8.")
    body: str | None = Field(default=None, description="Bytes to write, in Base64, as another action returns them.")
    content_type: str | None = Field(
        default=None,
        pattern=r"^[\w.+-]+/[\w.+-]+(; ?[\w-]+=[\w.-]+)*$",
        description="Media type, for example application/pdf; default: by the end of the key.",
    )
    replace: bool = Field(default=False, description="Whether an object that is there may be replaced.")
    etag: Etag | None = Field(default=None, description=_ETAG_HELP)

    @model_validator(mode="after")
    def _one_content(self) -> Self:
        if sum(each is not None for each in (self.file, self.text, self.body)) != 1:
            msg = "give exactly one of file, text and body"
            raise ValueError(msg)
        if self.body is not None:
            try:
                base64.b64decode(self.body, validate=True)
            except binascii.Error:
                msg = "body isn't Base64"
                raise ValueError(msg) from None
        return self


class Copy(Parameters):
    """What is copied, or moved, and where to."""

    bucket: BucketName | None = Field(default=None, description=_BUCKET_HELP)
    key: Key = Field(description="Key of the object.")
    to_key: Key = Field(description="Its key at the new place.")
    to_bucket: BucketName | None = Field(default=None, description="Bucket of the new place; default: the same.")
    replace: bool = Field(default=False, description="Whether an object at the new place may be replaced.")
    etag: Etag | None = Field(default=None, description=_ETAG_HELP)


class Delete(Parameters):
    """What is deleted."""

    bucket: BucketName | None = Field(default=None, description=_BUCKET_HELP)
    key: Key = Field(description="Key of the object.")
    etag: Etag | None = Field(default=None, description=_ETAG_HELP)


class RestoreVersion(Parameters):
    """Which version becomes the latest one."""

    bucket: BucketName | None = Field(default=None, description=_BUCKET_HELP)
    key: Key = Field(description="Key of the object.")
    version_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=1024,
        description="The version, as in object_versions; default: the one before the present state.",
    )
    etag: Etag | None = Field(default=None, description=_ETAG_HELP)


class Share(Parameters):
    """What is shared, and for how long."""

    bucket: BucketName | None = Field(default=None, description=_BUCKET_HELP)
    key: Key = Field(description="Key of the object.")
    hours: int = Field(default=24, ge=1, le=168, description="For how many hours the link works; 168 are 7 days.")


class Unshare(Parameters):
    """Which access of others ends."""

    bucket: BucketName | None = Field(default=None, description=_BUCKET_HELP)
    principal: str = Field(min_length=1, max_length=500, description="Who, as in shares; '*' for everybody.")
    prefix: str = Field(default="", max_length=_LONGEST_KEY, description="The prefix, as in shares.")


class SetPolicy(Parameters):
    """What a bucket's policy says."""

    bucket: BucketName | None = Field(default=None, description=_BUCKET_HELP)
    policy: Policy = Field(description="The whole policy as JSON; null for none.")


class Backup(Parameters):
    """What is backed up, and as which backup."""

    backup: str = Field(min_length=1, max_length=100, description="Name of the backup, as connection.backups has it.")
    bucket: BucketName | None = Field(default=None, description="Bucket that is backed up; not needed if only one.")
    prefix: Folder = Field(default="", description="Folder with its slash that is backed up; empty for the bucket.")


class _Run(Parameters):
    backup: str = Field(min_length=1, max_length=100, description="Name of the backup, as connection.backups has it.")


class RestoreTest(_Run):
    """Which run of a backup is restored for a test."""

    run: RunName | None = Field(default=None, description="The run, as in backup_runs; default: the latest complete.")
    to_bucket: BucketName | None = Field(default=None, description="Bucket to restore into; default: the backup's.")
    to_prefix: Folder = Field(
        default="restore-scratch/", min_length=2, description="Folder to restore into; it is empty again afterwards."
    )


class DeleteBackup(_Run):
    """Which run of a backup is deleted."""

    run: RunName = Field(description="The run, as in backup_runs.")


class PruneBackups(_Run):
    """Which runs of a backup are deleted."""

    older_than_days: int = Field(ge=1, le=36_500, description="Runs that began more days ago are deleted.")


VERBS = (
    Verb(
        "put",
        "Upload an object.",
        Put,
        "guarded",
        "s3:PutObject and s3:GetObject on the key, s3:GetBucketVersioning on the bucket",
        "by `delete` if it was new; by `restore_version` if it replaced something in a bucket with versioning",
    ),
    Verb(
        "copy",
        "Copy an object within the storage, with its metadata and media type.",
        Copy,
        "guarded",
        "s3:GetObject on the object, s3:PutObject and s3:GetObject on the new key",
        "by `delete` if the copy was new; by `restore_version` if it replaced something in a bucket with versioning",
    ),
    Verb(
        "move",
        "Move an object within the storage: copy it, then delete it at the old place.",
        Copy,
        "guarded",
        "s3:GetObject and s3:DeleteObject on the object, s3:PutObject and s3:GetObject on the new key",
        "by `move`, back to the old place, unless it replaced something",
    ),
    Verb(
        "delete",
        "Delete an object; a bucket with versioning still has its versions.",
        Delete,
        "natural",
        "s3:DeleteObject and s3:GetObject on the key, s3:GetBucketVersioning on the bucket",
        "by `restore_version` in a bucket with versioning; otherwise not at all",
    ),
    Verb(
        "restore_version",
        "Make an earlier version of an object the latest one, even if the object was deleted.",
        RestoreVersion,
        "guarded",
        "s3:ListBucketVersions on the bucket, s3:GetObjectVersion, s3:GetObject and s3:PutObject on the key",
        "by `restore_version`, or by `delete` if there was no object",
    ),
    Verb(
        "share",
        "Make a link with which anybody can read an object for some hours; it is shown once and stored nowhere.",
        Share,
        "natural",
        "s3:GetObject on the key",
        "not at all: the link ends by itself, or when the object is moved or the access key is replaced",
    ),
    Verb(
        "unshare",
        "Remove a principal from a bucket's policy, so that it no longer has access.",
        Unshare,
        "natural",
        "s3:GetBucketPolicy, s3:PutBucketPolicy and s3:DeleteBucketPolicy on the bucket",
        "by `set_policy`, with the policy as it was",
    ),
    Verb(
        "set_policy",
        "Set the policy of a bucket, or delete it.",
        SetPolicy,
        "natural",
        "s3:GetBucketPolicy, s3:PutBucketPolicy and s3:DeleteBucketPolicy on the bucket",
        "by `set_policy`, with the policy as it was",
    ),
    Verb(
        "backup",
        "Copy the objects of a folder into a new run of a backup, with the SHA-256 of each; the manifest comes last.",
        Backup,
        "guarded",
        "s3:ListBucket and s3:GetObject on what is backed up; these and s3:PutObject on the backup",
        "by `delete_backup`",
    ),
    Verb(
        "restore_test",
        "Restore a run of a backup into a scratch folder, compare every hash, and write the report.",
        RestoreTest,
        "guarded",
        "s3:ListBucket and s3:GetObject on the backup; these, s3:PutObject, s3:DeleteObject and "
        "s3:DeleteObjectVersion on the scratch folder; s3:PutObject and s3:GetObject on the reports",
        "by `delete` of the report",
    ),
    Verb(
        "delete_backup",
        "Delete a run of a backup that leat has made.",
        DeleteBackup,
        "natural",
        "s3:ListBucket, s3:GetObject and s3:DeleteObject on the backup",
        "not at all, except object by object with `restore_version` in a bucket with versioning",
    ),
    Verb(
        "prune_backups",
        "Delete the runs of a backup that are older than a number of days; the latest complete run always stays.",
        PruneBackups,
        "natural",
        "s3:ListBucket, s3:GetObject and s3:DeleteObject on the backup",
        "not at all, except object by object with `restore_version` in a bucket with versioning",
    ),
)
