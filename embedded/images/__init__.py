"""Images made from the toolchain's programs, so that none has to be pulled from anywhere."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from embedded import paths
from embedded.images.archive import Archive, Image
from embedded.progress import Progress
from embedded.toolchain import cache

__all__ = ["Archive", "Image", "provide"]


def provide(images: Sequence[Image], progress: Progress) -> list[Archive]:
    """Return the archive of each image, made unless it is in the cache with the same content."""
    root = paths.create_cache("images")

    with progress.stage("Images") as stage:

        def archive(image: Image) -> tuple[Archive, bool]:
            folder, cached = cache.entry(
                root,
                image.name,
                image.key(),
                make=lambda folder, _: image.write(folder / "image.tar"),
                waiting=lambda: stage.update(f"waiting for another run that is making {image.name}"),
            )
            return Archive.read(folder / "image.tar"), cached

        with ThreadPoolExecutor() as threads:
            archives = list(threads.map(archive, images))
        made = sum(not cached for _, cached in archives)
        stage.result = f"{made} made, {len(archives) - made} from cache" if made else "from cache"
    return [archive for archive, _ in archives]
