import numpy as np
import pytest

from ppcls_ise.data import sampler as module
from ppcls_ise.data.sampler import PseudoLabelSampler, draw_clusters


def rng(seed=0):
    return np.random.Generator(np.random.PCG64(seed))


LABELS = np.array([0] * 5 + [1] * 2 + [2] + [3] * 9 + [-1] * 4)
CAMIDS = np.array([1, 1, 1, 2, 3] + [1, 1] + [1] + [1, 2, 3] * 3 + [1] * 4)


def test_blocks_hold_one_cluster_and_outliers_stay_out():
    rows = draw_clusters(LABELS, CAMIDS, 2, 4, 50, rng())
    assert rows.shape == (50, 2, 4)
    labels = LABELS[rows]
    assert (labels >= 0).all() and (labels == labels[:, :, :1]).all()
    assert set(labels.flatten()) == {0, 1, 2, 3}


def test_a_pass_takes_every_cluster_once():
    labels = LABELS[draw_clusters(LABELS, CAMIDS, 2, 4, 20, rng())][:, :, 0].reshape(10, 4)
    assert (np.sort(labels, axis=1) == np.arange(4)).all()
    assert len({tuple(order) for order in labels.tolist()}) > 1


def test_what_does_not_fill_a_batch_is_dropped():
    labels = LABELS[draw_clusters(LABELS, CAMIDS, 3, 4, 30, rng())][:, :, 0]
    assert all(len(set(batch)) == 3 for batch in labels.tolist())


def test_others_come_from_other_cameras_where_there_are_any():
    rows = draw_clusters(LABELS, CAMIDS, 4, 4, 200, rng()).reshape(-1, 4)
    for block in rows:
        anchor, others = block[0], block[1:]
        if LABELS[anchor] in (0, 3):
            assert (CAMIDS[others] != CAMIDS[anchor]).all()
        elif LABELS[anchor] == 1:  # one camera only: the other image
            assert (others != anchor).all()
        else:  # one image only
            assert (others == anchor).all()


def test_without_replacement_exactly_where_the_pool_suffices():
    rows = draw_clusters(LABELS, CAMIDS, 4, 4, 300, rng()).reshape(-1, 4)
    distinct = {(label, camera): [len(set(block[1:])) for block in rows.tolist()
                                  if LABELS[block[0]] == label and CAMIDS[block[0]] == camera]
                for label, camera in ((0, 1), (0, 2), (3, 1))}
    assert min(distinct[0, 2]) == 3  # four images of other cameras: a pool of at least ni - 1 has no repeats
    assert min(distinct[3, 1]) == 3
    assert min(distinct[0, 1]) == 1  # two images of other cameras for three places


def test_without_cameras_any_other_image():
    rows = draw_clusters(LABELS, None, 4, 3, 200, rng()).reshape(-1, 3)
    assert all(block[0] not in block[1:] for block in rows.tolist() if LABELS[block[0]] != 2)
    same_camera = [CAMIDS[b] == CAMIDS[a] for a, b, _ in rows.tolist() if LABELS[a] == 3]
    assert any(same_camera) and not all(same_camera)


@pytest.fixture
def world(monkeypatch):
    def become(rank, processes):
        monkeypatch.setattr(module.dist, "get_world_size", lambda: processes)
        monkeypatch.setattr(module.dist, "get_rank", lambda: rank)
    return become


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_share_the_batches_of_one(world, processes):
    def batches(rank, count):
        world(rank, count)
        sampler = PseudoLabelSampler(None, 16, 4, 6, seed=3)
        sampler.start_epoch(LABELS, CAMIDS, 2)
        return list(sampler)

    whole = batches(0, 1)
    shares = [batches(rank, processes) for rank in range(processes)]
    assert [sum(parts, []) for parts in zip(*shares)] == whole


def test_depends_on_seed_and_epoch_alone():
    def draws(seed, epoch):
        sampler = PseudoLabelSampler(None, 8, 4, 5, seed=seed)
        sampler.start_epoch(LABELS, CAMIDS, epoch)
        return list(sampler)

    assert draws(0, 1) == draws(0, 1)
    assert draws(0, 1) != draws(0, 2)
    assert draws(0, 1) != draws(1, 1)


def test_augmentation_seeds_differ_between_rows():
    sampler = PseudoLabelSampler(None, 16, 4, 50)
    sampler.start_epoch(LABELS, CAMIDS, 1)
    seeds = [draw.seed for batch in sampler for draw in batch]
    assert len(set(seeds)) > 0.99 * len(seeds) and max(seeds) < 2 ** 32


@pytest.mark.parametrize("clusters, processes, expected", [(4, 1, 4), (3, 1, 3), (1, 1, 1), (3, 2, 2), (1, 2, 2)])
def test_fewer_clusters_than_p_give_smaller_batches(world, clusters, processes, expected):
    world(0, processes)
    labels = np.repeat(np.arange(clusters), 3)
    sampler = PseudoLabelSampler(None, 16, 4, 5)
    assert sampler.start_epoch(labels, None, 1) == expected
    assert [len(batch) for batch in sampler] == [expected * 4 // processes] * 5 and len(sampler) == 5


def test_batches_that_do_not_divide_are_refused(world):
    with pytest.raises(ValueError, match="batch_size 10 .* num_instances 4"):
        PseudoLabelSampler(None, 10, 4, 5)
    world(0, 3)
    with pytest.raises(ValueError, match="processes 3"):
        PseudoLabelSampler(None, 16, 4, 5)


def test_training_without_the_hook_says_so():
    with pytest.raises(ValueError, match="train_mode: ise"):
        iter(PseudoLabelSampler(None, 16, 4, 5))


@pytest.mark.parametrize("clusters, processes, expected", [
    (16, 1, 16), (13, 1, 12), (5, 1, 4), (3, 1, 3), (13, 2, 8), (9, 2, 8), (7, 2, 6), (13, 4, 12), (3, 4, 4)])
def test_smaller_batches_still_fill_batch_norm_groups(world, clusters, processes, expected):
    # Groups of 4 clusters: as many whole groups for every process as there are clusters for, else equal shares.
    world(0, processes)
    sampler = PseudoLabelSampler(None, 64, 4, 2, group_size=16)
    assert sampler.start_epoch(np.repeat(np.arange(clusters), 3), None, 1) == expected
