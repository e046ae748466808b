"""Stand-ins for three public APIs, made to behave as the vendors' pages say; they are no part of those systems."""

# ruff: noqa: E501
from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.sources.rest_answers import Asked


class GitHub:
    """Repositories, issues and comments of an organisation: ``Link`` headers, ``since``, 410 where issues are off."""

    def __init__(self) -> None:
        self.issues: dict[str, list[dict[str, Any]]] = {"tools": [], "docs": []}
        self.comments: dict[tuple[str, int], list[dict[str, Any]]] = {}
        self.off = {"wiki"}

    def issue(self, repository: str, number: int, at: str, comments: int = 0) -> None:
        value = {
            "id": hash((repository, number)) % 10**9,
            "number": number,
            "title": f"{repository} {number}",
            "state": "open",
        }
        rows = [each for each in self.issues[repository] if each["number"] != number]
        self.issues[repository] = [*rows, {**value, "user": {"login": "octocat"}, "updated_at": at}]
        self.comments[repository, number] = [
            {"id": value["id"] * 100 + n, "body": "text", "user": {"login": "hubot"}, "created_at": at}
            for n in range(comments)
        ]

    def __call__(self, asked: Asked) -> Any:
        assert asked.headers["X-GitHub-Api-Version"] == "2022-11-28"
        parts = asked.path.strip("/").split("/")
        if parts[0] == "orgs":
            return self._page(asked, [{"id": n, "name": name} for n, name in enumerate([*self.issues, *self.off])])
        if parts[2] in self.off:
            return 410, {}, {"message": "Issues has been disabled in this repository."}
        if len(parts) == 4:
            rows = [each for each in self.issues[parts[2]] if each["updated_at"] >= asked.query.get("since", "")]
            return self._page(asked, sorted(rows, key=lambda row: str(row["updated_at"])))
        return self._page(asked, self.comments[parts[2], int(parts[4])])

    def _page(self, asked: Asked, rows: list[dict[str, Any]]) -> Any:
        size, number = min(100, int(asked.query.get("per_page", 30))), int(asked.query.get("page", 1))
        links = []
        if number * size < len(rows):
            more = "&".join(f"{name}={value}" for name, value in asked.query.items() if name != "page")
            links = [f'<{asked.path}?{more}&page={number + 1}>; rel="next"']
        return 200, {"Link": ", ".join(links)} if links else {}, rows[(number - 1) * size : number * size]


class HubSpot:
    """The search of contacts: filters and paging in the body of a POST, no ``paging`` on the last page, no more than a cap."""

    cap = 10_000

    def __init__(self) -> None:
        self.contacts: dict[str, datetime] = {}

    def __call__(self, asked: Asked) -> Any:
        (wanted,) = asked.body["filterGroups"][0]["filters"]
        assert (wanted["propertyName"], wanted["operator"]) == ("lastmodifieddate", "BETWEEN")
        low, high = (datetime.fromtimestamp(int(wanted[name]) / 1000, UTC) for name in ("value", "highValue"))
        rows = sorted((at, name) for name, at in self.contacts.items() if low <= at <= high)
        start, size = int(asked.body.get("after", 0)), int(asked.body["limit"])
        if start + size > self.cap:
            return 400, {}, {"status": "error", "message": "paging beyond the limit"}
        matching = [
            {"id": name, "properties": {"email": f"{name}@example.com"}, "updatedAt": at.isoformat()}
            for at, name in rows[start : start + size]
        ]
        paging = {"paging": {"next": {"after": str(start + size)}}} if start + size < len(rows) else {}
        return {"total": len(rows), "results": matching, **paging}


class Graph:
    """The delta query of users, with a token endpoint: next links, a delta link with the last page, ``@removed``, 410."""

    size = 2

    def __init__(self, url: str) -> None:
        self.url = url
        self.changes: list[tuple[str, bool]] = []
        self.oldest = 0

    def __call__(self, asked: Asked) -> Any:
        if asked.path.endswith("/token"):
            return {"access_token": "granted", "token_type": "Bearer", "expires_in": 3600}
        assert asked.headers["Authorization"] == "Bearer granted"
        token = asked.query.get("$deltatoken")
        since = int(token or 0)
        if token and since < self.oldest:
            return 410, {}, {"error": {"code": "syncStateNotFound"}}
        live = dict(self.changes)
        changed = self.changes[since:] if token else [(name, True) for name, here in live.items() if here]
        skip = int(asked.query.get("$skiptoken", 0))
        value = [self._user(name, here) for name, here in changed[skip : skip + self.size]]
        delta = f"&$deltatoken={token}" if token else ""
        if skip + self.size < len(changed):
            return {
                "value": value,
                "@odata.nextLink": f"{self.url}v1.0/users/delta?$skiptoken={skip + self.size}{delta}",
            }
        return {"value": value, "@odata.deltaLink": f"{self.url}v1.0/users/delta?$deltatoken={len(self.changes)}"}

    def _user(self, name: str, here: bool) -> dict[str, Any]:
        return {"id": name, "displayName": name.title()} if here else {"id": name, "@removed": {"reason": "deleted"}}
