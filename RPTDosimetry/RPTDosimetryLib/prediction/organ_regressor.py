"""From an organ's PET features to its mean dose: ridge regressions, learnt by scikit-learn, kept as plain numbers.

ln D [Gy/GBq] = b + Σ w_i·(x_i − m_i)/s_i for each organ. The file is JSON: reading it executes nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from RPTDosimetryLib.errors import PredictionError
from RPTDosimetryLib.files import whole_file
from RPTDosimetryLib.prediction.organ_features import FEATURES, organ_features
from RPTDosimetryLib.prediction.pet_case import OrganDose, PetCase, case_of
from RPTDosimetryLib.prediction.theranostic_dataset import StoredPatient

SCHEMA: Final = "rptdosimetry-organ-regressor-1"
#: The regressor that is shipped.
SHIPPED: Final = Path(__file__).parent / "data" / "organ_regressor.json"
#: Organs are learnt from this many patients or not at all; folds of the cross-validation, by patient.
FEWEST_PATIENTS: Final = 12
FOLDS: Final = 5
ALPHAS: Final = tuple(float(a) for a in np.geomspace(0.01, 100.0, 13))
#: Beyond so many standard deviations of what was learnt from, an organ is marked, and withheld.
MARKED_Z: Final = 3.5
WITHHELD_Z: Final = 6.0


@dataclass(frozen=True)
class OrganModel:
    """One organ: m, s, w by feature, b, and what cross-validation by patient left: 1 σ of ln D and mean error [%]."""

    patients: int
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weight: tuple[float, ...]
    intercept: float
    residual: float
    mape_percent: float
    alpha: float

    def ln_dose(self, features: Sequence[float]) -> tuple[float, NDArray[np.float64]]:
        """ln D and how many standard deviations each feature lies off."""
        z = (np.asarray(features) - self.mean) / self.scale
        return self.intercept + float(z @ np.asarray(self.weight)), z


@dataclass(frozen=True)
class OrganRegressor:
    """Models by organ, and for whom they hold."""

    organs: Mapping[str, OrganModel]
    tracer: str
    agent: str
    features: tuple[str, ...]
    trained_on: Mapping[str, Any]

    def predict(self, case: PetCase) -> tuple[OrganDose, ...]:
        """Mean dose of every organ of the case, with 95 % intervals from the cross-validation's residuals.

        Raises PredictionError: another tracer or agent, an organ that was not learnt, no kidneys or liver.
        """
        require_known(case, self.tracer, self.agent)
        missing = [name for name in ("kidneys", "liver") if name not in case.organs]
        if missing:
            raise PredictionError(
                f"{case.name}: {' and '.join(missing)} missing, which every organ's prediction needs."
            )
        unknown = [name for name in case.organs if name not in self.organs]
        if unknown:
            raise PredictionError(
                f"{case.name}: no regressor for {', '.join(unknown)}. Known: {', '.join(self.organs)}. Leave it out."
            )
        return tuple(self._organ(case, name) for name in case.organs)

    def _organ(self, case: PetCase, name: str) -> OrganDose:
        model = self.organs[name]
        found = organ_features(case, name)
        ln_dose, z = model.ln_dose([found[feature] for feature in self.features])
        off = [(feature, value) for feature, value in zip(self.features, z, strict=True) if abs(value) > MARKED_Z]
        unlike = tuple(
            f"{feature} is {value:+.1f} standard deviations from the patients known" for feature, value in off
        )
        if any(abs(value) > WITHHELD_Z for _, value in off):
            return OrganDose(name, None, None, None, unlike)
        half = student_t(model.patients - 1) * model.residual * math.sqrt(1.0 + 1.0 / model.patients)
        return OrganDose(name, math.exp(ln_dose), math.exp(ln_dose - half), math.exp(ln_dose + half), unlike)


def student_t(degrees: int) -> float:
    """Two-sided 95 % point of Student's t."""
    from scipy.stats import t

    return float(t.ppf(0.975, degrees))


def require_known(case: PetCase, tracer: str, agent: str) -> None:
    """Raise PredictionError for a tracer or therapy agent that the predictor was not trained on."""
    for what, given, known in (("tracer", case.tracer, tracer), ("therapy agent", case.agent, agent)):
        if given != known:
            raise PredictionError(
                f"{case.name}: the {what} is {given}, and this predictor knows {known} only. Train one for {given}."
            )


def train_organ_regressor(patients: Sequence[StoredPatient]) -> OrganRegressor:
    """Fit every organ that enough patients have. Raises PredictionError: too few, mixed agents, no scikit-learn."""
    pairs = {(str(p.described.get("tracer")), str(p.described.get("agent"))) for p in patients}
    if len(pairs) != 1:
        raise PredictionError(f"Patients of {len(pairs)} pairs of tracer and agent: train each pair on its own.")
    rows: dict[str, list[tuple[str, list[float], float]]] = {}
    for patient in patients:
        case = case_of(patient)
        per_gbq = patient.dose_gy * (1e9 / patient.reference_activity_bq)
        person = str(patient.described.get("person", patient.name))
        for organ in case.organs:
            found = organ_features(case, organ)
            truth = case.mass_mean(per_gbq, organ)
            rows.setdefault(organ, []).append((person, [found[f] for f in FEATURES], math.log(truth)))
    organs = {
        name: _fitted(name, of) for name, of in sorted(rows.items()) if len({p for p, _, _ in of}) >= FEWEST_PATIENTS
    }
    if not organs:
        raise PredictionError(f"{len(patients)} patients: an organ needs {FEWEST_PATIENTS} at least. Make more.")
    tracer, agent = pairs.pop()
    kinds = sorted({str(p.described.get("kind")) for p in patients})
    seeds = [int(p.described.get("seed", -1)) for p in patients]
    trained = {"patients": len(patients), "kinds": kinds, "seeds": [min(seeds), max(seeds)], "virtual": True}
    return OrganRegressor(organs, tracer, agent, FEATURES, trained)


def write_regressor(regressor: OrganRegressor, path: Path) -> None:
    """JSON, whole or not at all."""
    content = {"schema": SCHEMA, **asdict(regressor)}
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_regressor(path: Path = SHIPPED) -> OrganRegressor:
    """Raises PredictionError: no such file, not this schema, damaged, or numbers that are none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA:
            raise PredictionError(f"{path} is of schema {content['schema']!r}, not {SCHEMA}. Train it again.")
        organs = {
            str(name): OrganModel(
                patients=int(row["patients"]),
                mean=_floats(row["mean"]),
                scale=_floats(row["scale"]),
                weight=_floats(row["weight"]),
                intercept=float(row["intercept"]),
                residual=float(row["residual"]),
                mape_percent=float(row["mape_percent"]),
                alpha=float(row["alpha"]),
            )
            for name, row in content["organs"].items()
        }
        features = tuple(str(f) for f in content["features"])
        known = OrganRegressor(organs, str(content["tracer"]), str(content["agent"]), features, content["trained_on"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PredictionError(f"{path} cannot be read as a regressor ({error}). Train it again.") from error
    for model in known.organs.values():
        numbers = (*model.mean, *model.scale, *model.weight, model.intercept, model.residual)
        if not np.isfinite(numbers).all() or min(model.scale) <= 0 or len(model.weight) != len(features):
            raise PredictionError(f"{path} holds numbers that no regressor can have. Train it again.")
    return known


def _fitted(organ: str, rows: list[tuple[str, list[float], float]]) -> OrganModel:
    """Ridge on standardised features; the penalty by leave-one-out, residuals from folds that never split a person."""
    try:
        from sklearn.linear_model import RidgeCV
        from sklearn.model_selection import GroupKFold, cross_val_predict
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError as error:
        raise PredictionError("Training needs scikit-learn: install rptdosimetry[predict].") from error
    persons = [person for person, _, _ in rows]
    x, y = np.array([f for _, f, _ in rows]), np.array([truth for _, _, truth in rows])
    model = make_pipeline(StandardScaler(), RidgeCV(ALPHAS))
    left_out = cross_val_predict(model, x, y, groups=persons, cv=GroupKFold(min(FOLDS, len(set(persons)))))
    model.fit(x, y)
    scaler, ridge = model[0], model[1]
    residual = y - left_out
    return OrganModel(
        patients=len(set(persons)),
        mean=_floats(scaler.mean_),
        scale=_floats(scaler.scale_),
        weight=_floats(ridge.coef_),
        intercept=float(ridge.intercept_),
        residual=float(np.sqrt(np.mean(residual**2))),
        mape_percent=float(100.0 * np.mean(np.abs(np.expm1(-residual)))),
        alpha=float(ridge.alpha_),
    )


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
