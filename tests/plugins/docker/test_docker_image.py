"""`docker.Image`, with the real engine, the real Docker Engine and a real registry."""

import http.client
import io
import json
import os
import tarfile

import docker

from tests.plugins.docker.conftest import NOWHERE, REGISTRY, ImageProject

MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.oci.image.index.v1+json"
)


def registry_digest(project: ImageProject, reference: str) -> str | None:
    """The digest that the registry answers for a tag or digest."""
    host, path = project.repository.split("/", 1)
    connection = http.client.HTTPConnection(host)
    connection.request("HEAD", f"/v2/{path}/manifests/{reference}", headers={"Accept": MANIFESTS})
    answer = connection.getresponse()
    return answer.getheader("Docker-Content-Digest") if answer.status == 200 else None


def files(engine: docker.DockerClient, image: str) -> dict[str, tarfile.TarInfo]:
    """The files of an image's last layer."""
    saved = io.BytesIO(b"".join(engine.images.get(image).save()))
    with tarfile.open(fileobj=saved) as tar:
        manifest = tar.extractfile("manifest.json")
        assert manifest
        layer = tar.extractfile(json.load(manifest)[0]["Layers"][-1])
        assert layer
        with tarfile.open(fileobj=io.BytesIO(layer.read())) as content:
            return {member.name: member for member in content}


def test_builds_pushes_and_says_what_the_registry_holds(
    project: ImageProject, docker_engine: docker.DockerClient
) -> None:
    shown = project.up()
    assert "Step 2/2 : COPY . /" in shown
    assert project.outputs() == {
        "base_image_name": f"{project.repository}:one",
        "image_name": f"{project.repository}:one",
        "context": "site",
        "dockerfile": "Dockerfile",
        "platform": "linux/amd64" if os.uname().machine == "x86_64" else "linux/arm64",
        "registry_server": REGISTRY,
        "repo_digest": f"{project.repository}@{registry_digest(project, 'one')}",
    }
    assert "index.html" in files(docker_engine, f"{project.repository}:one")


def test_an_unchanged_folder_is_no_change(project: ImageProject) -> None:
    project.up()
    index = project.folder / "site/index.html"
    os.utime(index, (0, 0))
    index.chmod(0o600)
    assert "2 unchanged" in project.pulumi("preview", "--expect-no-changes")


def test_moving_the_folder_is_no_change(project: ImageProject) -> None:
    project.up()
    (project.folder / "site").rename(project.folder / "moved")
    project.declare(build=f"'context': {str(project.folder / 'moved')!r}")
    project.pulumi("preview", "--expect-no-changes")


def test_a_preview_says_what_changes_without_the_docker_engine(project: ImageProject) -> None:
    project.up()
    project.variables["DOCKER_HOST"] = NOWHERE
    assert f"known: {project.outputs()['repo_digest']}" in project.pulumi("preview")
    project.write("site/index.html", "hello again")
    shown = project.pulumi("preview", "--diff")
    assert "~ docker:index/image:Image: (update)" in shown
    assert "~ contextDigest:" in shown
    assert "imageName" not in shown
    assert "known: " not in shown


def test_an_edited_file_makes_a_new_image(project: ImageProject) -> None:
    project.up()
    before = project.digest
    project.write("site/index.html", "hello again")
    shown = project.up()
    assert "1 updated" in shown
    assert project.digest != before
    assert project.digest == registry_digest(project, "one")
    project.pulumi("preview", "--expect-no-changes")


def test_a_new_tag_is_pushed_too(project: ImageProject) -> None:
    project.up()
    project.declare(name=f"{project.repository}:two")
    project.up()
    assert registry_digest(project, "two") == registry_digest(project, "one") == project.digest


def test_everything_that_a_build_takes_is_handed_on(project: ImageProject, docker_engine: docker.DockerClient) -> None:
    project.write(
        "site/docker/File", "FROM scratch AS first\nARG WHO\nLABEL who=$WHO\nFROM scratch\nLABEL who=nobody\n"
    )
    project.declare(
        build="""
        "dockerfile": "site/docker/File", "args": {"WHO": "me"}, "target": "first", "platform": "linux/amd64",
        "network": "none", "add_hosts": ["db:10.0.0.1"], "builder_version": docker.BuilderVersion.BUILDER_V1,
        "cache_from": {"images": ["localhost:1/none:one"]},
        """
    )
    project.up()
    assert docker_engine.images.get(f"{project.repository}:one").labels == {"who": "me"}
    assert project.outputs()["dockerfile"] == "docker/File"
    for change in ('"args": {"WHO": "you"}', '"args": {"WHO": "me"}'):
        project.declare(build=f'"dockerfile": "site/docker/File", {change}, "target": "first"')
        assert "to update" in project.pulumi("preview", "--diff")


def test_a_dockerfile_may_lie_outside_of_the_context(project: ImageProject, docker_engine: docker.DockerClient) -> None:
    (project.folder / "site/Dockerfile").unlink()
    project.write("stock/Dockerfile", "FROM scratch\nCOPY . /\n")
    project.declare(build='"dockerfile": "stock/Dockerfile"')
    project.up()
    assert set(files(docker_engine, f"{project.repository}:one")) == {"index.html"}
    project.write("stock/Dockerfile", "FROM scratch\nCOPY . /\nLABEL new=1\n")
    assert "contextDigest" in project.pulumi("preview", "--diff")


def test_files_belong_to_root_and_can_be_read_whatever_the_umask(
    project: ImageProject, docker_engine: docker.DockerClient
) -> None:
    script = project.write("site/run.sh", "")
    os.chown(script, 1234, 1234)
    script.chmod(0o700)
    (project.folder / "site/index.html").chmod(0o600)
    project.up()
    found = files(docker_engine, f"{project.repository}:one")
    assert (found["run.sh"].mode & 0o777, found["run.sh"].uid, found["run.sh"].gid) == (0o755, 0, 0)
    assert found["index.html"].mode & 0o777 == 0o644


def test_without_a_push_the_digest_is_the_images_own(project: ImageProject, docker_engine: docker.DockerClient) -> None:
    project.declare("skip_push=True")
    project.up()
    assert project.outputs()["repo_digest"] == docker_engine.images.get(f"{project.repository}:one").id
    assert registry_digest(project, "one") is None
    assert "unchanged" in project.pulumi("refresh", "--yes")


def test_the_provider_says_where_the_engine_is(project: ImageProject) -> None:
    host = project.variables.pop("DOCKER_HOST", "unix:///var/run/docker.sock")
    project.declare(
        "opts=pulumi.ResourceOptions(provider=provider)", options=f'provider = docker.Provider("here", host={host!r})'
    )
    project.up()
    assert project.digest == registry_digest(project, "one")


def test_refresh_notices_that_an_image_has_vanished_and_up_pushes_it_again(project: ImageProject) -> None:
    project.up()
    pushed = project.digest
    # As good as deleted: a digest that the registry doesn't hold. Not every registry lets itself be deleted from.
    state = project.pulumi("stack", "export").replace(pushed, "sha256:" + "0" * 64)
    project.pulumi("stack", "import", "--file", str(project.write("state.json", state)))
    assert "1 deleted" in project.pulumi("refresh", "--yes", "--skip-preview")
    assert "+ 1 created" in project.up()
    assert project.digest == registry_digest(project, "one")
    assert "2 unchanged" in project.pulumi("refresh", "--yes", "--skip-preview")


def test_refresh_keeps_what_it_cannot_ask_about(project: ImageProject) -> None:
    project.up()
    state = project.pulumi("stack", "export").replace(REGISTRY, "localhost:1")
    project.pulumi("stack", "import", "--file", str(project.write("state.json", state)))
    shown = project.pulumi("refresh", "--yes", "--skip-preview")
    assert "warning: not refreshed: registry localhost:1 does not answer: Connection refused" in shown
    assert "2 unchanged" in shown


def test_destroy_leaves_the_registry_alone_and_needs_no_engine(project: ImageProject) -> None:
    project.up()
    digest = project.digest
    project.variables["DOCKER_HOST"] = NOWHERE
    assert "2 deleted" in project.pulumi("destroy", "--yes", "--skip-preview")
    assert registry_digest(project, "one") == digest


def test_a_password_stays_secret_and_changing_it_builds_nothing(project: ImageProject) -> None:
    project.declare('registry={"username": "me", "password": "hush-hush"}')
    assert "hush-hush" not in project.up() + project.pulumi("stack", "export")
    project.declare('registry={"username": "you", "password": "other"}')
    project.pulumi("preview", "--expect-no-changes")


def test_a_name_that_is_not_known_yet_is_previewed_as_unknown(project: ImageProject) -> None:
    project.write("site2/Dockerfile", "FROM scratch\nCOPY . /\n")
    project.write(
        "__main__.py",
        f"""
import pulumi, pulumi_docker as docker
first = docker.Image("first", build={{"context": "site"}}, image_name="{project.repository}:one")
name = first.repo_digest.apply(lambda digest: "{project.repository}:" + digest[-8:])
second = docker.Image("second", build={{"context": "site2", "args": {{"A": first.repo_digest}}}}, image_name=name)
pulumi.export("second", second.image_name)
pulumi.export("first", first.repo_digest)
""",
    )
    assert "second: [unknown]" in project.pulumi("preview", "--diff").replace("  ", " ").replace(" :", ":")
    project.up()
    outputs = project.outputs()
    assert outputs["second"] == f"{project.repository}:{outputs['first'][-8:]}"
    project.pulumi("preview", "--expect-no-changes")


def test_other_resources_and_functions_are_refused_by_name(project: ImageProject) -> None:
    project.write("__main__.py", "import pulumi_docker as docker\ndocker.Network('net')\n")
    shown = project.pulumi("preview", fails=True)
    assert "docker:index/network:Network is not supported by the embedded Docker plugin; install the official" in shown
    project.write("__main__.py", "import pulumi_docker as docker\ndocker.get_registry_image(name='alpine')\n")
    shown = project.pulumi("preview", fails=True)
    assert "docker:index/getRegistryImage:getRegistryImage is not supported by the embedded Docker plugin" in shown


def test_an_import_is_refused_with_the_reason(project: ImageProject) -> None:
    shown = project.pulumi(
        "import",
        "docker:index/image:Image",
        "other",
        f"{project.repository}:one",
        "--yes",
        "--skip-preview",
        fails=True,
    )
    assert "can't be imported: a registry doesn't say which folder an image was built from; declare it" in shown


def test_provider_options_that_are_not_known_yet_do_not_disturb_a_preview(project: ImageProject) -> None:
    project.declare(
        "opts=pulumi.ResourceOptions(provider=provider)",
        options=f"""
first = docker.Image("first", build={{"context": "site"}}, image_name="{project.repository}:first")
auth = [{{"address": "registry.invalid", "username": "me", "password": first.repo_digest}}]
provider = docker.Provider("here", registry_auth=auth)
""",
    )
    project.pulumi("preview")
    project.up()
