"""Cloud storage: what is stored, who owns it, who may read it, what it costs, and whether backups can be restored.

A driver reads one kind of server (``s3``: AWS S3, MinIO, SeaweedFS and others; ``webdav``: any server of RFC 4918) into
the streams of :mod:`streams`. No server has a "since", so every run lists everything and compares it with the listing
of the last run, which is a file of sorted lines next to the cursor. leat compares version, etag and size, so it
notices an object that was put today with the date of last year like any other.

Rights: S3 ``s3:ListAllMyBuckets`` (not when the buckets are named), ``s3:ListBucket``, ``s3:ListBucketVersions``,
``s3:ListBucketMultipartUploads``, ``s3:GetBucketVersioning``, ``s3:GetBucketAcl``, ``s3:GetBucketPolicy``,
``s3:GetLifecycleConfiguration``, and ``s3:GetObject`` for reports of restore tests alone; WebDAV: reading.
"""
