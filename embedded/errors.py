"""How the embedded default reports what a user can put right."""

from pathlib import Path


class Failure(Exception):  # noqa: N818 - what failed is the user's to put right, not an error of the program
    """Something a user can put right; ``str()`` is the one line to show, without a traceback.

    Args:
        cause: What is wrong and where, without a full stop.
        fix: What to do about it, as an imperative.
        log: The file with the details, where there is one.
    """

    def __init__(self, cause: str, fix: str, log: Path | None = None) -> None:
        super().__init__(cause, fix, log)
        self.cause = cause
        self.fix = fix
        self.log = log

    def __str__(self) -> str:
        return f"{self.cause}; {self.fix}" + (f" (log: {self.log})" if self.log else "")
