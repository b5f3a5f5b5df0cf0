"""Give each asset the name that its content asks for, and correct what refers to it.

Run by hand after an edit in ``site/assets/``::

    python site/fingerprint.py

``style.css`` or ``style.0123456789.css`` becomes ``style.<first 10 hex digits of its SHA-256>.css``. The web server
tells browsers to keep files with such names for a year, so a changed file must have a new name.
"""

import hashlib
import re
from pathlib import Path

SITE = Path(__file__).resolve().parent
TEXT = {".html", ".css", ".svg"}
"""Suffixes of the files that may refer to an asset."""


def fingerprinted(asset: Path) -> str:
    """The file name that carries the asset's content hash: ``name.<10 hex digits>.ext``."""
    digest = hashlib.sha256(asset.read_bytes()).hexdigest()[:10]
    stem = re.sub(r"\.[0-9a-f]{10}$", "", asset.stem)
    return f"{stem}.{digest}{asset.suffix}"


def fingerprint(site: Path) -> list[tuple[str, str]]:
    """Rename the assets under ``site/assets`` and rewrite the references to them in all of ``site``.

    Returns:
        The old and the new name of each asset that was renamed, in order.

    Raises:
        ValueError: Assets refer to each other in a circle, so that no name can be final, or two have the same new name.
    """
    renamed: list[tuple[str, str]] = []
    assets = site / "assets"
    # Rewriting a reference inside an asset changes that asset's own hash, so go on until all names are true. Without a
    # circle, each pass settles at least one asset.
    for _ in range(len(list(assets.iterdir())) + 1):
        stale = [path for path in sorted(assets.iterdir()) if path.name != fingerprinted(path)]
        if not stale:
            return renamed
        for path in stale:
            target = path.with_name(fingerprinted(path))
            if target.name == path.name:  # An earlier rename of this pass has already settled it.
                continue
            if target.exists():
                raise ValueError(f"{path}: has the same content as {target.name}; delete one of them")
            path.rename(target)
            _rewrite(site, path.name, target.name)
            renamed.append((path.name, target.name))
    raise ValueError(f"{assets}: files refer to each other in a circle, so none can be named by its content")


def _rewrite(site: Path, old: str, new: str) -> None:
    for page in site.rglob("*"):
        if page.is_file() and page.suffix in TEXT:
            text = page.read_text(encoding="utf-8")
            changed = text.replace(f"/assets/{old}", f"/assets/{new}")
            if changed != text:
                page.write_text(changed, encoding="utf-8")


if __name__ == "__main__":
    for before, after in fingerprint(SITE):
        print(f"{before} → {after}")
