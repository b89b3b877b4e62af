"""The training configuration's fields as tables, one for each section, from the schema itself."""

from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from train.config import TrainingConfiguration

HEAD = """
## Training configurations

One YAML file for each way to train, in `train/configs/` or the folder that `GOVTUNE_TRAINING_CONFIGURATION_FOLDER`
names. Unknown fields, impossible values and machines that cannot do it are refused when the file is read, before a job
is started. The job gets the same fields as hyperparameters, `section.field`.
"""


def render() -> str:
    """The part of the page about training configurations."""
    top = {name: field for name, field in TrainingConfiguration.model_fields.items() if not _is_section(field)}
    parts = [HEAD, _table(top)]
    for name, field in TrainingConfiguration.model_fields.items():
        if _is_section(field):
            section: Any = field.annotation
            parts.append(f"\n### `{name}`\n\n{section.__doc__}\n\n{_table(section.model_fields)}")
    return "".join(parts)


def _is_section(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


def _table(fields: dict[str, FieldInfo]) -> str:
    rows = [
        f"| `{name}` | {_choices(field.annotation)} | {_default(field)} | {field.description} |"
        for name, field in fields.items()
    ]
    return "\n".join(["| field | values | default | what it is |", "|---|---|---|---|", *rows]) + "\n"


def _choices(kind: Any) -> str:
    """What the field takes: the names to choose from, or the kind of value."""
    if get_origin(kind) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind))
    inner = [part for part in get_args(kind) if part not in (type(None), Ellipsis)]
    if get_origin(kind) is tuple:
        return f"list of {_choices(inner[0])}"
    if get_origin(kind) is dict:
        return f"mapping of {_choices(inner[0])} to {_choices(inner[1])}"
    if inner:
        return _choices(inner[0])
    return {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}[kind.__name__]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "none, it has to be given"
    value = field.default
    if value is PydanticUndefined:
        return "by name"
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ", ".join(f"`{part}`" for part in value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
