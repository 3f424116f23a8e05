"""What counts as a video, by name or by its first bytes, and which kinds are written."""

from pathlib import Path

from viceversa.data import formats

WRITTEN = (".mp4", ".m4v", ".mov", ".mkv")
"""Suffixes of the videos that are written, all with H.264."""
VIDEOS = (*WRITTEN, ".webm", ".avi", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".mts", ".m2ts", ".ogv")
"""Suffixes of the videos that are looked for in folders."""
MOVING = (".gif", ".webp")
"""Suffixes of animations that a video can become; they have no sound."""
_PICTURE_BRANDS = (b"avif", b"avis", b"mif1", b"msf1", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")


def is_video(path: Path) -> bool:
    """Whether a file is a video: by its suffix; or by its first bytes, where the suffix says nothing."""
    if path.suffix.lower() in VIDEOS:
        return True
    if path.suffix.lower() in formats.SUFFIXES:
        return False
    try:
        with path.open("rb") as file:
            head = file.read(189)
    except OSError:
        return False
    if head[4:8] == b"ftyp":
        return head[8:12] not in _PICTURE_BRANDS
    if head[:4] == b"RIFF":
        return head[8:12] == b"AVI "
    stream = head[:1] == b"G" and head[188:] == b"G"  # MPEG's transport stream: packets of 188 bytes
    return stream or head.startswith((b"\x1aE\xdf\xa3", b"FLV\x01", b"\x30\x26\xb2\x75", b"\0\0\1\xba"))
