"""An exported graph in onnxruntime, called with tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from elman.errors import UserError, optional_imports, plain_quotes

QUIET = 4
"""onnxruntime writes what is fatal alone; what it raises is told by us."""
STATE, NEXT = "state_", "next_"


class Session:
    """One graph, ready to run.

    Arguments:
        data: the bytes of the file.
        name: what messages call it.
        threads: that a call may use.

    Raises:
        UserError: onnxruntime cannot read it.
    """

    def __init__(self, data: bytes, name: str, threads: int = 0) -> None:
        with optional_imports():
            import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = QUIET
        options.intra_op_num_threads = threads or torch.get_num_threads()
        options.inter_op_num_threads = 1
        self.name = name
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has a class for each kind, and no common one but Exception
            reason = plain_quotes(error).splitlines()[0][:200]
            raise UserError(f"onnxruntime cannot read {name} ({reason}); export the run again") from error
        self.inputs = [one.name for one in self._session.get_inputs()]
        self.inputs += [one.name for one in self._session.get_overridable_initializers()]
        self.outputs = [one.name for one in self._session.get_outputs()]

    @property
    def metadata(self) -> dict[str, str]:
        """What the file says of itself."""
        found: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        return found

    def __call__(self, outputs: list[str], **inputs: Tensor | NDArray[Any]) -> list[Tensor]:
        """The outputs of these names.

        Raises:
            UserError: the graph does not take or give such numbers.
        """
        fed = {name: _array(value) for name, value in inputs.items()}
        try:
            found = self._session.run(outputs, fed)
        except Exception as error:
            reason = plain_quotes(error).splitlines()[0][:200]
            raise UserError(f"{self.name} does not run ({reason}); export the run again") from error
        return [torch.from_numpy(one) for one in found]

    def state_names(self) -> list[str]:
        """The names of the state's parts, in the graph's order: `h` for the input `state_h` and the output `next_h`."""
        names = [name.removeprefix(STATE) for name in self.inputs if name.startswith(STATE)]
        order = [name.removeprefix(NEXT) for name in self.outputs if name.startswith(NEXT)]
        return [name for name in order if name in names]


class ExportedNetwork(nn.Module):
    """What all exported models share: they are asked as the network is that they were exported from, on the CPU.

    Arguments:
        session: the graph.

    Attributes:
        states: the names of the state's parts; empty for a network that also reads from the end.
    """

    def __init__(self, session: Session) -> None:
        nn.Module.__init__(self)  # a subclass is also of the network's class, whose weights it does not have
        self.session = session
        self.states = session.state_names()
        self.place = nn.Parameter(torch.zeros(0), requires_grad=False)  # tells where the model is

    def named(self, names: list[str], state: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """The state's parts as inputs; none for zeros."""
        return {f"{STATE}{name}": part for name, part in zip(names, state, strict=bool(state))}


def _array(value: Tensor | NDArray[Any]) -> NDArray[Any]:
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
