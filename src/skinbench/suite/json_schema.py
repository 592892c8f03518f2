"""JSON Schema of the suite file: the models', with short forms and grids spelt out."""

from __future__ import annotations

from typing import Any

from skinbench import registry
from skinbench.suite.schema import SuiteFile
from skinbench.suite.settings import VIEW_NAMES, RowFile


def suite_schema() -> dict[str, Any]:
    """A schema that accepts what the loader accepts, short forms and grid lists included."""
    schema = SuiteFile.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "skinbench suite"
    definitions = schema["$defs"]
    row = RowFile.model_json_schema(by_alias=True)
    definitions.update({k: v for k, v in row.pop("$defs").items() if k not in definitions})
    # A row may override a part of the model that `defaults` names.
    part = {k: v for k, v in definitions["ModelChoice"].items() if k != "required"}
    definitions["ModelPart"] = {**part, "description": "Parts of a model to override, or all."}
    row["properties"]["model"] = {"anyOf": [{"$ref": "#/$defs/ModelPart"}, {"type": "null"}]}
    definitions["RowFile"] = row
    for name in ("RowSettings", "RowFile"):
        _allow_short_forms(definitions[name]["properties"])
    beside = definitions["TechniqueChoice"]["properties"]
    one = {"anyOf": [{"type": "string"}, beside["with"]["items"]]}
    beside["with"] = {"anyOf": [one, {"type": "array", "items": one}]}
    _allow_lists(definitions["HeadChoice"]["properties"], "dense", kind="integer")
    _allow_lists(definitions["Derived"]["properties"], "of")
    _allow_lists(definitions["Evaluate"]["properties"], "conditions")
    for key in ("slices", "metrics"):
        _allow_lists(definitions["WeakSpots"]["properties"], key)
    definitions["Grid"] = _grid(definitions["RowFile"]["properties"])
    for key, value in schema["properties"].items():
        if "patternProperties" in value:
            _refuse_other_names(value, {"rows": "RowFile", "grids": "Grid"}.get(key))
    data = definitions["DataSource"]["properties"]
    data["adapter"]["enum"] = registry.datasets.names()
    texts = {"type": "array", "items": {"type": "string"}}
    data["labels"] = {"anyOf": [{"type": "string"}, texts, _bare(data["labels"])]}
    return schema


def _allow_short_forms(properties: dict[str, Any]) -> None:
    """`model: resnet50` beside `model: {name: resnet50}`."""
    for key in ("model", "input", "technique", "optimizer", "schedule"):
        properties[key] = {"anyOf": [{"type": "string"}, _bare(properties[key])]}
    item = properties["augment"]["items"]
    views = {"anyOf": [{"enum": [4, 8]}, {"type": "array", "items": {"enum": list(VIEW_NAMES)}}]}
    single = {"anyOf": [{"type": "string"}, item, _only_key("dihedral", views)]}
    properties["augment"] = {"anyOf": [single, {"type": "array", "items": single}]}
    tta = _bare(properties["tta"])
    properties["tta"] = {"anyOf": [tta, _only_key("dihedral", {"enum": [4, 8]})]}


def _only_key(key: str, value: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {key: value},
        "required": [key],
        "additionalProperties": False,
    }


def _refuse_other_names(schema: dict[str, Any], definition: str | None) -> None:
    """Keys are names: pydantic states their pattern, but lets keys without it pass."""
    (pattern, item), *_ = schema.pop("patternProperties").items()
    schema["propertyNames"] = {**schema.get("propertyNames", {}), "pattern": pattern}
    schema["additionalProperties"] = {"$ref": f"#/$defs/{definition}"} if definition else item


def _allow_lists(properties: dict[str, Any], key: str, kind: str = "string") -> None:
    properties[key] = {"anyOf": [{"type": kind}, _bare(properties[key])]}


def _bare(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in ("default", "title")}


def _grid(properties: dict[str, Any]) -> dict[str, Any]:
    """Each setting, or a list of them; lists multiply."""
    axes = {}
    for key, value in properties.items():
        if key in ("seeds", "augment", "claims", "differences", "tta"):
            axes[key] = value
        else:
            axes[key] = {"anyOf": [value, {"type": "array", "items": value}]}
    axes["exclude"] = {"type": "array", "items": {"type": "object"}}
    return {"type": "object", "properties": axes, "additionalProperties": False}
