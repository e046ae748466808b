"""REST servers made at random, and the declarations that read them: what an API may do while a list is read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from tests.sources.rest_answers import Asked

NEXT_AT = [("next",), ("meta", "next"), ("paging", "next", "after"), ("@odata.nextLink",), ("links", "next"), ("k",)]
NAMES = ["following", "zork", "nextPage", "cursor2", "page_after", "x"]
EXTRAS = [
    {},
    {"included": [{"id": 7, "tags": ["]", '"', "["], "data": [1]}] * 40, "items": [[1], [2]]},
    {"note": 'x"]}', "meta2": {"items": []}, "version": 3},
    {"previous": "/things?page=1", "self": "/things", "count": 3, "page": 1},
]


@dataclass
class Api:
    """One list of an API, and how it gives it.

    Attributes:
        style: how it is paged.
        rows: the records that exist, by id.
        cap: records in a page at most.
        honours: whether the size that is asked for counts.
        next_at: where what leads to the next page is in the answer.
        names: names that the API has changed since it was declared.
        last_next: what there is in place of the next on the last page: null, an empty text or nothing.
        total: how the total is given: never, on every page, on the first, as text, or wrongly.
        total_error: how wrong a wrong total is.
        more: whether a flag says if there are more.
        beyond: what comes after the last page of numbered ones.
        extra: what else is in an answer.
        list_at: where the list is.
        uneven: how many records fewer each page of a list with cursors has, in turn.
        empty: how an empty list is written.
        gone: after how many pages of a run which records go.
    """

    style: str
    rows: dict[int, int]
    cap: int
    honours: bool
    next_at: tuple[str, ...]
    last_next: str
    total: str
    total_error: int
    more: str
    beyond: str
    extra: dict[str, Any] = field(repr=False)
    list_at: tuple[str, ...]
    uneven: list[int]
    empty: str
    names: dict[str, str] = field(default_factory=dict)
    gone: dict[int, int] = field(default_factory=dict)
    ever: set[int] = field(default_factory=set)
    asked: int = 0

    def begin(self) -> None:
        """Begin a run."""
        self.asked = 0
        self.ever = set(self.rows)

    def __call__(self, asked: Asked) -> Any:
        for page, row in self.gone.items():
            if page == self.asked:
                self.rows.pop(row, None)
        self.asked += 1
        ids = sorted(self.rows)
        size = min(self.cap, int(asked.query.get("size", self.cap))) if self.honours else self.cap
        start, token = self._start(asked, ids, size)
        wanted = size
        if self.style in ("cursor", "next_link", "link_header", "next_header", "last_record") and self.uneven:
            least = 2 if start == 0 else 1 if self.style == "last_record" else 0  # of fewer, nothing can be tried
            size = min(size, max(least, size - self.uneven[self.asked % len(self.uneven)]))
        size = len(ids) if self.style == "none" else size
        shown = [{"id": each, "v": self.rows[each]} for each in ids[start : start + size]]
        if not shown and ids and self.style in ("pages", "offset") and token > 0:
            if self.beyond == "404":
                return 404, {}, {"error": "no such page"}
            if self.beyond == "repeat" and self.style == "pages":
                last = max(0, (len(ids) - 1) // size * size)
                shown = [{"id": each, "v": self.rows[each]} for each in ids[last : last + size]]
        return self._answer(shown, start, size, ids, wanted)

    def _start(self, asked: Asked, ids: list[int], size: int) -> tuple[int, int]:
        if self.style == "pages":
            number = int(asked.query.get("page", 1)) - 1
            return number * size, number
        if self.style == "offset":
            offset = int(asked.query.get("offset", 0))
            return offset, offset
        if self.style == "none":
            return 0, 0
        after = asked.query.get("after")
        start = 0 if after is None else next((i for i, each in enumerate(ids) if each > int(after)), len(ids))
        return start, start

    def _answer(self, shown: list[dict[str, int]], start: int, size: int, ids: list[int], asked: int) -> Any:
        body: dict[str, Any] = dict(self.extra)
        headers: dict[str, str] = {}
        more = start + size < len(ids)
        # a page without records goes on from the record before it, so that a cursor always moves
        upto = str(shown[-1]["id"] if shown else ids[min(start, len(ids)) - 1] if start and ids else -1)
        if more and not shown:
            upto = str(ids[start] - 1) if start == 0 or ids[start] - 1 > ids[start - 1] else upto
        link = f"/things?after={upto}&size={asked}"
        if self.style in ("cursor", "next_link"):
            value: Any = (upto if self.style == "cursor" else link) if more else None
            if more or self.last_next != "absent":
                self._put(body, self.next_at, "next", value if more else {"null": None, "text": ""}[self.last_next])
        if self.style == "link_header" and more:
            headers["Link"] = f'<{link}>; rel="next"'
        if self.style == "next_header" and (more or self.last_next != "absent"):
            headers[self.names.get("header", "X-Next-After")] = upto if more else ""
        if self.more != "never":
            word = self.names.get("more", "has_more" if self.more == "more" else "isLast")
            body[word] = more if self.more == "more" else not more
        self._total(body, start, ids)
        if self.list_at:
            value = shown or {"list": [], "null": None, "absent": ...}[self.empty]
            body.pop("items", None)
            if value is not ...:
                self._put(body, self.list_at, "", value)
            return 200, headers, json.dumps(body)
        return 200, headers, json.dumps(shown)

    def _total(self, body: dict[str, Any], start: int, ids: list[int]) -> None:
        if self.total == "never" or (self.total == "first" and start):
            return
        number = len(ids) + (self.total_error if self.total == "wrong" else 0)
        body[self.names.get("total", "total")] = str(number) if self.total == "text" else max(0, number)

    def _put(self, body: dict[str, Any], path: tuple[str, ...], what: str, value: Any) -> None:
        names = [*path[:-1], self.names.get(what, path[-1])]
        for name in names[:-1]:
            body[name] = dict(body.get(name) or {})
            body = body[name]
        body[names[-1]] = value

    def declared(self, size: int | None, count: bool, flag: bool) -> dict[str, Any]:
        """Return the endpoint as a user declares it, who knows how the API was at first."""
        paging: dict[str, Any] = {"kind": self.style}
        path = "".join(f"['{name}']" for name in self.next_at)
        if self.style in ("cursor", "next_link"):
            paging["field"] = path
        if self.style == "last_record":
            paging = {"kind": "cursor", "last_record": "id"}
        if self.style in ("cursor", "last_record", "next_header"):
            paging["param"] = "after"
        if self.style == "next_header":
            paging["header"] = "X-Next-After"
        if size is not None and self.style != "none":
            paging |= {"size_param": "size", "size": size}
        if self.style == "offset":
            paging |= {"size_param": "size", "size": size or 3}
        if self.style != "none":
            paging |= {"total": "total"} if count and self.total != "never" and self.list_at else {}
            names = {"more": {"more": "has_more"}, "last": {"last": "isLast"}}
            paging |= names.get(self.more, {}) if flag and self.list_at else {}
        declared = {"path": "things", "key": "id", "columns": {"id": "integer", "v": "integer"}, "paging": paging}
        if self.list_at:
            declared["records"] = ".".join(self.list_at)
        if self.empty == "absent":
            declared["absent_is_empty"] = True
        if self.style in ("pages", "offset") and "total" not in paging:
            declared["deletes"] = "never"
        return declared


STYLES = ["none", "pages", "offset", "cursor", "cursor", "next_link", "link_header", "next_header", "last_record"]


@st.composite
def apis(draw: st.DrawFn) -> Api:
    """Make an API."""
    style = draw(st.sampled_from(STYLES))
    ids = draw(st.lists(st.integers(0, 60), max_size=14, unique=True))
    cursors = style in ("cursor", "next_link", "link_header", "next_header")
    return Api(
        style=style,
        rows={each: 0 for each in ids},
        cap=draw(st.integers(2, 6)),  # one alone leaves nothing to try: see the decision on listings
        honours=draw(st.booleans()) or not cursors,
        next_at=draw(st.sampled_from(NEXT_AT)),
        last_next=draw(st.sampled_from(["null", "text", "absent"])),
        total=draw(st.sampled_from(["never", "every", "first", "text", "wrong"])),
        total_error=draw(st.sampled_from([-3, -1, 1, 5])),
        more=draw(st.sampled_from(["never", "never", "more", "last"])),
        beyond=draw(st.sampled_from(["empty", "404", "repeat"])),
        extra=draw(st.sampled_from(EXTRAS)),
        list_at=draw(
            st.sampled_from([("items",), ("data", "items"), *([] if style in ("cursor", "next_link") else [()])])
        ),
        uneven=draw(st.lists(st.integers(0, 3), max_size=3)) if cursors else [],
        empty=draw(st.sampled_from(["list", "null", "absent"])),
    )


@dataclass(frozen=True)
class Change:
    """What happens to an API before a run, and while it is read."""

    add: list[int]
    drop: list[int]
    touch: list[int]
    rename: dict[str, str]
    cap: int | None
    gone: dict[int, int]

    def apply(self, api: Api) -> None:
        """Change an API."""
        for each in self.drop:
            api.rows.pop(each, None)
        for each in self.add:
            api.rows.setdefault(each, 1)
        for each in self.touch:
            if each in api.rows:
                api.rows[each] += 1
        api.names = dict(self.rename)
        api.cap = self.cap or api.cap
        api.gone = dict(self.gone)


_IDS = st.lists(st.integers(0, 60), max_size=6)
_RENAMED = st.dictionaries(st.sampled_from(["next", "total", "more", "header"]), st.sampled_from(NAMES), max_size=2)
CHANGES = st.builds(
    Change,
    add=_IDS,
    drop=_IDS,
    touch=_IDS,
    rename=st.just({}) | _RENAMED,
    cap=st.none() | st.integers(2, 6),
    gone=st.just({}) | st.dictionaries(st.integers(1, 4), st.integers(0, 60), max_size=2),
)
