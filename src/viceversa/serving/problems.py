"""What goes wrong with a request: a status, a short code for programs, a sentence for people."""

import json
from typing import Any


class Problem(Exception):
    """A request that is refused; the answer is ``{"error": {"code": ..., "message": ...}}``."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None):
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}

    def body(self) -> bytes:
        """The JSON of the answer."""
        error: dict[str, Any] = {"error": {"code": self.code, "message": self.message}}
        return json.dumps(error).encode()


def too_large(message: str) -> Problem:
    """413."""
    return Problem(413, "too_large", message)


def busy(status: int, code: str, message: str, retry_seconds: int) -> Problem:
    """A refusal that will pass: 429 or 503, with Retry-After."""
    text = f"{message} Try again in {retry_seconds} s."
    return Problem(status, code, text, {"Retry-After": str(retry_seconds)})


def gone() -> Problem:
    """410, of a file that a visitor has uploaded."""
    return Problem(410, "gone", "The file is not kept here any more; upload it again.")
