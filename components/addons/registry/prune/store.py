"""The registry's volume.

Source of its layout: https://github.com/distribution/distribution/blob/v3.1.0/registry/storage/paths.go
"""

import json
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

RELEASE = re.compile(r"[0-9a-f]{16}")
"""The tag of a release: the hash of what it was built from. Images with other tags are somebody else's."""
DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
LARGEST_MANIFEST = 4 * 2**20
"""Bytes; the registry takes no larger one."""

QUIET_SECONDS = 120
"""A push that has written nothing for so long has ended."""
STALE_SECONDS = 3600
"""What no manifest has named for so long was left by a push that didn't end."""


@dataclass(frozen=True)
class Release:
    """An image that a site was built to."""

    repository: str
    digest: str
    """Hexadecimal digits."""
    tags: tuple[str, ...]
    """Those that lead to it now."""
    pushed: float


class Store:
    """The registry's volume."""

    def __init__(self, volume: Path) -> None:
        self._root = volume / "docker/registry/v2"
        self._aside = volume / ".pruned/aside"
        self._deleted = volume / ".pruned/deleted"
        self._blobs = self._root / "blobs/sha256"

    def repositories(self) -> Iterator[str]:
        """Yield the names of all repositories."""
        below = self._root / "repositories"
        for folder, names, _ in os.walk(below):
            if any(name.startswith("_") for name in names):
                yield Path(folder).relative_to(below).as_posix()
            # One repository may be below another.
            names[:] = [name for name in names if not name.startswith("_")]

    def tags(self, repository: str) -> dict[str, tuple[str, dict[str, float]]]:
        """Return, by tag, the digest that it leads to, and when each that it ever led to was pushed."""
        found = {}
        for tag in _folders(self._manifests(repository) / "tags"):
            current = _read(tag / "current/link").decode().removeprefix("sha256:")
            pushed = {each.name: _modified(each / "link") for each in _folders(tag / "index/sha256")}
            found[tag.name] = current, pushed
        return found

    def revisions(self, repository: str) -> set[str]:
        """Return the digests of its manifests."""
        folders = _folders(self._manifests(repository) / "revisions/sha256")
        return {each.name for each in folders if (each / "link").exists()}

    def named_by(self, digest: str) -> set[str]:
        """Return all digests that a manifest names, its own included."""
        place = self._blob(digest) / "data"
        return {digest, *DIGEST.findall((_read(place) or _read(self._there(place))).decode(errors="replace"))}

    def named(self) -> dict[str, set[str]]:
        """Return what the manifests of each repository name."""
        known: dict[str, set[str]] = {}
        found: dict[str, set[str]] = {}
        for repository in self.repositories():
            for digest in self.revisions(repository):
                if digest not in known:
                    known[digest] = self.named_by(digest)
                found.setdefault(repository, set()).update(known[digest])
        return found

    def blobs(self) -> dict[str, float]:
        """Return when each blob was written."""
        return {
            each.name: _modified(each / "data") for beginning in _folders(self._blobs) for each in _folders(beginning)
        }

    def layers(self, repository: str) -> dict[str, float]:
        """Return what has been uploaded to a repository, and when: layers, and configurations."""
        return {each.name: _modified(each / "link") for each in _folders(self._layers(repository))}

    def is_pushed_to(self) -> bool:
        """Whether an upload is under way, or what was uploaded waits for its manifest."""
        since = time.time() - QUIET_SECONDS
        for repository in self.repositories():
            for folder, _, files in os.walk(self._root / "repositories" / repository / "_uploads"):
                if any(_modified(Path(folder, name)) > since for name in files):
                    return True
        named = self.named()
        orphaned = self._orphaned(set().union(*named.values()))
        return any(
            written > max(since, orphaned.get(layer, 0))
            for repository in self.repositories()
            for layer, written in self.layers(repository).items()
            if layer not in named.get(repository, ())
        )

    def releases(self, repository: str) -> list[Release]:
        """Return the releases of a repository, the newest first."""
        tags, revisions = self.tags(repository), self.revisions(repository)
        others = {current for tag, (current, _) in tags.items() if not RELEASE.fullmatch(tag)}
        pushed: dict[str, float] = {}
        for tag, (_, times) in tags.items():
            if RELEASE.fullmatch(tag):
                for digest in (times.keys() & revisions) - others:
                    pushed[digest] = max(times[digest], pushed.get(digest, 0))
        found = [
            Release(repository, digest, tuple(tag for tag, (current, _) in tags.items() if current == digest), when)
            for digest, when in pushed.items()
        ]
        return sorted(found, key=lambda each: (each.pushed, each.digest), reverse=True)

    def parts(self, release: Release) -> set[str]:
        """Return the untagged manifests that only a release names: one for each platform, as a rule."""
        tagged = {digest for current, times in self.tags(release.repository).values() for digest in {current, *times}}
        untagged = self.revisions(release.repository) - tagged
        candidates = self.named_by(release.digest) & untagged
        if not candidates:
            return set()
        others = self.revisions(release.repository) - candidates - {release.digest}
        return candidates.difference(*map(self.named_by, others))

    def put_aside_release(self, release: Release, parts: Iterable[str]) -> None:
        """Put aside the tags and manifests of a release; what they name stays."""
        manifests = self._manifests(release.repository)
        for tag in release.tags:
            self._put_aside(manifests / "tags" / tag)
        for tag_folder in _folders(manifests / "tags"):
            self._put_aside(tag_folder / "index/sha256" / release.digest)
        for digest in (release.digest, *parts):
            self._put_aside(manifests / "revisions/sha256" / digest)

    def has_come_back(self, release: Release) -> bool:
        """Whether a release that is aside has been pushed again, or was when it went aside."""
        leads_to = {current for current, _ in self.tags(release.repository).values()}
        if release.digest in leads_to | self.revisions(release.repository):
            return True
        tags = self._manifests(release.repository) / "tags"
        links = (tags / tag / "index/sha256" / release.digest / "link" for tag in release.tags)
        return any(_modified(self._there(link)) > release.pushed for link in links)

    def put_aside_unnamed(self) -> None:
        """Put aside what no manifest names any more, unless it may wait for one that is still to come."""
        named = self.named()
        everywhere = set().union(*named.values())
        orphaned, stale = self._orphaned(everywhere), time.time() - STALE_SECONDS
        uploaded = set()
        for repository in self.repositories():
            for layer, written in self.layers(repository).items():
                if layer in named.get(repository, ()):
                    continue
                if written <= max(stale, orphaned.get(layer, 0)):
                    self._put_aside(self._layers(repository) / layer)
                else:
                    uploaded.add(layer)
        for digest, written in self.blobs().items():
            if digest not in everywhere | uploaded and written <= max(stale, orphaned.get(digest, 0)):
                self._put_aside(self._blob(digest))

    def _orphaned(self, named: set[str]) -> dict[str, float]:
        """Return what manifests name that no repository has any more, and when the last of these was written.

        Args:
            named: What those name that are in a repository.
        """
        found: dict[str, float] = {}
        for digest, written in self.blobs().items():
            if digest not in named and _is_manifest(_read(self._blob(digest) / "data", LARGEST_MANIFEST)):
                for each in self.named_by(digest):
                    found[each] = max(written, found.get(each, 0))
        return found

    def put_back_named(self) -> None:
        """Put back what a manifest names that has come meanwhile."""
        named = self.named()
        everywhere = set().union(*named.values())
        for place in self._places_aside():
            if place.is_relative_to(self._blobs):
                wanted = place.name in everywhere
            else:
                repository = place.relative_to(self._root / "repositories").as_posix().partition("/_layers/")[0]
                wanted = place.parent.parent.name == "_layers" and place.name in named.get(repository, ())
            if wanted:
                self._put_back(place)

    def put_back(self) -> None:
        """Put back all that is aside: another run was killed, or it is needed after all."""
        shutil.rmtree(self._deleted, ignore_errors=True)
        # What is named comes before what names it.
        for place in sorted(self._places_aside()):
            self._put_back(place)

    def is_anything_aside(self) -> bool:
        """Whether there is something that is aside."""
        return bool(self._places_aside())

    def delete(self) -> int:
        """Delete what is aside, and return how many bytes of images that was."""
        if not self._aside.exists():
            return 0
        size = sum(path.stat().st_size for path in self._aside.glob("blobs/sha256/*/*/data"))
        # Once it is killed in the middle, nothing of it can be put back.
        self._aside.rename(self._deleted)
        shutil.rmtree(self._deleted)
        return size

    def size(self) -> int:
        """Return how many bytes of images there are."""
        return sum(path.stat().st_size for path in self._blobs.glob("*/*/data"))

    def _manifests(self, repository: str) -> Path:
        return self._root / "repositories" / repository / "_manifests"

    def _layers(self, repository: str) -> Path:
        return self._root / "repositories" / repository / "_layers/sha256"

    def _blob(self, digest: str) -> Path:
        return self._blobs / digest[:2] / digest

    def _there(self, place: Path) -> Path:
        """Where something is while it is aside."""
        return self._aside / place.relative_to(self._root)

    def _put_aside(self, folder: Path) -> None:
        there = self._there(folder)
        if folder.exists():
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(there, ignore_errors=True)
            with suppress(FileNotFoundError):  # somebody has deleted it meanwhile
                folder.rename(there)

    def _put_back(self, folder: Path) -> None:
        there = self._there(folder)
        if not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            there.rename(folder)

    def _places_aside(self) -> list[Path]:
        """Where the folders that are aside belong."""
        found = []
        for folder, names, files in os.walk(self._aside):
            if {"data", "link"} & set(files) or "current" in names:
                found.append(self._root / Path(folder).relative_to(self._aside))
                names.clear()
        return found


def _folders(folder: Path) -> list[Path]:
    try:
        return [Path(each.path) for each in os.scandir(folder) if each.is_dir()]
    except FileNotFoundError:
        return []


def _read(path: Path, most: int = -1) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except FileNotFoundError:
        return b""


def _is_manifest(content: bytes) -> bool:
    try:
        document = json.loads(content) if content.startswith(b"{") else None
    except ValueError:
        return False
    return isinstance(document, dict) and document.get("schemaVersion") == 2


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # it is gone since it was listed
        return 0
