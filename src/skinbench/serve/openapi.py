"""The OpenAPI document of a bundle's server."""

from __future__ import annotations

from typing import Any

from skinbench import __version__
from skinbench.bundle.words import NOT_A_DEVICE
from skinbench.serve.answers import Answerer
from skinbench.serve.uploads import MOST_BYTES, TYPES

_TEXT = {"type": "string"}
_NUMBER = {"type": "number"}
_MAYBE = {"type": ["number", "null"]}


def openapi_document(answerer: Answerer) -> dict[str, Any]:
    """OpenAPI 3.1 of `/predict` and `/sheet`, with this model's own fields and classes."""
    body = {"required": True, "content": _content(answerer)}
    query = [
        {"name": name, "in": "query", "required": False, "schema": _field(answerer, name)}
        for name in answerer.model.fields
    ]
    refusals = {
        str(status): {
            "description": words,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, words in _REFUSALS.items()
    }
    answered = {
        "description": "The answer.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Answer"}}},
    }
    sheet = {"description": "The model response sheet.", "content": {"application/pdf": {}}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"skinbench: {answerer.bundle.row}",
            "version": __version__,
            "description": f"{NOT_A_DEVICE} Nothing that is sent is kept or logged.",
        },
        "paths": {
            "/predict": {
                "post": {
                    "operationId": "predict",
                    "summary": "Answer one image.",
                    "parameters": query,
                    "requestBody": body,
                    "responses": {"200": answered, **refusals},
                }
            },
            "/sheet": {
                "post": {
                    "operationId": "sheet",
                    "summary": "The same as a PDF; the same bytes for the same image.",
                    "parameters": query,
                    "requestBody": body,
                    "responses": {"200": sheet, **refusals},
                }
            },
        },
        "components": {"schemas": _schemas(answerer)},
    }


_REFUSALS = {
    400: "The form is malformed or was cut off.",
    401: "The token is missing (beyond loopback).",
    403: "Another site asked.",
    408: "The upload took too long.",
    413: "The file, or the image in it, is too large.",
    415: "Neither a form nor an image.",
    421: "The server is not asked by that name.",
    422: "No image that can be read, or a field that the model does not have.",
}


def _content(answerer: Answerer) -> dict[str, Any]:
    image = {"type": "string", "contentMediaType": "application/octet-stream"}
    fields = {name: _field(answerer, name) for name in answerer.model.fields}
    form = {
        "type": "object",
        "required": ["image"],
        "additionalProperties": False,
        "properties": {"image": {**image, "maxLength": MOST_BYTES}, **fields},
    }
    return {
        "multipart/form-data": {"schema": form},
        **{kind: {"schema": image} for kind in (*TYPES, "application/octet-stream")},
    }


def _field(answerer: Answerer, name: str) -> dict[str, Any]:
    words = answerer.model.vocabulary(name)
    if words is None:
        limits = {"minimum": 0, "maximum": 120} if name == "age" else {}
        return {"type": "number", **limits}
    return {"type": "string", "examples": list(words)}


def _schemas(answerer: Answerer) -> dict[str, Any]:
    classes = list(answerer.bundle.classes)
    alarms = _object({"share": _MAYBE, "low": _MAYBE, "high": _MAYBE, "n": {"type": "integer"}})
    decision = _object(
        {
            "rule": _TEXT,
            "class": {"type": ["string", "null"]},
            "threshold": _MAYBE,
            "decided": {"enum": classes},
            "called": {"type": ["boolean", "null"]},
        }
    )
    picture = {"type": "string", "pattern": "^data:image/jpeg;base64,"}
    answer = _object(
        {
            "notice": _TEXT,
            "licence": _TEXT,
            "bundle": _object({"digest": _TEXT, "cell": _TEXT}),
            "image": _object(
                {"sha256": _TEXT, "width": {"type": "integer"}, "height": {"type": "integer"}}
            ),
            "metadata": {"type": "object", "additionalProperties": _TEXT},
            "probabilities": _object(dict.fromkeys(classes, _NUMBER)),
            "decisions": {"type": "array", "minItems": 1, "items": decision},
            "warnings": {
                "type": "array",
                "items": _object({"check": _TEXT, "message": _TEXT, "false_alarms": alarms}),
            },
            "notes": {"type": "array", "items": _TEXT},
            "picture": picture,
            "heatmaps": {
                "type": "array",
                "items": _object({"class": {"enum": classes}, "picture": picture}),
            },
            "no_heatmap": _TEXT,
        }
    )
    problem = _object({"error": _object({"code": _TEXT, "message": _TEXT})})
    return {"Answer": answer, "Problem": problem}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(properties),
        "additionalProperties": False,
        "properties": properties,
    }
