"""Where each setting stands in `elman train TASK --help`: panels in the order of need, everyday options first."""

from __future__ import annotations

import ast
import inspect
import textwrap
import typing
from dataclasses import MISSING, Field, fields
from typing import Annotated, Any, Literal

from cyclopts import Group, Parameter

from elman.cli.messages import as_options
from elman.models.config import OneOf

PANELS = ("Data", "Model", "Optimisation", "Run", "Advanced")
GROUPS = {name: Group.create_ordered(name) for name in PANELS}

TAKES_A_HYPHEN = {"file"}
"""Options whose value may be "-", standard input."""

_ORDER: dict[str, str] = {
    "Data": """data problem answer captions features tokens ngrams text_column label_column target time known past
        series_id date_order split speaker horizon window vocabulary_size max_length max_seconds longest min_count
        lowercase vectors validation_share validation_sample validation test rows frequency season missing
        interpolate calendar transform scale symbols join""",
    "Model": """cell hidden_size members stride scales layers embedding_size bidirectional readout attention mode
        anchor combine intervals level dropout nonlinearity residual init layer_norm recurrent_dropout tied head feed
        beam""",
    "Optimisation": """steps minutes tune batch_size gradient_accumulation_steps lr chunk schedule warmup clip_norm
        weight_decay patience best_by curriculum supervise label_smoothing word_dropout augment folds""",
    "Run": "out resume settings_file seed threads device precision eval_every",
}
_PLACE = {name: (panel, place) for panel, names in _ORDER.items() for place, name in enumerate(names.split())}


def panel(name: str) -> str:
    """The panel of a setting; what the table above does not know is for those who look for it."""
    return _PLACE.get(name, ("Advanced", 0))[0]


def in_order(names: typing.Iterable[str]) -> list[str]:
    """Setting names by panel and, within it, by need; unknown ones keep their order at the end."""
    return sorted(names, key=lambda name: (PANELS.index(panel(name)), _PLACE.get(name, ("", 0))[1]))


def setting_parameters(kind: type[Any]) -> list[inspect.Parameter]:
    """One keyword parameter for each field of a settings class, with its panel, its help and its default."""
    hints = typing.get_type_hints(kind, include_extras=True)
    help_texts = field_help(kind)
    return [
        _parameter(field, hints[field.name], help_texts.get(field.name, "")) for field in fields(kind) if field.init
    ]


def plain_parameters(kind: type[Any]) -> list[inspect.Parameter]:
    """The same for a class of options that need no panels."""
    hints = typing.get_type_hints(kind, include_extras=True)
    help_texts = field_help(kind)
    return [_parameter(field, hints[field.name], help_texts.get(field.name, ""), "") for field in fields(kind)]


def _parameter(field: Field[Any], hint: Any, text: str, panel_name: str | None = None) -> inspect.Parameter:
    name = panel(field.name) if panel_name is None else panel_name
    how: dict[str, Any] = {"group": GROUPS[name]} if name else {}
    if typing.get_origin(hint) is tuple:  # --data a.txt b.txt
        how |= {"consume_multiple": True, "negative": ""}
    if field.name in TAKES_A_HYPHEN:
        how["allow_leading_hyphen"] = True
    hint = _with_choices(hint)
    annotation = Annotated[hint, Parameter(help=as_options(text), **how)]
    default = field.default
    if default is MISSING and field.default_factory is not MISSING:
        default = field.default_factory()
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _with_choices(hint: Any) -> Any:
    """The type of a setting that names something registered, such as a cell, as the names that there are now."""
    marks = (mark for mark in getattr(hint, "__metadata__", ()) if isinstance(mark, OneOf))
    return next((Literal[mark.names()] for mark in marks), hint)


def field_help(kind: type[Any]) -> dict[str, str]:
    """The text under each field of a dataclass, its bases' included: what it means, for the help."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        try:
            body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        except (OSError, TypeError):  # made at run time: it has no source
            continue
        assert isinstance(body, ast.ClassDef)
        for here, after in zip(body.body, body.body[1:], strict=False):
            if (
                isinstance(here, ast.AnnAssign)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
            ):
                found[ast.unparse(here.target)] = inspect.cleandoc(str(after.value.value))
    return found
