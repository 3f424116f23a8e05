"""What of the page can be seen without a browser."""

import asyncio
import gc
import logging
import time
from pathlib import Path

import pytest

from viceversa.serving.app import LatePage
from viceversa.serving.config import ServeConfig
from viceversa.serving.disk import Disk
from viceversa.serving.models import Model, Models
from viceversa.serving.problems import Problem
from viceversa.serving.service import Service

# gradio leaves event loops open when a page is made and thrown away.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def service(translator):
    models = [Model(name=name, path=Path("nowhere") / name, translator=translator) for name in ("swap", "paint")]
    made = Service(Models(models), ServeConfig(max_pixels=1000))
    yield made
    made.close()
    asyncio.set_event_loop(None)  # else the last one lives until another test takes its place
    gc.collect()  # here, where they are ignored, not in another test


def test_another_model_translates_anew_though_its_directions_are_the_same(service):
    pytest.importorskip("gradio")
    from viceversa.serving.page import _Page

    listeners = _Page(service).blocks().config["dependencies"]
    (changed,) = [one["id"] for one in listeners if one["api_name"] == "ways"]
    after = [one["api_name"] for one in listeners if one["trigger_after"] == changed]
    assert len(after) == 1
    assert after[0].startswith("translate")


def test_a_film_in_the_making_keeps_its_folder(service, monkeypatch, tmp_path):
    from viceversa.serving import page

    shown, disk = page._Page(service), Disk(service.folder / "page", 10**6, fresh_seconds=0.0)
    service.disk = disk

    async def slow(service, name, to, source, folder, progress):
        (folder / "part.nut").write_bytes(bytes(400_000))
        for _ in range(5):  # what others translate meanwhile
            time.sleep(0.01)
            async with disk.space(400_000):
                shown._keep({"other.png": bytes(400_000)})
        return folder / "part.nut"

    monkeypatch.setattr(page, "translate_upload", slow)
    (tmp_path / "x.mp4").write_bytes(b"film")
    made = asyncio.run(shown.video(str(tmp_path / "x.mp4"), "swap", "b", None))
    assert Path(made).stat().st_size == 400_000
    assert disk.bytes_in(disk.folder) == 800_000


def test_a_film_that_fails_for_another_reason_is_not_told_of_a_full_disk(service, tmp_path, caplog, monkeypatch):
    # A server that ran here before has its log go its own way.
    monkeypatch.setattr(logging.getLogger("uvicorn.error"), "handlers", [caplog.handler])
    monkeypatch.setattr(logging.getLogger("uvicorn.error"), "disabled", False)
    caplog.set_level(logging.ERROR, "uvicorn.error")
    av = pytest.importorskip("av")
    from viceversa.serving.videos import translate_upload

    with av.open(str(tmp_path / "x.mp4"), "w") as film:
        stream = film.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
        film.mux(stream.encode(av.VideoFrame(32, 16, "yuv420p")))
        film.mux(stream.encode(None))
    (tmp_path / "folder").write_text("a file where the folder was")
    with pytest.raises(Problem) as caught:
        asyncio.run(translate_upload(service, "swap", "b", tmp_path / "x.mp4", tmp_path / "folder", pytest.fail))
    assert (caught.value.status, caught.value.code) == (500, "internal")
    assert "the server's log says why" in caught.value.message
    assert "FileExistsError" in caplog.text


def test_a_film_of_large_pictures_is_refused_before_they_are_decoded(service, tmp_path):
    av = pytest.importorskip("av")
    from viceversa.serving.videos import translate_upload

    with av.open(str(tmp_path / "x.mp4"), "w") as film:
        stream = film.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        film.mux(stream.encode(av.VideoFrame(64, 32, "yuv420p")))
        film.mux(stream.encode(None))
    progress = pytest.fail
    with pytest.raises(Problem, match=r"more than 0\.001 megapixels") as caught:
        asyncio.run(translate_upload(service, "swap", "b", tmp_path / "x.mp4", tmp_path / "made", progress))
    assert caught.value.status == 413
    assert [path.name for path in tmp_path.iterdir()] == ["x.mp4"]
    assert service.accepted == 0


def test_a_film_takes_no_more_of_the_disk_than_its_part(service, tmp_path):
    av = pytest.importorskip("av")
    from viceversa.serving.videos import translate_upload

    with av.open(str(tmp_path / "x.mp4"), "w") as film:
        stream = film.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
        for _ in range(20):
            film.mux(stream.encode(av.VideoFrame(32, 16, "yuv420p")))
        film.mux(stream.encode(None))
    service.disk = Disk(service.folder / "page", 400_000)
    (folder := service.disk.folder / "made").mkdir(parents=True)
    told = []
    with pytest.raises(Problem, match=r"takes more than 0\.1 MB; take a shorter video") as caught:
        asyncio.run(translate_upload(service, "swap", "b", tmp_path / "x.mp4", folder, lambda *done: told.append(done)))
    assert caught.value.status == 413
    assert list(service.disk.folder.iterdir()) == []
    assert (service.accepted, service.disk.promised) == (0, 0)


def test_a_page_that_cannot_be_made_says_so():
    late, sent = LatePage(), []

    async def send(message):
        sent.append(message)

    async def ask():
        await late({"type": "http", "path": "/"}, None, send)

    async def both():
        await ask()
        await late.make(lambda: 1 / 0)
        await ask()
        await late.close()

    asyncio.run(both())
    assert [message["status"] for message in sent[::2]] == [200, 500]
    assert b'http-equiv="refresh"' in sent[1]["body"]
    assert b"refresh" not in sent[3]["body"]
    assert b"/docs" in sent[3]["body"]
