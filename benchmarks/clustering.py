"""Seconds and memory of the clustering stage, part by part, on features like those of a re-ID network.

Every part runs in a process of its own, so that its peak memory is its own; compiling is done before the clock starts.

    python benchmarks/clustering.py --n 3000 6000 12936

prints a markdown table:
    search      nearest neighbours, of which nothing below is part
    faiss       the same neighbours by faiss: what the others are measured by
    Jaccard, DBSCAN, centroids
    rest        these three; stage/faiss: search and rest over faiss
    cpu         the same in processor seconds of all threads, for a machine that is busy with other things
    one, P      seconds of the stage as training runs it, with one process and with --processes P, each with one thread;
                fastest of three
    search MB, rest MB  peak above the features (and, for the rest, above the neighbour lists)
    ARI         adjusted Rand index with the true identities; recall of the neighbours (1 unless --method ivf)
    dense       seconds of a plain dense numpy program for the same, search included, up to --dense-to images,
                and what it disagrees on: labels, and the largest difference of a distance
"""
import argparse
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
from dense import encode, jaccard_rows

ROOT = pathlib.Path(__file__).parent.parent
K1, K2, MIN_SAMPLES = 30, 6, 4


def make_features(count, dim, seed=0, latent=48, noise=0.75, camera=0.45, isotropic=0.35, cameras=6):
    """``[count, dim]`` float32 unit rows, ``[count]`` whose they are, and by which camera: identities of Market-1501's
    mean size (17.2 images) seen by six cameras.

    A row is a random projection of identity + camera + sample noise in ``latent`` dimensions, plus isotropic noise.
    """
    rng = np.random.default_rng(seed)
    identities = max(1, count * 751 // 12936)
    weights = rng.gamma(4.0, size=identities)
    sizes = 2 + rng.multinomial(count - 2 * identities, weights / weights.sum())
    owner = rng.permutation(np.repeat(np.arange(identities), sizes))

    def directions(*shape):
        v = rng.standard_normal((*shape, latent))
        return v / np.linalg.norm(v, axis=-1, keepdims=True)

    centres, offsets = directions(identities), directions(identities, cameras)
    projection = rng.standard_normal((latent, dim)) / np.sqrt(dim)
    x, seen_by = np.empty((count, dim), np.float32), np.empty(count, np.int64)
    for start in range(0, count, 4096):
        own = owner[start:start + 4096]
        seen_by[start:start + 4096] = rng.integers(cameras, size=len(own))
        z = centres[own] + camera * offsets[own, seen_by[start:start + 4096]]
        z += noise * rng.standard_normal(z.shape) / np.sqrt(latent)
        rows = z @ projection + isotropic * rng.standard_normal((len(own), dim)) / np.sqrt(dim)
        x[start:start + 4096] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return x, owner, seen_by


def dense_program(x, eps):
    """method.md with N x N matrices and a loop over rows, as it is usually written."""
    from sklearn.cluster import DBSCAN
    count = len(x)
    squared = (2 - 2 * (x.astype(np.float64) @ x.T.astype(np.float64))).astype(np.float32)
    np.fill_diagonal(squared, -1)
    ranks = np.argsort(squared, axis=1, kind="stable")[:, :K1]
    np.fill_diagonal(squared, 0)
    v = encode(squared, ranks, K1, round(K1 / 2) + 1)
    v = np.stack([v[ranks[i, :K2]].mean(axis=0) for i in range(count)])
    distance = np.zeros((count, count), np.float32)
    for i, row in enumerate(jaccard_rows(v, np.ascontiguousarray(v.T))):
        distance[i] = np.maximum(0, row)
    return distance, DBSCAN(eps=eps, min_samples=MIN_SAMPLES, metric="precomputed").fit_predict(distance)


def memory(kind):
    """Resident memory of this process in MB: ``VmRSS`` now, ``VmHWM`` its peak since :func:`reset_peak`."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(kind):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no {kind} in /proc/self/status: memory is measured on Linux only")


def reset_peak():
    pathlib.Path("/proc/self/clear_refs").write_text("5")


def measured(function):
    """Result, seconds, processor seconds of all threads, and peak memory above the present, in MB."""
    reset_peak()
    before, start, busy = memory("VmRSS"), time.perf_counter(), time.process_time()
    result = function()
    return result, time.perf_counter() - start, time.process_time() - busy, memory("VmHWM") - before


def run_part(part, folder, eps, method, probes):
    """One part in this process; its numbers as a dict, its arrays into ``folder``."""
    from ppcls_ise.clustering import KReciprocalDBSCAN, cluster_centroids, jaccard_distance, neighbour_recall
    searching = KReciprocalDBSCAN(eps, MIN_SAMPLES, K1, K2, method, probes)
    clustering = dataclasses.replace(searching, search="exact")  # does not measure the recall of what it is given
    small, smallest_for_ivf = make_features(400, 32)[0], make_features(3000, 32)[0]
    cluster_centroids(small, clustering(small).labels)  # compiles
    dataclasses.replace(searching, search="ivf").neighbours(smallest_for_ivf, None, slice(0, 3000))
    x = np.load(folder / "x.npy")
    if part == "search":
        (neighbours,), seconds, busy, peak = measured(lambda: searching.neighbours(x, None, slice(0, len(x))))
        np.save(folder / "neighbours.npy", neighbours)
        recall = neighbour_recall(x, neighbours) if method == "ivf" else 1.0
        return {"search": seconds, "search cpu": busy, "search MB": peak, "recall": recall}
    if part == "faiss":
        rival = dataclasses.replace(searching, search="faiss")
        (neighbours,), seconds, busy, _ = measured(lambda: rival.neighbours(x, None, slice(0, len(x))))
        same = np.array_equal(neighbours, np.load(folder / "neighbours.npy"))
        return {"faiss": seconds, "faiss cpu": busy, "same neighbours": same}
    if part == "rest":
        neighbours = np.load(folder / "neighbours.npy")
        clusters, _, busy, peak = measured(lambda: clustering.assign(x, None, (neighbours,), {}))
        labels = clusters.labels
        _, centroids, busier, more = measured(lambda: cluster_centroids(x, labels))
        np.save(folder / "labels.npy", labels)
        return {"Jaccard": clusters.seconds["jaccard"], "DBSCAN": clusters.seconds["dbscan"], "centroids": centroids,
                "rest cpu": busy + busier, "rest MB": max(peak, more),
                "clusters": int(labels.max() + 1), "outliers": int((labels < 0).sum()),
                "ARI": agreement(labels, np.load(folder / "owner.npy"))}
    (full, labels), seconds, _, peak = measured(lambda: dense_program(x, eps))
    distance = jaccard_distance(x, K1, K2, neighbours=np.load(folder / "neighbours.npy")).tocoo()
    difference = 1 - full
    difference[distance.row, distance.col] = np.abs(full[distance.row, distance.col] - distance.data)
    same = np.array_equal(labels, np.load(folder / "labels.npy"))
    return {"dense": seconds, "dense MB": peak, "difference": float(difference.max()), "same labels": same}


def run_shared(folder, clustering, rounds=3):
    """The stage of training on this process and those launched with it; the first writes its seconds to ``folder``."""
    import paddle
    import paddle.distributed as dist

    import ppcls_ise
    ppcls_ise.register()
    from ppcls_ise.engine.cluster_stage import cluster_images
    dist.init_parallel_env()
    seconds = []
    for x in (make_features(400, 32)[0], *[np.load(folder / "x.npy")] * rounds):
        features, names = paddle.to_tensor(x), [str(row) for row in range(len(x))]
        if dist.get_world_size() > 1:
            dist.barrier()
        start = time.perf_counter()
        found = cluster_images(features, None, names, clustering, {}, str(folder / "shared.npz"), "[Cluster]", {})
        seconds.append(time.perf_counter() - start)
    if dist.get_rank() == 0:
        same = np.array_equal(found.labels, np.load(folder / "labels.npy"))
        name = f"shared_{dist.get_world_size()}.json"
        (folder / name).write_text(json.dumps({"seconds": min(seconds[1:]), "same labels": same}))


def shared(command, processes, folder):
    """Seconds of the stage with that many processes of one thread each."""
    launch = ["-m", "paddle.distributed.launch", "--nproc_per_node", str(processes), "--log_dir", f"{folder}/log"]
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment = {**os.environ, **one_thread, "PYTHONPATH": os.pathsep.join([str(ROOT), os.getenv("PYTHONPATH", "")])}
    result = subprocess.run([command[0], *launch, *command[1:]], cwd=folder, env=environment, capture_output=True,
                            text=True)
    written = pathlib.Path(folder, f"shared_{processes}.json")
    if result.returncode or not written.exists():
        log = pathlib.Path(folder, "log/workerlog.0").read_text()
        raise RuntimeError(f"{processes} processes failed: {log[-3000:]}")
    found = json.loads(written.read_text())
    if not found["same labels"]:
        raise RuntimeError(f"{processes} processes find other labels")
    return found["seconds"]


def agreement(labels, owner):
    """Adjusted Rand index with the identities, every outlier a cluster of its own."""
    from sklearn.metrics import adjusted_rand_score
    outliers = np.flatnonzero(labels < 0)
    alone = labels.copy()
    alone[outliers] = labels.max() + 1 + np.arange(len(outliers))
    return float(adjusted_rand_score(owner, alone))


def run(count, args):
    row = {"N": count}
    with tempfile.TemporaryDirectory(dir=args.scratch) as folder:
        for name, array in zip(("x", "owner"), make_features(count, args.dim)):
            np.save(pathlib.Path(folder) / f"{name}.npy", array)
        arguments = ["--folder", folder, "--eps", str(args.eps), "--method", args.method, "--probes", str(args.probes)]

        def command(part):
            print(f"N = {count}: {part} ...", file=sys.stderr, flush=True)
            return [sys.executable, str(pathlib.Path(__file__).resolve()), "--part", part, *arguments]

        rival = ("faiss",) if args.method != "ivf" else ()  # of which the seconds are why there is ivf
        for part in ("search", *rival, "rest", *(("dense",) if count <= args.dense_to else ())):
            out = subprocess.run(command(part), check=True, stdout=subprocess.PIPE, text=True).stdout
            row.update(json.loads(out.splitlines()[-1]))
        if args.processes > 1:
            row["shared"] = [shared(command("shared"), processes, folder) for processes in (1, args.processes)]
    return row


HEAD = ["N", "search s", "faiss s", "Jaccard s", "DBSCAN s", "centroids s", "rest s", "stage/faiss", "search cpu s",
        "faiss cpu s", "rest cpu s", "stage/faiss cpu", "search MB", "rest MB", "one process s", "P s", "P/one",
        "clusters", "outliers", "ARI", "recall", "against faiss", "dense s (MB)", "dense/stage", "against dense"]


def table_row(row):
    """The numbers of a set as a line of markdown, in the order of HEAD."""
    rest = row["Jaccard"] + row["DBSCAN"] + row["centroids"]
    stage, busy = row["search"] + rest, row["search cpu"] + row["rest cpu"]
    one, several = row.get("shared", (None, None))
    cells = [f"{row['N']:,}", f"{row['search']:.3f}", _number(row, "faiss"),
             *(f"{row[part]:.3f}" for part in ("Jaccard", "DBSCAN", "centroids")), f"{rest:.3f}",
             f"{stage / row['faiss']:.3f}" if "faiss" in row else "", f"{row['search cpu']:.2f}",
             _number(row, "faiss cpu"), f"{row['rest cpu']:.3f}",
             f"{busy / row['faiss cpu']:.3f}" if "faiss" in row else "", f"{row['search MB']:.0f}",
             f"{row['rest MB']:.0f}", *([f"{one:.3f}", f"{several:.3f}", f"{several / one:.3f}"] if one else [""] * 3),
             f"{row['clusters']:,}", f"{row['outliers']:,}", f"{row['ARI']:.3f}", f"{row['recall']:.3f}",
             {True: "same neighbours", False: "OTHER NEIGHBOURS", None: ""}[row.get("same neighbours")]]
    if "dense" in row:
        same = "same labels" if row["same labels"] else "OTHER LABELS"
        cells += [f"{row['dense']:.1f} ({row['dense MB']:.0f})", f"{row['dense'] / stage:.0f}",
                  f"{same}, distances to {row['difference']:.1e}"]
    else:
        cells += ["", "", ""]
    return "| " + " | ".join(cells) + " |"


def _number(row, name):
    return f"{row[name]:.3f}" if name in row else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, nargs="+", default=[3000, 6000, 12936], help="images of each set")
    parser.add_argument("--dim", type=int, default=2048, help="feature dimensions")
    parser.add_argument("--eps", type=float, default=0.5)
    parser.add_argument("--method", default="exact", help="Cluster.search: exact, faiss, paddle, ivf")
    parser.add_argument("--probes", type=int, default=256, help="of ivf: cells searched an image")
    parser.add_argument("--processes", type=int, default=1, metavar="P", help="also the stage with 1 and P processes")
    parser.add_argument("--dense-to", type=int, default=6000, help="largest set for the dense program")
    parser.add_argument("--scratch", default=None, help="folder for the features (default: the system's)")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=pathlib.Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part == "shared":
        from ppcls_ise.clustering import KReciprocalDBSCAN
        run_shared(args.folder, KReciprocalDBSCAN(args.eps, MIN_SAMPLES, K1, K2, args.method, args.probes))
        return
    if args.part:
        print(json.dumps(run_part(args.part, args.folder, args.eps, args.method, args.probes)))
        return
    print("| " + " | ".join(HEAD) + " |\n|" + "---|" * len(HEAD), flush=True)
    for count in args.n:
        print(table_row(run(count, args)), flush=True)


if __name__ == "__main__":
    main()
