"""The options of a site."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from components.addons import reserved
from components.options import (
    DOMAIN,
    HOST,
    LABEL,
    Allowed,
    Default,
    Host,
    Memory,
    Model,
    Port,
    Quantity,
    StorageQuantity,
    amount,
    problem,
    shown,
)
from components.site.egress import DATABASE, DESTINATIONS, check_destination
from components.site.schedule import SCHEDULES, check_schedule
from components.site.source import folder_of_site

REGISTRY = rf"(localhost|{LABEL}(\.{LABEL})+|{LABEL}(\.{LABEL})*:[0-9]{{1,5}})"
"""With a dot or a port, or Docker takes it for a user name on Docker Hub."""
NAME = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
"""A part of an image's name. Source: https://pkg.go.dev/github.com/distribution/reference"""


def _site_name(name: str) -> str:
    if reserved(name):
        raise problem(f"{shown(name)} is the name of a namespace of the cluster; give the site another name")
    return name


TEMPORARY = "/tmp"  # noqa: S108 a mount point in the pod
"""Where every pod can write, and nothing stays."""
LONGEST_PASSWORD = 72
"""Bytes that bcrypt takes."""
CANARY = "canary"
"""The part in the stack of pods that get a part of the requests: they aren't behind the site's Service."""
DATABASE_URL = "DATABASE_URL"
"""The variable with the URL of a site's database."""


def _no_number(value: Any) -> Any:
    # To Python, 1 is True.
    if type(value) is int:
        raise ValueError(value)
    return value


def _environment_value(value: Any) -> Any:
    """Return what `pulumi config set --path` made a number or a truth value of as the text that was given."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if type(value) is int else value


VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,252}$")]
VariableValue = Annotated[str, BeforeValidator(_environment_value), Field(max_length=1 << 17)]
Variables = dict[VariableName, VariableValue]
VARIABLES = Allowed("a map of names (letters, digits, _, . and -, not beginning with a digit) to texts")
Command = Annotated[list[str], Field(min_length=1), Allowed("a list of texts, the program first")]
ContainerPath = Annotated[
    str,
    Field(max_length=1024, pattern=r"^(/[A-Za-z0-9._-]+)+$"),
    Allowed("an absolute path in the container, and not /"),
]


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

    def _contradictions(self) -> Iterator[str]:
        for resource in ("cpu", "memory"):
            request, limit = getattr(self.requests, resource), getattr(self.limits, resource)
            if amount(request) > amount(limit):
                yield f"requests.{resource} {request} is more than limits.{resource} {limit}; allowed: at most as much"


class Volume(Model):
    """What a site keeps."""

    name: Annotated[
        str,
        Field(pattern=rf"^{LABEL}$", max_length=40, description="name, by which it is known when others come and go"),
        Allowed("1 to 40 lower-case letters, digits and hyphens"),
    ]
    path: ContainerPath = Field(description="where the site finds it")
    size: StorageQuantity = Field(default="1Gi", description="size; it can't be made smaller")
    storage_class: Annotated[str | None, Default("the cluster's default one"), Allowed("name of a StorageClass")] = (
        Field(default=None, max_length=253, pattern=HOST, description="its StorageClass")
    )
    shared: bool = Field(
        default=False,
        description="true: pods of several nodes may write to it (ReadWriteMany), if its class can do that",
    )


class Redirect(Model):
    """A host that leads to another one."""

    from_: Host = Field(alias="from", description="host that is redirected, with status 301, path and query")
    to: Host = Field(description="one of the site's hosts, to which it leads")


class BasicAuth(Model):
    """Who may see a site."""

    user: Annotated[str, Allowed("1 to 255 letters, digits and . _ @ -")] = Field(
        pattern=r"^[A-Za-z0-9._@-]{1,255}$", description="name that the browser asks for"
    )
    password: Annotated[str, Allowed(f"8 characters to {LONGEST_PASSWORD} bytes")] = Field(
        min_length=8, repr=False, description="password; set it with --secret"
    )

    @field_validator("password")
    @classmethod
    def _within_bcrypt(cls, password: str) -> str:
        if len(password.encode()) > LONGEST_PASSWORD:
            raise ValueError
        return password


class Autoscale(Model):
    """How many pods a site has under load."""

    min: int = Field(default=2, ge=1, le=100, description="pods at least")
    max: int = Field(ge=1, le=100, description="pods at most")
    cpu: Annotated[int, Allowed("a percentage, 1 to 100")] = Field(
        default=80, ge=1, le=100, description="percentage of the pods' requested CPU above which there are more of them"
    )

    def _contradictions(self) -> Iterator[str]:
        if self.min > self.max:
            yield f"min {self.min} is more than max {self.max}; allowed: at most as much"


class Job(Model):
    """What runs now and then, in the site's image with its environment and volumes."""

    name: Annotated[
        str,
        # With the site's, at most the 52 characters of a CronJob's.
        Field(pattern=rf"^{LABEL}$", max_length=20, description="name"),
        Allowed("1 to 20 lower-case letters, digits and hyphens"),
    ]
    schedule: Annotated[
        str,
        AfterValidator(check_schedule),
        Field(description="when, in UTC, as cron has it"),
        Allowed(SCHEDULES),
    ]
    command: Command = Field(description="program and arguments")


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
    release: Annotated[
        str | None, Default("what the folder says"), Allowed("a digest, sha256:<64 hexadecimal digits>")
    ] = Field(
        default=None,
        pattern=r"^sha256:[0-9a-f]{64}$",
        description="digest of an earlier image of source that runs instead; script/rollback sets it",
    )
    canary: Annotated[int | None, Default("all of them at once"), Allowed("a percentage, 1 to 99")] = Field(
        default=None,
        ge=1,
        le=99,
        description="percentage of the requests that a new version of source gets until script/promote or "
        "script/abort; needs ingress.routes gateway",
    )
    promoted: Annotated[str | None, Default("none"), Allowed("the content of a release, 16 hexadecimal digits")] = (
        Field(
            default=None,
            pattern=r"^[0-9a-f]{16}$",
            description="content of source that gets all requests, whatever canary says; script/promote sets it",
        )
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
    hosts: Annotated[list[Host], Allowed("a list of host names in lower case")] = Field(
        default=[], description="further host names"
    )
    redirects: list[Redirect] = Field(default=[], description="hosts that lead to one of these")
    tls: Annotated[Literal[False, True, "acme"], BeforeValidator(_no_number), Allowed("true, false, acme")] = Field(
        default=False,
        description="true serves the site over HTTPS with a certificate of the stack's authority; acme with one of "
        "addons.cert.acme, which browsers trust",
    )
    basic_auth: Annotated[BasicAuth | None, Default("everybody may see it")] = Field(
        default=None, description="who may see it, where the ingress controller can ask"
    )
    resources: Resources = Field(default=Resources(), description="what each pod gets and may use")
    autoscale: Annotated[Autoscale | None, Default("none")] = Field(
        default=None, description="instead of replicas, as many pods as the load needs; needs metrics-server"
    )
    command: Annotated[Command | None, Default("the image's")] = Field(
        default=None, description="program that runs in place of the image's entry point"
    )
    args: Annotated[list[str] | None, Default("the image's"), Allowed("a list of texts")] = Field(
        default=None, description="its arguments"
    )
    user: Annotated[int | None, Default("65532"), Allowed("a user id, 1 to 2147483647")] = Field(
        default=None, ge=1, le=2**31 - 1, description="user and group id that it runs as"
    )
    env: Annotated[Variables, VARIABLES] = Field(default={}, description="environment variables")
    secret_env: Annotated[Variables, VARIABLES] = Field(
        default={}, repr=False, description="environment variables that are secret; set them with --secret"
    )
    volumes: list[Volume] = Field(default=[], description="what it keeps")
    database: bool = Field(
        default=False,
        description="true gives it a database and a user of addons.postgres, by the variable DATABASE_URL",
    )
    egress: Annotated[
        list[Annotated[str, AfterValidator(check_destination), Allowed(DESTINATIONS)]],
        Allowed(f"a list of {DESTINATIONS}"),
    ] = Field(
        default=[],
        description="what it may connect to: dns, internet (with dns), database, site:<name>, an address range with "
        "ports perhaps, as 10.0.0.0/8:5432; nothing else",
    )
    jobs: list[Job] = Field(default=[], description="what runs now and then in its image")

    def _contradictions(self) -> Iterator[str]:
        if {"source", "image"} <= self.model_fields_set:
            yield "source and image given; allowed: one of them"
        if self.release and self.image:
            yield "release and image given; allowed: one of them"
        if self.canary and self.image:
            yield "canary and image given; allowed: canary with source"
        if self.canary and self.updated_alone:
            yield "canary given, and a volume that only one pod may have; allowed: shared: true on the volume"
        for target in dict.fromkeys(redirect.to for redirect in self.redirects if redirect.to not in self.all_hosts):
            yield (
                f"redirects lead to {shown(target)}, which the site doesn't serve; allowed: {', '.join(self.all_hosts)}"
            )
        if twice := _twice(self.reached_by):
            yield f"{shown(twice)} is among its hosts and redirects twice; give each once"
        yield from self._given_twice()
        if DATABASE in self.egress and not self.database:
            yield "egress has database, and the site has none; set database to true"
        if self.autoscale and "replicas" in self.model_fields_set:
            yield "replicas and autoscale given; allowed: one of them"
        alone = [volume.name for volume in self.volumes if not volume.shared]
        if alone and self.most_pods > 1:
            key = "autoscale.max" if self.autoscale else "replicas"
            yield (
                f"the volume {shown(alone[0])} is for one pod, and {key} is {self.most_pods}; set {key} to 1, or "
                "shared: true on the volume if its StorageClass can do that (ReadWriteMany)"
            )

    def _given_twice(self) -> Iterator[str]:
        for key, names in (
            ("volumes", [volume.name for volume in self.volumes]),
            ("jobs", [job.name for job in self.jobs]),
        ):
            if twice := _twice(names):
                yield f"{key} has {shown(twice)} twice; give each a name of its own"
        if twice := _twice([TEMPORARY, *(volume.path for volume in self.volumes)]):
            yield f"volumes has two for {shown(twice)}; give each a path of its own"
        if twice := _twice([*self.env, *self.secret_env, *([DATABASE_URL] if self.database else [])]):
            yield f"the variable {twice} is given twice, by env, secretEnv or database; give it once"

    @property
    def all_hosts(self) -> list[str]:
        """The hosts that it serves, that of its URL first."""
        return [self.host, *self.hosts]

    @property
    def reached_by(self) -> list[str]:
        """All hosts that lead to it, those that are redirected among them."""
        return [*self.all_hosts, *(redirect.from_ for redirect in self.redirects)]

    @property
    def updated_alone(self) -> bool:
        """Whether its pod ends before the next one starts, since it has a volume that isn't shared."""
        return any(not volume.shared for volume in self.volumes)

    @property
    def most_pods(self) -> int:
        """How many pods it has at most."""
        return self.autoscale.max if self.autoscale else self.replicas


def _twice(names: list[str]) -> str | None:
    """Return the first name that was there before."""
    return next((name for index, name in enumerate(names) if name in names[:index]), None)
