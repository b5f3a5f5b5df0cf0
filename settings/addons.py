"""The section ``addons`` of the configuration: each addon that there is, off or with its options."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Optional, TypeAlias, cast

from pydantic import BeforeValidator, Field, create_model

from components.addons import ADDONS
from components.addons.addon import Addon, Detectable, O
from components.options import DOMAIN, Allowed, Model, default_text, keys


class AddonSettings(Model):
    """The options of each addon that is switched on. Its fields are made of the list of addons, see `Addons`."""

    def of(self, addon: Addon[O]) -> O | None:
        """Return the options of ``addon``; ``None``: it is off."""
        return cast(O | None, getattr(self, _field(addon.name)))

    @property
    def deployed(self) -> dict[str, Model]:
        """The options of each addon that is switched on, by its name in the configuration."""
        return {addon.name: options for addon in ADDONS if (options := self.of(addon)) is not None}

    @property
    def names(self) -> frozenset[str]:
        """Names of the addons that are switched on, as in the configuration."""
        return frozenset(self.deployed)

    def without(self, names: Iterable[str]) -> "AddonSettings":
        """Return the same with the addons ``names``, as in the configuration, switched off."""
        return self.model_copy(update=dict.fromkeys(map(_field, names), None))

    def replaced(self, addon: Addon[O], **update: Any) -> "AddonSettings":
        """Return the same with other values of options of ``addon``, which is on."""
        options = cast(O, self.of(addon)).model_copy(update=update)
        return self.model_copy(update={_field(addon.name): options})

    @property
    def hosts(self) -> dict[str, str]:
        """The host names of the pages of addons, by addon."""
        return {
            addon.name: host
            for addon in ADDONS
            if (options := self.of(addon)) is not None and (host := addon.host(options))
        }


def completed(addons: Any, domain: str) -> Any:
    """Fill in the options that depend on the stack's domain, where the section ``addons`` doesn't give them."""
    if not isinstance(addons, dict):
        return addons
    filled = dict(addons)
    for addon in ADDONS:
        named = {field.alias: default_text(field) or "" for field in addon.options.model_fields.values()}
        under = {key: text.replace(DOMAIN, domain) for key, text in named.items() if DOMAIN in text}
        given = addons.get(addon.name, addon.default)
        if under and (given is True or isinstance(given, dict)):
            filled[addon.name] = under | ({} if given is True else given)
    return filled


def _field(name: str) -> str:
    return name.replace("-", "_")


def _switch(detectable: bool) -> BeforeValidator:
    def options(value: Any) -> Any:
        if value is None:
            raise ValueError  # a key with nothing after it: on and off are equally likely to be meant
        if detectable and value == "auto":
            return {"auto": True}
        return ({} if value else None) if isinstance(value, bool) else value

    return BeforeValidator(options)


def _section() -> type[AddonSettings]:
    fields: dict[str, Any] = {}
    for addon in ADDONS:
        detectable = issubclass(addon.options, Detectable)
        words = "true, false, auto (unless the cluster has its own), or" if detectable else "true, false, or"
        allowed = Allowed(f"{words} a map of {', '.join(keys(addon.options))}")
        kind: Any = Annotated[Optional[addon.options], _switch(detectable), allowed]  # noqa: UP045
        default: Any = addon.default
        # Validated where it is on, since options may depend on other keys.
        field: Any = Field(alias=addon.name, default=default, validate_default=True, description=addon.what)
        fields[_field(addon.name)] = (kind, field)
    return create_model("Addons", __base__=AddonSettings, **fields)


if TYPE_CHECKING:
    Addons: TypeAlias = AddonSettings
else:
    Addons = _section()
