"""elman.accelerate on the word language model that everyone has: the same losses, the same parameters."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import elman
from elman.nn.convert import accelerate, restore
from tests.numerics import assert_close


class WordModel(nn.Module):
    """A word language model of the usual kind: embedding, two-layer RNN, dropout, tied decoder."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.encoder = nn.Embedding(50, 16)
        self.drop = nn.Dropout(dropout)
        self.rnn = nn.RNN(16, 16, 2, nonlinearity="tanh", dropout=dropout)
        self.decoder = nn.Linear(16, 50)
        self.decoder.weight = self.encoder.weight

    def forward(self, tokens: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        output, hidden = self.rnn(self.drop(self.encoder(tokens)), hidden)
        return self.decoder(self.drop(output)), hidden


def losses(model: WordModel, steps: int = 20) -> list[float]:
    torch.manual_seed(1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    hidden = torch.zeros(2, 4, 16)
    values = []
    for _ in range(steps):
        tokens = torch.randint(50, (12, 4))
        logits, hidden = model(tokens[:-1], hidden.detach())
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), tokens[1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        optimizer.step()
        values.append(loss.item())
    return values


def test_the_same_losses() -> None:
    torch.manual_seed(0)
    plain = WordModel()
    fast = copy.deepcopy(plain)
    report = accelerate(fast)
    assert report.replaced == ("rnn",)
    assert str(report) == "rnn: now elman's"
    assert type(fast.rnn) is elman.RNN
    assert losses(fast) == pytest.approx(losses(plain), rel=1e-4)


def test_parameters_stay_the_same_objects() -> None:
    model = WordModel().eval()
    before = dict(model.named_parameters())
    state = model.state_dict().keys()
    accelerate(model)
    assert all(parameter is before[name] for name, parameter in model.named_parameters())
    assert model.state_dict().keys() == state
    assert not model.rnn.training
    assert restore(model).replaced == ("rnn",)
    assert type(model.rnn) is nn.RNN
    assert all(parameter is before[name] for name, parameter in model.named_parameters())


def test_options_are_kept() -> None:
    model = nn.Sequential(nn.RNN(3, 4, 2, "relu", False, True, 0.25, True, dtype=torch.float64))
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    model.eval()
    expected, _ = model(x)
    accelerate(model)
    assert (
        repr(model[0]).replace("elman.", "")
        == "RNN(3, 4, num_layers=2, bias=False, batch_first=True, dropout=0.25, bidirectional=True)"
    )
    assert_close(model(x)[0], expected)
    restore(model)
    assert_close(model(x)[0], expected)


def test_one_layer_in_two_places_stays_one() -> None:
    layer = nn.RNN(4, 4)
    model = nn.ModuleDict({"a": layer, "b": layer, "cell": nn.RNNCell(4, 4), "gated": nn.LSTM(4, 4)})
    report = accelerate(model)
    assert report.replaced == ("a", "b", "cell")
    assert model["a"] is model["b"]
    assert type(model["cell"]) is elman.RNNCell
    assert type(model["gated"]) is nn.LSTM


def test_leaves_what_it_cannot_replace_and_says_why() -> None:
    class Own(nn.RNN):
        pass

    hooked = nn.RNN(2, 2)
    hooked.register_forward_hook(lambda module, args, output: None)
    normed = nn.utils.parametrizations.weight_norm(nn.RNN(2, 2), "weight_hh_l0")
    model = nn.ModuleDict({"own": Own(2, 2), "hooked": hooked, "normed": normed})
    report = accelerate(model)
    assert report.replaced == ()
    assert "Own" in report.left["own"]
    assert "hooks" in report.left["hooked"]
    assert "normed" in report.left
    assert str(accelerate(nn.Linear(2, 2))) == "nothing to replace"
    back = nn.Sequential(elman.RNN(2, 2, residual=True))
    assert "identity" in restore(back).left["0"]


def test_refuses_a_bare_layer() -> None:
    with pytest.raises(
        ValueError, match=r"this is an RNN itself: make elman\.RNN\(2, 2, \.\.\.\), or, with its weights"
    ):
        accelerate(nn.RNN(2, 2))


class WeightDrop(nn.Module):
    """The wrapper of AWD-LSTM: it keeps a weight of its module, and puts it there at every call."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.raw = nn.Parameter(module._parameters.pop("weight_hh_l0").detach())  # type: ignore[union-attr]

    def forward(self, x: Tensor) -> Tensor:
        vars(self.module)["weight_hh_l0"] = self.raw * 1.0
        output: Tensor = self.module(x)[0]
        return output


def with_buffer(layer: nn.Module) -> nn.Module:
    layer.register_buffer("scale", torch.ones(1))
    return layer


def with_submodule(layer: nn.Module) -> nn.Module:
    layer.add_module("norm", nn.LayerNorm(2))
    return layer


def with_forward(layer: nn.Module) -> nn.Module:
    layer.forward = lambda x: (x, x)  # type: ignore[assignment]
    return layer


def with_attribute(layer: nn.Module) -> nn.Module:
    layer.callback = print  # type: ignore[assignment]
    return layer


def with_state_dict_hook(layer: nn.Module) -> nn.Module:
    layer.register_state_dict_post_hook(lambda module, state, prefix, local: None)
    return layer


def with_load_hook(layer: nn.Module) -> nn.Module:
    layer.register_load_state_dict_pre_hook(lambda *args: None)
    return layer


def with_another_mode(layer: nn.Module) -> nn.Module:
    layer.mode = "RNN_RELU"  # type: ignore[assignment]
    return layer


def with_a_parameter(layer: nn.Module) -> nn.Module:
    layer.gain = nn.Parameter(torch.ones(2))
    return layer


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own, when its compiler is first loaded
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (with_buffer, "buffers of its own: scale"),
        (with_submodule, "submodules of its own: norm"),
        (with_forward, "forward of its own"),
        (with_attribute, "attributes of its own: callback"),
        (with_state_dict_hook, "hooks"),
        (with_load_hook, "hooks"),
        (with_another_mode, "RNN_RELU"),
        (with_a_parameter, "gain"),
        (WeightDrop, "weight_hh_l0"),
        (torch.compile, "compiled"),
    ],
)
def test_exchanges_only_what_it_can_exchange_whole(change: Callable[[nn.Module], nn.Module], why: str) -> None:
    model = nn.ModuleDict({"changed": change(nn.RNN(2, 2)), "plain": nn.RNN(2, 2)})
    before, modules = {name: value.clone() for name, value in model.state_dict().items()}, list(model.modules())
    report = accelerate(model)
    assert report.replaced == ("plain",)
    ((_, said),) = report.left.items()
    assert why in said
    assert list(model.modules())[:-1] == modules[:-1]
    assert_close(model.state_dict(), before)
    model.load_state_dict(before)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_layer_compiled_in_place_is_left() -> None:
    layer = nn.RNN(2, 2)
    layer.compile()  # type: ignore[no-untyped-call]
    assert "compiled" in accelerate(nn.Sequential(layer)).left["0"]


def test_plain_attributes_go_along_and_back() -> None:
    model = nn.Sequential(nn.RNN(2, 2))
    model[0].name, model[0].frozen = "encoder", True  # type: ignore[assignment]
    for exchange in (accelerate, restore):
        assert exchange(model).replaced == ("0",)
        assert (model[0].name, model[0].frozen) == ("encoder", True)


def test_a_wrapped_weight_still_computes() -> None:
    wrapped = WeightDrop(nn.RNN(2, 2))
    x = torch.randn(3, 1, 2)
    want = wrapped(x)
    accelerate(wrapped)
    assert_close(wrapped(x), want)
