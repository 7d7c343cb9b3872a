"""The OpenAPI document: each run's paths with its own options and predictions, so that generated clients have types."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

import elman
from elman.errors import optional_imports
from elman.training.checks.ranges import ranges_of
from elman.training.task import Prediction
from elman.web.service.requests.limits import LARGEST_OPTIONS, Limits
from elman.web.service.served_run import ServedRun

with optional_imports():
    import msgspec

JSON, FORM = "application/json", "multipart/form-data"
_PROBLEM = "#/components/schemas/Problem"
_REFUSALS = {
    400: "the body is no JSON, or no form",
    401: "a token is needed",
    403: "the page of another site asks",
    408: "the body came too slowly",
    413: "the body is too large",
    415: "the body is of another type",
    422: "an input or an option that the run does not take",
    503: "too many requests wait; Retry-After says when to come back",
}


def openapi(runs: Iterable[ServedRun], limits: Limits, *, token: bool) -> dict[str, Any]:
    """The document, of OpenAPI 3.1, for these runs."""
    runs = list(runs)
    paths: dict[str, Any] = {
        "/healthz": _get("health", "Whether the server is well", {"$ref": "#/components/schemas/Health"}),
        "/v1/runs": _get("list_runs", "The runs that are served", {"$ref": "#/components/schemas/Runs"}),
        "/metrics": {
            "get": {
                "operationId": "metrics",
                "summary": "Counts and times, for Prometheus",
                "responses": {
                    "200": {"description": "text", "content": {"text/plain": {"schema": {"type": "string"}}}}
                },
            }
        },
    }
    components = dict(_COMMON)
    words = _words([served.name for served in runs])
    for served, word in zip(runs, words, strict=True):
        names = _components(served, word, components, limits)
        paths |= _paths(served, word, names)
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "elman",
            "version": elman.__version__,
            "description": "Trained recurrent networks. Beside these paths, a WebSocket at /v1/runs/NAME/stream takes"
            " pieces and carries the state.",
        },
        "paths": paths,
        "components": {"schemas": components},
    }
    if token:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document


def _get(name: str, summary: str, schema: dict[str, Any]) -> dict[str, Any]:
    found = {"description": "found", "content": {JSON: {"schema": schema}}}
    return {"get": {"operationId": name, "summary": summary, "responses": {"200": found}}}


def _paths(served: ServedRun, word: str, names: dict[str, str]) -> dict[str, Any]:
    at = f"/v1/runs/{served.name}"
    refused = {str(status): _refusal(text) for status, text in _REFUSALS.items()}
    answer = {"description": "predicted", "content": {JSON: {"schema": _ref(names["answer"])}}}
    events = {"description": "events", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    content: dict[str, Any] = {}
    stream_content: dict[str, Any] = {}
    if served.takes != "files":
        content[JSON] = {"schema": _ref(names["request"])}
        stream_content[JSON] = {"schema": _ref(names["stream"])}
    if served.takes != "texts":
        content[FORM] = {"schema": _ref("Form")}
        stream_content[FORM] = {"schema": _ref("Form")}
    task = served.run.task
    return {
        at: _get(f"describe_{word}", f"What the {task.name} run is", _ref("Run")),
        f"{at}/predict": {
            "post": {
                "operationId": f"predict_{word}",
                "summary": f"Predict; takes {task.inputs}",
                "requestBody": {"required": True, "content": content},
                "responses": {"200": answer, **refused},
            }
        },
        f"{at}/stream": {
            "post": {
                "operationId": f"stream_{word}",
                "summary": "Say bit by bit, as server-sent events, what can be said of one input",
                "requestBody": {"required": True, "content": stream_content},
                "responses": {"200": events, **refused},
            }
        },
    }


def _components(served: ServedRun, name: str, components: dict[str, Any], limits: Limits) -> dict[str, str]:
    """Add the schemas of a run's task; returns their names."""
    task, word = served.run.task, name.title().replace("_", "")
    options, prediction = f"{word}Options", f"{word}Prediction"
    components[options] = _options_schema(served)
    components[prediction] = _prediction_schema(task.prediction_type(), components)
    names = {
        "answer": f"{word}Answer",
        "request": f"{word}Request",
        "stream": f"{word}StreamRequest",
    }
    components[names["answer"]] = _object(
        {"run": {"type": "string"}, "predictions": {"type": "array", "items": _ref(prediction)}}
    )
    if task.takes != "files":
        one = _input_schema(task.takes)
        each = {"type": "array", "minItems": 1, "maxItems": limits.inputs, "items": one}
        components[names["request"]] = _object({"inputs": each, "options": _ref(options)}, required=("inputs",))
        components[names["stream"]] = _object({"input": one, "options": _ref(options)}, required=("input",))
    return names


def _input_schema(takes: str) -> dict[str, Any]:
    if takes == "texts":
        return {"type": "string"}
    row = {"type": "array", "items": {"type": "number"}}
    table = {"type": "object", "additionalProperties": {"type": "array", "items": {}}}
    return {"oneOf": [row, {"type": "array", "items": row}, table]}


def _options_schema(served: ServedRun) -> dict[str, Any]:
    kind = served.run.task.options_type
    _, found = msgspec.json.schema_components([kind], ref_template="#/components/schemas/{name}")
    whole: dict[str, Any] = found[kind.__name__]
    ranges = ranges_of(kind)
    properties = {}
    for name, schema in whole.get("properties", {}).items():
        if name not in served.option_names:
            continue
        if name in ranges and schema.get("type") in ("integer", "number"):
            limit = ranges[name]
            schema |= {"exclusiveMinimum" if limit.above else "minimum": limit.least}
            most = min(limit.most, LARGEST_OPTIONS.get(name, limit.most))
            schema |= {"exclusiveMaximum" if limit.below else "maximum": most}
        properties[name] = schema
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _prediction_schema(kind: type[Prediction], components: dict[str, Any]) -> dict[str, Any]:
    """The fields that stand in the JSON, and the dataclasses in them as schemas of their own."""
    space = vars(sys.modules[kind.__module__])
    names = [field.name for field in fields(kind) if field.repr] if is_dataclass(kind) else []
    if not names:
        return {"type": "object", "additionalProperties": True}
    hints = {name: _hint(kind, name, space) for name in names}
    plain = msgspec.defstruct(kind.__name__, list(hints.items()))
    _, found = msgspec.json.schema_components([plain], ref_template="#/components/schemas/{name}")
    plain_found = {name: _without_tuples(schema) for name, schema in found.items()}
    own: dict[str, Any] = plain_found.pop(kind.__name__)
    components |= plain_found
    own.pop("title", None)
    return own


def _without_tuples(schema: Any) -> Any:
    """The same with a tuple as an array of what may stand in it: generators of clients do not know `prefixItems`."""
    if isinstance(schema, list):
        return [_without_tuples(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _without_tuples(one) for name, one in schema.items()}
    if parts := plain.pop("prefixItems", None):
        kinds = [one for place, one in enumerate(parts) if one not in parts[:place]]
        plain["items"] = kinds[0] if len(kinds) == 1 else {"oneOf": kinds}
    return plain


def _hint(kind: type[Any], name: str, space: dict[str, Any]) -> Any:
    """A field's type; those of other fields, which may be known to type checkers alone, are not looked at."""
    for base in kind.__mro__:
        if name in vars(base).get("__annotations__", {}):
            one = type("One", (), {"__annotations__": {name: vars(base)["__annotations__"][name]}})
            return get_type_hints(one, vars(sys.modules[base.__module__]) | space)[name]
    raise AttributeError(name)


def _object(properties: dict[str, Any], required: Iterable[str] | None = None) -> dict[str, Any]:
    wanted = list(properties if required is None else required)
    return {"type": "object", "properties": properties, "required": wanted}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _refusal(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/problem+json": {"schema": {"$ref": _PROBLEM}}}}


def _words(names: Sequence[str]) -> list[str]:
    """Names as programs have them; a number tells those apart that differ in other characters alone."""
    words: list[str] = []
    for name in names:
        plain = "".join(letter.lower() if letter.isalnum() else "_" for letter in name)
        taken = [word.replace("_", "") for word in words]
        number = 1
        while f"{plain}{number if number > 1 else ''}".replace("_", "") in taken:
            number += 1
        words.append(f"{plain}{number if number > 1 else ''}")
    return words


_TEXT, _NUMBER = {"type": "string"}, {"type": "integer"}
_ANYTHING = {"type": "object", "additionalProperties": True}
_COMMON: dict[str, Any] = {
    "Problem": _object({"status": _NUMBER, "title": _TEXT, "detail": _TEXT}),
    "Form": _object(
        {
            "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
            "options": {"type": "string", "description": "JSON"},
        },
        required=("files",),
    ),
    "Health": _object({"status": _TEXT, "version": _TEXT, "runs": _NUMBER}),
    "Run": _object(
        {
            "name": _TEXT,
            "task": _TEXT,
            "inputs": _TEXT,
            "takes": {"type": "string", "enum": ["texts", "files", "arrays"]},
            "streams": {"type": ["string", "null"]},
            "step": _NUMBER,
            "metrics": _ANYTHING,
            "options": {"type": "array", "items": _TEXT},
            "settings": _ANYTHING,
        },
        required=("name", "task", "inputs", "takes", "streams", "step", "metrics", "options"),
    ),
    "Runs": _object({"runs": {"type": "array", "items": {"$ref": "#/components/schemas/Run"}}}),
}
