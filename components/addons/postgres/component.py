"""PostgreSQL: a database for each site that asks for one."""

import pulumi
import pulumi_random as random

from components.addons.addon import Context
from components.addons.postgres import NAMESPACE, PostgresOptions, objects
from components.kinds import (
    Job,
    Namespace,
    NetworkPolicy,
    PersistentVolumeClaim,
    Secret,
    Service,
    ServiceAccount,
    StatefulSet,
)
from components.manifests import namespace_args, service_account


class Postgres(pulumi.ComponentResource):
    """A PostgreSQL server with a volume, which only those can connect to who have a database there."""

    namespace: pulumi.Output[str]
    """Its namespace."""

    def __init__(
        self, name: str, options: PostgresOptions, context: Context, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("inspiration:index:Postgres", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        namespace = Namespace(f"{name}-namespace", **namespace_args(NAMESPACE, "postgres", "restricted"), opts=child)
        ns = namespace.metadata["name"]
        account = ServiceAccount(f"{name}-account", **service_account(objects.NAME, ns, "postgres"), opts=child)
        self._random = random.Provider(f"{name}-random", opts=child)
        # With another password it is another Secret, of which the server is told when it starts.
        anew = pulumi.ResourceOptions(parent=self, replace_on_changes=["data"])
        password = self._password(f"{name}-password", child)
        superuser = Secret(f"{name}-superuser", **objects.secret(ns, {objects.PASSWORD: password}), opts=anew)
        claim = PersistentVolumeClaim(
            f"{name}-claim", **objects.volume_claim(ns, options.size, context.storage_class), opts=child
        )
        policies = [
            NetworkPolicy(f"{name}-policy", **objects.server_policy(ns), opts=child),
            NetworkPolicy(f"{name}-jobs-policy", **objects.job_policy(ns), opts=child),
        ]
        self._superuser, self._account = superuser.metadata["name"], account.metadata["name"]
        stateful_set = StatefulSet(
            f"{name}-statefulset",
            **objects.stateful_set(ns, self._account, claim.metadata["name"], self._superuser),
            opts=pulumi.ResourceOptions(parent=self, depends_on=policies),
        )
        # The Service is ready when a pod answers behind it; without this, both would report the same failure.
        self._service = Service(
            f"{name}-service",
            **objects.service(ns),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[stateful_set]),
        )
        self.namespace = ns
        self.register_outputs({})

    def database(self, name: str, namespace: pulumi.Input[str], opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
        """Make a database and its one user for the site ``name``, and let the site in.

        When the site goes, its database stays. When the site comes back, it has its data again, with a new password.

        Args:
            name: The site.
            namespace: The site's.
            opts: Options of what is made; its parent, for one.

        Returns:
            The name of the Secret in ``namespace`` that has the database's URL as ``DATABASE_URL``; known when the
            database is there. With another password, it is another Secret.
        """
        anew = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(replace_on_changes=["data"]))
        password = self._password(f"{name}-database-password", opts)
        told = Secret(
            f"{name}-database-user",
            **objects.secret(self.namespace, {objects.PASSWORD: password}, name),
            opts=anew,
        )
        policy = NetworkPolicy(
            f"{name}-database-policy", **objects.site_policy(name, self.namespace, namespace), opts=opts
        )
        job = Job(
            objects.job_name(name),
            **objects.job(name, self.namespace, self._account, self._superuser, told.metadata["name"]),
            opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[self._service, policy])),
        )
        url = password.apply(lambda text: objects.url(name, text))
        held = Secret(
            f"{name}-database-url",
            **objects.secret(namespace, {objects.DATABASE_URL: url}, name),
            opts=pulumi.ResourceOptions.merge(anew, pulumi.ResourceOptions(depends_on=[job])),
        )
        return held.metadata["name"]

    def _password(self, name: str, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
        """Return a password that needs no escapes in a URL, kept in the state as a secret."""
        merged = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(provider=self._random))
        return pulumi.Output.secret(random.RandomPassword(name, length=32, special=False, opts=merged).result)
