"""What goes wrong with a request: a status, a short code for programs, a sentence for people."""

from starlette.responses import JSONResponse, PlainTextResponse, Response


class Problem(Exception):
    """A request that is refused; the answer is ``{"error": {"code": ..., "message": ...}}``."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None):
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}

    def answer(self, *, plain: bool = False) -> Response:
        """What is sent: JSON, or ``plain`` the sentence alone."""
        if plain:
            return PlainTextResponse(self.message, self.status, self.headers)
        error = {"code": self.code, "message": self.message}
        return JSONResponse({"error": error}, self.status, self.headers)


def too_large(message: str) -> Problem:
    """413."""
    return Problem(413, "too_large", message)


def file_too_large(most: int) -> Problem:
    """413, of bytes."""
    return too_large(f"The file is larger than {most / 1e6:.3g} MB, the most that is taken here; make it smaller.")


def busy(status: int, code: str, message: str, retry_seconds: int) -> Problem:
    """A refusal that will pass: 429 or 503, with Retry-After."""
    text = f"{message} Try again in {retry_seconds} s."
    return Problem(status, code, text, {"Retry-After": str(retry_seconds)})


def gone() -> Problem:
    """410, of a file that a visitor has uploaded."""
    return Problem(410, "gone", "The file is not kept here any more; upload it again.")
