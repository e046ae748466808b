"""Listings of the run before, in the integration's private folder: a sorted file for each bucket, named by its digest.

The cursor names the files that it was made from. One that isn't there is listed anew and read as if nothing were known;
one that no cursor names was left by a run that was killed, and is removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from leat.sources.batch import to_json
from leat.sources.cloud_storage.sorted_lines import Listing
from leat.sources.driver import Sync

FORMAT = 1
"""Raised when the cursor or the lines change their meaning; older ones are then read as none."""


@dataclass(frozen=True, slots=True)
class Store:
    """What is known from the run before.

    Attributes:
        folder: where the files are.
        about: what the listings depend on: address, buckets, declaration.
        known: the cursor, when it was made for the same and for these streams; else empty.
    """

    folder: Path
    about: str
    known: Mapping[str, Any]

    def listing(self, bucket: str) -> Listing | None:
        """Return the listing of the run before; None when it isn't known or its file isn't there."""
        digest, count = (self.known.get("listings") or {}).get(bucket) or ("", 0)
        path = self.path(bucket, digest, "lines")
        return Listing(path, count, digest) if path.is_file() else None

    def path(self, bucket: str, digest: str, suffix: str) -> Path:
        """Return where something of a bucket is kept."""
        return self.folder / f"{sha256(bucket.encode()).hexdigest()[:12]}-{self.about}-{digest}.{suffix}"

    def keep(self, bucket: str, listing: Listing) -> Listing:
        """Give a new listing its name."""
        path = self.path(bucket, listing.digest, "lines")
        return replace(listing, path=listing.path.replace(path))


def open_store(sync: Sync, about: Any) -> Store:
    """Return what is known, and remove files that the cursor doesn't name."""
    digest_of = sha256(to_json(about).encode()).hexdigest()[:16]
    cursor = sync.cursor or {}
    fits = cursor.get("for") == digest_of and cursor.get("format") == FORMAT
    known = cursor if fits and sync.streams <= set(cursor.get("streams") or ()) else {}
    folder = sync.folder / "listings"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = Store(folder, digest_of, known)
    listings: Mapping[str, Any] = known.get("listings") or {}
    kept = {
        store.path(bucket, digest, suffix) for bucket, (digest, _) in listings.items() for suffix in ("lines", "json")
    }
    for path in folder.iterdir():
        if path not in kept:
            path.unlink()
    return store


def digest(value: Any) -> str:
    """Return a short digest of a JSON value."""
    return sha256(to_json(value).encode()).hexdigest()[:16]
