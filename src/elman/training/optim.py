"""The parts that the loop is made of: processes and precision, the optimiser, clipping."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from torch import Tensor, nn
from torch.optim import Optimizer

from elman.errors import UserError
from elman.training.distributed.launcher import number_of_processes
from elman.training.distributed.rendezvous import join_processes
from elman.training.settings import TrainingSettings

_CLIP_EPS = 1e-6  # which torch adds to the norm that it divides by


def start_accelerator(settings: TrainingSettings) -> Accelerator:
    """Devices, processes and precision as the settings ask."""
    if settings.threads:
        torch.set_num_threads(settings.threads)
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise UserError("`device=cuda`, but torch finds no CUDA GPU; leave the option out to train on the CPU")
    join_processes()
    accelerator = Accelerator(
        # where there is nothing else it must be said, or accelerate leaves several processes each alone
        cpu=settings.device == "cpu" or not torch.accelerator.is_available(),
        mixed_precision="bf16" if settings.precision == "bfloat16" else "no",
        kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False)],
    )
    started, seen = number_of_processes(), accelerator.num_processes
    if seen < started:  # each would train alone, into one folder
        raise UserError(f"{started} processes were started, and accelerate sees {seen}; start them by torchrun")
    return accelerator


def check_shares(settings: TrainingSettings, accelerator: Accelerator) -> None:
    """Raise a UserError where the processes cannot have equal shares of a batch."""
    if settings.batch_size % accelerator.num_processes:
        counts = f"{settings.batch_size} for {accelerator.num_processes} processes"
        raise UserError(f"`batch_size` is {counts}; it must be a multiple, so that every process has its share")


class AdamW(torch.optim.AdamW):
    """torch's AdamW (Loshchilov and Hutter 2019, algorithm 2), to the bit, without what calls torch's compiler.

    To import the compiler takes seconds, and steps that nobody compiles do without it.
    """

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with settings of their own."""
        _plain(Optimizer.add_param_group)(self, param_group)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Change the parameters by their gradients."""
        loss: float | None = _plain(torch.optim.Adam.step)(self, closure)
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        _plain(Optimizer.zero_grad)(self, set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """The moments and settings, to be saved."""
        state: dict[str, Any] = _plain(Optimizer.state_dict)(self)
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over saved moments and settings."""
        _plain(Optimizer.load_state_dict)(self, state_dict)


def build_optimizer(model: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """AdamW that decays matrices only."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return AdamW([g for g in groups if g["params"]], lr=settings.lr, betas=(0.9, settings.beta2), fused=True)


def clip(parameters: list[nn.Parameter], settings: TrainingSettings) -> Tensor:
    """Clip the gradients as the settings ask; returns the norm (as a tensor, no wait) that they had before."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    if settings.clip_value:
        torch.nn.utils.clip_grad_value_(parameters, settings.clip_value)
        norm_now = torch.nn.utils.get_total_norm(gradients)
    else:
        norm_now = norm
    # on a processor to look is free, and factors of 1 would only be written over all gradients
    within = norm_now.device.type == "cpu" and bool(settings.clip_norm / (norm_now + _CLIP_EPS) >= 1)
    if settings.clip_norm and not within:
        torch.nn.utils.clip_grads_with_norm_(parameters, settings.clip_norm, norm_now)
    return norm


def _plain(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of torch's without what calls the compiler around it; as it is where there is nothing around it."""
    plain: Callable[..., Any] = inspect.unwrap(method)
    return plain
