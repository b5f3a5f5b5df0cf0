"""PostgreSQL, of Debian's package."""

from typing import Any

from embedded.addons.addon import Addon
from embedded.images import Source
from embedded.images.base import configuration, exposed
from embedded.images.debian import DebianImage
from embedded.toolchain import Toolchain, system

REFERENCE = "docker.io/library/postgres:15-bookworm"
_USER = "postgres:x:999:999::/var/lib/postgresql:/bin/sh"
"""As upstream's image has it; the package would take another number."""
_WITHOUT_COMPILER = ("lib/*/libLLVM*", "lib/postgresql/15/lib/bitcode/*", "lib/postgresql/15/lib/llvmjit*")
"""What compiles long queries is a third of the image. Without it, the server interprets them."""


def _images(_: Toolchain, __: Any) -> list[Source]:
    return [
        DebianImage(
            REFERENCE,
            ("postgresql-15",),
            configuration(
                REFERENCE,
                {
                    "Cmd": ["postgres"],
                    "Env": [f"PATH={system.SYSTEM_PATH}:/usr/lib/postgresql/15/bin", "LANG=C.UTF-8", "PG_MAJOR=15"],
                    "StopSignal": "SIGINT",
                    "ExposedPorts": exposed("5432/tcp"),
                },
            ),
            options=(
                *(f"--dpkgopt=path-exclude=/usr/{pattern}" for pattern in _WITHOUT_COMPILER),
                f'--essential-hook=echo "{_USER}" >> "$1/etc/passwd"; echo "postgres:x:999:" >> "$1/etc/group"',
                # The package sets up a server, with data.
                '--customize-hook=rm -rf "$1/etc/postgresql/15" "$1/var/lib/postgresql/15" "$1/etc/ssl/private/"*.key',
            ),
            without="do without the addon: pulumi config set --path addons.postgres false",
        )
    ]


ADDON = Addon(images=_images)
