"""The memory problems as a network meets them."""

import pytest
import torch

from elman.errors import UserError
from elman.models.config import RecurrentConfig
from elman.tasks.memory.problems import Copying, Counting, Memory, Summing

PROBLEMS: list[Memory] = [Counting(every=True), Counting(every=False), Summing(), Copying()]


@pytest.mark.parametrize("memory", PROBLEMS, ids=lambda memory: type(memory).__name__)
def test_a_small_network_learns_the_shortest_form(memory: Memory) -> None:
    torch.manual_seed(0)
    model = memory.model(RecurrentConfig(input_size=memory.input_size, hidden_size=32, init="orthogonal"), 0.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for step in range(60):
        total, count = memory.loss(model, memory.batch(memory.shortest, 64, 0, step, "train"))
        (total / count).backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(total.detach()) / count)
    assert losses[-1] < 0.5 * losses[0]


def test_loss_and_figures_agree_where_both_ask_once() -> None:
    for memory in PROBLEMS[1:]:
        model = (
            memory.model(RecurrentConfig(input_size=memory.input_size, hidden_size=4), 0.0).eval().requires_grad_(False)
        )
        batch = memory.batch(6, 16, 0, 0, "test")
        total, count = memory.loss(model, batch)
        assert memory.metrics(model, batch)["loss"] == pytest.approx(float(total.detach()) / count, rel=1e-5)


def test_shares_of_a_batch_are_the_batch() -> None:
    for memory in PROBLEMS:
        whole = memory.batch(6, 7, 0, 0, "train")
        shares = [whole.share(rank, 2) for rank in range(2)]
        for place, tensor in enumerate(whole):
            joined = torch.cat([share[place] for share in shares], dim=tensor.ndim - 1 if place != 0 else 1)
            assert torch.equal(joined, tensor)


def test_answers_to_what_a_person_wrote() -> None:
    def fresh(memory: Memory) -> torch.nn.Module:
        return memory.model(RecurrentConfig(input_size=memory.input_size, hidden_size=4), 0.0).eval()

    with torch.no_grad():
        assert Counting(True).answer(fresh(Counting(True)), "101", 40).answer in ("YES", "NO")
        assert Summing().answer(fresh(Summing()), "0.5* 0.1 0.25*", 40).sum == pytest.approx(0.75)
        assert len(Copying().answer(fresh(Copying()), "0123456712", 5).answer) == 10
    for memory, text, message in (
        (Summing(), "0.5* 0.1", "mark two"),
        (Summing(), "0.5* x 0.1*", "place 2"),
        (Copying(), "012345678", "digits"),
        (Counting(True), "10a", "place 3"),
    ):
        with pytest.raises(UserError, match=message):
            memory.answer(fresh(memory), text, 40)
