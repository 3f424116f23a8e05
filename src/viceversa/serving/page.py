"""The web page: drop an image, see before and after, download. It has the API's queue and limits."""

import os
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from secrets import token_hex
from typing import Any

from viceversa.data import formats
from viceversa.data.formats import pillow
from viceversa.data.picture import Picture
from viceversa.extras import need
from viceversa.serving.examples import example_files
from viceversa.serving.models import Model
from viceversa.serving.page_middleware import PageMiddleware
from viceversa.serving.pictures import SUFFIXES
from viceversa.serving.problems import Problem, gone
from viceversa.serving.service import Service
from viceversa.serving.videos import can_translate_videos, translate_upload

_PREVIEW_PX = 1600
_SESSIONS = 500
_KINDS = [("As the image", ""), ("PNG", "png"), ("JPEG", "jpg"), ("WebP", "webp"), ("AVIF", "avif"), ("TIFF", "tif")]


def make_page(service: Service) -> Any:
    """An application whose / is the page."""
    # The library reads it when it is imported. What it keeps goes with the server's own files.
    os.environ["GRADIO_TEMP_DIR"] = str(service.disk.folder)
    service.disk.folder.mkdir(exist_ok=True)
    gr, themes = need("gradio", "serve"), need("gradio.themes", "serve")
    from fastapi import FastAPI

    page = _Page(service).blocks()
    page.state_session_capacity = _SESSIONS  # each takes some 50 kB, and a visitor can have as many as he likes
    page.has_launched = True  # else the library leaves out its own check of what files may be read
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(PageMiddleware, disk=service.disk, config=service.config)
    fonts = ("Segoe UI", "Helvetica Neue", "sans-serif")
    mounted = gr.mount_gradio_app(
        app, page, path="/", ssr_mode=False, footer_links=[], show_error=True, pwa=False,
        max_file_size=service.config.max_bytes, css=files("viceversa.serving").joinpath("page.css").read_text("utf-8"),
        root_path=service.config.root_path or None,
        theme=themes.Soft(primary_hue="blue", neutral_hue="slate", font=fonts, font_mono=("monospace",)),
    )  # fmt: skip
    service.disk.keep_all()  # its examples
    # The library would remove whatever a visitor has called a file, and give up at the first that is a folder.
    service.disk.forget = lambda: [files.clear() for files in page.temp_file_sets]
    return mounted


class _Page:
    """The page's parts and what they do."""

    def __init__(self, service: Service):
        self.service = service

    def blocks(self) -> Any:
        """The whole page."""
        import gradio as gr

        models = list(self.service.models)
        names = " · ".join(model.name for model in models)
        with gr.Blocks(title=f"viceversa: {names}", analytics_enabled=False) as page:
            gr.HTML(f"<h1>{_title(models)}</h1><p>Drop an image; it is translated by itself.</p>", elem_id="head")
            with gr.Row():
                model = gr.Dropdown(
                    [one.name for one in models], value=models[0].name, label="Model", visible=len(models) > 1, scale=1
                )
                way = gr.Radio(**_ways(models[0]), label="Direction", elem_id="way", scale=2)
            changed = model.change(self.ways, model, way, **_QUIET)
            with gr.Tabs():
                with gr.Tab("Image"):
                    self._picture_tab(model, way, changed)
                if can_translate_videos():
                    with gr.Tab("Video"):
                        self._video_tab(model, way)
        return page.queue(default_concurrency_limit=self.service.config.queue, max_size=self.service.config.queue)

    def _picture_tab(self, model: Any, way: Any, changed: Any) -> None:
        import gradio as gr

        with gr.Row(equal_height=False):
            with gr.Column():
                picture = gr.Image(
                    label="Your image", type="filepath", image_mode=None, height=420, elem_id="picture",
                    sources=["upload", "webcam", "clipboard"], buttons=["fullscreen"],
                )  # fmt: skip
                # The library would open the file itself, and say in other words what is wrong with it.
                picture.preprocess = _path_of
                with gr.Accordion("File of the result", open=False):
                    kind = gr.Dropdown(_KINDS, value="", label="Kind")
                    quality = gr.Slider(1, 100, 95, step=1, label="Quality", info="Of JPEG, WebP and AVIF.")
            with gr.Column():
                slider = gr.ImageSlider(
                    label="Before | after", type="filepath", interactive=False, max_height=420, elem_id="result",
                    buttons=["fullscreen"],
                )  # fmt: skip
                said = gr.Markdown(elem_id="said")
                save = gr.DownloadButton("Download", variant="primary", interactive=False, elem_id="save")
        given, shown = [picture, model, way, kind, quality], [slider, save, said]
        gr.on([picture.change, way.change, kind.change, quality.release], self.translate, given, shown,
              trigger_mode="always_last", show_progress_on=[slider], **_HIDDEN)  # fmt: skip
        # Where another model has the same directions nothing else changes, and the old one's result would stay.
        changed.then(self.translate, given, shown, trigger_mode="always_last", show_progress_on=[slider], **_HIDDEN)
        found = example_files(self.service)
        if found:
            gr.Examples([[str(file)] for file in found], [picture], label="Examples", elem_id="examples")

    def _video_tab(self, model: Any, way: Any) -> None:
        import gradio as gr

        with gr.Row(equal_height=False):
            with gr.Column():
                video = gr.Video(label="Your video", sources=["upload", "webcam"], height=420, elem_id="video")
                start = gr.Button("Translate the video", variant="primary", elem_id="start-video")
            with gr.Column():
                made = gr.Video(label="Translated", interactive=False, height=420, elem_id="made-video")

        tells = gr.Progress()

        # The library finds by its default which argument tells of progress.
        async def translate(path: str | None, name: str, to: str, progress: Any = tells) -> str | None:
            return await self.video(path, name, to, progress)

        start.click(translate, [video, model, way], made, **_HIDDEN)

    def ways(self, name: str) -> Any:
        """The directions of another model."""
        import gradio as gr

        return gr.Radio(**_ways(self.service.models.find(name)))

    async def translate(self, path: str | None, name: str, to: str, kind: str, quality: int) -> tuple[Any, Any, str]:
        """What the image tab shows: before and after, the file to download, a line of text."""
        import gradio as gr

        if path is None:
            return None, gr.DownloadButton(value=None, interactive=False), ""
        service = self.service
        try:
            async with service.request():
                with service.place():
                    with service.disk.hold(Path(path)):
                        data = await service.in_pool(lambda: _read(path))
                    model = service.models.find(name)
                    done = await service.translate(model, data, to, kind or None, int(quality))
                    target = model.translator.domains[to]
                    file = f"{Path(path).stem[:80]}-{_plain(target)}{SUFFIXES[done.kind]}"
                    shown = await service.in_pool(lambda: (_preview(done.before), _preview(done.after)))
                    files = {"before.png": shown[0], "after.png": shown[1], file: done.data}
                    async with service.disk.space(sum(map(len, files.values()))):
                        folder = await service.in_pool(lambda: self._keep(files))
        except Problem as problem:
            raise _shown(problem) from None
        height, width = done.after.pixels.shape[:2]
        text = f"{width} × {height} px, {done.kind}, {len(done.data) / 1e3:,.0f} kB" + (
            f" ({done.note})" if done.note else ""
        )
        before, after, save = (str(folder / name) for name in files)
        return (before, after), gr.DownloadButton(value=save, interactive=True), text

    async def video(self, path: str | None, name: str, to: str, progress: Any) -> str | None:
        """The translated video's file."""

        def tell(done: int, total: int) -> None:
            progress((done, total), desc="Translating", unit="frames")

        if path is None:
            return None
        source, disk = Path(path), self.service.disk
        try:
            if not source.is_file():
                raise gone()
            folder = self._new_folder()
            with disk.hold(source), disk.hold(folder):
                return str(await translate_upload(self.service, name, to, source, folder, tell))
        except Problem as problem:
            raise _shown(problem) from None

    def _keep(self, files: dict[str, bytes]) -> Path:
        """Writes files into a folder of their own."""
        folder = self._new_folder()
        for name, data in files.items():
            (folder / name).write_bytes(data)
        return folder

    def _new_folder(self) -> Path:
        """An empty folder, where the page's library need not copy from what it shows."""
        folder = self.service.disk.folder / token_hex(16)
        folder.mkdir(parents=True)
        return folder


_QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
_HIDDEN: dict[str, Any] = {"api_visibility": "private"}


def _ways(model: Model) -> dict[str, Any]:
    choices = [(f"{source} → {target}", to) for to, (source, target) in model.directions().items()]
    return {"choices": choices, "value": choices[0][1], "visible": len(choices) > 1}


def _title(models: list[Model]) -> str:
    from html import escape

    ways = list(models[0].directions().values())
    if len(models) > 1:
        return "viceversa"
    return escape(f"{ways[0][0]} {'⇄' if len(ways) > 1 else '→'} {ways[0][1]}")


def _path_of(payload: Any) -> str | None:
    """The uploaded file, which the library has made sure is one of its own."""
    return None if payload is None else payload.path


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        raise gone() from None


def _preview(picture: Picture) -> bytes:
    """A PNG that every browser shows, and not larger than a screen."""
    image = pillow.to_image(formats.fitted(picture, "WEBP"))
    image.thumbnail((_PREVIEW_PX, _PREVIEW_PX))
    file = BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _plain(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name)[:40]


def _shown(problem: Problem) -> Exception:
    import gradio as gr

    return gr.Error(problem.message, duration=20, title="This did not work", print_exception=False)
