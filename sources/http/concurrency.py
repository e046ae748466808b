"""Several requests under way at a time, their answers in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(work: Callable[[Item], Result], items: Iterable[Item], in_flight: int) -> Iterator[Result]:
    """Yield ``work(item)`` in the order of the items, ``in_flight`` of them at a time.

    What is under way when the caller stops is waited for, what isn't yet is dropped.
    """
    if in_flight <= 1:
        yield from map(work, items)
        return
    pool = ThreadPoolExecutor(in_flight)
    under_way: deque[Future[Result]] = deque()
    try:
        for item in items:
            under_way.append(pool.submit(work, item))
            if len(under_way) >= in_flight:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
