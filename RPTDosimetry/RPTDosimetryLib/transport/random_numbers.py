"""Counter-based random numbers: one stream a history, so results do not depend on threads or on how runs are split.

SplitMix64 (Steele, Lea and Flood 2014): the state is a counter, each number its hash. The state lives in the first
element of a uint64 array that kernels pass on.
"""

from __future__ import annotations

import numpy as np

from RPTDosimetryLib.transport.compiled import compiled, inlined

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_TO_UNIT = 1.0 / 9007199254740992.0  # 2⁻⁵³


@inlined()
def mixed(z):  # type: ignore[no-untyped-def]
    """Hash of a 64-bit word."""
    z = (z ^ (z >> _S30)) * _MIX1
    z = (z ^ (z >> _S27)) * _MIX2
    return z ^ (z >> _S31)


@compiled()
def start_history(rng, seed, history):  # type: ignore[no-untyped-def]
    """Set the stream of one history of one seed."""
    rng[0] = mixed(mixed(np.uint64(seed) * _GAMMA + _GAMMA) ^ (np.uint64(history) * _MIX2))


@inlined()
def uniform(rng):  # type: ignore[no-untyped-def]
    """Next number in (0, 1): never 0, so that its logarithm exists, never 1."""
    rng[0] += _GAMMA
    return (np.float64(mixed(rng[0]) >> _S11) + 0.5) * _TO_UNIT
