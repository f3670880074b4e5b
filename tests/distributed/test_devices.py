"""A step is the same step however many processes share it, with and without the feature cache."""
import numpy as np
import pytest

from tests.distributed.launching import launch
from tests.helpers import ROOT

pytestmark = pytest.mark.slow  # launches processes


@pytest.fixture(scope="module")
def step(tmp_path_factory):
    """One step on 64 images: arrays of gradients, centroids, running statistics and the loss."""
    done = {}

    def run(processes, group_size, feature_cache=False, steps=1):
        key = processes, group_size, feature_cache, steps
        if key not in done:
            folder = tmp_path_factory.mktemp("step")
            result = launch(ROOT / "tests/distributed/worker_groups.py", folder / "step.npz", *key[1:],
                            processes=processes, cwd=folder, timeout=120)
            assert result.returncode == 0, result.stdout + result.stderr
            done[key] = dict(np.load(folder / "step.npz"))
        return done[key]

    return run


# Sixteen images a group: 4 on one process, 2 on each of two, 1 on each of four. A group that spans processes sums in
# another order than one device does, and 30 layers of BatchNorm on noise amplify the rounding.
@pytest.mark.parametrize("processes, group_size, feature_cache, rounding", [
    (1, 16, True, 1), (2, 16, False, 1), (2, 16, True, 1), (4, 16, False, 1), (4, 16, True, 1),
    (4, 32, False, 30), (4, 32, True, 30), (2, 64, False, 30)])
def test_a_step_does_not_depend_on_processes_or_cache(step, processes, group_size, feature_cache, rounding):
    expected, found = step(1, group_size), step(processes, group_size, feature_cache)
    assert expected.keys() == found.keys()
    assert sum(name.startswith("gradient") for name in found) > 50
    assert np.abs(found["centroids"] - expected["centroids"]).max() <= rounding * 1e-6
    for name, value in expected.items():
        if name != "centroids":
            # Some gradients are sums that cancel to nothing.
            assert np.linalg.norm(found[name] - value) <= rounding * 1e-5 * max(np.linalg.norm(value), 1e-3), name


def test_groups_matter(step):
    # The comparison above would not notice a group size that nobody heeds.
    one, other = step(1, 16), step(1, 32)
    assert abs(one["loss"] - other["loss"]) > 1e-4


def test_ten_steps_keep_the_processes_identical(step):
    step(2, 16, steps=10)  # the worker compares all parameters, statistics and centroids after every step
