"""The random hinge against the collision-by-collision simulation that it condenses."""

import numba
import numpy as np
import pytest

from RPTDosimetryLib.physics.materials import Material
from RPTDosimetryLib.transport.angles import turned
from RPTDosimetryLib.transport.elastic_scattering import screening_parameter
from RPTDosimetryLib.transport.multiple_scattering import scattering_table, single_scattering_moments
from RPTDosimetryLib.transport.particle_moves import ELECTRON
from RPTDosimetryLib.transport.particle_stack import ELECTRON_KIND
from RPTDosimetryLib.transport.point_histories import room_for_histories, run_point_source
from RPTDosimetryLib.transport.point_kernel import N_SHELLS, shell_edges_mm, uniform_scene
from RPTDosimetryLib.transport.random_numbers import start_history, uniform
from RPTDosimetryLib.transport.transport_physics import TransportPhysics
from RPTDosimetryLib.transport.transport_tables import (
    BREMS,
    ENERGY,
    K1,
    MOLLER,
    PATH,
    electron_tables,
    photon_tables,
)

OXYGEN = Material("oxygen", 1.0, {"O": 1.0}, 95.0)


@numba.njit
def collision_by_collision(path, energy, collisions, screening, histories, edges2):
    """Mean r and r² of the energy of electrons that scatter one collision at a time, and its share in shells.

    path, energy, collisions, screening: on the ladder; one collision turns by 1 − cos θ = 2Av/(1 − v + A).
    """
    shells = np.zeros(edges2.size)
    moments = np.zeros((histories, 2))
    rng = np.zeros(1, np.uint64)
    last = path.size - 1
    for history in range(histories):
        start_history(rng, 99, history)
        x, y, z, u, v, w = 0.0, 0.0, 0.0, 0.0, 0.0, 1.0
        left, scattered, node = path[last], collisions[last], last - 1
        while left > 0.0:
            scattered += np.log(uniform(rng))
            while node > 0 and collisions[node] > scattered:
                node -= 1
            to = 0.0
            if scattered > 0.0:
                share = (scattered - collisions[node]) / (collisions[node + 1] - collisions[node])
                to = path[node] + share * (path[node + 1] - path[node])
            length = left - to
            lost = np.interp(left, path, energy) - np.interp(to, path, energy)
            for stop in range(2 if to == 0.0 else 1):  # what is left at the cut stays at the end
                at = length if stop else uniform(rng) * length
                r2 = (x + at * u) ** 2 + (y + at * v) ** 2 + (z + at * w) ** 2
                booked = energy[0] if stop else lost
                shells[np.searchsorted(edges2, r2) - 1] += booked
                moments[history, 0] += booked * np.sqrt(r2)
                moments[history, 1] += booked * r2
            x, y, z = x + length * u, y + length * v, z + length * w
            draw = uniform(rng)
            a = screening[node]
            u, v, w = turned(u, v, w, 2 * a * draw / (1 - draw + a), uniform(rng))
            left = to
    return shells / shells.sum(), moments / energy[last]


@pytest.mark.slow
@pytest.mark.parametrize(("energy_kev", "histories"), [(60.0, 10_000), (400.0, 2_500)])
def test_condensed_steps_give_the_radial_energy_of_single_collisions(one_line, energy_kev, histories):
    """Same stopping, same screened Rutherford collisions, no hard losses: moments and profile agree within errors."""
    physics = TransportPhysics(elastic_model="rutherford")
    tables = electron_tables([OXYGEN], physics)
    ladder = tables.ladder.copy()
    ladder[0, :, MOLLER] = ladder[0, :, BREMS] = 0.0
    start = int(np.argmin(np.abs(ladder[0, :, ENERGY] - energy_kev)))
    energy = ladder[0, : start + 1, ENERGY].copy()
    screening = np.array([screening_parameter(8, one) for one in energy])
    per_collision = np.array([single_scattering_moments(a)[1] for a in screening])
    steps = np.diff(ladder[0, : start + 1, K1]) / (0.5 * (per_collision[1:] + per_collision[:-1]))
    collisions = np.concatenate([[0.0], np.cumsum(steps)])
    edges_cm = shell_edges_mm(1.0) / 10
    exact, each = collision_by_collision(
        ladder[0, : start + 1, PATH].copy(), energy, collisions, screening, histories, edges_cm**2
    )
    score = np.zeros((3, N_SHELLS + 1))
    emitted = run_point_source(
        ELECTRON_KIND, ELECTRON, one_line(energy[-1]), (0, 60_000, 60_000), tables._replace(ladder=ladder),
        photon_tables([OXYGEN], physics), scattering_table(), uniform_scene(1.0), 5, score, *room_for_histories(),
    )  # fmt: skip
    condensed = score[ELECTRON] / emitted
    middle = 0.5 * (edges_cm[1:] + edges_cm[:-1])
    for power in (1, 2):
        mean, error = each[:, power - 1].mean(), each[:, power - 1].std() / np.sqrt(histories)
        found = np.sum(condensed[:-1] * middle**power)
        assert found == pytest.approx(mean, abs=3 * error + 1e-3 * mean)
    furthest = np.abs(np.cumsum(condensed[:-1]) - np.cumsum(exact[: middle.size])).max()
    assert furthest < 0.01
