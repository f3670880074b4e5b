"""Print the feature of an image, or of every image in a folder, a line each.

cd deploy && python python/predict_rec.py -c configs/inference_rec.yaml -o Global.infer_imgs=crop.jpg"""
import os
import sys
import time

import _program


def main(config):
    from ppcls_ise.gallery.deployment import images_to_predict, make_extractor, readable_features
    from ppcls_ise.images.reading import shown

    settings = config["Global"]
    images = images_to_predict(settings)
    paths = [images.path(row) for row in range(len(images.names))]
    extractor = make_extractor(settings)

    def skipped(row, error):
        print(f"skipped: {error}", file=sys.stderr)

    count, started = 0, time.perf_counter()
    for rows, features in readable_features(extractor, paths, skipped):
        count += len(rows)
        for row, feature in zip(rows, features):
            print(f"{shown(os.path.basename(paths[row]))}:\t{feature}")
    seconds = time.perf_counter() - started
    if not count:
        sys.exit("error: none of the images can be read")
    if settings.get("benchmark"):
        print(f"[Benchmark] {count} images in {seconds:.2f} s with reading; {_times(extractor)}")


def _times(extractor, runs=5):
    """Times of the parts for crops in memory, in PaddleClas's names for them."""
    import numpy as np

    batch = [np.random.default_rng(0).integers(0, 256, (256, 128, 3), dtype=np.uint8)] * extractor.batch_size
    extractor(batch)
    times = []
    for function in (lambda: list(map(extractor.preprocess, batch)), lambda: extractor(batch)):
        started = time.perf_counter()
        for _ in range(runs):
            function()
        times.append(1000 * (time.perf_counter() - started) / runs)
    return (f"a batch of {len(batch)}: preprocess_time {times[0]:.2f} ms, inference_time {times[1] - times[0]:.2f} ms")


if __name__ == "__main__":
    _program.run(main, __doc__)
