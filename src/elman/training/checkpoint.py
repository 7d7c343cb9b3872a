"""Weights and checkpoints: saving them, filling a model and an optimiser from them, resuming.

A checkpoint is everything that decides how training goes on: weights, the optimiser's state, the carried hidden state,
the random state of every process, and in the header, as JSON, the counters. So a resumed run is equal to the bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from elman.data.io.files import path_kind
from elman.errors import UserError, optional_imports
from elman.training.compatibility import LATER, current_weights
from elman.training.lr_schedule import BestTracker
from elman.training.run_folder import RunFolder
from elman.training.run_state import TrainState, saved_state
from elman.training.task import Carries, Task
from elman.training.tensor_files import naming_damage, read_tensors, write_tensors

if TYPE_CHECKING:
    from accelerate import Accelerator


def save_weights(path: Path, model: nn.Module, header: dict[str, Any]) -> None:
    """Write a model's weights, each once even where two names share it."""
    write_tensors(path, own_tensors(model), header)


def load_weights(path: Path, model: nn.Module) -> dict[str, Any]:
    """Fill `model` from a weights file and return the header.

    Raises:
        UserError: the file does not fit the model: says which weight and both shapes.
    """
    tensors, header = read_tensors(path)
    fill_model(model, tensors, path)
    return header


def fill_model(model: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Copy `tensors` into `model` after checking that names and shapes agree."""
    own, tensors = own_tensors(model), current_weights(tensors)
    later = {name: torch.full_like(own[name], value) for name, value in LATER.items() if name in own}
    tensors = later | tensors
    if missing := sorted(own.keys() ^ tensors.keys()):
        raise UserError(f"{path} does not fit the settings beside it: {missing[0]} is in one and not in the other")
    for name, tensor in tensors.items():
        if tensor.shape != own[name].shape:
            shapes = f"{tuple(tensor.shape)} in the file, {tuple(own[name].shape)} by the settings"
            raise UserError(f"{path} does not fit the settings beside it: {name} is {shapes}")
        if tensor.dtype != own[name].dtype:
            types = f"{tensor.dtype} in the file, {own[name].dtype} by the settings"
            raise UserError(f"{path} is damaged: {name} is {types}; restore it from a copy")
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise UserError(f"{path} is damaged: {name} holds NaN or infinity; restore it from a copy")
    with torch.no_grad():
        for name, tensor in tensors.items():
            own[name].copy_(tensor)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's state, flat: {"INDEX/NAME": tensor}."""
    state = optimizer.state_dict()["state"]
    return {
        f"{index}/{name}": torch.as_tensor(value) for index, entry in state.items() for name, value in entry.items()
    }


def fill_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], path: Path, step: int) -> None:
    """The inverse of `optimizer_tensors`.

    Raises:
        UserError: a parameter's state is missing, or of another name, shape or type than the optimiser's own.
    """
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, _, name = key.partition("/")
        if not index.isdigit():
            raise UserError(f"{path} is damaged: the optimiser has no state {key!r}; restore it from a copy")
        state.setdefault(int(index), {})[name] = tensor
    shapes = [parameter.shape for entry in optimizer.param_groups for parameter in entry["params"]]
    if not set(state) <= set(range(len(shapes))) or (step and not state):
        raise UserError(f"{path} is damaged: the optimiser's state is not that of this model; restore it from a copy")
    for number, entry in state.items():
        wanted = {"step": torch.Size(()), "exp_avg": shapes[number], "exp_avg_sq": shapes[number]}
        if {name: tensor.shape for name, tensor in entry.items()} != wanted:
            raise UserError(f"{path} is damaged: the optimiser's state {number} does not fit; restore it from a copy")
        good = all(tensor.is_floating_point() and bool(tensor.isfinite().all()) for tensor in entry.values())
        if not (good and 0 < float(entry["step"]) <= step and bool((entry["exp_avg_sq"] >= 0).all())):
            raise UserError(f"{path} is damaged: the optimiser's state {number} is none; restore it from a copy")
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def group(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The entries under `prefix/`, without it."""
    start = prefix + "/"
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


def own_tensors(model: nn.Module) -> dict[str, Tensor]:
    """The model's parameters and buffers by name, one name for each that is shared."""
    seen: set[int] = set()
    own: dict[str, Tensor] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            own[name] = tensor
    return own


def save_checkpoint(
    folder: RunFolder,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    state: TrainState,
    carries: Carries,
    accelerator: Accelerator,
) -> None:
    """Write the checkpoint; every process takes part, the first one writes.

    The carried states of all micro-batches and processes are written side by side, in the order of the batch.
    """
    with optional_imports():
        from accelerate.utils import gather

    random = torch.get_rng_state().to(accelerator.device).unsqueeze(0)
    whole = [[part.transpose(0, 1).contiguous() for part in carry] for carry in carries]  # each (B, layers, H)
    if accelerator.num_processes > 1:
        random, whole = gather(random), gather(whole)
    if not accelerator.is_main_process:
        return
    tensors: dict[str, Tensor] = {"random": random}
    tensors |= {f"model/{name}": tensor for name, tensor in own_tensors(model).items()}
    tensors |= {f"optimizer/{name}": tensor for name, tensor in optimizer_tensors(optimizer).items()}
    tensors |= {
        f"carry/{index}": torch.cat(parts).transpose(0, 1) for index, parts in enumerate(zip(*whole, strict=True))
    }
    write_tensors(folder.checkpoint, tensors, asdict(state))


def restore(
    folder: RunFolder,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    state: TrainState,
    accelerator: Accelerator,
    shares: Sequence[tuple[int, int]],
) -> Carries:
    """Fill model, optimiser, counters and random state from the checkpoint; returns this process's carried states.

    Arguments:
        shares: rank and world of each of its micro-batches.

    Raises:
        UserError: the checkpoint is damaged, or made by other settings.
    """
    path = folder.checkpoint
    tensors, header = read_tensors(path)
    saved, random = saved_state(header, path), tensors.get("random")
    if random is None or random.dtype != torch.uint8 or random.ndim != 2:
        raise UserError(f"{path} is not a checkpoint to resume from; train into another folder")
    if saved.judge.higher_is_better != state.judge.higher_is_better:
        raise UserError(f"{path} is damaged: it judges the other way round than its task; restore it from a copy")
    fill_model(model, group(tensors, "model"), path)
    fill_optimizer(optimizer, group(tensors, "optimizer"), path, saved.step)
    for counter in fields(saved):
        setattr(state, counter.name, getattr(saved, counter.name))
    with naming_damage(path):
        # a copy: of a row inside a tensor torch 2.13 reads what stands behind it
        torch.set_rng_state(random[accelerator.process_index % len(random)].clone())
    parts = group(tensors, "carry")
    if set(parts) != {str(index) for index in range(len(parts))} or any(part.ndim < 2 for part in parts.values()):
        raise UserError(f"{path} is damaged: its carried state has gaps; restore it from a copy")
    whole = [parts[str(index)].to(accelerator.device) for index in range(len(parts))]
    return tuple(tuple(_share(part, *share) for part in whole) for share in shares)


@contextmanager
def aside(model: nn.Module) -> Iterator[None]:
    """Use a model in evaluation mode and without gradients, and leave the random state as it was."""
    random = torch.get_rng_state()
    model.eval()
    with torch.no_grad():
        yield
    model.train()
    torch.set_rng_state(random)


def check_carry(
    task: Task[Any],
    model: nn.Module,
    carries: Carries,
    step: int,
    accelerator: Accelerator,
    shares: Sequence[tuple[int, int]],
    path: Path,
) -> None:
    """Compare the carried states of a checkpoint with that which the task's own step hands on.

    Arguments:
        shares: rank and world of each micro-batch of this process; they are of one size.

    Raises:
        UserError: another number of tensors, another shape or type, or numbers that are not finite.
    """
    with aside(model), accelerator.autocast():
        own = task.loss(model, task.batch(max(0, step - 1), *shares[0]), ()).carry
    for carry in carries:
        if [(part.shape, part.dtype) for part in carry] != [(part.shape, part.dtype) for part in own]:
            has, wants = ([tuple(part.shape) for part in parts] for parts in (carry, own))
            raise UserError(f"{path} is damaged: its carried state is {has}, not {wants}; restore it from a copy")
        if not all(bool(part.isfinite().all()) for part in carry):
            raise UserError(f"{path} is damaged: its carried state is not finite; restore it from a copy")


def mend_best(task: Task[Any], model: nn.Module, judge: BestTracker, step: int, folder: RunFolder) -> None:
    """Write the best weights where a kill came between the checkpoint that is the best and them.

    Raises:
        UserError: they are missing or older, and the checkpoint is not the best.
    """
    kept = read_tensors(folder.weights)[1]["step"] if path_kind(folder.weights) != "nothing" else 0
    if kept >= judge.best_step:  # later: of a run of version 0.1, which wrote them before the checkpoint
        return
    if judge.best_step != step:
        lacks = f"is of step {kept}" if kept else "is missing"
        raise UserError(f"{folder.weights} {lacks}, and the best was step {judge.best_step}; restore it from a copy")
    with aside(model):
        metrics = task.evaluate(model)
    save_weights(folder.weights, model, {"step": step, **metrics})


def _share(part: Tensor, rank: int, world: int) -> Tensor:
    size = part.shape[1] // world
    return part[:, rank * size : (rank + 1) * size].contiguous()
