"""What all maps of the configuration have in common."""

from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, field_validator
from pydantic.alias_generators import to_camel
from pydantic_core.core_schema import ValidationInfo


class Model(BaseModel):
    """A map of the configuration: no unknown keys, no silent conversions (``"3"`` is no number, ``true`` isn't 1).

    But one: a whole number is taken for a text, since ``pulumi config set --path`` makes one of what looks like one.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel)

    @field_validator("*", mode="before")
    @classmethod
    def _numbers_as_texts(cls, value: Any, info: ValidationInfo) -> Any:
        kinds = _kinds(cls.model_fields[info.field_name or ""].annotation)
        if kinds == {str}:
            return _as_text(value)
        return list(map(_as_text, value)) if kinds == {list, str} and isinstance(value, list) else value


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


def fraction(value: Any) -> Any:
    """Return a number with a fraction as the text of a quantity, where 1.10 and 1.1 are the same."""
    if not isinstance(value, float):
        return value
    return str(int(value) if value.is_integer() else value)
