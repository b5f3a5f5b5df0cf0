"""Knative Serving: programs that run while they are asked for something, and scale to zero when they aren't."""

from collections.abc import Sequence

import pulumi

from components.addons.addon import Context
from components.addons.knative import NAMESPACE, KnativeOptions, gateway, programs, roles
from components.addons.knative.definitions import DEFINITIONS, FINALIZED, Definition, custom_resource_definition
from components.addons.knative.programs import Program
from components.ingress import IngressArgs
from components.kinds import (
    ClusterRole,
    ClusterRoleBinding,
    ConfigMap,
    CustomResourceDefinition,
    Deployment,
    Ingress,
    MutatingWebhookConfiguration,
    Namespace,
    NetworkPolicy,
    Role,
    RoleBinding,
    Secret,
    Service,
    ServiceAccount,
    ValidatingWebhookConfiguration,
)
from components.manifests import SKIP_AWAIT, Manifest, binding, metadata, namespace_args, service_account


class Knative(pulumi.ComponentResource):
    """Knative Serving, with a Traefik as its gateway behind the ingress controller."""

    url_pattern: pulumi.Output[str]
    """URL of a Knative Service, with ``{name}`` and ``{namespace}`` to fill in; known when it can be asked."""

    def __init__(
        self, name: str, options: KnativeOptions, context: Context, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("inspiration:index:Knative", name, None, opts)
        self._name, self._child = name, pulumi.ResourceOptions(parent=self)

        namespace = Namespace(
            f"{name}-namespace", **namespace_args(NAMESPACE, "knative", "restricted"), opts=self._child
        )
        self._ns = namespace.metadata["name"]
        for role, allowed in roles.people_roles().items():
            ClusterRole(f"{name}-{role}", **allowed, opts=self._child)
        accounts = {
            account: ServiceAccount(
                f"{name}-{account}-account", **service_account(account, self._ns, "knative"), opts=self._child
            ).metadata["name"]
            for account in ("controller", "activator", gateway.NAME)
        }
        settings = self._settings(options, context.registry)
        bindings = [
            *self._bind("controller", roles.controller_role(), accounts["controller"]),
            *self._bind_in_namespace("controller", roles.controller_own_role(self._ns), accounts["controller"]),
            *self._bind("activator", roles.activator_role(), accounts["activator"]),
            *self._bind_in_namespace("activator", roles.activator_own_role(self._ns), accounts["activator"]),
        ]
        definitions = [self._define(each, []) for each in DEFINITIONS]
        needed = [*settings, *bindings, *definitions]

        # The controller is ready when it has seen objects of all kinds, those that it finalizes among them. But these
        # are defined after it, and so removed before it: only while it runs can their objects go.
        controller = self._deploy(programs.CONTROLLER, accounts["controller"], needed, skip_await=True)
        finalized = [self._define(each, [controller]) for each in FINALIZED]
        self._serve(programs.CONTROLLER, [controller, *finalized])
        scaler = self._serve(programs.AUTOSCALER, [self._deploy(programs.AUTOSCALER, accounts["controller"], needed)])
        # It is ready when the autoscaler answers.
        activator = self._deploy(programs.ACTIVATOR, accounts["activator"], [*needed, scaler])
        self._serve(programs.ACTIVATOR, [activator])
        webhook = self._serve(
            programs.WEBHOOK, [self._deploy(programs.WEBHOOK, accounts["controller"], [*needed, *finalized])]
        )
        for part, manifest in programs.webhooks(self._ns, webhook.metadata["name"]).items():
            kind = MutatingWebhookConfiguration if part == "defaulting" else ValidatingWebhookConfiguration
            kind(f"{name}-{part}", **manifest, opts=self._child)

        route = self._gateway(options.domain, context.ingress, accounts[gateway.NAME], definitions)
        port = context.ingress.options.http_port
        url = f"http://{{name}}-{{namespace}}.{options.domain}{'' if port == 80 else f':{port}'}/"
        self.url_pattern = route.id.apply(lambda _: url)
        self.register_outputs({"urlPattern": self.url_pattern})

    def _after(self, depends_on: Sequence[pulumi.Resource]) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=depends_on)

    def _settings(self, options: KnativeOptions, registry: str) -> list[pulumi.Resource]:
        found = programs.config_maps(
            self._ns,
            options.domain,
            options.stable_window,
            options.scale_to_zero_grace_period,
            registry,
        )
        maps = [ConfigMap(f"{self._name}-{name}", **each, opts=self._child) for name, each in found.items()]
        # Empty: the webhook makes its certificate itself, and renews it.
        certificate: Manifest = {"metadata": metadata(programs.CERTIFICATE, self._ns, "knative", "webhook")}
        return [*maps, Secret(f"{self._name}-{programs.CERTIFICATE}", **certificate, opts=self._child)]

    def _bind(self, part: str, role: Manifest, account: pulumi.Input[str]) -> list[pulumi.Resource]:
        made = ClusterRole(f"{self._name}-{part}-role", **role, opts=self._child)
        meta = {**role["metadata"]}
        bound = binding(meta, "ClusterRole", made.metadata["name"], account, self._ns)
        return [ClusterRoleBinding(f"{self._name}-{part}-binding", **bound, opts=self._child)]

    def _bind_in_namespace(self, part: str, role: Manifest, account: pulumi.Input[str]) -> list[pulumi.Resource]:
        made = Role(f"{self._name}-{part}-own-role", **role, opts=self._child)
        bound = binding({**role["metadata"]}, "Role", made.metadata["name"], account, self._ns)
        return [RoleBinding(f"{self._name}-{part}-own-binding", **bound, opts=self._child)]

    def _define(self, definition: Definition, after: list[pulumi.Resource]) -> pulumi.Resource:
        manifest = custom_resource_definition(definition)
        return CustomResourceDefinition(f"{self._name}-{definition.plural}", **manifest, opts=self._after(after))

    def _deploy(
        self, program: Program, account: pulumi.Input[str], needed: list[pulumi.Resource], skip_await: bool = False
    ) -> Deployment:
        manifest = programs.deployment(program, self._ns, account)
        if skip_await:
            manifest["metadata"]["annotations"] = dict(SKIP_AWAIT)
        return Deployment(f"{self._name}-{program.name}", **manifest, opts=self._after(needed))

    def _serve(self, program: Program, after: list[pulumi.Resource]) -> Service:
        """Declare the Service of a program, which is awaited until the program answers."""
        return Service(
            f"{self._name}-{program.service}-service", **programs.service(program, self._ns), opts=self._after(after)
        )

    def _gateway(
        self, domain: str, ingress: IngressArgs, account: pulumi.Input[str], definitions: list[pulumi.Resource]
    ) -> Ingress:
        name = f"{self._name}-gateway"
        policy = NetworkPolicy(
            f"{name}-policy", **gateway.network_policy(self._ns, ingress.namespace), opts=self._child
        )
        needed = [policy, *self._bind("gateway", gateway.cluster_role(), account), *definitions]
        deployment = Deployment(name, **gateway.deployment(self._ns, account, NAMESPACE), opts=self._after(needed))
        internal = gateway.service(gateway.INTERNAL, self._ns, "internal")
        Service(f"{name}-internal", **internal, opts=self._after([deployment]))
        public = Service(
            f"{name}-service", **gateway.service(gateway.NAME, self._ns, "public"), opts=self._after([deployment])
        )
        return Ingress(
            f"{name}-ingress",
            **gateway.ingress(self._ns, public.metadata["name"], domain, ingress.class_name),
            opts=self._child,
        )
