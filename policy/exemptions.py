"""What may break a rule, and why: what the addons say of their own objects.

By rule, then by object as `KubernetesObject.subject` calls it; ``*`` stands for any namespace.
"""

from collections.abc import Iterable

from components.addons import ADDONS
from components.addons.addon import Exemptions


def _by_rule(exemptions: Iterable[Exemptions]) -> dict[str, dict[str, str]]:
    merged: dict[str, dict[str, str]] = {}
    for each in exemptions:
        for rule, exempt in each.items():
            merged.setdefault(rule, {}).update(exempt)
    return merged


OF_CHARTS = _by_rule(addon.chart_exemptions for addon in ADDONS)
"""Those of objects of charts, which aren't known before Helm has rendered them."""

EXEMPTIONS = _by_rule(each for addon in ADDONS for each in (addon.exemptions, addon.chart_exemptions))
