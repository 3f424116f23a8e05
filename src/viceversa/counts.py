"""Numbers of things in words."""


def count(number: int, noun: str) -> str:
    """Return ``"1 image"``, ``"1,200 images"``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def are(number: int) -> str:
    """Return the verb that goes with it."""
    return "is" if number == 1 else "are"
