"""What is there already: files of the same command are renewed, those of others stay."""

import re
from pathlib import Path

import pytest

from viceversa.errors import ConfigError
from viceversa.outputs import check_output, page_mark, refuse_existing, refuse_unwritable, write_output

COMMANDS = ("compare", "export", "inspect")


@pytest.mark.parametrize("template", ["compare", "inspect", "export"])
def test_only_pages_of_the_same_command_are_renewed(template: str, tmp_path: Path) -> None:
    source = Path(__file__).parents[1] / "src" / "viceversa"
    names = {"compare": "evaluation/comparison.html", "inspect": "preparation/doctor/doctor.html"}
    head = (source / names.get(template, "inference/onnx/browser/page.html")).read_bytes()
    page = tmp_path / "page.html"
    page.write_bytes(head)
    check_output(page, template, page_mark(template), overwrite=False)
    for other in set(COMMANDS) - {template}:
        words = f"page.html is there already and was not written by viceversa {other}; name another file, .*--overwrite"
        with pytest.raises(ConfigError, match=words):
            check_output(page, other, page_mark(other), overwrite=False)
        check_output(page, other, page_mark(other), overwrite=True)
    assert page.read_bytes() == head


def test_a_mark_far_down_in_a_file_is_somebodys_text(tmp_path: Path) -> None:
    (tmp_path / "notes.html").write_bytes(b" " * 5000 + page_mark("compare"))
    with pytest.raises(ConfigError, match="was not written by viceversa compare"):
        check_output(tmp_path / "notes.html", "compare", page_mark("compare"), overwrite=False)


def test_what_bears_no_mark_stays(tmp_path: Path) -> None:
    refuse_existing(tmp_path / "new.png", overwrite=False)
    (tmp_path / "link.png").symlink_to("nowhere.png")
    with pytest.raises(ConfigError, match=r"link\.png is there already; name another file, or replace"):
        refuse_existing(tmp_path / "link.png", overwrite=False)
    refuse_existing(tmp_path / "link.png", overwrite=True)


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    for place, words in (
        (tmp_path, "it is a folder"),
        (Path("/dev/null"), "it is no plain file"),
        (tmp_path / "file" / "deep" / "x.json", "file is no folder that may be written to (Not a directory)"),
        (tmp_path / "link" / "x.json", "link is no folder that may be written to"),
        (Path("/proc/x.json"), "/proc is no folder that may be written to"),
        (tmp_path / ("x" * 300), "File name too long"),
    ):
        with pytest.raises(ConfigError, match=re.escape(words)):
            refuse_unwritable(place)
    refuse_unwritable(tmp_path / "new" / "deep" / "x.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"], "trying leaves nothing"
    write_output(tmp_path / "new" / "deep" / "x.json", b"{}")
    assert (tmp_path / "new" / "deep" / "x.json").read_bytes() == b"{}"
