"""What the page's visitors can put on disk has a bound."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from viceversa.serving.disk import Disk
from viceversa.serving.problems import Problem

_MB = 1_000_000


def put(disk: Disk, name: str, age: float, size: int = _MB) -> Path:
    file = disk.folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bytes(size))
    os.utime(file, (time.time() - age,) * 2)
    return file


async def take(disk: Disk, amount: int) -> None:
    async with disk.space(amount):
        pass


def test_the_oldest_go_for_new_ones_and_no_more_than_need_be(tmp_path):
    disk = Disk(tmp_path / "page", 4 * _MB)
    files = [put(disk, f"{age}/file", age) for age in (300, 500, 400)]
    asyncio.run(take(disk, _MB))
    assert all(file.exists() for file in files)
    asyncio.run(take(disk, 2 * _MB))
    assert [file.exists() for file in files] == [True, False, True]
    assert not files[1].parent.exists()
    assert disk.promised == 0


def test_what_is_new_or_held_or_the_servers_own_stays(tmp_path):
    disk = Disk(tmp_path / "page", 4 * _MB)
    own = put(disk, "example/file", 900, 9 * _MB)
    disk.keep_all()
    new, held, folder = put(disk, "new/file", 1), put(disk, "held/file", 500), put(disk, "film/x", 500)
    old = put(disk, "old/file", 100)
    with disk.hold(held), disk.hold(folder.parent):
        for file in (held, folder):
            os.utime(file, (0, 0))
        asyncio.run(take(disk, _MB))
        assert not old.exists()
        with pytest.raises(Problem, match=r"is in use\. Try again in 60 s") as caught:
            asyncio.run(take(disk, 2 * _MB))
        assert caught.value.status == 507
    assert all(file.exists() for file in (own, new, held, folder))
    asyncio.run(take(disk, 3 * _MB))
    assert [file.exists() for file in (own, new, held, folder)] == [True, True, False, False]
    assert disk.promised == 0


def test_using_a_file_keeps_it_longer_than_those_that_nobody_uses(tmp_path):
    disk = Disk(tmp_path / "page", 3 * _MB)
    used, unused = put(disk, "used/file", 500), put(disk, "unused/file", 300)
    with disk.hold(used):
        pass
    asyncio.run(take(disk, 2 * _MB))
    assert [used.exists(), unused.exists()] == [True, False]


def test_room_is_promised_once_and_given_back_by_who_gives_up(tmp_path):
    disk = Disk(tmp_path / "page", 4 * _MB)

    async def run() -> None:
        async with disk.space(3 * _MB):
            with pytest.raises(Problem):
                await take(disk, 2 * _MB)
            waiting = asyncio.create_task(take(disk, _MB))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        assert disk.promised == 0
        await take(disk, 4 * _MB)

    asyncio.run(run())


def test_many_small_files_count_for_what_they_cost(tmp_path):
    disk = Disk(tmp_path / "page", 4 * _MB)
    for index in range(100):
        put(disk, f"{index}/file", 100, 1)
    asyncio.run(take(disk, 1))
    assert len(list(disk.folder.iterdir())) < 62


def test_what_broken_uploads_left_goes(tmp_path):
    disk = Disk(tmp_path / "page", 4 * _MB)
    whole, half = put(disk, "hash/portrait.png", 1), put(disk, "tmp123", 1)
    disk.clear_unfinished()
    assert [whole.exists(), half.exists()] == [True, False]


def test_what_nobody_uses_goes_after_a_while(tmp_path):
    disk = Disk(tmp_path / "page", 9 * _MB)
    own = put(disk, "example/file", 9000)
    disk.keep_all()
    forgotten = []
    disk.forget = lambda: forgotten.append(True)
    ages = {"old/x": 5000, "held/x": 5000, "new/x": 99, "half": 5000}
    old, held, new, half = (put(disk, name, age) for name, age in ages.items())
    with disk.hold(held):
        os.utime(held, (0, 0))
        disk.clear_old(3600)
    assert [file.exists() for file in (own, old, held, new, half)] == [True, False, True, True, False]
    assert forgotten == [True]
