"""The shared look of the plots: sizes, safe labels, whole files."""

from pathlib import Path

import pytest
from matplotlib.image import imread

from elman.errors import UserError
from elman.plotting import style


def test_a_saved_figure_is_1000_pixels_wide_in_both_forms_and_the_same_bytes_each_time(
    tmp_path: Path,
) -> None:
    files = []
    for name in ("a.v1", "b.v1"):
        figure, (axes,) = style.new_figure("The loss falls from 4 to 2 nats")
        axes.plot([1, 2], [4, 2], label="training")
        axes.legend()
        files.append(style.save_figure(figure, tmp_path / name))
    (svg, png), (other_svg, other_png) = files
    assert [svg.name, png.name] == ["a.v1.svg", "a.v1.png"]
    assert imread(png).shape[:2] == (500, 1000)
    assert svg.read_text().startswith("<?xml")
    assert svg.read_bytes() == other_svg.read_bytes()
    assert png.read_bytes() == other_png.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.v1.png", "a.v1.svg", "b.v1.png", "b.v1.svg"]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    figure, _ = style.new_figure("x")
    with pytest.raises(UserError, match="cannot write") as error:
        style.save_figure(figure, tmp_path / "file" / "plot")
    assert "\n" not in str(error.value)


def test_text_of_a_user_is_drawn_as_it_is(tmp_path: Path) -> None:
    figure, (axes,) = style.new_figure("price $5 and $6 \U0001f600")
    axes.set_xlabel(style.plain("$x_1$ 語"))
    style.save_figure(
        figure, tmp_path / "plot"
    )  # a missing glyph or bad mathematics would warn, and warnings are errors
    assert style.labels(["a", " ", "\n", "$", "語"]) == ["a", "␣", "↵", r"\$", "U+8A9E"]


def test_a_long_title_is_wrapped() -> None:
    figure, _ = style.new_figure("word " * 40)
    assert max(len(line) for line in figure.get_suptitle().split("\n")) <= style.TITLE_COLUMNS


def test_forty_nine_lines_all_differ() -> None:
    looks = {(one["color"], one["linestyle"]) for one in map(style.series, range(49))}
    assert len(looks) == 49
