"""Forecasters in C: a window in its own units goes in, the steps to come in the targets' units come out.

T rows of a window, F steps ahead, Y targets, P past covariates, K known-future ones, the calendar's last.
"""

from __future__ import annotations

import numpy as np

from elman.errors import UserError
from elman.export.c.program import Program, listed, program
from elman.export.c.recurrent import work_size, write_recurrent
from elman.export.c.source import Source, float_text
from elman.runtime.tasks.forecasting import ForecastingModel
from elman.runtime.tensors import Floats
from elman.runtime.timeseries.forecaster import DirectForecaster, Head, RecursiveForecaster

CALLS = """
/* How a series goes on.
   values: the last {NAME}_ROWS rows of {columns}, the latest last, in their own units.
   known: {NAME}_ROWS + {NAME}_AHEAD rows of {known_columns}; NULL where there are none. Those of the calendar are
   sine and cosine of the place in the day, the week or the year, all sines first.
   series: which of the run's series it is, from 0: {series}.
   point, lower, upper: {NAME}_AHEAD rows of {targets} each{intervals}.
   Returns 0, or -1 where a number is none, cannot be transformed, or the series is not one. */
int {name}_forecast({name} *s, const double *values, const double *known, int series, double *point, double *lower,
                    double *upper);
"""


def write_forecaster(source: Source, facts: dict[str, str], model: ForecastingModel) -> Program:
    """The program of a forecaster.

    Raises:
        UserError: a part that has no form in C.
    """
    network, fitted, layout = model.model, model.fitted, model.layout
    Y, measured, own, K = layout.targets, layout.targets + layout.past, layout.own, layout.known
    (cells,) = write_recurrent(source, [network.recurrent])
    source.use("streamed")
    source.define(
        ROWS=layout.rows, AHEAD=layout.horizon, TARGETS=Y, MEASURED=measured, OWN=own, KNOWN=K,
        NUMBERS=network.head.size, SEGMENT=layout.segment, LAG=_lag(network), SERIES=len(fitted.scales),
    )  # fmt: skip
    scales = list(fitted.scales.values())
    mean, std = (
        source.doubles(np.stack([one.mean for one in scales])),
        source.doubles(np.stack([one.std for one in scales])),
    )
    source.linear("layer", network.output)
    source.functions.append(_units(fitted.transform))
    source.functions.append(_scaling(fitted.transform, mean, std, measured + own, len(scales), bool(K)))
    if isinstance(network, DirectForecaster) and network.head.intervals != "none":
        source.functions.append(_head(network.head, spread=bool(network.interval_spread)))
    widen = source.vector(network.widen)
    if isinstance(network, DirectForecaster):
        source.functions.append(_direct(source, network, cells))
    else:
        source.functions.append(_recursive(cells))
    ends = _ends(
        widen, mean, std, measured + own, isinstance(network, DirectForecaster) and network.head.intervals != "none"
    )
    source.functions.append(ends.replace("NAME", source.name))
    name, recurrent = source.name, network.recurrent
    read = recurrent.H + (layout.horizon * K if isinstance(network, DirectForecaster) else 0)
    states, rows = len(recurrent.layers) * recurrent.H * recurrent.parts, layout.rows + layout.horizon
    steps = layout.horizon * Y
    sizes = {"ROWS": layout.rows, "AHEAD": layout.horizon, "TARGETS": Y}
    state = (
        "enum { "
        + ", ".join(f"{name.upper()}_{key} = {value}" for key, value in sizes.items())
        + " };\n\ntypedef struct {\n"
        f"    float h[{states}], work[{work_size(recurrent)}], x[{recurrent.input_size}];\n"
        f"    float values[{rows * measured}], known[{max(1, rows * K)}], read[{read}];\n"
        f"    float numbers[{len(network.output[0])}], point[{steps}], ends[{2 * steps}];\n}} {name};"
    )
    intervals = (
        "; the ends of the interval, or NULL"
        if isinstance(network, DirectForecaster) and network.head.intervals != "none"
        else "; lower and upper are not written"
    )
    calendar = [f"{part} of {feature}" for part in ("sine", "cosine") for feature in fitted.calendar]
    calls = CALLS.format(
        name=name,
        NAME=name.upper(),
        columns=listed(fitted.measured),
        known_columns=listed([*fitted.known, *calendar]) or "nothing",
        series=listed(fitted.scales) if fitted.series_id else "0",
        targets=listed(fitted.targets),
        intervals=intervals,
    )
    return program(source, facts, state, calls, kind="forecast", inputs=measured, outputs=Y)


def _lag(network: DirectForecaster | RecursiveForecaster) -> int:
    anchors = {"none": 0, "last": 1, "line": 1, "season": network.layout.season}
    return network.lag if isinstance(network, RecursiveForecaster) else anchors[network.layout.anchor]


def _units(transform: str) -> str:
    back = {"none": "value", "log": "exp(value)", "sqrt": "value > 0.0 ? value * value : 0.0"}[transform]
    return f"static double in_units(double value) {{ return {back}; }}"


def _scaling(transform: str, mean: str, std: str, columns: int, series: int, known: bool) -> str:
    change = {
        "none": "",
        "log": "            if (j < TARGETS) value = log(value);\n",
        "sqrt": "            if (j < TARGETS) value = sqrt(value);\n",
    }
    least = {
        "none": "",
        "log": " || (j < TARGETS && values[t * MEASURED + j] <= 0.0)",
        "sqrt": " || (j < TARGETS && values[t * MEASURED + j] < 0.0)",
    }
    own = """            const int column = MEASURED + j;
            const double value = known[t * KNOWN + j];
            if (!(fabs(value) < 1e150)) return -1;
            s->known[t * KNOWN + j] = (float)(j < OWN ? (value - mean[column]) / std[column] : value);
"""
    body = f"""/* What is read, scaled as the network has it. */
static int scale_inputs(STATE *s, const double *values, const double *known, int series) {{
    const double *mean = {mean} + series * {columns}, *std = {std} + series * {columns};
    int t, j;
    for (t = 0; t < ROWS; ++t)
        for (j = 0; j < MEASURED; ++j) {{
            double value = values[t * MEASURED + j];
            if (!(fabs(value) < 1e150){least[transform]}) return -1;
{change[transform]}            s->values[t * MEASURED + j] = (float)((value - mean[j]) / std[j]);
        }}
"""
    if known:
        return (
            body
            + f"""    for (t = 0; t < ROWS + AHEAD; ++t)
        for (j = 0; j < KNOWN; ++j) {{
{own}        }}
    return 0;
}}"""
        )
    return body + "    (void)known;\n    return 0;\n}"


def _head(head: Head, *, spread: bool) -> str:
    if not spread:
        return """/* The ends of the interval of one value: its width is that of its step. */
static void ends_of(const float *n, float *ends) { ends[0] = ends[1] = n[0]; }"""
    if head.intervals == "quantile":
        return """/* The ends of the interval of one value: quantiles that cross are put in order. */
static void ends_of(const float *n, float *ends) {
    ends[0] = n[0] < n[1] ? (n[0] < n[2] ? n[0] : n[2]) : (n[1] < n[2] ? n[1] : n[2]);
    ends[1] = n[0] > n[1] ? (n[0] > n[2] ? n[0] : n[2]) : (n[1] > n[2] ? n[1] : n[2]);
}"""
    width = float_text(float(head._width))
    return f"""/* The ends of the interval of one value: the middle of a normal distribution. */
static void ends_of(const float *n, float *ends) {{
    const float half = {width} * ((n[1] > 20.0f ? n[1] : log1pf(expf(n[1]))) + 1e-3f);
    ends[0] = n[0] - half;
    ends[1] = n[0] + half;
}}"""


def _direct(source: Source, network: DirectForecaster, cells: str) -> str:
    layout, head = network.layout, network.head
    relative = "v[(t * SEGMENT + r) * MEASURED + j]"
    if layout.anchor in ("last", "line"):
        minus = f"{relative} - (j < TARGETS ? v[(ROWS - 1) * MEASURED + j] : 0.0f)"
    elif layout.anchor == "season":
        before = "v[(t * SEGMENT + r - LAG) * MEASURED + j]"
        minus = f"j >= TARGETS ? {relative} : t * SEGMENT + r < LAG ? 0.0f : {relative} - {before}"
    else:
        minus = relative
    known = "for (j = 0; j < KNOWN; ++j) *x++ = s->known[(t * SEGMENT + r) * KNOWN + j];" if layout.known else ""
    ahead = (
        "for (j = 0; j < AHEAD * KNOWN; ++j) s->read[HIDDEN + j] = s->known[ROWS * KNOWN + j];" if layout.known else ""
    )
    anchor = {
        "none": "0.0f",
        "last": "v[(ROWS - 1) * MEASURED + y]",
        "season": "v[(ROWS - LAG + f % LAG) * MEASURED + y]",
        "line": "line(s, f, y)",
    }
    line = _line(source, network.line, layout.own, layout.known) if layout.anchor == "line" else ""
    share = float_text(network.share - 1)
    blended = f"            anchor += {share} * n[0];\n" if layout.blended else ""
    ends = (
        """            ends_of(n, ends);
            s->ends[2 * (f * TARGETS + y)] = ends[0] + anchor;
            s->ends[2 * (f * TARGETS + y) + 1] = ends[1] + anchor;
"""
        if head.intervals != "none"
        else ""
    )
    local = "float ends[2], anchor;" if head.intervals != "none" else "float anchor;"
    return f"""{line}/* All steps at once, from the state after the window and what is known of the steps to come. */
static void ask(STATE *s) {{
    const float *v = s->values, *top = s->h;
    {local}
    int t, r, j, f, y;
    memset(s->h, 0, sizeof s->h);
    for (t = 0; t < ROWS / SEGMENT; ++t) {{
        float *x = s->x;
        for (r = 0; r < SEGMENT; ++r) {{
            for (j = 0; j < MEASURED; ++j) *x++ = {minus};
            {known}
        }}
        top = step_layers(s, {cells}, s->x);
    }}
    for (j = 0; j < HIDDEN; ++j) s->read[j] = top[j];
    {ahead}
    apply(&layer, s->read, s->numbers);
    for (f = 0; f < AHEAD; ++f)
        for (y = 0; y < TARGETS; ++y) {{
            const float *n = s->numbers + (f * TARGETS + y) * NUMBERS;
            anchor = {anchor[layout.anchor]};
{blended}            s->point[f * TARGETS + y] = n[0] + anchor;
{ends}        }}
}}"""


def _line(source: Source, line: dict[str, Floats], own: int, known: int) -> str:
    weight, bias = source.vector(line["weight"]), source.vector(line["bias"])
    parts = [
        f"    for (t = 0; t < ROWS; ++t) sum += {weight}[(y * AHEAD + f) * ROWS + t] * s->values[t * MEASURED + y];\n"
    ]
    if own:
        parts.append(
            "    for (t = 0; t < ROWS; ++t)\n        for (j = 0; j < OWN; ++j)\n"
            f"            sum += {source.vector(line['known'])}[((y * AHEAD + f) * ROWS + t) * OWN + j]"
            " * s->known[t * KNOWN + j];\n"
        )
    if known:
        parts.append(
            "    for (j = 0; j < KNOWN; ++j)\n"
            f"        sum += {source.vector(line['ahead'])}[(y * AHEAD + f) * KNOWN + j]"
            " * s->known[(ROWS + f) * KNOWN + j];\n"
        )
    count = "int t, j;" if own or known else "int t;"
    return f"""/* The line through the window, f steps ahead. */
static float line(const STATE *s, int f, int y) {{
    float sum = {bias}[y * AHEAD + f];
    {count}
{"".join(parts)}    return sum;
}}

"""


def _recursive(cells: str) -> str:
    return f"""/* One step after the other, each forecast being the next input. */
static void ask(STATE *s) {{
    int t, j;
    memset(s->h, 0, sizeof s->h);
    for (t = 0; t < ROWS + AHEAD - 1; ++t) {{
        float *x = s->x, *v = s->values;
        const float *top;
        for (j = 0; j < TARGETS; ++j) {{
#if LAG
            x[j] = t < LAG ? 0.0f : v[t * TARGETS + j] - v[(t - LAG) * TARGETS + j];
#else
            x[j] = v[t * TARGETS + j];
#endif
        }}
#if KNOWN
        for (j = 0; j < KNOWN; ++j) x[TARGETS + j] = s->known[(t + 1) * KNOWN + j];
#endif
        top = step_layers(s, {cells}, x);
        if (t < ROWS - 1) continue;
        apply(&layer, top, s->numbers);
        for (j = 0; j < TARGETS; ++j) {{
#if LAG
            v[(t + 1) * TARGETS + j] = s->numbers[j * NUMBERS] + v[(t + 1 - LAG) * TARGETS + j];
#else
            v[(t + 1) * TARGETS + j] = s->numbers[j * NUMBERS];
#endif
            s->point[(t + 1 - ROWS) * TARGETS + j] = v[(t + 1) * TARGETS + j];
        }}
    }}
}}"""


def _ends(widen: str, mean: str, std: str, columns: int, intervals: bool) -> str:
    inside = f"""            const float at = s->point[f * TARGETS + y], *ends = s->ends + 2 * (f * TARGETS + y);
            const float least = (ends[0] - ends[1]) / 2, wide = {widen}[f * TARGETS + y];
            const float by = wide > least ? wide : least, low = ends[0] - by, high = ends[1] + by;
            if (lower) lower[f * TARGETS + y] = in_units((double)(low < at ? low : at) * std[y] + mean[y]);
            if (upper) upper[f * TARGETS + y] = in_units((double)(high > at ? high : at) * std[y] + mean[y]);
"""
    none = "    (void)lower;\n    (void)upper;\n"
    keep = "" if intervals else f"    (void){widen};\n"
    return f"""int NAME_forecast(NAME *s, const double *values, const double *known, int series, double *point,
                  double *lower, double *upper) {{
    const double *mean, *std;
    int f, y;
{"" if intervals else none}{keep}    if (!values || series < 0 || series >= SERIES || (KNOWN && !known)) return -1;
    if (scale_inputs(s, values, known, series)) return -1;
    mean = {mean} + series * {columns}, std = {std} + series * {columns};
    ask(s);
    for (f = 0; f < AHEAD; ++f)
        for (y = 0; y < TARGETS; ++y) {{
            point[f * TARGETS + y] = in_units((double)s->point[f * TARGETS + y] * std[y] + mean[y]);
{inside if intervals else ""}        }}
    return 0;
}}"""


def check_size(model: ForecastingModel) -> None:
    """Raise a UserError where a window is too large for a C array."""
    if (model.layout.rows + model.layout.horizon) * max(1, model.layout.known) > 1 << 24:
        raise UserError("the window is too long for a C source; export the run to onnx")
