"""The streams of a cloud storage, the same for every vendor (names after the API of S3)."""

from __future__ import annotations

from leat.sources.stream import Column, Stream
from leat.sources.subject import EMAIL, LOGIN, email_of, name_of

_BUCKET = Column("bucket", "string", "Name of the bucket; for WebDAV, the path of the folder.")
_KEY = Column("key", "string", "Name of the object in its bucket, folders included.")
_VERSION = Column("version_id", "string", "Version of the object; null where the bucket has no versioning.")
_ITS_VERSION = Column("version_id", "string", "The version; 'null' for one that was written while versioning was off.")
_PREFIX = Column("prefix", "string", "First folder of the key with its slash; empty at the top of the bucket.")
_OWNER_ID = Column("owner_id", "string", "Owner as the server names them, if it does.", True, LOGIN)
_OWNER_EMAIL = Column(
    "owner_email", "string", "Owner's mail address: what `owners` says, else the server's own.", True, EMAIL
)
_OWNER = Column(
    "owner", "string", "Owner's mail address, otherwise how the server names them; empty: any.", True, EMAIL
)
_CONTENT = (
    Column("etag", "string", "Tag of the content, without quotes; different content has a different tag."),
    Column("size", "integer", "Bytes."),
    Column(
        "last_modified",
        "timestamp",
        "When it was written, according to the server; on some servers programs can set it.",
    ),
    Column("storage_class", "string", "How it is stored, for example STANDARD or GLACIER."),
    _OWNER_ID,
    _OWNER_EMAIL,
)
_PRINCIPAL = Column(
    "principal", "string", "Who: an account, a user's ARN, a mail address; '*' for everybody.", True, LOGIN
)
_ORIGIN = Column("origin", "string", "What grants it: acl, or policy and the number of its statement.")
_PERMISSION = Column("permission", "string", "What: FULL_CONTROL, READ, WRITE, or an action such as s3:GetObject.")
_RESOURCE = Column("prefix", "string", "The prefix it applies to; empty for the whole bucket.")

BUCKETS = Stream(
    name="buckets",
    description="A bucket that the account can read.",
    columns=(
        _BUCKET,
        Column("created_at", "timestamp", "When it was created."),
        Column("region", "string", "Where it is, if the server reports it."),
        Column("versioning", "string", "enabled, suspended or off."),
        _OWNER_ID,
        Column("owner_name", "string", "Owner's name, if the server reports it.", True, name_of("owner_id")),
        Column("is_public", "boolean", "Whether an access list or a policy allows everybody."),
        Column("policy", "json", "The bucket's policy as written."),
    ),
    key=("bucket",),
    deletes="full_scan",
)
OBJECTS = Stream(
    name="objects",
    description="An object as it is now.",
    columns=(_BUCKET, _KEY, _PREFIX, _VERSION, *_CONTENT),
    key=("bucket", "key"),
    deletes="full_scan",
    quirks=("An object whose latest version is a delete marker is in delete_markers instead.",),
)
OBJECT_VERSIONS = Stream(
    name="object_versions",
    description="A version of an object, the latest included, in a bucket that has or had versioning.",
    columns=(_BUCKET, _KEY, _ITS_VERSION, Column("is_latest", "boolean", "Whether it is the latest."), *_CONTENT),
    key=("bucket", "key", "version_id"),
    deletes="full_scan",
)
DELETE_MARKERS = Stream(
    name="delete_markers",
    description="The deletion of an object in a bucket with versioning.",
    columns=(
        _BUCKET,
        _KEY,
        _ITS_VERSION,
        Column("is_latest", "boolean", "Whether the object is deleted now."),
        Column("last_modified", "timestamp", "When it was deleted."),
        _OWNER_ID,
    ),
    key=("bucket", "key", "version_id"),
    deletes="full_scan",
)
MULTIPART_UPLOADS = Stream(
    name="multipart_uploads",
    description="A multipart upload that is neither completed nor aborted; its parts are stored and cost money.",
    columns=(
        _BUCKET,
        _KEY,
        Column("upload_id", "string", "The upload."),
        Column("initiated_at", "timestamp", "When it began."),
        Column("storage_class", "string", "How it will be stored."),
        _OWNER_ID,
        Column("initiator_id", "string", "Who began it, according to the server.", personal=True, subject=LOGIN),
    ),
    key=("bucket", "key", "upload_id"),
    deletes="full_scan",
)
PERMISSIONS = Stream(
    name="permissions",
    description="What somebody may or may not do with a bucket, or with everything below a prefix of it.",
    columns=(
        _BUCKET,
        _PRINCIPAL,
        _PERMISSION,
        _ORIGIN,
        _RESOURCE,
        Column("effect", "string", "allow or deny."),
        Column("condition", "json", "The condition under which it applies, as the policy writes it."),
    ),
    key=("bucket", "principal", "permission", "origin", "prefix"),
    deletes="full_scan",
    quirks=("A bucket doesn't list grants on single objects, or permissions that an account has of its own.",),
)
SHARES = Stream(
    name="shares",
    description="A permission for somebody other than the owner: everybody, or another account.",
    columns=(
        _BUCKET,
        _RESOURCE,
        _PRINCIPAL,
        _PERMISSION,
        _ORIGIN,
        Column(
            "email",
            "string",
            "Mail address in the principal, lower case; null when it has none.",
            True,
            email_of("principal"),
        ),
        Column("is_public", "boolean", "Whether it is open to everybody."),
        Column("expires_at", "timestamp", "Until when it applies, if a condition says so."),
    ),
    key=("bucket", "prefix", "principal", "permission", "origin"),
    deletes="full_scan",
    quirks=("Presigned URLs aren't here, because no server can list them.",),
)
USAGE_DAILY = Stream(
    name="usage_daily",
    description="What was stored on a day: objects and bytes by bucket, first folder and owner.",
    columns=(
        _BUCKET,
        _PREFIX,
        _OWNER,
        Column("day", "date", "Day of the run (UTC)."),
        Column("objects", "integer", "Objects as they were in the last run of that day."),
        Column("bytes", "integer", "Their bytes."),
        Column("noncurrent_objects", "integer", "Older versions in the storage."),
        Column("noncurrent_bytes", "integer", "Their bytes."),
    ),
    key=("bucket", "prefix", "owner", "day"),
    deletes="never",
    quirks=("Each run of a day replaces the rows of that day; the rows of other days stay.",),
)
QUOTAS = Stream(
    name="quotas",
    description="How much the declaration allows to be stored, and how much is.",
    columns=(
        Column("bucket", "string", "Bucket that it is for; empty for all."),
        Column("prefix", "string", "First folder that it is for; empty for all."),
        _OWNER,
        Column("limit_bytes", "integer", "Allowed bytes."),
        Column("used_bytes", "integer", "Bytes that are stored, without older versions."),
        Column("used_objects", "integer", "Objects that are stored, without older versions."),
        Column("noncurrent_bytes", "integer", "Bytes of older versions; they don't count."),
        Column("is_over", "boolean", "Whether used_bytes exceeds limit_bytes."),
    ),
    key=("bucket", "prefix", "owner"),
    deletes="full_scan",
)
LIFECYCLE_RULES = Stream(
    name="lifecycle_rules",
    description="A rule by which the server deletes or moves objects of a bucket.",
    columns=(
        _BUCKET,
        Column("rule_id", "string", "Name of the rule; its number where it has none."),
        Column("status", "string", "Enabled or Disabled."),
        _RESOURCE,
        Column("expiration_days", "integer", "After how many days objects are deleted."),
        Column("noncurrent_days", "integer", "After how many days older versions are deleted."),
        Column("abort_multipart_days", "integer", "After how many days uploads in parts are aborted."),
        Column("rule", "json", "The whole rule."),
    ),
    key=("bucket", "rule_id"),
    deletes="full_scan",
)
BACKUP_RUNS = Stream(
    name="backup_runs",
    description="One run of a backup: the objects under one name, directly below the prefix that `backups` declares.",
    columns=(
        Column("backup", "string", "Name of the backup, as declared."),
        Column("run", "string", "What is directly below the prefix: a folder, or one object."),
        _BUCKET,
        Column("objects", "integer", "How many objects it has."),
        Column("bytes", "integer", "Their bytes."),
        Column("began_at", "timestamp", "When its first object was written."),
        Column("ended_at", "timestamp", "When its last object was written."),
    ),
    key=("backup", "run"),
    deletes="full_scan",
)
RESTORE_TESTS = Stream(
    name="restore_tests",
    description="The report of an attempt to restore a backup.",
    columns=(
        _BUCKET,
        _KEY,
        Column("backup", "string", "Name of the backup, according to the report."),
        Column("run", "string", "Which run was restored; null if the report doesn't say."),
        Column("tested_at", "timestamp", "When, according to the report."),
        Column("ok", "boolean", "Whether the backup could be restored."),
        Column("detail", "string", "The result in words."),
        Column("tested_by_email", "string", "Who did it, according to the report.", personal=True, subject=EMAIL),
    ),
    key=("bucket", "key"),
    deletes="full_scan",
    quirks=("A report is a JSON object with backup, tested_at (ISO 8601) and ok; others are quarantined.",),
)
STREAMS = (
    BUCKETS,
    OBJECTS,
    OBJECT_VERSIONS,
    DELETE_MARKERS,
    MULTIPART_UPLOADS,
    PERMISSIONS,
    SHARES,
    USAGE_DAILY,
    QUOTAS,
    LIFECYCLE_RULES,
    BACKUP_RUNS,
    RESTORE_TESTS,
)
