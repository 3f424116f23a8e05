"""Archives: images come out, and what no honest archive holds is refused in a sentence."""

import io
import lzma
import tarfile
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from viceversa.errors import DataError
from viceversa.preparation import archives

from .. import bombs

TARS = ["a.tar", "a.tar.gz", "a.tar.bz2", "a.tar.xz"]


def png(colour="teal", size=(8, 8)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def make_zip(path: Path, entries: dict[str, bytes], kind=zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def make_tar(path: Path, entries: dict[str, bytes]) -> Path:
    with tarfile.open(path, f"w:{path.suffix[1:] if path.suffix != '.tar' else ''}") as archive:
        for name, content in entries.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def make(path: Path, entries: dict[str, bytes]) -> Path:
    return make_zip(path, entries) if path.suffix == ".zip" else make_tar(path, entries)


@pytest.mark.parametrize("name", ["a.zip", *TARS])
def test_pictures_come_out_in_order_with_their_contents(tmp_path, name):
    entries = {
        "b/2.png": png("red"),
        "notes.txt": b"text",
        "a/1.PNG": png("blue"),
        "./c.png": png("green"),
        ".hidden/x.png": png(),
        "__MACOSX/b/._2.png": b"junk",
        "inner.zip": b"PK",
        "naïve 画像.png": png("tan"),
        "b/2.png.bak": png(),
    }
    path = make(tmp_path / name, entries)
    wanted = ["b/2.png", "a/1.PNG", "./c.png", "naïve 画像.png"]
    assert archives.names(path) == wanted
    assert list(archives.pictures(path)) == [(key, entries[key]) for key in wanted]


def test_equal_names_are_two_pictures(tmp_path):
    path = tmp_path / "twice.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.png", png("red"))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("x.png", png("blue"))
    assert [content for _, content in archives.pictures(path)] == [png("red"), png("blue")]


@pytest.mark.parametrize("archive", ["a.zip", "a.tar"])
@pytest.mark.parametrize("name", ["../x.png", "a/../../x.png", "/etc/x.png", "C:\\x.png", "..\\x.png", "a/../x.png"])
def test_entries_that_point_outside(tmp_path, archive, name):
    path = make(tmp_path / archive, {"good.png": png(), name: png()})
    with pytest.raises(DataError, match="points outside of the archive"):
        archives.names(path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar(tmp_path, kind):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        entry = tarfile.TarInfo("x.png")
        entry.type, entry.linkname = kind, "/etc/passwd"
        archive.addfile(entry)
    with pytest.raises(DataError, match=r"'x\.png' is a link, a device or the like"):
        archives.names(tmp_path / "a.tar")


def test_links_in_a_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        entry = zipfile.ZipInfo("x.png")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(DataError, match=r"'x\.png' is a link, a device or the like"):
        archives.names(tmp_path / "a.zip")


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar.xz"])
def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch, name):
    monkeypatch.setattr(archives, "FREE_BYTES", 2**20)  # 1 MB instead of 64, so that the test is quick
    path = make(tmp_path / name, {"zeros.png": bytes(3 * 2**20)})
    assert path.stat().st_size < 2**15
    with pytest.raises(DataError, match=r"would unpack to far more than images do \('zeros\.png': 3,145,728 bytes"):
        archives.names(path)


def test_what_a_header_declares_is_not_believed(tmp_path):
    """An entry said to be of 16 GB, and a name said to be of 16 GB: neither is asked for."""
    for kind, name in (b"0", "entry.tar"), (tarfile.GNUTYPE_LONGNAME, "name.tar"):
        entry = tarfile.TarInfo("x.png")
        entry.size, entry.type = 2**34, kind
        (tmp_path / name).write_bytes(entry.tobuf(tarfile.GNU_FORMAT) + png() + bytes(2048))
        with pytest.raises(DataError, match=r"would unpack to far more|header is too large"):
            archives.names(tmp_path / name)


@pytest.mark.parametrize("name", ["a.zip", *TARS])
def test_archives_that_are_damaged(tmp_path, name):
    path = make(tmp_path / name, {f"{number}.png": png(size=(64 + number, 64)) * 20 for number in range(40)})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cannot be read as a zip or tar archive"):
        list(archives.pictures(path))
    path.write_bytes(b"")
    with pytest.raises(DataError, match="cannot be read as a zip or tar archive"):
        archives.names(path)


def test_flipped_bits_are_noticed(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"x.png": png("red", (64, 64))}, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 8] ^= 255
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"cannot be read as a zip or tar archive \(Bad CRC-32"):
        list(archives.pictures(path))


def test_a_locked_zip(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"x.png": png()})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="locked with a password"):
        archives.names(path)


def test_an_archive_without_pictures(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"notes.txt": b"text", "more.zip": b"PK"})
    with pytest.raises(DataError, match=r"a\.zip holds no images"):
        archives.names(path)


def test_archives_are_known_by_name_or_content(tmp_path):
    make_zip(tmp_path / "a.cbz", {"x.png": png()})
    make_tar(tmp_path / "b.tar", {"x.png": png()}).rename(tmp_path / "b.dat")
    (tmp_path / "c.ZIP").write_text("damaged")
    (tmp_path / "d.png").write_bytes(png())
    found = {path.name: archives.is_archive(path) for path in tmp_path.iterdir()}
    assert found == {"a.cbz": True, "b.dat": True, "c.ZIP": True, "d.png": False}


def test_an_entry_larger_than_the_list_says_is_not_unpacked(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(bombs.zip_of("a.png", bombs.zeros(600)[2:], 100))

    def read() -> None:
        with pytest.raises(DataError, match="cannot be read as a zip or tar archive"):
            list(archives.pictures(tmp_path / "a.zip"))

    assert bombs.peak(read) < 50 * bombs.MIB


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_python_unpacks_without_a_limit_stays_closed(tmp_path: Path, kind: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", kind) as archive:
        archive.writestr("a.png", bytes(1000))
    with pytest.raises(DataError, match=r"its entry 'a.png' is packed in another way than by Deflate\. Unpack it"):
        archives.names(tmp_path / "a.zip")


def test_the_list_of_a_zip_is_counted_before_it_is_read(tmp_path: Path) -> None:
    for count in (archives.MOST_ENTRIES + 1, 5 * archives.MOST_ENTRIES):
        (tmp_path / "a.zip").write_bytes(bombs.zip_list(count))

        def read() -> None:
            with pytest.raises(DataError, match="has more than 400,000 entries"):
                archives.names(tmp_path / "a.zip")

        assert bombs.peak(read) < 200 * bombs.MIB


@pytest.mark.parametrize("name", ["a.tar", "a.tar.xz"])
def test_a_long_header_of_a_tar_is_not_read(tmp_path: Path, name: str) -> None:
    content = bombs.tar_with_head(40 * bombs.MIB)
    (tmp_path / name).write_bytes(lzma.compress(content, preset=0) if name.endswith("xz") else content)

    def read() -> None:
        with pytest.raises(DataError, match="a header is too large"):
            archives.names(tmp_path / name)

    assert bombs.peak(read) < 30 * bombs.MIB


def test_the_dictionary_of_an_xz_is_bounded(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 2**29}]
    (tmp_path / "a.tar.xz").write_bytes(lzma.compress(bytes(10_240), filters=filters))
    with pytest.raises(DataError, match=r"cannot be read as a zip or tar archive .*[Mm]emory"):
        archives.names(tmp_path / "a.tar.xz")
