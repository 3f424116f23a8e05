"""An evaluation as tables for the terminal: a row a measure; translations beside what they are compared with."""

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from viceversa import sizes
from viceversa.evaluation.bootstrap import Figure
from viceversa.evaluation.translation import ABOUT_DISTANCES, Direction, Evaluation

MEASURES = {
    "frechet": ("Frechet distance ↓", "{:.2f}"),
    "kernel": ("kernel distance ↓", "{:.3f}"),
    "rate": ("taken for the target ↑", "{:.0%}"),
    "ssim": ("SSIM with the input", "{:.2f}"),
    "edges": ("edges as in the input", "{:.2f}"),
    "cycle": ("there and back ↓", "{:.1f}"),
    "truth_l1": ("L1 to the truth ↓", "{:.1f}"),
    "truth_ssim": ("SSIM with the truth ↑", "{:.2f}"),
    "truth_psnr": ("PSNR to the truth ↑", "{:.1f}"),
}
"""By the field of `Scores`: what it is called, which way is better, and how it is written."""
ORIGINS = {"test": "of the test folder", "held out": "held out", "training": "that were trained on"}
"""Where measured images are from, in words."""


def as_tables(evaluation: Evaluation) -> RenderableType:
    """All of ``evaluation`` for a rich console."""
    parts: list[RenderableType] = []
    for direction in evaluation.directions:
        parts += [_table(direction, evaluation), Text()]
    names = {domain: name for d in evaluation.directions for domain, name in zip(d.name[::2], d.names, strict=True)}
    rightly = " and ".join(f"{share:.0%} of {names[side]}" for side, share in evaluation.judge_accuracy.items())
    published = evaluation.published_fid
    notes = [
        "Untranslated: the inputs as they are. Real: held-out images of the target domain. "
        + ("Average: of its training images. " if evaluation.directions[0].mean else "")
        + "Below each figure: its 95 % interval. Arrows: which way is better. L1 and there and back: grey levels, 0 to "
        "255; PSNR: dB.",
        f"The domain classifier names {rightly} rightly, of real images that are held out.",
        *(f"{'* ' if note.startswith(ABOUT_DISTANCES) and not published else ''}{note}" for note in evaluation.notes),
    ]
    return Group(*parts, *(Padding(Text(note), (0, 0, 0, 1)) for note in notes))


def _table(direction: Direction, evaluation: Evaluation) -> Table:
    distances = ("FID ↓", "KID ↓") if evaluation.published_fid else ("Frechet distance* ↓", "kernel distance* ↓")
    names = {key: label for key, (label, _) in MEASURES.items()}
    names |= dict(zip(("frechet", "kernel"), distances, strict=True))
    columns = {"translated": direction.translated, "untranslated": direction.untranslated, "real": direction.real}
    if direction.mean is not None:
        columns["average"] = direction.mean
    table = Table(
        title=f"{direction.source} → {direction.target}: {direction.pictures} images "
        f"{ORIGINS[evaluation.held_out]}, {sizes.words(evaluation.size_px)} px",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.add_column(no_wrap=True)
    for name in columns:
        table.add_column(Text(name), justify="right", no_wrap=True)
    for key, (_, form) in MEASURES.items():
        figures: list[Figure | None] = [getattr(scores, key) for scores in columns.values()]
        if any(figures):
            table.add_row(Text(names[key]), *(_shown(figure, form) for figure in figures))
    return table


def _shown(figure: Figure | None, form: str) -> Text:
    if figure is None:
        return Text()
    text = Text(form.format(figure.value))
    if figure.low is not None and figure.high is not None:
        text.append(f"\n{form.format(figure.low)}..{form.format(figure.high)}", "dim")
    return text
