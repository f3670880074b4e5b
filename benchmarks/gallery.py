"""A large gallery: recall against Flat, queries/s, and the cost of changes, for each kind of index.

OMP_NUM_THREADS=2 python benchmarks/gallery.py [--images 100000] [--dimension 512] [--kinds Flat IVF HNSW32 SQ8]

The features are unit rows around one direction per person, as those of a re-ID model are: --spread is the length of
what differs between images of one person, the person's own direction has length 1. Recall is the part of Flat's ten
nearest that a kind finds."""
import argparse
import os
import resource
import tempfile
import time

import numpy as np


def people(count, dimension, images_each, spread, generator):
    """Unit rows [count, dimension] and the persons' directions."""
    directions = generator.normal(size=(-(-count // images_each), dimension)).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return seen(np.repeat(directions, images_each, axis=0)[:count], spread, generator), directions


def seen(directions, spread, generator):
    """An image of each direction."""
    noise = generator.standard_normal(directions.shape, np.float32) * np.float32(spread / directions.shape[1] ** 0.5)
    rows = directions + noise
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def one_at_a_time(gallery, queries):
    for query in queries:
        gallery.search(query[None])


def timed(function, *args, **kwargs):
    started = time.perf_counter()
    result = function(*args, **kwargs)
    return result, time.perf_counter() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--spread", type=float, default=1.0)
    parser.add_argument("--kinds", nargs="+", default=["Flat", "IVF", "HNSW32", "SQ8"])
    arguments = parser.parse_args()
    from ppcls_ise.gallery import Gallery

    generator = np.random.default_rng(0)
    rows, directions = people(arguments.images, arguments.dimension, 20, arguments.spread, generator)
    chosen = generator.choice(len(directions), arguments.queries)
    queries = seen(directions[chosen], arguments.spread, generator)
    more, _ = people(1000, arguments.dimension, 20, arguments.spread, generator)
    entries = [{"path": f"{i}.jpg", "pid": i // 20, "camid": i % 6} for i in range(len(rows))]
    new = [{"path": f"new{i}.jpg", "pid": -1, "camid": 0} for i in range(len(more))]
    print(f"{len(rows)} images of {len(directions)} persons, {arguments.dimension} numbers, {len(queries)} queries\n"
          "| index | recall@10 | queries/s, one at a time | queries/s, together | build s | append 1,000 s "
          "| remove 1,000 s | save s | open s | MB on disk |\n" + "|---" * 10 + "|", flush=True)
    exact = None
    for kind in arguments.kinds:
        gallery, build = timed(Gallery, rows, entries, kind)
        gallery.search(queries[:2])
        found, together = timed(gallery.search, queries)
        single = min(timed(one_at_a_time, gallery, queries[:100])[1] for _ in range(2)) / 100
        names = [{match.entry["path"] for match in matches} for matches in found]
        exact = exact or names
        recall = np.mean([len(a & b) / len(b) for a, b in zip(names, exact)])
        added, append = timed(gallery.append, more, new)
        assert [m[0].id for m in gallery.search(more[:50])] == added[:50]
        _, remove = timed(gallery.remove, added)
        gone = set(added)
        assert not any(match.id in gone for matches in gallery.search(more[:50]) for match in matches)
        with tempfile.TemporaryDirectory() as folder:
            _, save = timed(gallery.save, folder)
            size = sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder)) / 2**20
            opened, read = timed(Gallery.open, folder)
            assert [m[0].id for m in opened.search(queries[:20])] == [m[0].id for m in gallery.search(queries[:20])]
        print(f"| {kind} | {recall:.4f} | {1 / single:.0f} | {len(queries) / together:.0f} | {build:.1f} | "
              f"{append:.2f} | {remove:.2f} | {save:.2f} | {read:.2f} | {size:.0f} |", flush=True)
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10:.0f} MB")


if __name__ == "__main__":
    main()
