"""The jobs of a Ray cluster, through its HTTP API: who submits needs neither Ray nor to stay connected.

The API is https://docs.ray.io/en/latest/cluster/running-applications/job-submission/rest.html. A job's command line and
metadata are shown to everybody who can read the dashboard, so that neither has a secret.
"""

from __future__ import annotations

import os
import secrets
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlsplit

from leat.sources.settings import remember_secret
from leat.tls import limit_versions

if TYPE_CHECKING:
    import requests

State = Literal["waiting", "running", "ended", "killed", "stopped", "gone"]

_TIMEOUT = 20.0
_BETWEEN = 0.5
_OWN_CODES = (*range(129), 130)
"""Exit codes of a command that has ended by itself; 130 is leat's own after an interrupt, others mean a signal."""
_STATES: dict[str, State] = {"PENDING": "waiting", "RUNNING": "running", "SUCCEEDED": "ended", "STOPPED": "stopped"}


class RayError(Exception):
    """Ray can't be asked, or refuses; the text says why, and what to do next."""


class _Unreachable(Exception):
    """The head of the cluster doesn't answer, or says that it is in trouble."""


@dataclass(frozen=True, slots=True)
class Seen:
    """How a job is.

    Attributes:
        state: ``ended`` by itself, whatever its exit code; ``killed`` by a signal, or with its machine; ``gone`` means
            that the cluster has no such job, as after its head was restarted.
        exit_code: of its command, if that has ended by itself.
        why: what Ray says of it.
        submitter: who submitted it.
    """

    state: State
    exit_code: int | None = None
    why: str = ""
    submitter: str = ""


@dataclass(frozen=True, slots=True)
class Jobs:
    """The jobs of a cluster.

    Attributes:
        url: of its dashboard, for example ``http://10.0.0.10:8265``.
        patience: seconds for which its head may be unreachable.
    """

    url: str
    patience: float = 30.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            shown = "with a user" if parts.username is not None else repr(self.url)
            msg = f"--on {shown}: it has to be the address of Ray's dashboard, for example http://10.0.0.10:8265"
            raise RayError(msg)

    def check(self) -> None:
        """Make sure that the cluster answers and takes the token.

        Raises:
            RayError: it doesn't.
        """
        try:
            self._send("GET", "/api/jobs/?limit=1")
        except _Unreachable as error:
            raise self._gave_up(error) from error

    def submit(self, job: str, words: Sequence[str]) -> bool:
        """Start a command; returns False if there is a job of that name already.

        The command replaces its shell, so that it gets the signals. It takes one processor: without that, Ray would
        start it on the head.

        Raises:
            RayError: the cluster can't be asked, or refuses.
        """
        submitter = secrets.token_hex(8)
        body = {
            "entrypoint": f"exec {shlex.join(words)}",
            "submission_id": job,
            "metadata": {"submitter": submitter},
            "entrypoint_num_cpus": 1,
        }
        deadline = time.monotonic() + self.patience
        while True:
            try:
                self._send("POST", "/api/jobs/", body)
            except _Unreachable as error:  # it may have come through; and a name that is in use is HTTP 500
                seen = self.look(job)
                if seen.state != "gone":
                    return seen.submitter == submitter
                if time.monotonic() > deadline:
                    raise self._gave_up(error) from error
                time.sleep(_BETWEEN)
            else:
                return True

    def look(self, job: str) -> Seen:
        """Return how a job is.

        Raises:
            RayError: the cluster doesn't answer for too long; the job may go on.
        """
        answer = self._ask("GET", f"/api/jobs/{quote(job)}")
        if answer.status_code == 404:
            return Seen("gone", why="the cluster has no such job, as after its head was restarted")
        said: dict[str, Any] = answer.json()
        code = said.get("driver_exit_code")
        why = str(said.get("message") or "").partition(", last available logs")[0]
        state = _STATES.get(said["status"], "killed")
        if said["status"] == "FAILED" and code in _OWN_CODES:
            state = "ended"
        return Seen(state, code, why, (said.get("metadata") or {}).get("submitter", ""))

    def output(self, job: str) -> str:
        """Return what a job has printed; nothing where the machine with it is gone."""
        answer = self._ask("GET", f"/api/jobs/{quote(job)}/logs")
        return str(answer.json().get("logs") or "") if answer.ok else ""

    def stop(self, job: str) -> None:
        """Let Ray end a job, if it can: what is frozen doesn't answer, and the lease ends it."""
        self._ask("POST", f"/api/jobs/{quote(job)}/stop")

    def _ask(self, method: str, path: str) -> requests.Response:
        deadline = time.monotonic() + self.patience
        while True:
            try:
                return self._send(method, path)
            except _Unreachable as error:
                if time.monotonic() > deadline:
                    raise self._gave_up(error) from error
                time.sleep(_BETWEEN)

    def _send(self, method: str, path: str, body: object = None) -> requests.Response:
        import requests

        token = _token()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            with requests.Session() as session:
                limit_versions(session)
                url = self.url.rstrip("/") + path
                answer = session.request(
                    method, url, json=body, headers=headers, timeout=_TIMEOUT, allow_redirects=False
                )
        except (requests.ConnectionError, requests.Timeout) as error:
            msg = "it doesn't answer: " + type(error).__name__
            raise _Unreachable(msg) from error
        if answer.status_code in (401, 403):
            msg = (
                f"Ray at {self.url} refuses the token (HTTP {answer.status_code}). Next: set RAY_AUTH_MODE=token, and "
                "RAY_AUTH_TOKEN_PATH to a file with the token of the cluster"
            )
            raise RayError(msg)
        if answer.status_code >= 500:
            msg = f"HTTP {answer.status_code}"
            raise _Unreachable(msg)
        if not answer.ok and answer.status_code != 404:
            msg = f"Ray at {self.url} refuses {method} {path}: HTTP {answer.status_code}: {answer.text[:200]}"
            raise RayError(msg)
        return answer

    def _gave_up(self, error: Exception) -> RayError:
        return RayError(
            f"Ray at {self.url}: {error}. Next: check the address, and that the head of the cluster runs; jobs that "
            "were submitted may go on, and the next run waits for them"
        )


def _token() -> str | None:
    """Return the token where Ray looks for it as well; None where its authentication isn't on.

    Raises:
        RayError: the file of the token can't be read.
    """
    if os.environ.get("RAY_AUTH_MODE") != "token":
        return None
    token = os.environ.get("RAY_AUTH_TOKEN")
    if not token:
        path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or "~/.ray/auth_token").expanduser()
        try:
            token = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            msg = f"RAY_AUTH_MODE is token, and {path} can't be read: {error.strerror}. Next: set RAY_AUTH_TOKEN_PATH"
            raise RayError(msg) from error
    return remember_secret(token)
