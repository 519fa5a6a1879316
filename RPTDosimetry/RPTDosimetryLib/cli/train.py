"""The verbs train, models and networks: a model from Monte Carlo data, what is shipped, what can be trained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from RPTDosimetryLib.cli.terminal import Json, print_json, rows_text, shown_progress


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    for verb in (train, models, networks):
        app.command()(verb)


def train(
    config: Annotated[
        Path | None, typer.Argument(help="Choices in TOML; without it the documented file is printed.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for members, curves and the model; goes on where it was.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train the members of a model on patients with Monte Carlo doses. The same command goes on after a break."""
    from RPTDosimetryLib.errors import LearningError
    from RPTDosimetryLib.learning.train import train as train_model
    from RPTDosimetryLib.learning.training_settings import default_train_toml, read_train_settings

    if config is None:
        print(default_train_toml(), end="")
        return
    if out is None:
        raise LearningError("Give --out, the folder for members, curves and the model.")
    with shown_progress(quiet=as_json) as progress:
        card = train_model(read_train_settings(config), out, progress)
    if as_json:
        print_json(card)
        return
    figures = card["figures"]
    print(f"{out / 'model'}: {len(card['members'])} members of {card['network']}, judged on patients left out")
    rows = [
        {"figure": key, "network": figures[key], "msv8": figures[f"msv_{key}"]}
        for key in ("rae_percent", "voi_percent")
    ]
    print(rows_text(("figure", "network", "msv8"), rows))


def models(as_json: Json = False) -> None:
    """The models that come with this installation, from their cards."""
    from RPTDosimetryLib.learning.model_file import read_card, shipped_models

    rows = []
    for name, folder in shipped_models().items():
        card = read_card(folder)
        kept = {key: card.get(key) for key in ("network", "purpose", "figures", "licence", "made")}
        rows.append({"name": name, "members": len(card["members"]), "folder": folder, **kept})
    if as_json:
        print_json({"models": rows})
    elif rows:
        print(rows_text(("name", "network", "members", "made", "purpose"), rows))
    else:
        print("No model is shipped with this installation. Train one: `rptdosimetry train`.")


def networks(as_json: Json = False) -> None:
    """The networks that can be trained, what each reads and where it comes from."""
    from RPTDosimetryLib.learning.network_registry import network_kind, network_names

    kinds = [network_kind(name) for name in network_names()]
    rows = [
        {"name": k.name, "dims": k.dims, "reads": ", ".join(k.needs), "loss": k.loss, "source": k.source} for k in kinds
    ]
    if as_json:
        print_json({"networks": [{**row, "options": k.options} for row, k in zip(rows, kinds, strict=True)]})
    else:
        print(rows_text(("name", "dims", "reads", "loss", "source"), rows))
