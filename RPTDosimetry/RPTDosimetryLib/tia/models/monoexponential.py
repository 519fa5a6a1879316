"""A(t) = a·e^(−λt): activity that is there at once and clears with one effective decay constant."""

from RPTDosimetryLib.tia.exponential_family import ExponentialFamily
from RPTDosimetryLib.tia.exponential_model import ExponentialModel

MODEL = ExponentialModel("monoexponential", ExponentialFamily(1, uptake=False), ("a_bq",), ("lambda_eff_per_s",))
