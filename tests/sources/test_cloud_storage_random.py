"""S3 servers made at random: what is listed is what they hold, or it is an error. ``LEAT_EXAMPLES`` says how many.

Left out is a server that says that a page is the last where it isn't: nobody can see that it doesn't hold less.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote, quote_plus, unquote_to_bytes

from hypothesis import given
from hypothesis import strategies as st

from leat.sources.cloud_storage.s3.pages import Page, parse_page
from leat.sources.cloud_storage.shards import list_bucket
from leat.sources.cloud_storage.sorted_lines import key_of
from tests.kit.examples import examples

ODDITIES = ("none", "no flag", "no place", "same place", "circle", "counts more", "cut off", "another form")
_NEXT = "\x7f"
"""Ends the token that follows a page without anything on it."""


@dataclass
class Bucket:
    """One bucket.

    Attributes:
        keys: of its objects.
        page: keys on a page at most.
        versions: whether it is listed by versions.
        encoding: how keys are written: ``path`` and ``form`` for two ways of percent-encoding, ``xml`` for references.
        delimiter: whether it knows delimiters; one that doesn't gives all keys.
        empty: every so many pages one has nothing on it; 0 for never.
        flags: how it writes true and false.
        counts: whether it tells how many keys are on a page.
        odd: what is wrong with it, of :data:`ODDITIES`, from the page ``since`` on.
        gone: keys that are deleted, by the number of the request before which they are.
    """

    keys: set[str]
    page: int
    versions: bool
    encoding: str
    delimiter: bool
    empty: int
    flags: tuple[str, str]
    counts: bool
    odd: str
    since: int
    gone: Mapping[int, int]
    asked: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fetch(self, params: Mapping[str, str]) -> Page:
        """Return a page, as it is read from what the server writes."""
        with self.lock:
            self.asked += 1
            place = self.gone.get(self.asked)
            if place is not None and self.keys:
                self.keys.discard(sorted(self.keys)[place % len(self.keys)])
            return parse_page(self.answer(params))

    def answer(self, params: Mapping[str, str]) -> bytes:
        """Return the XML of a page."""
        prefix, token = params["prefix"], params.get("continuation-token", params.get("key-marker", ""))
        after = token.removesuffix(_NEXT)
        entries: dict[str, bool] = {}
        for key in sorted(self.keys, key=str.encode):
            folder, slash, _ = key[len(prefix) :].partition("/")
            if key.startswith(prefix):
                grouped = bool(params.get("delimiter")) and self.delimiter and bool(slash)
                entries[prefix + folder + "/" if grouped else key] = grouped
        names = [name for name in entries if name.encode() > after.encode()]
        nothing = self.empty and self.asked % self.empty == 0 and not token.endswith(_NEXT)
        shown = [] if nothing else names[: self.page]
        rest = names[len(shown) :]
        strange = self.odd if self.asked >= self.since else "none"
        written = shown[1:] if strange == "counts more" else shown
        inner = "".join(self._entry(name, entries[name], strange) for name in written)
        more = bool(rest) or strange in ("same place", "no place", "circle")
        place = shown[-1] if shown else after + _NEXT
        if strange == "same place":
            place = "a"
        if strange == "circle":
            place = _NEXT * (self.asked % 7)
        text = inner + self._head(more, place, len(shown), strange)
        root = "ListVersionsResult" if self.versions else "ListBucketResult"
        text = f'<?xml version="1.0"?><{root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{text}</{root}>'
        return text.encode("utf-8", "surrogatepass")[: -20 if strange == "cut off" else None]

    def _head(self, more: bool, place: str, count: int, strange: str) -> str:
        text = "" if self.encoding == "xml" else "<EncodingType>url</EncodingType>"
        if self.counts or strange == "counts more":
            text += f"<KeyCount>{count}</KeyCount>"
        if strange != "no flag":
            text += f"<IsTruncated>{self.flags[not more]}</IsTruncated>"
        if more and strange != "no place":
            mark = escape(place)
            where = f"<NextKeyMarker>{self._written(place)}</NextKeyMarker>"
            if not self.versions:
                where = f"<NextContinuationToken>{mark}</NextContinuationToken>"
            text += where
        return text

    def _entry(self, name: str, folder: bool, strange: str) -> str:
        if folder:
            return f"<CommonPrefixes><Prefix>{self._written(name)}</Prefix></CommonPrefixes>"
        tag, more = (
            ("Version", "<VersionId>1</VersionId><IsLatest>true</IsLatest>") if self.versions else ("Contents", "")
        )
        first = f"{tag} new='1'" if strange == "another form" else tag
        return f"<{first}><Key>{self._written(name)}</Key>{more}<Size>1</Size></{tag}>"

    def _written(self, key: str) -> str:
        if self.encoding == "xml":
            return "".join(f"&#{ord(char)};" if ord(char) < 32 or ord(char) > 126 else escape(char) for char in key)
        return quote(key, safe="/") if self.encoding == "path" else quote_plus(key, safe="/")


CHARACTERS = st.sampled_from("aabbc///.-_ +%&<>\"'\x01\n\tä\xa0é😀~")
KEYS = st.text(CHARACTERS, min_size=1, max_size=6)
BUCKETS = st.builds(
    Bucket,
    keys=st.integers(0, 25).flatmap(lambda count: st.sets(KEYS, min_size=count // 2, max_size=count)),
    page=st.integers(1, 8),
    versions=st.booleans(),
    encoding=st.sampled_from(["path", "form", "xml"]),
    delimiter=st.booleans(),
    empty=st.sampled_from([0, 0, 2, 3]),
    flags=st.sampled_from([("true", "false"), ("True", "False"), (" true ", " false\n")]),
    counts=st.booleans(),
    odd=st.sampled_from([*ODDITIES, "none", "none", "none", "none", "none", "none"]),
    since=st.integers(1, 6),
    gone=st.dictionaries(st.integers(1, 12), st.integers(0, 24), max_size=2),
)


@examples()
@given(bucket=BUCKETS, in_flight=st.sampled_from([1, 3]))
def test_what_is_listed_is_what_the_server_holds(bucket: Bucket, in_flight: int) -> None:
    begun = set(bucket.keys)
    with TemporaryDirectory() as name:
        folder = Path(name)
        try:
            listing = list_bucket(bucket.fetch, folder, folder / "lines", in_flight)
        except ValueError:
            assert bucket.odd != "none", bucket
            return
        with listing.path.open("rb") as lines:
            actual = [unquote_to_bytes(key_of(line)).decode() for line in lines]
    assert len(actual) == len(set(actual)) == listing.count
    assert bucket.keys <= set(actual) <= begun, bucket  # what went meanwhile may be either
    assert listing.because
