"""The verbs train, models and networks: a model from Monte Carlo data, what is shipped, what can be trained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

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
    task: Annotated[
        Literal["hybrid", "predict"], typer.Option(help="hybrid: MSV to Monte Carlo; predict: PET to dose (DoseGAN).")
    ] = "hybrid",
    as_json: Json = False,
) -> None:
    """Train the members of a model on patients with known doses. The same command goes on after a break."""
    if task == "predict":
        _train_gan(config, out, as_json)
        return
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


def _train_gan(config: Path | None, out: Path | None, as_json: bool) -> None:
    from RPTDosimetryLib.errors import PredictionError
    from RPTDosimetryLib.prediction.gan_settings import default_gan_toml
    from RPTDosimetryLib.prediction.gan_train import train_from_file

    if config is None:
        print(default_gan_toml(), end="")
        return
    if out is None:
        raise PredictionError("Give --out, the folder for weights, checkpoints and the model card.")
    with shown_progress(quiet=as_json) as progress:
        model = train_from_file(config, out, progress)
    if as_json:
        print_json(model.card)
        return
    print(f"{out}: {len(model.generators)} folds, judged on the patients each has not seen")
    rows = [{"organ": name, **figures} for name, figures in model.card["held_out"]["organs"].items()]
    print(rows_text(("organ", "patients", "mean_percent", "mape_percent", "nrmse_percent"), rows))


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
