"""A bucket whose objects change all the time, and the integration that lists it."""

from __future__ import annotations

import contextlib
import random
import time
from dataclasses import dataclass
from typing import Any

KEY, SECRET_KEY = "AKIABENCH", "not-a-secret-at-all"
NAME = "bucket"
DECLARATION = """\
source: cloud_storage
driver: s3
schedule: "* * * * *"
connection:
  url: {url}
  access_key: {key}
  secret_key: {{env: BENCH_S3_SECRET}}
  buckets: [fleet]
  timeout: 10
streams: {{objects: {{}}}}
"""
_BUCKET = "fleet"
_FOLDERS = 10


@dataclass
class Changing:
    """What changes the bucket.

    Attributes:
        url: of the store.
        changes: how many there were.
    """

    url: str
    changes: int = 0
    _client: Any = None

    def make(self) -> None:
        """Make the bucket, as soon as the store answers.

        Raises:
            TimeoutError: it doesn't within two minutes.
        """
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        quick = Config(connect_timeout=2, read_timeout=5, retries={"max_attempts": 1})
        self._client = boto3.client("s3", endpoint_url=self.url, aws_access_key_id=KEY, region_name="us-east-1",
                                    aws_secret_access_key=SECRET_KEY, config=quick)  # fmt: skip
        deadline = time.monotonic() + 120
        while True:
            try:
                self._client.create_bucket(Bucket=_BUCKET)
                self._client.put_object(Bucket=_BUCKET, Key="first", Body=b"1")
            except (BotoCoreError, ClientError):
                if time.monotonic() > deadline:
                    raise TimeoutError(self.url) from None
                time.sleep(0.5)
            else:
                return

    def change(self) -> None:
        """Write or delete an object; nothing happens while the store doesn't answer."""
        from botocore.exceptions import BotoCoreError, ClientError

        number = random.randrange(400)  # noqa: S311 - no secret
        key = f"{number % _FOLDERS:02}/item {number}"
        with contextlib.suppress(BotoCoreError, ClientError):
            if random.random() < 0.4:  # noqa: S311
                self._client.delete_object(Bucket=_BUCKET, Key=key)
            else:
                self._client.put_object(Bucket=_BUCKET, Key=key, Body=b"x" * random.randrange(1, 200))  # noqa: S311
            self.changes += 1

    def objects(self) -> set[tuple[str, int]] | None:
        """Return keys and sizes; None while the store doesn't answer."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=_BUCKET)
            return {(each["Key"], each["Size"]) for page in pages for each in page.get("Contents", ())}
        except (BotoCoreError, ClientError):
            return None
