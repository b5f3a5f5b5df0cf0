"""Which images may run."""

import re
from collections.abc import Iterator

from policy.objects import Container, KubernetesObject, each_container
from policy.rule import Rule

DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
VERSION = re.compile(r"v?\d+\.\d+\.\d+([-+._].+)?")
"""A tag that upstream doesn't move: three numbers, and perhaps a variant, as in ``1.27.3-alpine``."""


def by_digest(subject: KubernetesObject) -> Iterator[str]:
    """Sites: what is reviewed is what runs, whoever pushes to the registry meanwhile."""
    return each_container(_lacks_digest)(subject) if subject.component == "site" else iter(())


def by_version(subject: KubernetesObject) -> Iterator[str]:
    """All others: upstream's exact version."""
    return each_container(_lacks_version)(subject) if subject.component != "site" else iter(())


def _lacks_digest(container: Container) -> Iterator[str]:
    image = str(container.manifest.get("image", ""))
    if not DIGEST.search(image):
        yield f"the image {image or '(none)'} may change under its name; name it by digest, name@sha256:…"


def _lacks_version(container: Container) -> Iterator[str]:
    image = str(container.manifest.get("image", ""))
    # A colon before the last slash belongs to the registry's port.
    tag = image.rpartition("/")[2].partition(":")[2]
    if not DIGEST.search(image) and not VERSION.fullmatch(tag):
        yield f"the image {image or '(none)'} has no exact version; name one, as in name:1.2.3, or a digest"


RULES = [
    Rule("image-digest", "Sites run images by digest.", by_digest),
    Rule("image-version", "Images have an exact version or a digest, never just latest.", by_version),
]
