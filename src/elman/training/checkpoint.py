"""Weights and checkpoints as safetensors: one file each, written whole, never unpickled.

A checkpoint is everything that decides how training goes on: weights, the optimiser's state, the carried hidden state,
the random state of every process, and in the header, as JSON, the counters. So a resumed run is equal to the bit.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from elman.atomic_io import write_bytes
from elman.errors import UserError, optional_imports
from elman.training.compatibility import current_weights
from elman.training.lr_schedule import BestTracker
from elman.training.run_folder import RunFolder
from elman.training.run_state import TrainState, Window
from elman.training.task import Carry

if TYPE_CHECKING:
    from accelerate import Accelerator


def write_tensors(path: Path, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    """Write tensors and a JSON header into one safetensors file, whole or not at all."""
    metadata = {"elman": json.dumps(header)}
    owned = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    data = save(owned, metadata=metadata)  # as bytes: a full disk is then an OSError, which names the file
    write_bytes(path, data)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the header of a file that `write_tensors` wrote.

    Raises:
        UserError: the file is missing, damaged, cut short, or not elman's.
    """
    if not path.is_file():
        raise UserError(f"{path} is missing; the run was not trained far enough to have it, or it was moved")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(
            f"{path} is damaged ({str(error).splitlines()[0]}); restore it from a copy or train again"
        ) from error
    if "elman" not in metadata:
        raise UserError(f"{path} was not written by elman; put the run's own file in its place")
    return tensors, json.loads(metadata["elman"])


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
    if missing := sorted(own.keys() ^ tensors.keys()):
        raise UserError(f"{path} does not fit the settings beside it: {missing[0]} is in one and not in the other")
    for name, tensor in tensors.items():
        if tensor.shape != own[name].shape:
            shapes = f"{tuple(tensor.shape)} in the file, {tuple(own[name].shape)} by the settings"
            raise UserError(f"{path} does not fit the settings beside it: {name} is {shapes}")
    with torch.no_grad():
        for name, tensor in tensors.items():
            own[name].copy_(tensor)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's state, flat: {"INDEX/NAME": tensor}."""
    state = optimizer.state_dict()["state"]
    return {
        f"{index}/{name}": torch.as_tensor(value) for index, entry in state.items() for name, value in entry.items()
    }


def fill_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """The inverse of `optimizer_tensors`."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, name = key.split("/", 1)
        state.setdefault(int(index), {})[name] = tensor
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
    carry: Carry,
    accelerator: Accelerator,
) -> None:
    """Write the checkpoint; every process takes part, the first one writes."""
    with optional_imports():
        from accelerate.utils import gather

    random = torch.get_rng_state().to(accelerator.device).unsqueeze(0)
    whole = [part.transpose(0, 1).contiguous() for part in carry]
    if accelerator.num_processes > 1:
        random, whole = gather(random), gather(whole)
    if not accelerator.is_main_process:
        return
    tensors: dict[str, Tensor] = {"random": random}
    tensors |= {f"model/{name}": tensor for name, tensor in own_tensors(model).items()}
    tensors |= {f"optimizer/{name}": tensor for name, tensor in optimizer_tensors(optimizer).items()}
    tensors |= {f"carry/{index}": part.transpose(0, 1) for index, part in enumerate(whole)}
    write_tensors(folder.checkpoint, tensors, asdict(state))


def restore(
    folder: RunFolder,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    state: TrainState,
    accelerator: Accelerator,
) -> Carry:
    """Fill model, optimiser, counters and random state from the checkpoint; returns this process's carried state.

    Raises:
        UserError: the checkpoint is damaged, or made by other settings.
    """
    tensors, header = read_tensors(folder.checkpoint)
    try:
        judge, window = BestTracker(**header["judge"]), Window(**header["window"])
        step, grad_norm, seconds = int(header["step"]), float(header["grad_norm"]), float(header["seconds"])
        random = tensors["random"]
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{folder.checkpoint} is not a checkpoint to resume from; train into another folder") from None
    fill_model(model, group(tensors, "model"), folder.checkpoint)
    fill_optimizer(optimizer, group(tensors, "optimizer"))
    state.judge, state.window, state.step, state.grad_norm, state.seconds = (
        judge,
        window,
        step,
        grad_norm,
        seconds,
    )
    torch.set_rng_state(random[accelerator.process_index % len(random)].contiguous())
    parts = group(tensors, "carry")
    return tuple(_share(parts[str(index)], accelerator) for index in range(len(parts)))


def _share(part: Tensor, accelerator: Accelerator) -> Tensor:
    size = part.shape[1] // accelerator.num_processes
    start = accelerator.process_index * size
    return part[:, start : start + size].contiguous().to(accelerator.device)
