"""Files that are no images, but that `viceversa prepare` makes images of: videos and archives, by their names."""

from collections import Counter

from viceversa.counts import count

VIDEO_SUFFIXES = (
    ".mp4", ".mkv", ".webm", ".mov", ".avi", ".m4v", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".vob", ".wmv", ".flv",
    ".ogv", ".3gp",
)  # fmt: skip
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")


def counted(suffixes: Counter[str]) -> str:
    """Return how many files are videos and archives: "2 videos and 1 archive"; empty for none."""
    return " and ".join(
        count(files, word)
        for word, known in (("video", VIDEO_SUFFIXES), ("archive", ARCHIVE_SUFFIXES))
        if (files := sum(suffixes[suffix] for suffix in known))
    )
