"""Images made from the toolchain's programs, so that none has to be pulled from anywhere."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from embedded import paths
from embedded.images.archive import Archive, Image
from embedded.progress import Progress
from embedded.toolchain import cache

__all__ = ["Archive", "Image", "Source", "provide"]


class Source(Protocol):
    """What an image's archive is made of."""

    @property
    def name(self) -> str:
        """The last part of the image's name, without the tag."""

    def key(self) -> str:
        """Hash of everything that determines the archive."""

    def write(self, path: Path) -> None:
        """Write the archive to ``path``."""


def provide(images: Iterable[Source], progress: Progress) -> dict[str, Archive]:
    """Return the archive of each image by the image's name, made unless it is in the cache with the same content.

    Args:
        images: What is wanted; of those that have the same name the last one.
        progress: Where to show what is done.

    Raises:
        Failure: One can't be made.
    """
    root = paths.create_cache("images")
    wanted = {image.name: image for image in images}

    with progress.stage("Images") as stage:

        def archive(image: Source) -> tuple[Archive, bool]:
            def make(folder: Path, _: int) -> None:
                stage.update(f"making {image.name}")
                image.write(folder / "image.tar")

            folder, cached = cache.entry(
                root,
                image.name,
                image.key(),
                make,
                waiting=lambda: stage.update(f"waiting for another run that is making {image.name}"),
            )
            return Archive.read(folder / "image.tar"), cached

        with ThreadPoolExecutor() as threads:
            archives = dict(zip(wanted, threads.map(archive, wanted.values()), strict=True))
        made = sum(not cached for _, cached in archives.values())
        stage.result = f"{made} made, {len(archives) - made} from cache" if made else "from cache"
    return {name: archive for name, (archive, _) in archives.items()}
