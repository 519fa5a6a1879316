"""Typed settings, one pack for each step; the parameter node in RPTDosimetry.py holds them and is saved with the scene.

A number that may be unknown is 0 for "not known" (the box shows these words): no activity, time or half-life is 0.
"""

from enum import Enum
from typing import Annotated, Any

from slicer.parameterNodeWrapper import Choice, WithinRange, parameterPack

from RPTDosimetryLib.errors import StudyError
from RPTDosimetryLib.units import BQ_PER_MBQ

#: As physics.nuclides knows them (a test compares); empty for not known.
NUCLIDES = ["", "Lu-177", "Y-90", "I-131", "Tb-161"]


#: One kernel for all voxels: tissues of physics.materials (a test compares).
SSV_MATERIALS = [
    *("soft_tissue", "water", "lung", "adipose", "muscle", "cortical_bone", "blood", "spongiosa"),
    *("red_marrow", "yellow_marrow", "liver", "kidney", "spleen"),
]


@parameterPack
class AdministrationParameters:
    """What was given: nuclide, activity, when (ISO 8601, empty where not known), the header's half-life."""

    nuclide: Annotated[str, Choice(NUCLIDES)] = ""
    activityMbq: Annotated[float, WithinRange(0, 1e6)] = 0.0
    time: str = ""
    halfLifeS: Annotated[float, WithinRange(0, 1e12)] = 0.0


@parameterPack
class StudyParameters:
    """Where time points were last read from."""

    folder: str = ""


@parameterPack
class CalibrationParameters:
    """How counts become Bq/mL: a camera of the library by its name, and what is given in its place.

    factorCpsPerMbq: 0 for the camera's. deadTime: the camera's, the one given here (deadTimeUs, one detector head, of
    the rate deadTimeRate), or left out.
    """

    camera: str = ""
    factorCpsPerMbq: Annotated[float, WithinRange(0, 1e6)] = 0.0
    factorSource: str = ""
    deadTime: Annotated[str, Choice(["of the camera", "given here", "left out"])] = "of the camera"
    deadTimeUs: Annotated[float, WithinRange(0, 1000)] = 0.0
    deadTimeRate: Annotated[str, Choice(["photopeak window", "whole spectrum"])] = "photopeak window"
    decayDuringScan: Annotated[str, Choice(["counts", "all", "off"])] = "counts"
    recovery: bool = True
    joinBeds: Annotated[str, Choice(["auto", "none"])] = "auto"


@parameterPack
class RegistrationParameters:
    """How time points are aligned (reference: its place in the table, 0 for automatic), and how they are looked at.

    transforms: folder with transform_N.tfm (or .h5, .nrrd) in place of a search; empty to search.
    """

    method: Annotated[str, Choice(["rigid", "affine", "bspline", "none"])] = "rigid"
    through: Annotated[str, Choice(["spect", "ct"])] = "spect"
    engine: Annotated[str, Choice(["simpleitk", "elastix"])] = "simpleitk"
    transforms: str = ""
    reference: Annotated[int, WithinRange(0, 99)] = 0
    knotsMm: Annotated[float, WithinRange(20, 300)] = 90.0
    look: Annotated[str, Choice(["fused", "checkerboard"])] = "fused"
    under: Annotated[str, Choice(["reference SPECT", "reference CT"])] = "reference SPECT"
    blend: Annotated[float, WithinRange(0, 1)] = 0.5
    stepMm: Annotated[float, WithinRange(0.1, 50)] = 2.0
    stepDeg: Annotated[float, WithinRange(0.1, 30)] = 1.0


class LesionMethod(Enum):
    """vois.lesion_tools.METHODS, by their names."""

    percent_of_maximum = "Share of the maximum"
    fixed = "Fixed threshold"
    adaptive = "Adaptive threshold"
    gradient = "Steepest edge"

    def label(self) -> str:
        """What the box shows."""
        return self.value


class OrgansFrom(Enum):
    """VoiSettings.organs."""

    files = "Contours, segments and labels of the study"
    totalsegmentator = "Those, and TotalSegmentator for the rest"

    def label(self) -> str:
        """What the box shows."""
        return self.value


class LesionsInOrgans(Enum):
    """vois.lesions_in_organs.LESION_CHOICES."""

    included = "count in the organ"
    excluded = "are taken out of the organ"

    def label(self) -> str:
        """What the box shows."""
        return self.value


class Overlaps(Enum):
    """vois.overlap.OVERLAP_RULES."""

    count_in_both = "count in both"
    lesion_first = "go to the lesion"
    smaller_first = "go to the smaller"
    order = "go to the first in the list"

    def label(self) -> str:
        """What the box shows."""
        return self.value


class OutsideCt(Enum):
    """DensitySettings.outside_ct."""

    air = "air: no dose there"
    body = "soft tissue inside the outline of the SPECT"

    def label(self) -> str:
        """What the box shows."""
        return self.value


@parameterPack
class SegmentationParameters:
    """Which volumes are drawn, by which rules they are settled, who reviews, and how a lesion is drawn.

    structuresFrom: number of the time point whose contours are used, 0 for the reference's or the first that has any.
    exclude: names that are left out, with * and ?, separated by commas. lesionTimePoint: 0 for the reference. huCurve:
    points "HU g/cm3" of the CT's own calibration, separated by commas; empty for Schneider 2000.
    """

    organs: OrgansFrom = OrgansFrom.files
    fast: bool = False
    structuresFrom: Annotated[int, WithinRange(0, 99)] = 0
    exclude: str = ""
    body: bool = True
    huCurve: str = ""
    outsideCt: OutsideCt = OutsideCt.air
    lesionsInOrgans: LesionsInOrgans = LesionsInOrgans.included
    overlaps: Overlaps = Overlaps.count_in_both
    reviewer: str = ""
    lesionName: str = "lesion"
    lesionMethod: LesionMethod = LesionMethod.percent_of_maximum
    lesionTimePoint: Annotated[int, WithinRange(0, 99)] = 0
    percent: Annotated[float, WithinRange(1, 99)] = 41.0
    thresholdKbqPerMl: Annotated[float, WithinRange(0.001, 1e6)] = 100.0
    coreShare: Annotated[float, WithinRange(0.01, 1)] = 0.5
    backgroundShare: Annotated[float, WithinRange(0, 1)] = 0.5
    reachMm: Annotated[float, WithinRange(5, 300)] = 60.0


@parameterPack
class KineticsParameters:
    """How activity is integrated over time. voiModels: JSON of model by VOI name where it is not automatic.

    Hours are 0 where not given: the volume's own half-life, no population's, the method's own scan.
    """

    mapModel: str = "auto"
    voiModels: str = "{}"
    weighting: Annotated[str, Choice(["none", "poisson", "relative"])] = "none"
    tail: Annotated[str, Choice(["physical", "last_two_points", "voi_lambda"])] = "physical"
    start: Annotated[str, Choice(["zero", "constant"])] = "zero"
    tailHalfLifeH: Annotated[float, WithinRange(0, 1e5)] = 0.0
    populationHalfLifeH: Annotated[float, WithinRange(0, 1e5)] = 0.0
    scanTimeH: Annotated[float, WithinRange(0, 1e5)] = 0.0
    bootstrap: Annotated[int, WithinRange(0, 100000)] = 0


class DoseTaken(Enum):
    """RadiobiologySettings.dose."""

    as_imaged = "the mean as imaged"
    recovered = "the mean corrected by recovery"

    def label(self) -> str:
        """What the box shows."""
        return self.value


class ShownEffect(Enum):
    """report.assessment_tables.MAPS: what of the biological effect lies over the CT."""

    bed = "BED of this cycle"
    eqd2 = "EQD2 of this cycle"
    cumulative_dose = "dose of all cycles"
    cumulative_bed = "BED of all cycles"

    def label(self) -> str:
        """What the box shows."""
        return self.value


@parameterPack
class AssumptionParameters:
    """The settings of RunSettings under radiobiology, cycles, uncertainty and protection; then what is shown.

    tissues, limits, staff: JSON of the rows of the library's records, empty for the library's own; previous: JSON of
    PreviousCycle. Widths, percentages and the dose rate are 0 where nobody knows them.
    """

    doseTaken: DoseTaken = DoseTaken.as_imaged
    tissues: str = ""
    limits: str = ""
    previous: str = ""
    organFwhmMm: Annotated[float, WithinRange(0, 100)] = 0.0
    lesionFwhmMm: Annotated[float, WithinRange(0, 100)] = 0.0
    spectFwhmMm: Annotated[float, WithinRange(0, 100)] = 0.0
    calibrationPercent: Annotated[float, WithinRange(0, 99)] = 0.0
    densityPercent: Annotated[float, WithinRange(0, 99)] = 0.0
    enginePercent: Annotated[float, WithinRange(0, 99)] = 0.0
    sExponent: Annotated[float, WithinRange(0, 2)] = 1.0
    releaseUsvPerH: Annotated[float, WithinRange(0, 1e6)] = 0.0
    releaseSource: str = ""
    staffNuclide: Annotated[str, Choice(NUCLIDES[1:])] = "Lu-177"
    staff: str = ""
    shownEngine: str = ""
    shown: ShownEffect = ShownEffect.bed


class MonteCarloUntil(Enum):
    """What ends a Monte Carlo run: MonteCarloSettings.histories, or target_se without and with target_volumes."""

    histories = "a number of decays"
    voxels = "an error of voxels above 10 % of the maximum"
    volumes = "an error of the mean of volumes"

    def label(self) -> str:
        """What the box shows."""
        return self.value


class Media(Enum):
    """MonteCarloSettings.media."""

    msv8 = "8 media"
    msv20 = "20 media"

    def label(self) -> str:
        """What the box shows."""
        return self.value


@parameterPack
class MonteCarloParameters:
    """MonteCarloSettings. Decays in millions: how many, and with an error to reach at most (as many as a run on a
    processor has batches for). volumes: JSON of names.
    """

    until: MonteCarloUntil = MonteCarloUntil.histories
    millions: Annotated[float, WithinRange(0.001, 250000.0)] = 100.0
    atMostMillions: Annotated[float, WithinRange(0.001, 250000.0)] = 10000.0
    errorPercent: Annotated[float, WithinRange(0.001, 99.0)] = 1.0
    volumes: str = "[]"
    media: Media = Media.msv8
    refine: Annotated[int, WithinRange(1, 8)] = 1
    seed: Annotated[int, WithinRange(0, 2147483647)] = 1
    device: Annotated[str, Choice(["cpu", "cuda"])] = "cpu"
    photonShare: Annotated[float, WithinRange(0.01, 4.0)] = 0.25
    flattening: Annotated[float, WithinRange(0.0, 0.9)] = 0.25


class WhenOutside(Enum):
    """HybridSettings.when_outside."""

    msv = "gets MSV-8, with the reason"
    use = "is corrected all the same, with the reason"

    def label(self) -> str:
        """What the box shows."""
        return self.value


@parameterPack
class HybridParameters:
    """HybridSettings. model: the name of a shipped model, or the folder of another one."""

    model: str = "default"
    device: Annotated[str, Choice(["cpu", "cuda"])] = "cpu"
    whenOutside: WhenOutside = WhenOutside.msv


@parameterPack
class DoseParameters:
    """Engines (names with commas) and their options; then what is shown, which changes no result.

    shownMap: a key of dose_maps.maps_shown_of.
    """

    engines: str = "msv8"
    integrate: Annotated[str, Choice(["activity", "dose_rate"])] = "activity"
    msvUnscaled: bool = False
    ssvMaterial: Annotated[str, Choice(SSV_MATERIALS)] = "soft_tissue"
    ssvDensity: Annotated[float, WithinRange(0.01, 5)] = 1.04
    shown: str = ""
    shownMap: str = "dose"
    thresholdPercent: Annotated[float, WithinRange(0, 100)] = 2.0
    opacityPercent: Annotated[float, WithinRange(0, 100)] = 50.0
    isodoses: bool = False
    isodoseLevels: str = "10, 20, 50, 80, 95"
    isodoseUnit: Annotated[str, Choice(["% of maximum", "Gy"])] = "% of maximum"
    projection: bool = False
    tableFile: str = ""


@parameterPack
class CompareParameters:
    """The criteria of the gamma index, which voxels count (the name of a volume, empty for all), what is shown."""

    dosePercent: Annotated[float, WithinRange(0.1, 100)] = 1.0
    dtaMm: Annotated[float, WithinRange(0.1, 100)] = 4.795
    cutoffPercent: Annotated[float, WithinRange(0, 100)] = 10.0
    maximumGamma: Annotated[float, WithinRange(1, 10)] = 2.0
    local: bool = False
    resample: bool = False
    partialVoxels: bool = False
    mask: str = ""
    file: str = ""
    shown: Annotated[str, Choice(["difference", "relative error", "gamma"])] = "difference"
    plot: Annotated[str, Choice(["DVH", "voxels", "Bland-Altman", "violins", "profile"])] = "DVH"


@parameterPack
class ReportParameters:
    """Who answers for the report, where it goes, and what other systems shall take beside it."""

    folder: str = ""
    reviewer: str = ""
    comment: str = ""
    seg: bool = False
    sr: bool = False
    rtstruct: bool = False
    pdf: bool = False
    deidentify: bool = False


def administration_of(told: Any, strict: bool = True) -> Any:
    """The Administration of the pack. Raises StudyError for a time that is none; not strict, that counts as unknown."""
    from RPTDosimetryLib.records import Administration  # needs numpy: not while Slicer starts

    try:
        time = date_and_time(told.time, "administration time")
    except StudyError:
        if strict:
            raise
        time = None
    return Administration(
        nuclide=told.nuclide or None,
        administered_activity_bq=told.activityMbq * BQ_PER_MBQ or None,
        time=time,
        half_life_s=told.halfLifeS or None,
    )


def show_administration(told: Any, administration: Any) -> None:
    """Put an Administration into the pack."""
    activity_bq = administration.administered_activity_bq
    told.nuclide = administration.nuclide or ""
    told.activityMbq = 0.0 if activity_bq is None else float(activity_bq / BQ_PER_MBQ)
    told.time = "" if administration.time is None else administration.time.isoformat(sep=" ")
    told.halfLifeS = float(administration.half_life_s or 0.0)


def date_and_time(text: str, what: str) -> Any:
    """A datetime from what a person writes, None from nothing. Raises StudyError that shows how to write it."""
    from datetime import datetime

    if not text.strip():
        return None
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise StudyError(
            f'The {what} "{text}" is not a date and time: write it like 2024-05-13 09:30 (or with +02:00 at its end).'
        ) from error
