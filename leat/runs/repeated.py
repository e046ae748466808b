"""Requests that clients may repeat, for the API: each is carried out once, and its answer is given again."""

from __future__ import annotations

from leat.control.idempotency import Claim, Reused, Stored, UnderWay, claim, release, remove_old, store

__all__ = ["Claim", "Reused", "Stored", "UnderWay", "claim", "release", "remove_old", "store"]
