"""The options of a site."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from components.addons import reserved
from components.options import (
    DOMAIN,
    LABEL,
    Allowed,
    Default,
    Host,
    Memory,
    Model,
    Port,
    Quantity,
    amount,
    problem,
    shown,
)
from components.site_source import folder_of_site

REGISTRY = rf"(localhost|{LABEL}(\.{LABEL})+|{LABEL}(\.{LABEL})*:[0-9]{{1,5}})"
"""With a dot or a port, or Docker takes it for a user name on Docker Hub."""
NAME = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
"""A part of an image's name. Source: https://pkg.go.dev/github.com/distribution/reference"""


def _site_name(name: str) -> str:
    if reserved(name):
        raise problem(f"{shown(name)} is the name of a namespace of the cluster; give the site another name")
    return name


class Requests(Model):
    """What the scheduler reserves for a pod."""

    cpu: Quantity = Field(default="10m", description="of one CPU, as 250m or 0.25")
    memory: Memory = Field(default="32Mi", description="memory")


class Limits(Model):
    """What a pod may use at most."""

    cpu: Quantity = Field(default="500m", description="of one CPU")
    memory: Memory = Field(default="128Mi", description="memory")


class Resources(Model):
    """Requests and limits of a pod."""

    requests: Requests = Field(default=Requests(), description="what the scheduler reserves for it")
    limits: Limits = Field(default=Limits(), description="what it may use at most")

    @model_validator(mode="after")
    def _requests_within_limits(self) -> Self:
        for resource in ("cpu", "memory"):
            request, limit = getattr(self.requests, resource), getattr(self.limits, resource)
            if amount(request) > amount(limit):
                raise problem(
                    f"requests.{resource} {request} is more than limits.{resource} {limit}; allowed: at most as much"
                )
        return self


class SiteOptions(Model):
    """A website: a folder that is built, or an image that is ready."""

    name: Annotated[
        str,
        # RFC 1035 rather than 1123: it is also the name of a Service.
        Field(pattern=r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$", description="name of the site and of its namespace"),
        AfterValidator(_site_name),
        Allowed("1 to 63 lower-case letters, digits and hyphens, beginning with a letter, not ending in a hyphen"),
    ]
    source: Annotated[
        str,
        AfterValidator(folder_of_site),
        Allowed("a folder inside the project, relative to it, with an index.html or a Dockerfile in it"),
    ] = Field(
        default="site",
        description="folder inside the project with an index.html or a Dockerfile, at most 1 GiB without what its "
        ".dockerignore lists",
    )
    image: Annotated[str | None, Allowed("an image by digest, name@sha256:<64 hexadecimal digits>")] = Field(
        default=None,
        max_length=500,
        pattern=rf"^({REGISTRY}/)?{NAME}(/{NAME})*(:[A-Za-z0-9_][A-Za-z0-9._-]{{0,127}})?@sha256:[0-9a-f]{{64}}$",
        description="instead of source, an image that is ready, name@sha256:…; then nothing is built",
    )
    host: Annotated[Host, Default(f"<name>.{DOMAIN}")] = Field(description="host name")
    path: Annotated[
        str,
        # What controllers take as a Prefix under strict validation (ingress-nginx' strict-validate-path-type).
        Field(
            min_length=1,
            max_length=1024,
            pattern=r"^(/[A-Za-z0-9_-]+)*/?$",
            description="path below which the site is; the site sees it in its requests",
        ),
        Allowed("a path that begins with / and has only letters, digits, -, _ and / in it"),
    ] = "/"
    port: Port = Field(default=8080, description="port of the container, HTTP")
    health_path: Annotated[
        str, Allowed("a path that begins with / and answers a GET with 200 where the site can serve")
    ] = Field(
        default="/", max_length=1024, pattern=r"^/[!-~]*$", description="path that answers 200 where the site can serve"
    )
    replicas: int = Field(default=2, ge=1, le=100, description="pods")
    progress_deadline_seconds: Annotated[int, Allowed("a whole number of seconds, 10 to 3600")] = Field(
        default=300,
        ge=10,
        le=3600,
        description="how long an update may go without progress before it has failed, in seconds",
    )
    tls: bool = Field(
        default=False, description="true serves the site over HTTPS with a certificate of the stack's authority"
    )
    resources: Resources = Field(default=Resources(), description="what each pod gets and may use")

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if {"source", "image"} <= self.model_fields_set:
            raise problem("source and image given; allowed: one of them")
        return self
