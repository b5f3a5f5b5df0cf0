"""A website: its namespace, pods, Service, and how it is reached."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NotRequired, Protocol, TypedDict

import pulumi

from components.kinds import (
    CronJob,
    Deployment,
    HorizontalPodAutoscaler,
    Namespace,
    NetworkPolicy,
    PersistentVolumeClaim,
    PodDisruptionBudget,
    Secret,
    Service,
    ServiceAccount,
)
from components.manifests import (
    SKIP_AWAIT,
    Manifest,
    annotated,
    disruption_budget,
    internal_service,
    metadata,
    namespace_args,
    service_account,
)
from components.site.network import job_policy, network_policy
from components.site.options import CANARY, DATABASE_URL, SiteOptions, Volume
from components.site.routes import RouteArgs, route
from components.site.workload import (
    Pods,
    autoscaler_args,
    canary_name,
    canary_options,
    claim_args,
    cron_job_args,
    deployment_args,
    secret_environment,
)


class Databases(Protocol):
    """Who has databases for sites."""

    namespace: pulumi.Output[str]
    """Where their server is."""

    def database(self, name: str, namespace: pulumi.Input[str], opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
        """Make a database, and return the name of the Secret in ``namespace`` that has its URL as ``DATABASE_URL``."""


class Version(TypedDict):
    """An image, and what is known of it."""

    image: pulumi.Input[str]
    """Image reference by digest, ``registry/name@sha256:…``."""
    recorded: NotRequired[Mapping[str, str]]
    """Annotations of the Deployment that say where it comes from."""


class Release(Version):
    """What runs."""

    canary: NotRequired[Version]
    """What part of the requests gets instead, as the options say."""
    answered: NotRequired[Callable[[SiteOptions], None] | None]
    """Waits until visitors get it; isn't called in previews."""


class Place(TypedDict, total=False):
    """Where a site is, and where the sites are that have to do with it."""

    namespace: str
    """Name of its namespace; default: that of the site."""
    callers: Sequence[str]
    """Namespaces of the sites that may connect to it."""
    peers: Mapping[str, str]
    """Namespaces of the sites that it may connect to, by name; default: the name."""


class SiteArgs(RouteArgs, Release, Place):
    """What runs, and how it is reached."""

    storage_class: NotRequired[pulumi.Input[str] | None]
    """StorageClass of the volumes that name none; default: the cluster's default one."""
    databases: NotRequired[Databases | None]
    """Who has its database, where the options ask for one."""


class Site(pulumi.ComponentResource):
    """A website in a namespace of its own, whose updates lose no request."""

    namespace: pulumi.Output[str]
    """Its namespace; known when that is there."""
    url: pulumi.Output[str]
    """Where a browser finds it, with scheme, and port if it isn't the default."""

    def __init__(
        self, name: str, options: SiteOptions, args: SiteArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("inspiration:index:Site", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        namespace = Namespace(
            f"{name}-namespace", **namespace_args(args.get("namespace", name), "site", "restricted"), opts=child
        )
        ns = namespace.metadata["name"]
        account = ServiceAccount(f"{name}-account", **service_account(name, ns, "site"), opts=child)
        databases = args.get("databases")
        database = databases.namespace if databases else None
        peers = args.get("peers", {})
        policy = NetworkPolicy(
            f"{name}-policy",
            **network_policy(name, ns, options, args["ingress"].peer, args.get("callers", ()), database, peers),
            # It confines the pods to their end.
            opts=pulumi.ResourceOptions(parent=self, deleted_with=namespace),
        )
        secrets: dict[str, pulumi.Input[str]] = {}
        if options.secret_env:
            # A changed value is a new Secret under a new name, so that the pods are renewed.
            anew = pulumi.ResourceOptions(parent=self, replace_on_changes=["data"])
            held = Secret(f"{name}-env", **secret_environment(name, ns, options), opts=anew)
            secrets |= dict.fromkeys(options.secret_env, held.metadata["name"])
        if options.database and databases:
            secrets[DATABASE_URL] = databases.database(name, ns, child)
        pods = Pods(
            name=name,
            namespace=ns,
            account=account.metadata["name"],
            image=args["image"],
            release=args.get("recorded", {}),
            secrets=secrets,
            claims={
                volume.name: self._claim(name, ns, volume, args.get("storage_class")) for volume in options.volumes
            },
        )
        deployment = self._deploy(f"{name}-deployment", pods, options, policy)
        if options.autoscale:
            scaled = deployment.metadata["name"]
            HorizontalPodAutoscaler(
                f"{name}-autoscaler", **autoscaler_args(name, ns, scaled, options.autoscale), opts=child
            )
        if options.jobs:
            confined = NetworkPolicy(
                f"{name}-jobs-policy",
                **job_policy(name, ns, options, database, peers),
                opts=pulumi.ResourceOptions(parent=self, deleted_with=namespace),
            )
            for job in options.jobs:
                CronJob(
                    f"{name}-{job.name}-job",
                    **cron_job_args(pods, options, job),
                    opts=pulumi.ResourceOptions(parent=self, depends_on=[confined]),
                )
        PodDisruptionBudget(f"{name}-budget", **disruption_budget(name, ns, "site"), opts=child)
        service = Service(
            f"{name}-service",
            **service_args(name, ns),
            # The Service is ready when a pod answers behind it; without this, both would report the same failure.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[deployment]),
        )
        self.namespace = ns
        canary = None
        if newer := args.get("canary"):
            apart = network_policy(canary_name(name), ns, options, args["ingress"].peer, (), database, peers)
            canary = self._canary(pods, newer, options, apart)
        url = route(name, ns, service.metadata["name"], options, args, child, canary)
        answered = args.get("answered")
        if answered and not pulumi.runtime.is_dry_run():
            url = pulumi.Output.all(url, deployment.id).apply(lambda known: _once(answered, options, str(known[0])))
        self.url = url
        self.register_outputs({"url": self.url})

    def _deploy(self, name: str, pods: Pods, options: SiteOptions, *before: pulumi.Resource) -> Deployment:
        # Pulumi knows of no deadline but one for all of an update, which replaces pod after pod.
        deadline = f"{options.progress_deadline_seconds * options.most_pods}s"
        return Deployment(
            name,
            **deployment_args(pods, options),
            opts=pulumi.ResourceOptions(
                parent=self,
                # No pod runs before the policy that confines it.
                depends_on=before,
                custom_timeouts=pulumi.CustomTimeouts(create=deadline, update=deadline),
            ),
        )

    def _canary(self, stable: Pods, version: Version, options: SiteOptions, policy: Manifest) -> pulumi.Output[str]:
        """Declare pods of a new version beside the others; return the name of their Service, known once they serve."""
        name, prefix = canary_name(stable.name), f"{stable.name}-canary"
        release = version.get("recorded", {})
        pods = replace(stable, name=name, component=CANARY, image=version["image"], release=release)
        child = pulumi.ResourceOptions(parent=self)
        confined = NetworkPolicy(f"{prefix}-policy", **policy, opts=child)
        # Before the pods, so that the ingress controller knows these when a route leads to them: where it knows none,
        # it answers with an error.
        service = Service(
            f"{prefix}-service",
            **internal_service(annotated(metadata(name, stable.namespace, CANARY), SKIP_AWAIT), name, "http", 80),
            opts=child,
        )
        return self._deploy(f"{prefix}-deployment", pods, canary_options(options), confined, service).metadata["name"]

    def _claim(
        self, name: str, ns: pulumi.Input[str], volume: Volume, default: pulumi.Input[str] | None
    ) -> pulumi.Output[str]:
        """Claim a volume, and return the name of the claim."""
        child = pulumi.ResourceOptions(parent=self)
        made = PersistentVolumeClaim(
            f"{name}-{volume.name}-volume", **claim_args(name, ns, volume, default), opts=child
        )
        return made.metadata["name"]


async def _once(answered: Callable[[SiteOptions], None], options: SiteOptions, url: str) -> str:
    """Return ``url`` once visitors get what has been deployed. Meanwhile the program goes on."""
    await asyncio.to_thread(answered, options)
    return url


def service_args(name: str, ns: pulumi.Input[str]) -> Manifest:
    """Return the Service of the site ``name``."""
    return internal_service(metadata(name, ns, "site"), name, "http", 80)
