"""`elman compare`: the remedies for vanishing and exploding gradients, on the same data and budget."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from elman.cli.messages import say, show_json, show_rich
from elman.cli.running import Json
from elman.cli.terminal.help_text import dictionary_keys
from elman.errors import UserError
from elman.nn.registry import cell_names
from elman.training.report import Table

if TYPE_CHECKING:
    from elman.insight.remedies.compare import Budget, Comparison
    from elman.insight.remedies.problems import Problem


REMEDIES = (
    *dictionary_keys("elman.insight.remedies.remedy:REMEDIES"),
    *(name for name in cell_names() if name != "rnn"),
)
"""Their names, as `elman.insight.remedies.remedy.remedy_names` has them, without importing torch for help."""


def compare(
    *,
    problem: Annotated[
        Literal["adding", "copy", "parity"], Parameter(help="What to learn; parity is asked at the end only.")
    ] = "adding",
    length: Annotated[int, Parameter(help="Steps of a sequence; copy: of the silence.")] = 200,
    remedies: Annotated[
        str,
        Parameter(
            help=f"Names with commas between: {', '.join(REMEDIES)}; a plus sign joins several, as in orthogonal+clip."
        ),
    ] = ",".join(REMEDIES),
    seeds: Annotated[
        str, Parameter(help="Numbers with commas between; one run for each, fewer take less time.")
    ] = "0,1,2",
    steps: Annotated[int, Parameter(help="Optimiser steps of each run; fewer take less time.")] = 1000,
    hidden_size: Annotated[int, Parameter(help="Hidden units of each network.")] = 64,
    batch_size: Annotated[int, Parameter(help="Sequences in one step.")] = 32,
    lr: Annotated[float, Parameter(help="Learning rate of Adam.")] = 2e-3,
    clip_norm: Annotated[float, Parameter(help="Largest norm of the gradient, for the remedy clip.")] = 1.0,
    eval_every: Annotated[int, Parameter(help="Steps from one validation to the next.")] = 50,
    out: Annotated[Path, Parameter(help="Folder for the plot and the tables.")],
    json: Json = False,
) -> None:
    """Train one network for each remedy and seed on the same batches: who learns, and whose gradient lives.

    Ctrl-C ends it early, with the remedies that are finished by then.

    Example: elman compare --problem adding --length 200 --remedies none,orthogonal,gru --out runs/remedies
    """
    from elman.insight.remedies.compare import Budget
    from elman.insight.remedies.problems import memory_problem

    chosen = tuple(dict.fromkeys(filter(None, map(str.strip, remedies.split(",")))))
    budget = Budget(
        steps=steps,
        seeds=_numbers(seeds),
        hidden_size=hidden_size,
        lr=lr,
        clip_norm=clip_norm,
        every=eval_every,
    )
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; choose a folder for --out")
    found = _compared(memory_problem(problem, length, batch_size), chosen, budget)
    written = _write(found, budget, out)
    if json:
        rows = runs_table(found, budget).records()
        show_json({"finding": found.finding, "problem": found.problem.name, "runs": rows, "written": written})
    else:
        show_rich(found.table(), "written: " + ", ".join(written))
    if len(found.runs) < len(chosen):
        raise KeyboardInterrupt


def _compared(problem: Problem, remedies: tuple[str, ...], budget: Budget) -> Comparison:
    """Compare, with a bar on a terminal, and a line on standard error when a run ends."""
    from elman.insight.remedies.compare import compare as compare_remedies
    from elman.training.progress import display

    done = 0
    with display().counting("training steps", len(remedies) * len(budget.seeds) * budget.steps) as counted:

        def tick() -> None:
            nonlocal done
            done += 1
            counted(done)

        return compare_remedies(problem, remedies=remedies, budget=budget, tell=say, tick=tick)


def runs_table(found: Comparison, budget: Budget) -> Table:
    """A row for each run."""
    columns = ("remedy", "seed", "best_loss", "solved", "gradient_left_before", "gradient_left_after", "seconds")
    rows = tuple(
        (remedy, seed, run.final, run.final < found.problem.solved, *run.left, round(run.seconds, 2))
        for remedy, runs in found.runs.items()
        for seed, run in zip(budget.seeds, runs, strict=True)
    )
    return Table("runs", found.finding, columns, rows)


def losses_table(found: Comparison, budget: Budget) -> Table:
    """A row for each validation."""
    rows = tuple(
        (remedy, seed, step, loss)
        for remedy, runs in found.runs.items()
        for seed, run in zip(budget.seeds, runs, strict=True)
        for step, loss in run.losses.items()
    )
    return Table("losses", "validation loss", ("remedy", "seed", "step", "loss"), rows)


def _write(found: Comparison, budget: Budget, out: Path) -> list[str]:
    from elman.insight import plot_remedies, save_figure

    tables = [table.write(out) for table in (runs_table(found, budget), losses_table(found, budget))]
    return [str(path) for path in (*save_figure(plot_remedies(found), out / "remedies"), *tables)]


def _numbers(seeds: str) -> tuple[int, ...]:
    try:
        numbers: tuple[Any, ...] = tuple(int(word) for word in seeds.split(","))
    except ValueError:
        raise UserError(f"--seeds is {seeds!r}; give whole numbers with commas between, as in 0,1,2") from None
    if min(numbers) < 0:
        raise UserError(f"--seeds is {seeds!r}; a seed is at least 0")
    return numbers
