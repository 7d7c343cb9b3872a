"""Every check of sktime and aeon, of our adapters: `python benchmarks/adapters.py sktime aeon`. It takes minutes."""

from __future__ import annotations

import importlib
import sys
import time
import warnings

CHECKS = {"sktime": "sktime.utils.estimator_checks", "aeon": "aeon.testing.estimator_checking"}


def main() -> None:
    """Run the checks of the packages that are named, and exit with 1 where one fails."""
    warnings.simplefilter("ignore")
    failures = 0
    for package in sys.argv[1:] or CHECKS:
        adapters = importlib.import_module(f"elman.adapters.{package}")
        check = importlib.import_module(CHECKS[package]).check_estimator
        for kind in (adapters.Classifier, adapters.Regressor, adapters.Forecaster):
            begun = time.monotonic()
            found = check(kind)
            failed = {name: result for name, result in found.items() if result != "PASSED"}
            failures += len(failed)
            seconds = time.monotonic() - begun
            print(f"{package} {kind.__name__}: {len(found)} checks, {len(failed)} failed, {seconds:.0f} s")
            for name, result in failed.items():
                print(f"  {name}: {str(result)[:200]}")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
