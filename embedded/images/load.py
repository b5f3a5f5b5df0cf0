"""Loading image archives into containerd and into a Docker Engine."""

import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import docker.errors
import requests.exceptions

from embedded.errors import Failure
from embedded.images.archive import Archive

_NAMESPACE = "k8s.io"
_PINNED = "io.cri-containerd.pinned=pinned"
"""Keeps the kubelet from removing an image that it couldn't pull again."""


def load_into_containerd(ctr: Path, socket: Path, archives: Sequence[Archive]) -> list[Archive]:
    """Load those of ``archives`` that containerd hasn't got, for the kubelet to use, and return them.

    Args:
        ctr: The ``ctr`` command.
        socket: containerd's, absolute.
        archives: What is to be there.

    Raises:
        Failure: containerd doesn't answer, or refuses an archive.
    """

    def run(*arguments: str) -> str:
        command = [str(ctr), "--address", str(socket), "--namespace", _NAMESPACE, "images", *arguments]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode:
            reason = answer.stderr.strip().splitlines()[-1:] or [f"ctr exited with {answer.returncode}"]
            fix = "see containerd's log"
            raise Failure(f"containerd at {socket} can't do “images {arguments[0]}”: {reason[0]}", fix)
        return answer.stdout

    # REF TYPE DIGEST SIZE PLATFORMS LABELS
    rows = [line.split() for line in run("list").splitlines()[1:]]
    present = {(row[0], row[2]) for row in rows if _PINNED in row[-1]}
    absent = [archive for archive in archives if (archive.reference, archive.digest) not in present]

    def load(archive: Archive) -> None:
        run("import", "--label", _PINNED, str(archive.path))

    with ThreadPoolExecutor() as threads:
        list(threads.map(load, absent))
    return absent


def load_into_docker(client: docker.DockerClient, archives: Sequence[Archive]) -> list[Archive]:
    """Load those of ``archives`` that the Docker Engine hasn't got, and return them.

    Raises:
        Failure: The Engine doesn't answer, or refuses an archive.
    """
    try:
        present = {(tag, image.id) for image in client.images.list() for tag in image.tags}
        absent = [archive for archive in archives if (familiar(archive.reference), archive.image_id) not in present]
        for archive in absent:
            with archive.path.open("rb") as data:
                client.images.load(data)
            # The archive may know it by another name only.
            client.api.tag(archive.image_id, familiar(archive.reference))
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        address = client.api.base_url
        raise Failure(f"The Docker Engine at {address} can't load images: {error}", "see its log") from error
    return absent


def familiar(reference: str) -> str:
    """``reference`` as Docker shows it: ``caddy:2`` for ``docker.io/library/caddy:2``."""
    return reference.removeprefix("docker.io/").removeprefix("library/")
