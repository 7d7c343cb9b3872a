"""Saving what it takes to go on, and going on: to the bit, on one process or several."""

from __future__ import annotations

from dataclasses import asdict

import torch
from accelerate import Accelerator
from accelerate.utils import gather
from torch import Tensor, nn

from elman.errors import UserError
from elman.training.checkpoint import (
    fill_model,
    fill_optimizer,
    group,
    optimizer_tensors,
    own_tensors,
    read_tensors,
    write_tensors,
)
from elman.training.folder import RunFolder
from elman.training.schedule import Judge
from elman.training.state import Progressed, Window
from elman.training.task import Carry


def save_checkpoint(
    folder: RunFolder,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    state: Progressed,
    carry: Carry,
    accelerator: Accelerator,
) -> None:
    """Write the checkpoint; every process takes part, the first one writes."""
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
    state: Progressed,
    accelerator: Accelerator,
) -> Carry:
    """Fill model, optimiser, counters and random state from the checkpoint; returns this process's carried state.

    Raises:
        UserError: the checkpoint is damaged, or made by other settings.
    """
    tensors, header = read_tensors(folder.checkpoint)
    try:
        judge, window = Judge(**header["judge"]), Window(**header["window"])
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
