"""What of the page can be seen without a browser."""

import asyncio
import gc
from pathlib import Path

import pytest

from viceversa.serving.app import LatePage
from viceversa.serving.config import ServeConfig
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
    gc.collect()  # here, where they are ignored, not in another test


def test_another_model_translates_anew_though_its_directions_are_the_same(service):
    pytest.importorskip("gradio")
    from viceversa.serving.page import _Page

    listeners = _Page(service).blocks().config["dependencies"]
    (changed,) = [one["id"] for one in listeners if one["api_name"] == "ways"]
    after = [one["api_name"] for one in listeners if one["trigger_after"] == changed]
    assert len(after) == 1
    assert after[0].startswith("translate")


def test_a_film_in_the_making_keeps_its_folder(service, monkeypatch):
    from viceversa.serving import page

    shown = page._Page(service)

    async def slow(service, name, to, source, folder, progress):
        for _ in range(page._KEPT + 1):  # what others translate meanwhile
            shown._count(shown._new_folder())
        (folder / "film.mp4").write_bytes(b"whole")
        return folder / "film.mp4"

    monkeypatch.setattr(page, "translate_film", slow)
    made = asyncio.run(shown.film("x.mp4", "swap", "b", None))
    assert Path(made).read_bytes() == b"whole"
    assert len(list((service.folder / "results").iterdir())) == page._KEPT


def test_a_film_of_large_pictures_is_refused_before_they_are_decoded(service, tmp_path):
    av = pytest.importorskip("av")
    from viceversa.serving.films import translate_film

    with av.open(str(tmp_path / "x.mp4"), "w") as film:
        stream = film.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        film.mux(stream.encode(av.VideoFrame(64, 32, "yuv420p")))
        film.mux(stream.encode(None))
    progress = pytest.fail
    with pytest.raises(Problem, match=r"more than 0\.001 megapixels") as caught:
        asyncio.run(translate_film(service, "swap", "b", tmp_path / "x.mp4", tmp_path, progress))
    assert caught.value.status == 413
    assert [path.name for path in tmp_path.iterdir()] == ["x.mp4"]
    assert service.accepted == 0


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
