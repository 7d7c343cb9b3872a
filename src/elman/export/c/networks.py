"""Language models, classifiers and transcribers in C: read step by step, or a whole sequence at once."""

from __future__ import annotations

from elman.errors import UserError
from elman.export.c.layers import Answer, Reading, answer_of
from elman.export.c.program import Program, program
from elman.export.c.recurrent import work_size, write_recurrent
from elman.export.c.sizes import write_sizes
from elman.export.c.source import Source, float_text
from elman.runtime.classifier import Classifier, Ensemble, MultiScaleClassifier
from elman.runtime.recurrent import Recurrent
from elman.runtime.scaling import Scaler
from elman.runtime.tensors import Floats

Facts = dict[str, str]
STEPS_CALLS = """
/* Begin a sequence. */
void {name}_reset({name} *s);

/* Read one step{what}. Returns 0, or -1 where it cannot be one. */
int {name}_read({name} *s, {argument});

/* The answer to all steps so far, {outputs} numbers: {answer}. */
void {name}_answer({name} *s, float *output);
"""
WHOLE_CALLS = """
/* Read a sequence of 1 to {NAME}_MOST_STEPS steps{what}, and answer: {answer}.
   Returns 0, or -1 where it cannot be one. */
int {name}_all({name} *s, {argument}, int steps, float *output);
"""


def _pooling(source: Source, readout: str, attention: tuple[Floats, Floats] | None, number: int = 0) -> tuple[str, str]:
    """C of taking a state `h` into `p`, and of reading `p` into `read`; empty for the last state."""
    if readout == "last":
        return "", ""
    if attention is not None:
        source.use("pool_attention")
        weights = source.vector(attention[0])
        return f"pool_state(p, {weights}, {float_text(float(attention[1][0]))}, h);", "read_pool(p, read);"
    source.define(READ_MEAN=int("mean" in readout), READ_SUM=int(readout == "sum"), READ_MAX=int("max" in readout))
    source.use("pool")
    return "pool_state(p, h);", "read_pool(p, read);"


def write_steps(
    source: Source,
    facts: Facts,
    recurrent: Recurrent,
    reading: Reading,
    answer: Answer,
    said: str,
    what: str,
    readout: str = "last",
    attention: tuple[Floats, Floats] | None = None,
) -> Program:
    """A model that reads step by step: its answer to all so far can be asked for at any time."""
    name, pooled = source.name, readout != "last"
    (cells,) = write_recurrent(source, [recurrent])
    source.use("streamed")
    push, pull = _pooling(source, readout, attention)
    read = recurrent.output_size * (2 if readout == "mean-max" else 1)
    state, layers = recurrent.H * recurrent.parts, len(recurrent.layers)
    fields = [f"float h[{layers * state}], work[{work_size(recurrent)}], x[{reading.size}];"]
    fields.append(f"float read[{read}], between[{answer.hidden}];")
    structs = ""
    if pooled:
        structs = _pooled_struct(name, recurrent.H)
        fields.append(f"{name}_pooled pooled;")
    reader, say = reading.write(source), answer.write(source)
    argument = "int token" if reading.tokens else "const float *input"
    source.functions.append(f"void {name}_reset({name} *s) {{ memset(s, 0, sizeof *s); }}")
    check = _check(reading, "1", "token") if reading.tokens else _check(reading, str(reading.size), "input[j]")
    given = "&token" if reading.tokens else "input"
    after = "    pool_state_in(s, step_layers(s, {0}, s->x));" if pooled else "    step_layers(s, {0}, s->x);"
    if pooled:
        source.functions.append(
            f"static void pool_state_in(STATE *s, const float *h) {{\n    pooled *p = &s->pooled;\n    {push}\n}}"
        )
    local = "" if reading.tokens else "    int j;\n"
    source.functions.append(
        f"int {name}_read({name} *s, {argument}) {{\n{local}{check}    {reader}({given}, s->x);\n"
        f"{after.format(cells)}\n    return 0;\n}}"
    )
    top = f"s->h + {(layers - 1) * state}"
    lines = [f"    {say}({top}, s->between, output);"]
    if pooled:
        lines = [
            "    const pooled *p = &s->pooled;",
            "    float *read = s->read;",
            f"    {pull}",
            f"    {say}(read, s->between, output);",
        ]
    source.functions.append(f"void {name}_answer({name} *s, float *output) {{\n" + "\n".join(lines) + "\n}")
    struct = f"{structs}typedef struct {{\n    " + "\n    ".join(fields) + f"\n}} {name};"
    sizes = f"enum {{ {name.upper()}_INPUTS = {_inputs(reading)}, {name.upper()}_OUTPUTS = {answer.width} }};\n\n"
    calls = STEPS_CALLS.format(name=name, argument=argument, outputs=answer.width, answer=said, what=what)
    return _finished(source, facts, sizes + struct, calls, "steps", reading, answer.width, pooled)


def write_whole(
    source: Source,
    facts: Facts,
    members: list[Classifier | MultiScaleClassifier],
    readings: list[Reading],
    said: str,
    what: str,
    most: int,
    scaler: Scaler | None = None,
    by_size: Scaler | None = None,
) -> Program:
    """A classifier that needs the whole sequence: both directions, several time scales, or several networks.

    Arguments:
        scaler: of what patches are cut from, step by step.
        by_size: scales the sequence by its own size, before all else.
    """
    name, first = source.name, members[0]
    networks = [
        net for one in members for net in (one.recurrent if isinstance(one, MultiScaleClassifier) else [one.recurrent])
    ]
    cells = iter(write_recurrent(source, networks))
    source.use("whole")
    tokens, size, readout = readings[0].tokens, networks[0].output_size, first.readout
    answers = [answer_of(one) for one in members]
    each = size * (2 if readout == "mean-max" else 1)
    parts = len(first.recurrent) if isinstance(first, MultiScaleClassifier) else 1
    kind = "int" if tokens else "float"
    pooled = readout != "last"
    if isinstance(first, MultiScaleClassifier):
        write_views(source, first, scaler)
    runs: list[str] = []
    for place, (member, answer) in enumerate(zip(members, answers, strict=True)):
        lines = _member_lines(source, place, member, readings[place], [next(cells) for _ in range(parts)], each)
        lines.append(f"    {answer.write(source, place)}(s->read, s->between, output);")
        source.functions.append(_member_function(place, member, kind, lines))
        runs.append(f"ask_{place}(s, {'input' if by_size is None else 's->scaled'}, steps, s->said);")
    width, K, given = answers[0].width, len(members), readings[0]
    body = f"    for (j = 0; j < {width}; ++j) output[j] = 0.0f;\n"
    if by_size is not None:
        given = Reading(by_size.channels)
        write_sizes(source, by_size)
        body += "    scale_series(input, steps, s->scaled);\n"
    checks = f"    if (!input || steps < 1 || steps > {name.upper()}_MOST_STEPS) return -1;\n"
    checks += _check(given, "steps" if tokens else f"steps * {given.size}", "input[j]")
    for run in runs:
        body += f"    {run}\n    for (j = 0; j < {width}; ++j) output[j] += s->said[j] / {float(K):g}.0f;\n"
    argument = f"const {kind} *input"
    source.functions.append(
        f"int {name}_all({name} *s, {argument}, int steps, float *output) {{\n"
        f"    int j;\n{checks}{body}    return 0;\n}}"
    )
    structs = _pooled_struct(name, size) if pooled else ""
    between, widest = max(answer.hidden for answer in answers), max(net.input_size for net in networks)
    state, work = networks[0].H * networks[0].parts, work_size(networks[0])
    fields = [
        f"float h[{state}], work[{work}], x[{widest}], read[{parts * each}], between[{between}], said[{width}];",
        f"float states[2][{name.upper()}_MOST_STEPS * {size}];",
        *([] if by_size is None else [f"float scaled[{name.upper()}_MOST_STEPS * {readings[0].size}];"]),
        *([f"{name}_pooled pooled;"] if pooled else []),
    ]
    struct = f"{structs}typedef struct {{\n    " + "\n    ".join(fields) + f"\n}} {name};"
    sizes = (
        _most_steps(name, most)
        + f"enum {{ {name.upper()}_INPUTS = {_inputs(given)}, {name.upper()}_OUTPUTS = {width} }};\n\n"
    )
    calls = WHOLE_CALLS.format(name=name, NAME=name.upper(), argument=argument, answer=said, what=what)
    return _finished(source, facts, sizes + struct, calls, "whole", given, width, pooled)


def _member_lines(
    source: Source,
    place: int,
    member: Classifier | MultiScaleClassifier,
    reading: Reading,
    cells: list[str],
    each: int,
) -> list[str]:
    """What one network does: its recurrent parts run, and what is read of their states is put into `s->read`."""
    attentions = member.attention if isinstance(member, MultiScaleClassifier) else [member.attention]
    lines = []
    for slot, part in enumerate(reversed(range(len(cells)))):
        if isinstance(member, MultiScaleClassifier):
            stride = member.strides[part]
            count = f"((T + {member.averaged - 1}) / {member.averaged} + {stride - 1}) / {stride}"
            call = f"run_layers(s, {cells[part]}, read_patch, view_of(&v, input, T, {stride}), {count})"
        else:
            count, call = "T", f"run_layers(s, {cells[part]}, {_step_reader(source, place, reading)}, input, T)"
        push, pull = _pooling(source, member.readout, attentions[part], place * len(cells) + slot)
        lines.append(f"    states = {call};\n    count = {count};\n    read = s->read + {slot * each};")
        if member.readout == "last":
            lines.append(
                "    for (j = 0; j < SIZE; ++j)\n"
                "        read[j] = states[(j < HIDDEN ? (size_t)(count - 1) * SIZE : 0) + (size_t)j];"
            )
        else:
            lines.append(
                "    p->count = 0.0f;\n    for (t = 0; t < count; ++t) {\n"
                f"        const float *h = states + (size_t)t * SIZE;\n        {push}\n    }}\n    {pull}"
            )
    return lines


def _step_reader(source: Source, place: int, reading: Reading) -> str:
    """The function by which `run_layers` reads a step."""
    reader, kind = reading.write(source, place), "int" if reading.tokens else "float"
    source.functions.append(
        f"static void read_step_{place}(const void *data, int t, float *x) {{\n"
        f"    {reader}((const {kind} *)data + (size_t)t * {1 if reading.tokens else reading.size}, x);\n}}"
    )
    return f"read_step_{place}"


def _member_function(place: int, member: Classifier | MultiScaleClassifier, kind: str, lines: list[str]) -> str:
    local = ["    const float *states;", "    float *read;", "    int count;"]
    local += ["    int j;"] if member.readout == "last" else ["    pooled *p = &s->pooled;", "    int t;"]
    local += ["    view v;"] if isinstance(member, MultiScaleClassifier) else []
    head = f"static void ask_{place}(STATE *s, const {kind} *input, int T, float *output) {{\n"
    return head + "\n".join([*local, *lines]) + "\n}"


def write_transcriber(
    source: Source,
    facts: Facts,
    recurrent: Recurrent,
    reading: Reading,
    answer: Answer,
    said: str,
    what: str,
    most: int,
) -> Program:
    """A transcriber in both directions: the scores of every step of a whole recording."""
    name = source.name
    (cells,) = write_recurrent(source, [recurrent])
    source.use("whole")
    reader, say = reading.write(source), answer.write(source)
    I, V = reading.size, answer.width
    source.functions.append(
        "static void read_step(const void *data, int t, float *x) {\n"
        f"    {reader}((const float *)data + (size_t)t * {I}, x);\n}}"
    )
    source.functions.append(
        f"int {name}_all({name} *s, const float *input, int steps, float *output) {{\n"
        "    const float *states;\n    int j, t;\n"
        f"    if (!input || steps < 1 || steps > {name.upper()}_MOST_STEPS) return -1;\n"
        f"{_check(reading, f'steps * {I}', 'input[j]')}    states = run_layers(s, {cells}, read_step, input, steps);\n"
        f"    for (t = 0; t < steps; ++t)\n"
        f"        {say}(states + (size_t)t * SIZE, s->between, output + (size_t)t * {V});\n    return 0;\n}}"
    )
    state = recurrent.H * recurrent.parts
    struct = (
        _most_steps(name, most)
        + f"enum {{ {name.upper()}_INPUTS = {I}, {name.upper()}_OUTPUTS = {V} }};\n\ntypedef struct {{\n"
        f"    float h[{state}], work[{work_size(recurrent)}], x[{I}], between[1];\n"
        f"    float states[2][{name.upper()}_MOST_STEPS * {recurrent.output_size}];\n}} {name};"
    )
    calls = WHOLE_CALLS.format(name=name, NAME=name.upper(), argument="const float *input", answer=said, what=what)
    return _finished(source, facts, struct, calls, "every", reading, V, False)


def write_views(source: Source, model: MultiScaleClassifier, scaler: Scaler | None) -> str:
    """C that cuts patches of a scaled series and of its differences, as they are read; the name of its type."""
    if scaler is None:
        raise UserError("a series without a scale has no form in C")
    mean, std, usual = source.vector(scaler.mean), source.vector(scaler.std), source.vector(model.difference)
    channels, patch = len(scaler.mean), 8
    source.functions.append(f"""typedef struct {{
    const float *input;
    int T, stride;
}} view;

static const void *view_of(view *v, const float *input, int T, int stride) {{
    v->input = input, v->T = T, v->stride = stride;
    return v;
}}

/* Channel c of step t, scaled; from {channels} on its difference from the step before. */
static float channel(const view *v, int t, int c) {{
    const float *now = v->input + (size_t)t * {channels};
    const int k = c % {channels};
    if (c < {channels}) return (now[k] - {mean}[k]) / {std}[k];
    return t ? ((now[k] - {mean}[k]) / {std}[k] - (now[k - {channels}] - {mean}[k]) / {std}[k]) / {usual}[k] : 0.0f;
}}

/* Patch n: {patch} strides of {model.averaged} steps' means, of all channels and differences; 0 beyond both ends. */
static void read_patch(const void *data, int n, float *x) {{
    const view *v = (const view *)data;
    const int size = {patch} * v->stride, first = n * v->stride - (size - v->stride) / 2;
    int c, o, t;
    for (c = 0; c < {2 * channels}; ++c)
        for (o = 0; o < size; ++o) {{
            const int from = (first + o) * {model.averaged};
            float sum = 0.0f;
            if (from >= 0)
                for (t = from; t < from + {model.averaged} && t < v->T; ++t) sum += channel(v, t, c);
            x[c * size + o] = sum / {float(model.averaged):g}.0f;
        }}
}}""")
    return "view"


def _check(reading: Reading, count: str, each: str) -> str:
    """C that returns -1 where an input is no token, or not finite."""
    wrong = f"!({each} - {each} == 0.0f)"
    if reading.table is not None:
        wrong = f"{each} < 0 || {each} >= {len(reading.table)}"
    loop = "" if each == "token" else f"    for (j = 0; j < {count}; ++j)\n    "
    return f"{loop}    if ({wrong}) return -1;\n"


def _pooled_struct(name: str, size: int) -> str:
    """The type of what is kept of the states that were read."""
    return f"typedef struct {{\n    float count, top, sum[{size}], largest[{size}];\n}} {name}_pooled;\n\n"


def _most_steps(name: str, most: int) -> str:
    """The longest sequence that a state has room for, as a definition that the user may change."""
    return (
        "/* Define it before this header is read, everywhere alike, to change the longest sequence. */\n"
        f"#ifndef {name.upper()}_MOST_STEPS\n#define {name.upper()}_MOST_STEPS {most}\n#endif\n\n"
    )


def _inputs(reading: Reading) -> int:
    return len(reading.table) if reading.table is not None else reading.size


def _finished(
    source: Source, facts: Facts, state: str, calls: str, kind: str, reading: Reading, width: int, pooled: bool
) -> Program:
    source.pooled = pooled
    return program(
        source, facts, state, calls, kind=kind, inputs=_inputs(reading), outputs=width, tokens=reading.tokens
    )


def members_of(model: Classifier | MultiScaleClassifier | Ensemble) -> list[Classifier | MultiScaleClassifier]:
    """The networks of a classifier."""
    return list(model.members) if isinstance(model, Ensemble) else [model]
