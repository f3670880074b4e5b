"""Peak memory of one training step with and without the feature cache: MobileNetV2, 128x64, BatchNorm groups of 64.

python benchmarks/feature_cache.py        # each case in a process of its own
"""
import argparse
import resource
import subprocess
import sys
import time

from training import ise_model, ise_step, prepared

CASES = [(64, False), (256, False), (256, True)]


def step(batch_size, feature_cache):
    prepared(threads=None)
    import paddle

    model, optimizer = ise_model("MobileNetV2", bn_group_size=64, feature_cache=feature_cache)
    images = paddle.rand([batch_size, 3, 128, 64])
    labels = paddle.arange(batch_size) // 16
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(4):
        started = time.time()
        loss = ise_step(model, optimizer, images, labels)
        seconds.append(time.time() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print("result", before / 1024, peak / 1024, min(seconds), loss)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", nargs=2)
    arguments = parser.parse_args()
    if arguments.case:
        return step(int(arguments.case[0]), arguments.case[1] == "True")
    first = None
    print("images  cache  before  peak (MB)  ratio to 64 images  seconds a step  loss of the last step")
    for case in CASES:
        command = [sys.executable, __file__, "--case", *map(str, case)]
        lines = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout.splitlines()
        before, peak, seconds, loss = map(float, next(line for line in lines if line.startswith("result")).split()[1:])
        first = first or peak
        print(f"{case[0]:6}  {str(case[1]):5}  {before:6.0f}  {peak:9.0f}  {peak / first:18.2f}  {seconds:14.2f}  "
              f"{loss:.5f}", flush=True)


if __name__ == "__main__":
    main()
