"""Lines are on the disk before they are acknowledged: torn ends, full disks, many at a time, on both engines."""

from __future__ import annotations

import asyncio
import os
import resource
from datetime import UTC, datetime
from pathlib import Path

import pytest

from leat.hooks.event import Event, to_line
from leat.hooks.segments import SegmentWriter, Unavailable, last_number, make_first_segment, read_events, segments
from leat.hooks.tables import EACH, apply_events, create_tables, watermark
from leat.hooks.tail import Tail
from leat.warehouse.connect import open_warehouse
from tests.kit.child import CONTEXT
from tests.kit.engines import is_server


def event(seq: int, event_id: str | None = None, problem: str | None = None) -> Event:
    return Event(seq, datetime(2030, 1, 1, tzinfo=UTC), "pay", event_id or f"e{seq}", "t", '{"a": 1}', problem)


def write(folder: Path, count: int, **options: int) -> SegmentWriter:
    """Append so many lines at once, and close."""
    writer = SegmentWriter(folder, **options)
    writer.open()

    async def append() -> None:
        await asyncio.gather(*(writer.append(lambda seq: to_line(event(seq))) for _ in range(count)))

    asyncio.run(append())
    writer.close()
    return writer


def numbers(folder: Path, after: int = 0) -> list[int]:
    return [each.seq for each in read_events(folder, after)]


def test_numbers_go_on_over_restarts_and_segments(tmp_path: Path) -> None:
    make_first_segment(tmp_path)
    write(tmp_path, 3)
    write(tmp_path, 0)
    for _ in range(4):
        write(tmp_path, 2, rotate=100)
    assert numbers(tmp_path) == list(range(1, 12))
    assert numbers(tmp_path, 7) == [8, 9, 10, 11]
    assert last_number(tmp_path) == 11
    assert {path.stat().st_mode & 0o777 for path in segments(tmp_path)} == {0o600}
    segments(tmp_path)[0].unlink()  # as what is applied is removed
    assert numbers(tmp_path, 3) == list(range(4, 12))


def test_numbers_go_on_from_the_warehouse_where_the_folder_is_new_or_old(tmp_path: Path) -> None:
    for after, expected in ((7, 8), (3, 9), (20, 21)):
        writer = SegmentWriter(tmp_path)
        writer.open(after=after)
        asyncio.run(writer.append(lambda seq: to_line(event(seq))))
        writer.close()
        assert numbers(tmp_path)[-1] == expected


def test_a_torn_end_is_cut_off(tmp_path: Path) -> None:
    write(tmp_path, 3)
    newest = segments(tmp_path)[-1]
    whole = newest.read_bytes()
    for cut in range(1, len(to_line(event(3)))):
        newest.write_bytes(whole[:-cut])
        assert numbers(tmp_path) == [1, 2]
    tail = Tail(tmp_path)
    assert [each.seq for each in tail.read()] == [1, 2]
    write(tmp_path, 2)
    assert numbers(tmp_path) == [1, 2, 3, 4]
    assert [each.seq for each in tail.read()] == [3, 4]
    assert tail.read() == []


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path)
    writer.open()
    with pytest.raises(BlockingIOError):
        SegmentWriter(tmp_path).open(wait=0)
    writer.close()


def test_too_much_that_waits_for_the_disk_is_refused(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, waiting=1000)
    writer.open()

    async def append() -> list[object]:
        work = (writer.append(lambda seq: to_line(event(seq))) for _ in range(50))
        return await asyncio.gather(*work, return_exceptions=True)

    results = asyncio.run(append())
    writer.close()
    refused = [result for result in results if isinstance(result, Unavailable)]
    assert 0 < len(refused) < 50
    assert len(numbers(tmp_path)) == 50 - len(refused)


def _full(folder: Path, answer: object) -> None:
    """Fill the disk after the first line, and free it again."""
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    writer = SegmentWriter(folder)
    writer.open()
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]

    async def append() -> list[str]:
        said = []
        for size in (hard, 200, hard):
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
            try:
                await writer.append(lambda seq: to_line(event(seq)))
                said.append("stored")
            except Unavailable as error:
                said.append(str(error))
        return said

    answer.send(asyncio.run(append()))  # type: ignore[attr-defined]


def test_a_full_disk_is_reported_and_nothing_half_is_left(tmp_path: Path) -> None:
    here, there = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=_full, args=(tmp_path, there))
    process.start()
    first, second, third = here.recv()
    process.join()
    assert (first, third) == ("stored", "stored")
    assert "can't be stored" in second
    assert numbers(tmp_path) == [1, 3]
    assert all(path.read_bytes().endswith(b"\n") for path in segments(tmp_path) if path.stat().st_size)


def test_events_are_applied_once_and_readers_see_them_before(tmp_path: Path, warehouse_url: str | None) -> None:
    warehouse = open_warehouse(warehouse_url, tmp_path)
    live = tmp_path / "live"
    write(live, 2)
    with (live / "00000000000000000003.ndjson").open("ab") as file:
        file.write(to_line(event(3, "e2")) + to_line(event(4, "e4")) + to_line(event(5, "bad", "no JSON")))
        file.write(b"no line\n" + to_line(event(6, "torn"))[:-9])

    def seen(view: str = "events") -> list[tuple[int, str]]:
        with warehouse.snapshot() as session:
            return [
                (seq, name) for seq, name in session.execute(f"SELECT seq, event_id FROM hooks.{view} ORDER BY seq")
            ]

    with warehouse.transaction() as session:
        create_tables(session, live)
    everything = [(1, "e1"), (2, "e2"), (4, "e4")]
    assert seen() == ([] if is_server(warehouse_url) else everything)  # on Postgres a commit shows them
    for _ in range(2):
        with warehouse.transaction() as session:
            apply_events(session, [each for each in read_events(live, 0) if each.seq <= 3])
        assert seen() == ([(1, "e1"), (2, "e2")] if is_server(warehouse_url) else everything)
    with warehouse.transaction() as session:
        assert apply_events(session, list(read_events(live, 0))) == 2
        assert watermark(session) == 5
    assert seen() == everything
    assert seen("quarantine") == [(5, "bad")]
    for segment in segments(live)[:-1]:
        segment.unlink()
    assert seen() == everything
    warehouse.close()
    assert os.path.lexists(live)


def test_each_server_has_numbers_and_a_watermark_of_its_own(tmp_path: Path, warehouse_url: str | None) -> None:
    warehouse = open_warehouse(warehouse_url, tmp_path / "state")
    first = EACH + 1
    live = tmp_path / "state" / "live"
    make_first_segment(live)
    with warehouse.transaction() as session:
        create_tables(session, live)
        assert (watermark(session), watermark(session, 1), watermark(session, 2)) == (0, EACH, 2 * EACH)
        assert apply_events(session, [event(first, "a"), event(first + 1, "b")], 1) == 2
        assert apply_events(session, [event(1, "a"), event(2, "c")]) == 1  # the first one came to both
        assert apply_events(session, [event(first + 2, "d")], 1) == 1
        assert (watermark(session), watermark(session, 1), watermark(session, 2)) == (2, first + 2, 2 * EACH)
        assert session.execute("SELECT count(*) FROM hooks._applied") == [(4,)]
    warehouse.close()
