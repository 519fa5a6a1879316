"""Azimuths and directions: sine and cosine of a random angle without a library call, turning, any direction."""

from __future__ import annotations

import math

import numpy as np

from RPTDosimetryLib.transport.compiled import inlined
from RPTDosimetryLib.transport.particle_stack import Particle
from RPTDosimetryLib.transport.random_numbers import uniform


@inlined()
def cosine_and_sine(turns):  # type: ignore[no-untyped-def]
    """(cos 2πt, sin 2πt) for 0 ≤ t ≤ 1 within 1e-10: Taylor series of a quarter of the angle, doubled twice."""
    a = 0.5 * np.pi * (turns - 0.5)
    a2 = a * a
    s = a * (1.0 + a2 * (-1 / 6 + a2 * (1 / 120 + a2 * (-1 / 5040 + a2 * (1 / 362880 - a2 / 39916800)))))
    c = 1.0 + a2 * (-0.5 + a2 * (1 / 24 + a2 * (-1 / 720 + a2 * (1 / 40320 + a2 * (-1 / 3628800 + a2 / 479001600)))))
    s, c = 2.0 * s * c, 1.0 - 2.0 * s * s
    # the series is about half a turn, so both change their sign
    return 2.0 * s * s - 1.0, -2.0 * s * c


@inlined()
def turned(u, v, w, one_minus_mu, turns):  # type: ignore[no-untyped-def]
    """A unit vector turned by the polar angle with 1 − cos θ given, about an azimuth given in turns."""
    mu = 1.0 - one_minus_mu
    sine = math.sqrt(max(one_minus_mu * (2.0 - one_minus_mu), 0.0))
    cosine_a, sine_a = cosine_and_sine(turns)
    cos_a, sin_a = sine * cosine_a, sine * sine_a
    across2 = u * u + v * v
    if across2 < 1e-18:
        return cos_a, sin_a, (mu if w > 0 else -mu)
    across = math.sqrt(across2)
    per_across = 1.0 / across
    u1 = u * mu + (u * w * cos_a - v * sin_a) * per_across
    v1 = v * mu + (v * w * cos_a + u * sin_a) * per_across
    w1 = w * mu - across * cos_a
    # one step of Newton's method for 1/√n: keeps the length at 1 over any number of turns
    norm = 1.5 - 0.5 * (u1 * u1 + v1 * v1 + w1 * w1)
    return u1 * norm, v1 * norm, w1 * norm


@inlined()
def isotropic(rng):  # type: ignore[no-untyped-def]
    """Any direction, all alike."""
    w = 2.0 * uniform(rng) - 1.0
    cos_a, sin_a = cosine_and_sine(uniform(rng))
    sine = math.sqrt(1.0 - w * w)
    return sine * cos_a, sine * sin_a, w


@inlined()
def redirected(particle, one_minus_mu, turns):  # type: ignore[no-untyped-def]
    """A particle like another but turned."""
    u, v, w = turned(particle.u, particle.v, particle.w, one_minus_mu, turns)
    return Particle(particle.x, particle.y, particle.z, u, v, w, particle.weight, particle.part)
