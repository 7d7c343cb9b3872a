"""`elman push`: a run to a hub, with a card made from it."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from elman.cli.messages import say, shell_words, show, show_json
from elman.cli.running import Json, RunPath


def push(
    run: RunPath,
    to: Annotated[str, Parameter(name="USER/NAME", help="The model's place on the hub.")],
    /,
    *,
    licence: Annotated[
        str, Parameter(help="Of the weights, by the hub's name: apache-2.0, mit, cc-by-4.0, other.")
    ] = "",
    private: Annotated[bool, Parameter(negative="", help="A new model is seen by its owner alone.")] = False,
    replace: Annotated[bool, Parameter(negative="", help="What the model holds on the hub gives way.")] = False,
    checkpoint: Annotated[bool, Parameter(negative="", help="Also send the checkpoint of the last step.")] = False,
    dry_run: Annotated[bool, Parameter(negative="", help="Show the card and the files, send nothing.")] = False,
    json: Json = False,
) -> None:
    """Send a run to a hub: weights, vocabulary, settings, pictures, and a card made from the run.

    The run is measured for its card. The account is that of 'hf auth login' or HF_TOKEN, the hub that of HF_ENDPOINT.

    Example: elman push runs/parity USER/parity --licence apache-2.0 --dry-run
    """
    from elman.hub.address import HubAddress
    from elman.hub.push import PushOptions
    from elman.run import load

    options = PushOptions(licence, private, replace, checkpoint, dry_run)
    pushed = load(run).push(to, options)
    if json:
        show_json({"run": run, "url": pushed.url, "sent": not dry_run, "files": pushed.files, "card": pushed.card})
        return
    if dry_run:
        show(pushed.card)
    named = ", ".join(f"{name} ({size:,} bytes)" for name, size in pushed.files.items())
    show(f"{'would send' if dry_run else 'sent'}: {named}")
    show(pushed.url)
    if not dry_run:
        say(f"next: {shell_words(['elman', 'evaluate', str(HubAddress.parse(to))])}")
