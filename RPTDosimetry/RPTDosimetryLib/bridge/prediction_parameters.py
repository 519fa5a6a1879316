"""Typed settings of the page for predictions, and what its boxes offer (see parameters.py)."""

from enum import Enum
from typing import Annotated

from slicer.parameterNodeWrapper import Choice, WithinRange, parameterPack

#: As prediction.tracers knows them, and prediction.methods (a test compares); empty where the header tells it.
TRACERS = [
    *("", "[68Ga]Ga-PSMA-617", "[68Ga]Ga-PSMA-I&T", "[68Ga]Ga-PSMA-11", "[68Ga]Ga-DOTATATE", "[68Ga]Ga-DOTATOC"),
    *("[68Ga]Ga-DOTANOC", "[68Ga]Ga-FAPI", "[18F]PSMA-1007", "[18F]DCFPyL", "[18F]rhPSMA-7.3", "[18F]AlF-PSMA-11"),
    *("[18F]FDG", "[64Cu]Cu-DOTATATE", "[64Cu]Cu-PSMA"),
]
PREDICTION_METHODS = ["projection", "pbpk", "gan"]
#: Therapy agents that can be said; a predictor refuses those that it was not trained on.
AGENTS = ["[177Lu]Lu-PSMA-617", "[177Lu]Lu-PSMA-I&T", "[177Lu]Lu-DOTATATE"]


class PetFrom(Enum):
    """PredictionOrder.source."""

    folder = "a folder (DICOM)"
    volumes = "volumes of the scene"

    def label(self) -> str:
        """What the box shows."""
        return self.value


class OrgansOfPet(Enum):
    """PredictionOrder.organs."""

    scene = "a segmentation of the scene"
    file = "a file"

    def label(self) -> str:
        """What the box shows."""
        return self.value


class PetUnit(Enum):
    """What the voxels of a PET volume are, where it does not say so itself."""

    unknown = "not known"
    bq_per_ml = "Bq/mL"
    suv = "SUV by body weight"

    def label(self) -> str:
        """What the box shows."""
        return self.value


class PetRefersTo(Enum):
    """PetImages.refers_to."""

    unknown = "not known"
    START = "the start of the scan"
    ADMIN = "the injection"

    def label(self) -> str:
        """What the box shows."""
        return self.value


class OtherMethods(Enum):
    """Whose organ doses stand beside those of the chosen method (PredictionOrder.others)."""

    quick = "all that take seconds"
    every = "all, networks too (minutes on a processor)"
    none = "none"

    def label(self) -> str:
        """What the box shows."""
        return self.value


class BesidePrediction(Enum):
    """What the third view shows."""

    uncertainty = "its uncertainty"
    therapy = "the dose after therapy"

    def label(self) -> str:
        """What the box shows."""
        return self.value


class PredictionPlot(Enum):
    """What the plot shows."""

    prediction = "predicted histograms, interval of the organ below"
    therapy = "predicted histograms beside those after therapy"

    def label(self) -> str:
        """What the box shows."""
        return self.value


@parameterPack
class PredictParameters:
    """PredictionOrder, and what is shown of its answer. What headers do not tell is 0 or empty where nobody says.

    plannedGbq: of the therapy. minutes: from the tracer's injection to the scan. labels: file of the organs; model: a
    folder or file in place of the shipped one. wantedOrgan, wantedGy: for the arithmetic of the activity.
    """

    source: PetFrom = PetFrom.folder
    folder: str = ""
    petUnit: PetUnit = PetUnit.unknown
    refersTo: PetRefersTo = PetRefersTo.unknown
    organs: OrgansOfPet = OrgansOfPet.scene
    labels: str = ""
    align: bool = False
    tracer: Annotated[str, Choice(TRACERS)] = ""
    weightKg: Annotated[float, WithinRange(0, 400)] = 0.0
    injectedMbq: Annotated[float, WithinRange(0, 10000)] = 0.0
    minutes: Annotated[float, WithinRange(0, 600)] = 0.0
    agent: Annotated[str, Choice(AGENTS)] = AGENTS[0]
    plannedGbq: Annotated[float, WithinRange(0, 100)] = 0.0
    method: Annotated[str, Choice(PREDICTION_METHODS)] = PREDICTION_METHODS[0]
    model: str = ""
    others: OtherMethods = OtherMethods.quick
    thoughUnlike: bool = False
    beside: BesidePrediction = BesidePrediction.uncertainty
    plot: PredictionPlot = PredictionPlot.prediction
    wantedOrgan: str = "kidneys"
    wantedGy: Annotated[float, WithinRange(0, 1000)] = 0.0
