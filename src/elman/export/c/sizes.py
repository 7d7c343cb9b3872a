"""Sequences that are scaled by their own size, in C."""

from __future__ import annotations

from elman.export.c.source import Source
from elman.runtime.scaling import Scaler


def write_sizes(source: Source, scaler: Scaler) -> None:
    """C that scales a sequence by its own size: x (steps, 2 I) from input (steps, I)."""
    assert scaler.floor is not None
    mean, std, floor = source.vector(scaler.mean), source.vector(scaler.std), source.vector(scaler.floor)
    channels = scaler.channels
    source.functions.append(
        f"""
/* Each channel divided by its root mean square, the logarithm of which is a further channel. */
static void scale_series(const float *input, int steps, float *x) {{
    int t, k;
    for (k = 0; k < {channels}; ++k) {{
        double sum = 0.0, size;
        for (t = 0; t < steps; ++t) {{
            const double value = input[t * {channels} + k];
            sum += value * value;
        }}
        size = sqrt(sum / steps);
        if (size < {floor}[k]) size = {floor}[k];
        for (t = 0; t < steps; ++t) {{
            float *row = x + (size_t)t * {2 * channels};
            row[k] = (float)((input[t * {channels} + k] / size - {mean}[k]) / {std}[k]);
            row[{channels} + k] = (float)((log10(size) - {mean}[{channels} + k]) / {std}[{channels} + k]);
        }}
    }}
}}""".strip()
    )
