"""Answers that are given again: only while nothing has changed, and made once for many who ask at the same time."""

from __future__ import annotations

import asyncio

import pytest
from starlette.responses import Response

from leat.serve.answers import SECONDS, Answers
from leat.serve.unavailable import AWAY
from leat.warehouse.session import Unreachable


class Kitchen:
    """Makes answers, counts them, and changes what they depend on."""

    def __init__(self) -> None:
        self.made, self.version, self.now = 0, 0, 0.0
        self.gate = asyncio.Event()
        self.gate.set()
        self.headers: dict[str, str] = {}
        self.status = 200
        self.answers = Answers(lambda: self.version, lambda: self.now)

    async def make(self) -> Response:
        self.made += 1
        number = self.made
        await self.gate.wait()
        return Response(f"{number}", self.status, self.headers)

    async def ask(self, question: str = "q") -> str:
        return bytes((await self.answers.get(question, self.make)).body).decode()


def test_an_answer_is_given_again_until_something_changes() -> None:
    async def asked() -> None:
        kitchen = Kitchen()
        assert [await kitchen.ask(), await kitchen.ask(), await kitchen.ask("other")] == ["1", "1", "2"]
        kitchen.version += 1
        assert await kitchen.ask() == "3"
        kitchen.now += SECONDS
        assert await kitchen.ask() == "4"
        kitchen.answers.forget()
        assert await kitchen.ask() == "5"
        for kitchen.status, kitchen.headers in ((404, {}), (200, {"cache-control": "no-store"})):
            kitchen.version += 1
            first = await kitchen.ask()
            assert await kitchen.ask() != first

    asyncio.run(asked())


def test_the_last_answer_is_given_again_while_a_database_does_not_answer() -> None:
    async def asked() -> None:
        kitchen = Kitchen()

        async def fail() -> Response:
            raise Unreachable

        assert await kitchen.ask() == "1"
        kitchen.version += 1
        kitchen.now = AWAY - 1
        again = await kitchen.answers.get("q", fail)
        assert (again.body, again.headers["age"]) == (b"1", str(round(AWAY - 1)))
        kitchen.now = AWAY
        with pytest.raises(Unreachable):
            await kitchen.answers.get("q", fail)

    asyncio.run(asked())


def test_of_many_who_ask_at_once_one_makes_the_answer() -> None:
    async def asked() -> None:
        kitchen = Kitchen()
        kitchen.gate.clear()
        waiting = [asyncio.create_task(kitchen.ask()) for _ in range(20)]
        await asyncio.sleep(0)
        kitchen.gate.set()
        assert set(await asyncio.gather(*waiting)) == {"1"}
        kitchen.now += SECONDS
        kitchen.gate.clear()
        late = asyncio.create_task(kitchen.ask())
        await asyncio.sleep(0)
        assert await kitchen.ask() == "1"  # nothing has changed: others needn't wait
        kitchen.version += 1
        waits = asyncio.create_task(kitchen.ask())  # now they do
        await asyncio.sleep(0)
        kitchen.gate.set()
        assert await asyncio.gather(late, waits) == ["2", "3"]  # a change while it is made counts

    asyncio.run(asked())


def test_answers_take_a_limited_amount_of_memory() -> None:
    async def asked() -> None:
        kitchen = Kitchen()
        for number in range(1500):
            await kitchen.ask(str(number))
        assert await kitchen.ask("1499") == "1500"
        assert await kitchen.ask("0") == "1501"

    asyncio.run(asked())
