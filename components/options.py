"""What options are made of: the base of all their models, and the types that several of them use.

A field's ``description`` says what the option is; the documentation is made of these. What a value may be follows from
the field's type, or stands beside it as `Allowed`; the errors are made of that.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from ipaddress import ip_address, ip_network
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Self, Union, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

LONGEST = 60
"""Characters of a value that are shown."""

DOMAIN = "<domain>"
"""Stands for the stack's domain in a `default_text`."""


class Model(BaseModel):
    """A map of options: no unknown keys, no silent conversions (``"3"`` is no number, ``true`` isn't 1).

    But one: a whole number is taken for a text, since ``pulumi config set --path`` makes one of what looks like one.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel, populate_by_name=True)

    @field_validator("*", mode="before")
    @classmethod
    def _numbers_as_texts(cls, value: Any, info: ValidationInfo) -> Any:
        kinds = _kinds(cls.model_fields[info.field_name or ""].annotation)
        if kinds == {str}:
            return _as_text(value)
        return list(map(_as_text, value)) if kinds == {list, str} and isinstance(value, list) else value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if texts := list(self._contradictions()):
            raise problem(*texts)
        return self

    def _contradictions(self) -> Iterator[str]:
        """Yield what is wrong with options of it together, each of which is right by itself."""
        yield from ()


@dataclass(frozen=True)
class Allowed:
    """What a value may be, where its type alone doesn't tell, in the words of an error."""

    text: str


@dataclass(frozen=True)
class Default:
    """What an option is by default, in words, where that isn't a plain value: ``dashboard.<domain>``."""

    text: str


def keys(model: type[BaseModel]) -> list[str]:
    """Return the keys of the map that ``model`` describes."""
    return [field.alias or name for name, field in model.model_fields.items()]


def allowed(field: FieldInfo, *, item: bool = False) -> str:
    """Return what a value of ``field`` may be, or an item of the list that it is, in the words of an error."""
    # That of an item comes first.
    beside = list(_metadata(field))
    known = {type(each): each for each in (reversed(beside) if item else beside)}
    if Allowed in known:
        return str(known[Allowed].text)
    model, kinds = nested(field), _kinds(field.annotation)
    if model:
        of = ", ".join(keys(model))
        return f"a list of maps of {of}" if list in kinds else f"a map of {of}"
    if kinds == {bool}:
        return "true or false"
    if kinds == {int}:
        return f"a whole number from {known[Ge].ge} to {known[Le].le}"
    if values := [value for each in _annotations(field.annotation) for value in _literals(each)]:
        return ", ".join(values)
    return "a map" if dict in kinds else "a text"


def default_text(field: FieldInfo) -> str | None:
    """Return the `Default` of a field; ``None`` where it has none."""
    return next((each.text for each in _metadata(field) if isinstance(each, Default)), None)


def nested(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model in the type of ``field``: that of the items of a list, or the one that isn't ``None``."""
    found = [each for each in _annotations(field.annotation) if isinstance(each, type) and issubclass(each, BaseModel)]
    return found[0] if found else None


def problem(*texts: str) -> PydanticCustomError:
    """Return the error whose lines have each of the ``texts`` after the key, in place of what is allowed."""
    return PydanticCustomError("problem", "{text}", {"text": "\n".join(texts)})


def problem_of_secret(text: str) -> PydanticCustomError:
    """Return the same for a ``text`` that quotes nothing of a value which may be a secret."""
    return PydanticCustomError("problem_of_secret", "{text}", {"text": text})


def shown(value: Any) -> str:
    """Return ``value`` as it would be written in the configuration, shortened, on one line."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def shortened(name: str, longest: int) -> str:
    """Return a name that is too long with a hash in place of its end; others as they are."""
    return name if len(name) <= longest else f"{name[: longest - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _annotations(annotation: Any) -> Iterator[Any]:
    """Yield a type and all that it is made of."""
    yield annotation
    if get_origin(annotation) is not Literal:
        for inner in get_args(annotation):
            yield from _annotations(inner)


def _metadata(field: FieldInfo) -> Iterator[Any]:
    """Yield what stands beside a field's type, and beside the types that it is made of: the field's own last."""
    for each in _annotations(field.annotation):
        for beside in getattr(each, "__metadata__", ()):
            yield from (beside.metadata if isinstance(beside, FieldInfo) else [beside])
    yield from field.metadata


def _literals(annotation: Any) -> tuple[str, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _kinds(annotation: Any) -> set[Any]:
    """Return what a value may be, ``None`` apart: ``{str}``, ``{list, str}``, ``{int}``."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kinds(inner[0])
    if origin in (None, Literal):
        return {annotation} - {NoneType}
    return set[Any]().union(*map(_kinds, inner)) | ({origin} - {Union, UnionType})


def _as_text(value: Any) -> Any:
    # Python's True is an int, too. A fraction isn't: 1.10 would have become 1.1.
    return str(value) if type(value) is int else value


def _fraction(value: Any) -> Any:
    """Return a number with a fraction as the text of a quantity, where 1.10 and 1.1 are the same."""
    if not isinstance(value, float):
        return value
    return str(int(value) if value.is_integer() else value)


def _host(host: Any) -> Any:
    """Name what is wrong with a host where its pattern alone wouldn't tell."""
    if not isinstance(host, str):
        return host
    if "*" in host:
        raise problem(f"{shown(host)} is a wildcard; name one host")
    if _is_address(host):
        raise problem(f"{shown(host)} is an IP address, which no Ingress may have; name a host, such as site.localhost")
    if len(longest := max(host.split("."), key=len)) > 63:
        raise problem(f"{shown(host)} has {len(longest)} characters between two dots; allowed: at most 63")
    if len(host) > 253:
        raise problem(f"{shown(host)} has {len(host)} characters; allowed: at most 253")
    # A last label of digits would make it look like an address.
    if host.rpartition(".")[2].isdigit():
        raise ValueError(host)
    return host


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _address(address: str) -> str:
    # Zones are a matter of one machine: Kubernetes takes no address with one.
    if "%" in address:
        raise ValueError(address)
    return str(ip_address(address))


def _address_range(given: str) -> str:
    if "/" not in given or "%" in given:  # which ip_network takes for a range of one
        raise ValueError(given)
    return str(ip_network(given))


def _node_path(path: str) -> str:
    if {".", ".."}.intersection(path.split("/")):
        raise ValueError(path)
    return path


_HOURS = {"h": 1, "d": 24, "w": 7 * 24, "y": 365 * 24}


def _retention(time: str) -> str:
    # Prometheus and Loki count nanoseconds, in 64 bits: they refuse to start with 300 years.
    if int(time[:-1]) * _HOURS[time[-1]] > 100 * _HOURS["y"]:
        raise problem(f"{shown(time)} is too long; allowed: at most 100y")
    return time


LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
HOST = rf"^{LABEL}(\.{LABEL})*$"

Host = Annotated[str, BeforeValidator(_host), Field(pattern=HOST), Allowed("a host name in lower case")]
Address = Annotated[str, AfterValidator(_address), Allowed("an IP address")]
AddressRange = Annotated[str, Field(max_length=43), AfterValidator(_address_range)]
Port = Annotated[int, Field(ge=1, le=65535), Allowed("a port, 1 to 65535")]
NodePort = Annotated[int, Field(ge=30000, le=32767), Allowed("a NodePort, 30000 to 32767")]
Replicas = Annotated[int, Field(ge=1, le=10)]
NodePath = Annotated[
    str,
    Field(max_length=1024, pattern=r"^(/[A-Za-z0-9._-]+)+$"),
    AfterValidator(_node_path),
    Allowed("an absolute path on the node, and not /"),
]
Quantity = Annotated[
    str,
    BeforeValidator(_fraction),
    Field(pattern=r"^([1-9][0-9]{0,14}(\.[0-9]{1,3})?(m|k|M|G|T|Ki|Mi|Gi|Ti)?|0\.[0-9]{0,2}[1-9])$"),
    Allowed('a Kubernetes quantity, such as "100m" (of a CPU) or "64Mi" (of memory)'),
]
Memory = Annotated[
    str,
    BeforeValidator(_fraction),
    # No "m": a thousandth of a byte is always meant to be a megabyte.
    Field(pattern=r"^[1-9][0-9]{0,14}(\.[0-9]{1,3})?(k|M|G|T|Ki|Mi|Gi|Ti)?$"),
    Allowed('a Kubernetes quantity of memory, such as "64Mi"'),
]
StorageQuantity = Annotated[Memory, Allowed('a Kubernetes quantity of storage, such as "8Gi"')]
Retention = Annotated[
    str,
    Field(pattern=r"^[1-9][0-9]{0,4}[hdwy]$"),
    AfterValidator(_retention),
    Allowed('a whole number and h, d, w or y, such as "7d"'),
]

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def amount(quantity: str) -> Decimal:
    """Return how much a `Quantity` is, in units of the resource."""
    number, unit = re.split(r"(?<=[0-9])(?![0-9.])", quantity, maxsplit=1)
    return Decimal(number) * (Decimal("0.001") if unit == "m" else _UNITS[unit])
