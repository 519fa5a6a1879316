"""A(t) = a·(e^(−λt) − e^(−μt)), μ > λ ≥ λ_phys: uptake from A(0) = 0 with μ, then one effective clearance."""

from RPTDosimetryLib.tia.exponential_family import ExponentialFamily
from RPTDosimetryLib.tia.exponential_model import ExponentialModel

MODEL = ExponentialModel(
    "monoexponential_uptake", ExponentialFamily(2, uptake=True), ("a_bq",), ("lambda_eff_per_s", "mu_per_s")
)
