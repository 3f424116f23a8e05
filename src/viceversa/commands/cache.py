"""viceversa cache."""

from pathlib import Path
from typing import Annotated

import tyro

from viceversa.counts import count
from viceversa.errors import ConfigError


def run(
    cache: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None,
    unused_days: Annotated[float | None, tyro.conf.arg(metavar="DAYS")] = None,
    clear: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False,
) -> int:
    """Shows what the cache of decoded images holds: how large, how many images, when last used. Or clears it.

    What was cleared is decoded again when it is needed.

    Args:
        cache: The folder, if another was given to train; left out: that of the system for caches.
        unused_days: Remove what was not used for so many days.
        clear: Remove all.
    """
    import time

    from viceversa.data import cached
    from viceversa.training.units import size

    if unused_days is not None and not unused_days >= 0:
        raise ConfigError(f"--unused-days must not be negative; got {unused_days}.")
    if clear or unused_days is not None:
        removed = cached.clear(cache, unused_days=0.0 if clear else unused_days or 0.0)
        print(f"{len(removed)} removed, {size(sum(entry.size_bytes for entry in removed))} freed")
        return 0
    found = cached.entries(cache)
    for entry in found:
        day = time.strftime("%Y-%m-%d", time.localtime(entry.used))
        print(f"{size(entry.size_bytes):>9}  {entry.images:>9,} images  last used {day}  {entry.folder}")
    how = " Remove all with --clear, or what was not used for 30 days with --unused-days 30." if found else ""
    print(f"{size(sum(entry.size_bytes for entry in found))} in {count(len(found), 'data set')}.{how}")
    return 0
