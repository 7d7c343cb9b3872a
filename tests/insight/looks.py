"""What every plot must keep to: 1,000 pixels wide, a title, a legend, labelled axes, whole and large text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import imread
from matplotlib.text import Text


def check(figure: Figure, folder: Path) -> str:
    """Draw the figure, hold it to the rules, and give all its text but that at the ticks."""
    figure.savefig(folder / "plot.png")
    assert imread(folder / "plot.png").shape[1] == 1000
    assert figure.get_suptitle()
    parts: list[Figure | SubFigure] = [figure, *figure.subfigs]
    assert any(part.legends for part in parts) or any(axes.get_legend() for axes in figure.axes)
    for axes in figure.axes:
        if axes.axison and axes.has_data() and axes.get_label() != "<colorbar>":
            assert any(one.get_xlabel() for one in axes.get_shared_x_axes().get_siblings(axes))
            beside = axes.get_shared_y_axes().get_siblings(axes)
            assert any(one.get_ylabel() for one in beside) or _has_names(axes)
    found = list(_texts(figure))
    for text in found:
        assert text.get_fontsize() >= 8
        box = text.get_window_extent()
        assert box.x0 >= -2, text.get_text()
        assert box.x1 <= 1002, text.get_text()
        assert box.y0 >= -2, text.get_text()
        assert box.y1 <= figure.bbox.height + 2, text.get_text()
    return "\n".join(text.get_text() for text in found)


def _has_names(axes: Axes) -> bool:
    """Say whether the ticks of the vertical axis are names, which need no label."""
    return any(label.get_text()[:1].isalpha() for label in axes.get_yticklabels())


def _texts(figure: Figure) -> Iterator[Text]:
    suptitle = figure._suptitle  # type: ignore[attr-defined]
    found: list[Text] = [suptitle, *figure.texts]
    for legend in [legend for part in (figure, *figure.subfigs) for legend in part.legends]:
        found += legend.get_texts()
    for axes in figure.axes:
        found += axes.texts
        legend = axes.get_legend()
        if legend is not None:
            found += legend.get_texts()
        if axes.axison:
            found += [axes.xaxis.label, axes.yaxis.label]
        found += [axes._left_title, axes.title]  # type: ignore[attr-defined]
    return (text for text in found if text.get_text() and text.get_visible())
