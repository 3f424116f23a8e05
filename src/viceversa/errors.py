"""Every error that viceversa raises on purpose.

A person's mistake ends in one sentence that names what, where and what to do; the command line prints it and exits
with code 2. The tree::

    ViceversaError
    ├── ConfigError        a setting that cannot be: unknown key, value out of range, a run folder of another config
    ├── DataError          folders and layouts: empty, unpaired, missing half
    │   └── PictureError   one file that cannot be read as an image, or cannot be used
    ├── CheckpointError    a checkpoint or translator folder that is damaged or of another kind
    ├── HubError           a model hub refuses, has no such model, or cannot be reached
    ├── TrainingError      training cannot go on: a loss that is not finite, no space left
    └── MissingExtra       an optional part is not installed; the message gives the command that installs it
"""


class ViceversaError(Exception):
    """Base of all of viceversa's own errors; its text is one sentence for a person."""


class ConfigError(ViceversaError):
    """A setting that cannot be."""


class DataError(ViceversaError):
    """A folder or layout that cannot be trained on."""


class PictureError(DataError):
    """One file that cannot be read as an image, or cannot be used as it is."""


class CheckpointError(ViceversaError):
    """A checkpoint or a translator folder that is damaged or of another kind."""


class HubError(ViceversaError):
    """A model hub refuses, has no such model, or cannot be reached."""


class TrainingError(ViceversaError):
    """Training cannot go on."""


class MissingExtra(ViceversaError):
    """An optional part is not installed."""


def check(condition: object, message: str, kind: type[ViceversaError] = ConfigError) -> None:
    """Raise ``kind`` with ``message`` unless ``condition`` holds.

    Args:
        condition: Whatever is true where all is well.
        message: One sentence for a person: what, where, and what to do.
        kind: The error.
    """
    if not condition:
        raise kind(message)


def check_at_least(settings: object, **least: int) -> None:
    """Refuses settings, called by their names, that are smaller than they may be; those left out (None) are not.

    Raises:
        ConfigError: With the flag.
    """
    for name, smallest in least.items():
        value = getattr(settings, name)
        bound = "not be negative" if smallest == 0 else f"be at least {smallest}"
        check(value is None or value >= smallest, f"--{name.replace('_', '-')} must {bound}; got {value}.")
