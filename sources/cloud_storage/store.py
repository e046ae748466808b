"""Listings of the run before: a sorted file for each bucket, in files that the cursor names by their digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from leat.sources.batch import to_json
from leat.sources.cloud_storage.sorted_lines import Listing
from leat.sources.driver import Sync
from leat.sources.sidecar import Sidecar, open_sidecar

_KINDS = ("lines", "json")
"""The listing, and its summary."""
FORMAT = 1
"""Raised when the cursor or the lines change their meaning; older ones are then read as none."""


@dataclass(frozen=True, slots=True)
class Store:
    """What the last run saw.

    Attributes:
        sidecar: the files.
        about: what the listings depend on: address, buckets, declaration.
        before: the cursor if it fits this connection and these streams, else empty.
    """

    sidecar: Sidecar
    about: str
    before: Mapping[str, Any]

    def listing(self, bucket: str) -> Listing | None:
        """Return the listing of the last run; None if there was none or its file is gone."""
        digest, count = (self.before.get("listings") or {}).get(bucket) or ("", 0)
        path = self.sidecar.find(_name(bucket, self.about, digest, "lines"))
        return Listing(path, count, digest) if path else None

    def summary_path(self, bucket: str, listing: Listing) -> Path:
        """Return where the summary of a listing is, or has its place."""
        return self.sidecar.folder / _name(bucket, self.about, listing.digest, "json")

    def add(self, bucket: str, listing: Listing) -> Listing:
        """Give a new listing its name."""
        path = self.sidecar.add(listing.path, _name(bucket, self.about, listing.digest, "lines"))
        return replace(listing, path=path)


def open_store(sync: Sync, about: Any) -> Store:
    """Return what the cursor holds and names."""
    digest_of = sha256(to_json(about).encode()).hexdigest()[:16]
    cursor = sync.cursor or {}
    fits = cursor.get("for") == digest_of and cursor.get("format") == FORMAT
    before = cursor if fits and sync.streams <= set(cursor.get("streams") or ()) else {}
    listings = before.get("listings") or {}
    named = {_name(bucket, digest_of, digest, kind) for bucket, (digest, _) in listings.items() for kind in _KINDS}
    return Store(open_sidecar(sync.folder / "listings", named), digest_of, before)


def _name(bucket: str, about: str, digest: str, kind: str) -> str:
    return f"{sha256(bucket.encode()).hexdigest()[:12]}-{about}-{digest}.{kind}"


def digest(value: Any) -> str:
    """Return a short digest of a JSON value."""
    return sha256(to_json(value).encode()).hexdigest()[:16]
