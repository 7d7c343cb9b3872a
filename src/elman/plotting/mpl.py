"""What the plots take from matplotlib, in one place: the base install does not bring it."""

from elman.errors import optional_imports

with optional_imports():
    import matplotlib as mpl
    from cycler import cycler
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure
    from matplotlib.font_manager import findfont, get_font
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D
    from matplotlib.patches import FancyBboxPatch, Rectangle

__all__ = [
    "AutoDateLocator",
    "Axes",
    "ConciseDateFormatter",
    "FancyBboxPatch",
    "Figure",
    "FigureCanvasAgg",
    "Legend",
    "Line2D",
    "LinearSegmentedColormap",
    "Rectangle",
    "cycler",
    "findfont",
    "get_font",
    "mpl",
]
