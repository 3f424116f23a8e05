import gc
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from viceversa.cli import main
from viceversa.data import cache, cached, images
from viceversa.data.cache import build
from viceversa.data.folders import Item
from viceversa.data.recipe import Recipe
from viceversa.errors import DataError, PictureError

Draw = Callable[..., Path]
RECIPE = Recipe(side_px=16, smallest_px=16)
PAIR = Recipe(side_px=16, smallest_px=16, channels=(3, 1))


def items(*files: Path) -> list[Item]:
    return [Item(name=file.name, files=(file,)) for file in files]


def entries(folder: Path) -> list[Path]:
    return [path for path in (folder / "pictures").iterdir() if not path.name.startswith(".")]


def leftovers(folder: Path) -> list[Path]:
    return list(folder.rglob(".*"))


def test_what_is_kept_is_listed_and_cleared(draw: Draw, cache_folder: Path, capsys: pytest.CaptureFixture[str]):
    old, new = items(draw("0.png", 40, 40)), items(draw("1.png", 40, 40), draw("2.png", 40, 40))
    for each in old, new:
        build(each, RECIPE, cache_folder)
    for path in entries(cache_folder):
        for file in path.iterdir():
            os.utime(file, (1e9, 1e9))
    build(new, RECIPE, cache_folder)  # found again: used today
    command = ["cache", "--cache", str(cache_folder)]
    assert main(command) == 0
    first, second, last = capsys.readouterr().out.splitlines()
    assert "1 images  last used 2001-09-" in first
    assert "2 images  last used 20" in second
    assert "2001" not in second
    assert " in 2 data sets. Remove all with --clear" in last
    assert main([*command, "--unused-days", "30"]) == 0
    assert capsys.readouterr().out.startswith("1 removed, ")
    (kept,) = cached.entries(cache_folder)
    assert kept.images == 2
    assert kept.size_bytes == sum(file.stat().st_size for file in kept.folder.iterdir())
    assert main([*command, "--clear"]) == 0
    assert main(command) == 0
    assert "0 B in 0 data sets." in capsys.readouterr().out
    assert not leftovers(cache_folder)
    assert len(build(new, RECIPE, cache_folder).names) == 2, "decoded again"
    assert main([*command, "--unused-days", "-1"]) == 2


def test_pictures_are_decoded_and_found_again(draw: Draw, cache_folder: Path):
    files = [draw(f"{number}.png", 40 + number, 40) for number in range(70)]  # more than are decoded at once
    steps: list[tuple[int, int]] = []
    made = build(items(*files), RECIPE, cache_folder, progress=lambda *step: steps.append(step))
    assert steps == [(done, 70) for done in range(1, 71)]
    assert made.pictures.shape == (70, 16, 16, 3)
    assert made.names == tuple(file.name for file in files)
    assert not made.skipped
    assert not made.pictures.flags.writeable
    for file, picture in zip(files, made.pictures, strict=True):
        assert np.array_equal(picture, images.fit_square(images.read(file), 16))
    again = build(items(*files), RECIPE, cache_folder, progress=lambda *_: pytest.fail("decoded again"))
    assert np.array_equal(again.pictures, made.pictures)
    assert not leftovers(cache_folder)


def test_contents_name_the_entry(draw: Draw, cache_folder: Path, tmp_path: Path):
    files = [draw("in/1.png"), draw("in/2.png")]
    first = build(items(*files), RECIPE, cache_folder)
    shutil.copytree(tmp_path / "in", tmp_path / "copy")
    build(items(tmp_path / "copy/1.png", tmp_path / "copy/2.png"), RECIPE, cache_folder)
    assert len(entries(cache_folder)) == 1, "a copy of the folder is the same"
    swapped = build(items(*files[::-1]), RECIPE, cache_folder)
    assert np.array_equal(swapped.pictures, first.pictures[::-1])
    build(items(*files), Recipe(side_px=16, smallest_px=16, channels=(1,)), cache_folder)
    assert len(entries(cache_folder)) == 3, "other order and other recipe"


@pytest.mark.parametrize("settled", [True, False])
def test_a_changed_file_is_decoded_anew(draw: Draw, cache_folder: Path, settled: bool, monkeypatch: pytest.MonkeyPatch):
    file, other = draw("1.bmp"), draw("2.bmp")
    if settled:  # as if the files had been lying there for long, so that their stamps are trusted
        monkeypatch.setattr(cache, "_SETTLED_SECONDS", -1)
    before = build(items(file), RECIPE, cache_folder)
    assert (cache_folder / "known").exists() == settled, "the stamps of a file just written are not trusted yet"
    stamp, size = file.stat(), file.stat().st_size
    shutil.copyfile(other, file)
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (size, stamp.st_mtime_ns)
    after = build(items(file), RECIPE, cache_folder)
    assert np.array_equal(after.pictures[0], images.fit_square(images.read(other), 16))
    assert not np.array_equal(after.pictures, before.pictures)


def test_unchanged_files_are_not_hashed_again(draw: Draw, cache_folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cache, "_SETTLED_SECONDS", -1)
    listed, other = items(draw("1.png")), items(draw("2.png"))
    made = build(listed, RECIPE, cache_folder)
    (note,), (entry,) = (cache_folder / "known").iterdir(), entries(cache_folder)
    others = build(other, RECIPE, cache_folder)
    (others_entry,) = set(entries(cache_folder)) - {entry}
    note.write_text(others_entry.name)
    assert np.array_equal(build(listed, RECIPE, cache_folder).pictures, others.pictures), "the note is believed"
    note.write_text(entry.name[:20])
    assert np.array_equal(build(listed, RECIPE, cache_folder).pictures, made.pictures), "but not one cut short"


def test_broken_and_small_files_are_skipped_and_counted(draw: Draw, cache_folder: Path, tmp_path: Path):
    good = [draw("a.png"), draw("d.png")]
    text, small = tmp_path / "b.jpg", draw("c.png", 15, 40)
    text.write_text("no image")
    listed = items(good[0], text, small, good[1])
    for _ in range(2):  # made, then found
        found = build(listed, RECIPE, cache_folder)
        assert found.names == ("a.png", "d.png")
        assert [(skip.path, skip.reason.split(";")[0]) for skip in found.skipped] == [
            (
                text,
                "it is no image of a kind that can be read (JPEG PNG WEBP BMP TIFF GIF AVIF HEIF NPY), "
                "or its head is damaged",
            ),
            (small, "it is 15 x 40 px, smaller than the 16 px that training takes"),
        ]
        with pytest.raises(PictureError, match=r"b\.jpg: it is no image"):
            build(listed, RECIPE, cache_folder, strict=True)


def test_strict_leaves_nothing_behind(draw: Draw, cache_folder: Path):
    listed = items(draw("a.png"), draw("c.png", 15, 40))
    with pytest.raises(PictureError, match=r"c\.png: it is 15 x 40 px, smaller .* --size, .* --enlarge"):
        build(listed, RECIPE, cache_folder, strict=True)
    assert not entries(cache_folder)
    assert not leftovers(cache_folder)


def test_nothing_usable(draw: Draw, cache_folder: Path):
    listed = items(draw("a.png", 9, 9), draw("b.png", 9, 9))
    with pytest.raises(DataError, match=r"None of 2 images can be used; the first is .*a\.png: it is 9 x 9 px"):
        build(listed, RECIPE, cache_folder)
    assert not leftovers(cache_folder)


def test_small_pictures_are_enlarged_on_request(draw: Draw, cache_folder: Path):
    found = build(items(draw("a.png", 9, 12)), Recipe(side_px=16), cache_folder)
    assert found.pictures.shape == (1, 16, 16, 3)


@pytest.mark.parametrize("harm", ["cut", "grown", "gone", "garbled"])
def test_a_damaged_entry_is_made_anew(draw: Draw, cache_folder: Path, harm: str):
    listed = items(draw("a.png"), draw("b.png"))
    good = np.array(build(listed, RECIPE, cache_folder).pictures)
    (entry,) = entries(cache_folder)
    if harm == "cut":
        os.truncate(entry / "pictures.u8", 100)
    elif harm == "grown":
        os.truncate(entry / "pictures.u8", 10_000)
    elif harm == "gone":
        (entry / "entry.json").unlink()
    else:
        (entry / "entry.json").write_text('{"shape": [2, 16')
    assert np.array_equal(build(listed, RECIPE, cache_folder).pictures, good)
    assert not leftovers(cache_folder)


def pair_side_by_side(tmp_path: Path) -> Item:
    whole = np.zeros((20, 40, 3), np.uint8)
    whole[:, :20] = (255, 0, 0)
    whole[:, 20:] = (0, 0, 255)
    Image.fromarray(whole).save(tmp_path / "p.png")
    return Item(name="p", files=(tmp_path / "p.png",))


def test_pairs_side_by_side(cache_folder: Path, tmp_path: Path):
    found = build([pair_side_by_side(tmp_path)], PAIR, cache_folder)
    assert found.pictures.shape == (1, 16, 16, 4)
    assert (found.pictures[..., :3] == (255, 0, 0)).all(), "A, the left half, in colour"
    assert (found.pictures[..., 3] == 29).all(), "B, the right half, in grey (ITU-R 601: 0.114 of blue)"


def test_pairs_go_the_same_way(draw: Draw, cache_folder: Path):
    file = draw("a.png", 70, 30)
    found = build([Item(name="a", files=(file, file))], Recipe(side_px=16, channels=(3, 3)), cache_folder)
    assert np.array_equal(found.pictures[..., :3], found.pictures[..., 3:])


def test_pairs_that_are_none(draw: Draw, cache_folder: Path, tmp_path: Path):
    good = pair_side_by_side(tmp_path)
    odd = Item(name="odd", files=(draw("odd.png", 41, 20),))
    unequal = Item(name="unequal", files=(draw("a/u.png", 20, 20), draw("b/u.png", 20, 24)))
    broken = Item(name="broken", files=(draw("a/x.png", 20, 20), tmp_path / "b" / "x.png"))
    broken.files[1].write_bytes(b"")
    found = build([odd, good, unequal, broken], PAIR, cache_folder)
    assert found.names == ("p",)
    assert [(skip.path, skip.reason.split(";")[0]) for skip in found.skipped] == [
        (odd.files[0], "it is 41 px wide, so it has no two equal halves"),
        (unequal.files[1], "it is 20 x 24 px, but its partner is 20 x 20 px"),
        (broken.files[1], "the file is empty"),
    ]
    for pair, sentence in (odd, r"odd\.png: .*even width"), (unequal, r"b/u\.png: .*must be equally large"):
        with pytest.raises(PictureError, match=sentence):
            build([pair], PAIR, cache_folder, strict=True)
        with pytest.raises(DataError, match=sentence):
            build([pair], PAIR, cache_folder)


BUILD = """
import sys
from pathlib import Path
from viceversa.data.cache import build
from viceversa.data.folders import Item, find_pictures
from viceversa.data.recipe import Recipe
from viceversa.errors import ViceversaError
folder, where = Path(sys.argv[1]), Path(sys.argv[2])
items = [Item(name=file.name, files=(file,)) for file in find_pictures(folder)]
print("ready", flush=True)
if sys.stdin.readline() == "limited\\n":  # not in the tests: they have freed memory left
    import resource
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 150 * 2**20, resource.RLIM_INFINITY))
try:
    print(build(items, Recipe(side_px=64), where).pictures.astype(int).sum())
except ViceversaError as error:
    print(error)
"""


def test_two_processes_at_once(draw: Draw, cache_folder: Path, tmp_path: Path):
    for number in range(40):
        draw(f"in/{number}.png", 100, 100)
    command = [sys.executable, "-c", BUILD, str(tmp_path / "in"), str(cache_folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(2)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    sums = [process.communicate(timeout=600)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert int(sums[0]) == int(sums[1])
    assert len(entries(cache_folder)) == 1
    assert not leftovers(cache_folder)


def test_a_file_that_cannot_grow(draw: Draw, cache_folder: Path):
    listed = items(*(draw(f"{number}.png") for number in range(20)))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limits[1]))  # as a quota does: an error in mid-write
        with pytest.raises(DataError, match=r"cache of decoded images \(1 MB\) cannot be written to .* --cache"):
            build(listed, RECIPE, cache_folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not entries(cache_folder)
    assert not leftovers(cache_folder)
    assert len(build(listed, RECIPE, cache_folder).names) == 20


def test_too_little_memory_is_not_remembered_as_a_damaged_picture(draw: Draw, cache_folder: Path, tmp_path: Path):
    (tmp_path / "in").mkdir()
    large = tmp_path / "in" / "large.png"
    Image.new("RGB", (8000, 7000)).save(large, compress_level=1)  # a megabyte; decoded, 168 MB
    listed = items(draw("in/a.png"), large, draw("in/b.png"))
    command = [sys.executable, "-c", BUILD, str(tmp_path / "in"), str(cache_folder)]
    ended = subprocess.run(command, input="limited\n", capture_output=True, text=True, timeout=600)
    assert "large.png: it cannot be read at the moment (not enough memory)" in ended.stdout, ended.stderr
    assert not entries(cache_folder)
    found = build(listed, RECIPE, cache_folder)
    assert found.names == ("a.png", "large.png", "b.png")
    assert not found.skipped


def test_too_many_open_files_are_not_remembered_as_a_damaged_picture(draw: Draw, cache_folder: Path):
    listed = items(draw("a.png"), draw("b.png"))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    gc.collect()  # what it would close on the way makes room
    os.close(lowest := os.open(os.devnull, os.O_RDONLY))
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
        with pytest.raises(PictureError, match=r"[ab]\.png: it cannot be read at the moment \(Too many open files\)"):
            build(listed, RECIPE, cache_folder)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert build(listed, RECIPE, cache_folder).names == ("a.png", "b.png")


def test_a_disk_that_does_not_answer_is_not_remembered_as_a_damaged_picture(
    draw: Draw, cache_folder: Path, tmp_path: Path
):
    """Reading a process's memory from its first byte on is a real input/output error."""
    sick = tmp_path / "sick.png"
    sick.symlink_to("/proc/self/mem")
    listed = items(draw("a.png"), sick)
    for _ in range(2):
        with pytest.raises(PictureError, match=r"sick\.png: it cannot be read at the moment \(Input/output error\)"):
            build(listed, RECIPE, cache_folder)
    sick.unlink()
    draw("sick.png")
    assert build(listed, RECIPE, cache_folder).names == ("a.png", "sick.png")


def test_a_full_disk(draw: Draw, tmp_path: Path):
    for number in range(20):
        draw(f"in/{number}.png")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    small = f"mount -t tmpfs -o size=64k none '{disk}'"
    if shutil.which("unshare") is None or subprocess.run([*mount, small], capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    command = [sys.executable, "-c", BUILD, str(tmp_path / "in"), str(disk)]
    then = f"{small} && \"$@\" && ls -A '{disk}/pictures'"
    told = subprocess.run([*mount, then, "sh", *command], capture_output=True, text=True, check=True, input="\n")
    assert told.stdout == (
        f"ready\nThe cache of decoded images (1 MB) cannot be written to {disk}/pictures (No space left on device). "
        "Free some space, or point --cache at a folder where there is more.\n"
    )


def test_what_killed_processes_left_is_removed_after_a_day(draw: Draw, cache_folder: Path):
    old, new = cache_folder / "pictures/.making-old", cache_folder / "pictures/.making-new"
    old.mkdir(parents=True)
    new.mkdir()
    os.utime(old, (0, 0))
    build(items(draw("a.png")), RECIPE, cache_folder)
    assert leftovers(cache_folder) == [new]


def test_the_users_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.user_folder() == tmp_path / "viceversa"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.user_folder().is_relative_to(Path.home())


def test_a_missing_package_is_not_remembered_as_a_damaged_picture(
    draw: Draw, cache_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("pillow_heif")
    deep = draw("a.png").with_name("b.heic")
    images.save(images.read(draw("c.png")), deep)
    listed = items(draw("a.png"), deep)
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "pillow_heif", None)
        with pytest.raises(PictureError, match=r"b\.heic: This needs pillow_heif"):
            build(listed, RECIPE, cache_folder)
    assert len(build(listed, RECIPE, cache_folder).names) == 2
