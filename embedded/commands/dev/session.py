"""One sitting: what the folder says is served, and what is wrong with it is told."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import urlsplit

import urllib3
from rich.console import Console
from rich.text import Text

from embedded import interruption
from embedded.commands.dev import content
from embedded.commands.dev.program import BuildError, Program
from embedded.commands.dev.serving import ProgramError, Serving
from embedded.commands.dev.watching import saves
from embedded.errors import Failure
from embedded.health.api import ApiError
from settings import edited as folders
from settings.edited import EditError

_ROUTED_SECONDS = 10
"""For the ingress controller to know the host, before the URL is shown all the same."""
_UNROUTED = (404, 502, 503)
"""What controllers answer for a host that they don't know, or whose pod they don't. Else there may be a password."""
_CHECK_SECONDS = 5
"""Between two looks at the pod while nothing is saved."""
_SHOWN = 3
"""How many names are shown of what has changed."""


class Session:
    """Has the pod serve what the folder says.

    Args:
        serving: The pod, and how it is reached.
        source: The folder.
        console: Where it is told what is done.
    """

    def __init__(self, serving: Serving, source: str, console: Console) -> None:
        self._serving, self._source, self._console = serving, source, console
        self._folder, self._pages = content.Folder(source), content.Pages(source)
        self._program: Program | None = None
        self._image = serving.edited.image
        self._error = ""

    def begin(self) -> None:
        """Serve the folder as it is now.

        Raises:
            Failure: It can't be served at all.
            ApiError: The API server refuses something, or doesn't answer.
        """
        edited = self._serving.edited
        if edited.left_out:
            self._note(f"{', '.join(edited.left_out)} belongs to the site's own pod; here there is an empty folder")
        first = None
        self._folder.changed()
        if edited.pages:
            try:
                first = self._pages.change()
            except EditError as error:
                raise Failure(*_halves(str(error))) from None
        else:
            self._program = Program(self._source, edited.repository)
            self._build()
        self._serving.open(self._image)
        self._fill(first)

    def show(self, url: str, address: str) -> None:
        """Say where it is, once the ingress controller knows it."""
        await_route(url, address)
        self._console.print(Text.assemble((url, "bold"), f"  shows {self._source}/ as it is saved; Ctrl-C ends it"))

    def follow(self) -> None:
        """Serve each save, until somebody ends it.

        Raises:
            Failure: It can't go on.
            ApiError: The API server refuses something.
        """
        looked = time.monotonic()
        for saved in saves(Path(self._source)):
            if saved:
                self.save()
            elif time.monotonic() - looked > _CHECK_SECONDS:
                looked = time.monotonic()
                self._check()

    def end(self) -> None:
        """Take away what has been made.

        Raises:
            ApiError: The API server refuses it, or doesn't answer.
        """
        if self._program:
            self._program.untag()
        self._serving.close()

    def save(self) -> None:
        """Serve what has been saved, or tell why it can't be.

        Raises:
            Failure: It can't go on.
            ApiError: The API server refuses something.
        """
        began = time.time()
        try:
            names, saved = self._folder.changed()
            if not names:
                return
            # What was moved here may be of any time.
            began = saved if began - 2 < saved < began else began
            if folders.has_dockerfile(self._source) == self._serving.edited.pages:
                raise Failure(
                    f"{self._source} has got or lost its Dockerfile", fix="run `pulumi up`, then script/dev again"
                )
            if not self._serve():
                return
        except EditError as error:
            self._fail(str(error))
            return
        except (BuildError, ProgramError) as error:
            self._fail(str(error))
            return
        shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if names[_SHOWN:] else "")
        self._log(f"{shown}  {time.time() - began:.2f} s")

    def _serve(self) -> bool:
        """Serve what has been saved; tells if that is anything new."""
        if self._program:
            with self._console.status("building"):
                image = self._program.build(lambda _: interruption.check())
            if image != self._image:
                self._image = image
                self._serving.replace(image)
            self._succeed()
            return True
        if change := self._pages.change():
            try:
                self._serving.put(change.archive, change.gone)
                if change.configured:
                    self._serving.configure()
            except ApiError:
                if self._serving.is_there():
                    raise
                self._again()
                return True
            self._succeed()
            return True
        # As it was before a mistake.
        was, self._error = self._error, ""
        self._serving.say()
        return bool(was)

    def _succeed(self) -> None:
        self._error = ""
        self._serving.say(anew=True)

    def _fail(self, error: str) -> None:
        self._error = error
        self._log(error, "red")
        self._serving.say(error)

    def _build(self) -> None:
        """Build for the first time; without success, what the site runs is served."""
        assert self._program  # noqa: S101 - the caller has made it
        try:
            with self._console.status("building"):
                self._image = self._program.build(lambda _: interruption.check())
        except BuildError as error:
            self._error = str(error)
            self._log(self._error, "red")

    def _fill(self, first: content.Change | None) -> None:
        """Give a new pod what it is to serve."""
        if first:
            self._serving.put(first.archive, [])
        elif self._program:
            self._serving.put(content.front(self._serving.edited), [])
        self._serving.say(self._error, anew=True)
        if self._program is None:
            self._serving.await_server()
            return
        try:
            self._serving.await_program()
        except ProgramError as error:
            self._fail(str(error))
        self._serving.say(self._error, anew=True)

    def _check(self) -> None:
        """Make the pod again, if something has taken it away."""
        if self._serving.is_there():
            return
        self._again()

    def _again(self) -> None:
        edited = self._serving.edited
        if not self._serving.is_deployed():
            raise Failure(f"{edited.site} was removed from the cluster, or replaced", fix="run script/dev again")
        self._log("the pod is gone; making another one", "yellow")
        self._pages.forget()
        self._serving.open(self._image)
        self._fill(self._pages.change() if edited.pages else None)

    def _log(self, text: str, style: str = "") -> None:
        self._console.print(Text.assemble((time.strftime("%H:%M:%S"), "dim"), "  ", (text, style)))

    def _note(self, text: str) -> None:
        self._console.print(Text.assemble(("note: ", "bold"), text))


def await_route(url: str, address: str) -> None:
    """Ask the ingress controller until it knows the host; not if there is no way to it from here."""
    host = urlsplit(url).netloc
    port = host.partition(":")[2] or "80"
    end = time.monotonic() + _ROUTED_SECONDS
    with urllib3.PoolManager(retries=False, timeout=2) as http:
        while time.monotonic() < end:
            try:
                answer = http.request("GET", f"http://{address}:{port}/.dev/state.json", headers={"Host": host})
            except urllib3.exceptions.HTTPError:
                return
            if answer.status not in _UNROUTED:
                return
            time.sleep(0.1)


def _halves(text: str) -> tuple[str, str]:
    """Return what is wrong and what to do, of a line that has both."""
    cause, _, fix = text.rpartition("; ")
    return (cause, fix) if cause else (text, "put that right")
