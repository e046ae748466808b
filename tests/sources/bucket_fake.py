"""A server of the S3 API whose objects have whatever time and etag a test gives them, and that can be made to fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from urllib.parse import parse_qsl, quote_plus, unquote, urlsplit

from tests.sources.calendar_faults import Faulty, Reply, faulty

OLD = "2019-05-06T07:08:09.000Z"
LACKING = {"policy": "NoSuchBucketPolicy", "lifecycle": "NoSuchLifecycleConfiguration"}


@dataclass
class Objects:
    """Buckets of the server: key to (etag, size, last modified).

    Attributes:
        fault: asked first, with bucket and query; gives an answer, or None.
        page: keys a page.
        asked: query of every listing.
    """

    url: str = ""
    buckets: dict[str, dict[str, tuple[str, str, str]]] = field(default_factory=dict)
    fault: Callable[[str, dict[str, str]], Reply | None] = lambda _bucket, _query: None
    page: int = 1000
    asked: list[dict[str, str]] = field(default_factory=list)

    def put(self, bucket: str, key: str, etag: str = "e1", size: str = "1", at: str = OLD) -> None:
        self.buckets.setdefault(bucket, {})[key] = (etag, size, at)

    def answer(self, _method: str, path: str, _body: str) -> Reply:
        parts = urlsplit(path)
        bucket, query = unquote(parts.path).strip("/"), dict(parse_qsl(parts.query, keep_blank_values=True))
        reply = self.fault(bucket, query)
        if reply is not None:
            return reply
        if not bucket:
            names = "".join(f"<Bucket><Name>{name}</Name></Bucket>" for name in self.buckets)
            return xml("ListAllMyBucketsResult", f"<Owner><ID>me</ID></Owner><Buckets>{names}</Buckets>")
        if bucket not in self.buckets:
            return refused(404, "NoSuchBucket")
        for name, code in LACKING.items():
            if name in query:
                return refused(404, code)
        if "list-type" in query:
            self.asked.append(query)
            return self._list(bucket, query)
        if "uploads" in query:
            return xml("ListMultipartUploadsResult", "<IsTruncated>false</IsTruncated>")
        if "acl" in query:
            return xml("AccessControlPolicy", "<Owner><ID>me</ID></Owner>")
        return xml("VersioningConfiguration", "")

    def _list(self, bucket: str, query: dict[str, str]) -> Reply:
        prefix, after = query.get("prefix", ""), query.get("continuation-token", "")
        result: dict[str, str] = {}
        for key in sorted(self.buckets[bucket], key=str.encode):
            rest = key[len(prefix) :]
            if key.startswith(prefix):
                folder = prefix + rest.partition("/")[0] + "/"
                result[folder if query.get("delimiter") and "/" in rest else key] = key
        names = [name for name in result if name > after]
        shown = names[: self.page]
        entries = "".join(self._entry(bucket, name, name != result[name]) for name in shown)
        more = f"<NextContinuationToken>{escape(shown[-1])}</NextContinuationToken>" if names[self.page :] else ""
        head = f"<EncodingType>url</EncodingType><IsTruncated>{'true' if more else 'false'}</IsTruncated>"
        return xml("ListBucketResult", head + more + entries)

    def _entry(self, bucket: str, name: str, folder: bool) -> str:
        if folder or name not in self.buckets[bucket]:
            return f"<CommonPrefixes><Prefix>{quote_plus(name, safe='/')}</Prefix></CommonPrefixes>"
        etag, size, at = self.buckets[bucket][name]
        return (
            f"<Contents><Key>{quote_plus(name, safe='/')}</Key><LastModified>{at}</LastModified>"
            f"<ETag>&quot;{etag}&quot;</ETag><Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        )


def xml(root: str, inner: str) -> Reply:
    text = f'<?xml version="1.0"?>\n<{root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{inner}</{root}>'
    return 200, {"Content-Type": "application/xml"}, text.encode()


def refused(status: int, code: str) -> Reply:
    return status, {"Content-Type": "application/xml"}, f"<Error><Code>{code}</Code></Error>".encode()


@contextmanager
def serving() -> Iterator[tuple[Objects, Faulty]]:
    """Run the server, with no bucket in it."""
    objects = Objects()
    with faulty() as server:
        server.fault = objects.answer
        objects.url = server.url
        yield objects, server
