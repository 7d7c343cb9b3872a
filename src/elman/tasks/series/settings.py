"""What the task `series` can be told: in training, and in prediction."""

# Annotations here are evaluated: the command line reads them.

from dataclasses import dataclass

from elman.data.scaling import Scale
from elman.tasks.classification.settings import ClassifierSettings


@dataclass(frozen=True, kw_only=True)
class Settings(ClassifierSettings):
    """A classifier of series and its training."""

    data: str = "japanese-vowels"
    """A dataset's name; or a .ts or .npz file; or a folder of class folders of .csv files."""
    interpolate: bool = False
    """Fill missing values on the line between their neighbours in time; they are refused otherwise."""
    scale: Scale = "channels"
    """Bring each channel to mean 0 and standard deviation 1, or all channels as one, or none."""

    def own_sources(self) -> tuple[str, ...]:
        """The series, where no dataset is named."""
        from elman.data.timeseries.classification import NAMES

        return () if self.data in NAMES else ("data",)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Series have nothing to choose."""
