"""Evaluation and re-ranking beside PaddleClas's own, on random features of the sizes of Market-1501 and MSMT17.

    python benchmarks/evaluation.py market      # 3,368 x 15,913, 2048-d: seconds and mAP, ours and PaddleClas's
    python benchmarks/evaluation.py msmt        # 11,659 x 82,161, 256-d: seconds and memory, ours
    python benchmarks/evaluation.py rerank      # k-reciprocal re-ranking at Market's size, ours and PaddleClas's

Features and ids are given, nothing is extracted. Every program runs in a process of its own, so that its peak memory is
its own; memory is above the features. CPU seconds, of all threads, do not depend on what else the machine does.
PADDLECLAS_HOME chooses the PaddleClas that is compared with (2.4.2's metrics do not run on paddle >= 2.5; release/2.5
and develop do). ``--scale 0.1`` is a tenth of each set.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import types

import numpy as np
from clustering import measured
from dense import encode, jaccard_rows

SIZES = {"market": (3368, 15913, 2048, 750, 6), "msmt": (11659, 82161, 256, 3060, 15),
         "rerank": (3368, 15913, 2048, 750, 6)}
PROGRAMS = {"market": ("ours", "paddleclas"), "msmt": ("ours",), "rerank": ("ours", "paddleclas", "dense")}
K1, K2, LAMBDA = 20, 6, 0.3


def make_sets(folder, queries, gallery, dim, identities, cameras, seed=0):
    """Unit rows around a centre per identity and an offset per camera; a sixth of the gallery are distractors."""
    rng = np.random.default_rng(seed)
    projection = rng.standard_normal((48, dim)).astype(np.float32)
    centres, offsets = rng.standard_normal((identities + 1, 48)), rng.standard_normal((cameras, 48))
    for name, count in (("query", queries), ("gallery", gallery)):
        pids, camids = rng.integers(1, identities + 1, count), rng.integers(cameras, size=count)
        if name == "gallery":
            pids[rng.random(count) < 1 / 6] = 0
        x = centres[pids] * (pids > 0)[:, None] + 0.6 * offsets[camids] + 0.7 * rng.standard_normal((count, 48))
        x = x.astype(np.float32) @ projection
        np.savez(folder / f"{name}.npz", x=x / np.linalg.norm(x, axis=1, keepdims=True), pids=pids, camids=camids)


def read_sets(folder):
    return tuple(array for name in ("query", "gallery")
                 for array in (np.load(folder / f"{name}.npz")[key] for key in ("x", "pids", "camids")))


def ours(sets, re_ranking, _folder):
    from ppcls_ise.clustering.re_ranking import ReRanking
    from ppcls_ise.metric import Rules, evaluate
    few = [array[:300] for array in sets]
    evaluate(*few, Rules(distances=ReRanking(few[0], few[3])))  # compiles

    def run():
        distances = ReRanking(sets[0], sets[3], K1, K2, LAMBDA) if re_ranking else None
        return evaluate(*sets, Rules(distances=distances))["mAP"]

    return run


def paddleclas(sets, re_ranking, _folder):
    """PaddleClas's retrieval_eval, given features instead of images."""
    from ppcls_ise.host import activate
    activate()
    import paddle
    from ppcls.engine.evaluation import retrieval
    from ppcls.metric import build_metrics
    from ppcls.utils.logger import init_logger
    init_logger()
    column = {"query": sets[:3], "gallery": sets[3:]}

    def features(_engine, name="gallery"):
        x, pids, camids = column[name]
        return paddle.to_tensor(x), paddle.to_tensor(pids)[:, None], paddle.to_tensor(camids)[:, None]

    for name in ("compute_feature", "cal_feature"):  # develop; 2.4.2 and release/2.5
        if hasattr(retrieval, name):
            setattr(retrieval, name, features)
    engine = types.SimpleNamespace(
        model=paddle.nn.Identity(), gallery_query_dataloader=None, eval_loss_func=True,
        config={"Global": {"re_ranking": re_ranking}},
        eval_metric_func=build_metrics([{"mAP": {}}, {"Recallk": {"topk": [1, 5, 10]}}]))
    return lambda: float(retrieval.retrieval_eval(engine))


def dense(sets, _re_ranking, folder):
    """Re-ranking as its paper has it, with N x N float32 matrices; what the sparse ranking must equal."""
    from ppcls_ise.metric import Rules, evaluate

    def run():
        final = dense_re_ranking(np.concatenate([sets[0], sets[3]]), len(sets[0]))
        np.save(folder / "dense.npy", final)
        return evaluate(*sets, Rules(distances=lambda part: final[part].copy()))["mAP"]

    return run


def dense_re_ranking(x, queries):
    count = len(x)
    distance = x @ x.T
    distance *= -2
    distance += 2
    distance /= distance.max(axis=1, keepdims=True)
    ranks = np.empty((count, max(K1 + 1, K2)), np.int64)
    for i in range(count):
        near = np.argpartition(distance[i], ranks.shape[1])[:ranks.shape[1]]
        ranks[i] = near[np.argsort(distance[i, near], kind="stable")]
    v = encode(distance, ranks, K1 + 1, round(K1 / 2) + 1)
    final = LAMBDA * distance[:queries, queries:]
    del distance
    averaged = np.empty_like(v)
    for i in range(count):
        averaged[i] = v[ranks[i, :K2]].mean(axis=0)
    del v
    columns = np.ascontiguousarray(averaged[queries:].T)
    for i, row in enumerate(jaccard_rows(averaged[:queries], columns)):
        final[i] += (1 - LAMBDA) * row
    return final


def agreement(folder):
    """How the sparse ranking stands to the dense one, over all queries."""
    from ppcls_ise.clustering.re_ranking import ReRanking
    sets, final = read_sets(folder), np.load(folder / "dense.npy", mmap_mode="r")
    sparse = ReRanking(sets[0], sets[3], K1, K2, LAMBDA)
    largest, swapped, same_top = 0.0, 0.0, 0
    for start in range(0, len(final), 256):
        part = slice(start, start + 256)
        ours_block, dense_block = sparse(part), np.asarray(final[part])
        largest = max(largest, float(np.abs(ours_block - dense_block).max()))
        order = np.argsort(ours_block, axis=1, kind="stable")
        swapped = max(swapped, float(-np.diff(np.take_along_axis(dense_block, order, 1), axis=1).min()))
        same_top += int((order[:, :100] == np.argsort(dense_block, axis=1, kind="stable")[:, :100]).all(axis=1).sum())
    return {"largest difference of a distance": largest, "largest gap between two in another order": swapped,
            "queries with the same 100 first images": f"{same_top} of {len(final)}"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=SIZES)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--programs", nargs="+", help="some of ours, paddleclas, dense")
    parser.add_argument("--program", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=pathlib.Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.program == "agreement":
        print(json.dumps(agreement(args.folder)))
        return
    if args.program:
        sets = read_sets(args.folder)
        run = globals()[args.program](sets, args.part == "rerank", args.folder)
        mean_ap, seconds, spent, peak = measured(run)
        print(json.dumps({"seconds": seconds, "CPU seconds": spent, "peak MB": peak, "mAP": mean_ap}))
        return
    queries, gallery, dim, identities, cameras = SIZES[args.part]
    programs = args.programs or PROGRAMS[args.part]
    with tempfile.TemporaryDirectory() as folder:
        make_sets(pathlib.Path(folder), int(queries * args.scale), int(gallery * args.scale), dim,
                  max(2, int(identities * args.scale)), cameras)
        for program in [*programs] + ["agreement"] * ("dense" in programs):
            command = [sys.executable, __file__, args.part, "--program", program, "--folder", folder]
            out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            print(program, out.splitlines()[-1], flush=True)


if __name__ == "__main__":
    main()
