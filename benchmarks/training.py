"""Training on the CPU beside the same in PyTorch (torch_twin.py): a step, and a whole epoch.

python benchmarks/training.py steps [--torch PYTHON] [--before CHECKOUT] [--threads 2]
python benchmarks/training.py epoch --images dataset/cuhk03_np_small --weights MobileNetV2.pdparams [--torch PYTHON] ...

Each program has processes of its own, in turns; of a step the fastest of all counts, of an epoch the fastest but the
first. ``--torch``: the Python of an environment with torch (and, for the epoch, what this package needs but
PaddleClas). ``--before``: a checkout of this repository whose package is timed, too. An epoch is extraction,
clustering, 30 steps and evaluation of configs/ISE_MobileNetV2_CUHK03.yaml. The last column is processor seconds over
seconds: near --threads if nothing else was running.
"""
import argparse
import contextlib
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
SIZES = {"MobileNetV2": (64, 128, 64), "ResNet50": (16, 256, 128), "PPLCNet_x1_0": (64, 128, 64)}
WIDTHS = {"MobileNetV2": 1280, "ResNet50": 2048, "PPLCNet_x1_0": 1280}
INSTANCES = 8


def ise_model(backbone, **keys):
    """An ISEModel in the middle of an epoch, and an optimiser for it."""
    import paddle

    from ppcls_ise.arch.model import ISEModel

    paddle.seed(0)
    width = WIDTHS[backbone.replace("_last_stage_stride1", "")]
    model = ISEModel(Backbone={"name": backbone}, Neck={"name": "BNNeck", "num_features": width},
                     Head={"name": "ISEHead"}, **keys)
    model.train()
    model.head.start_epoch(paddle.nn.functional.normalize(paddle.randn([200, width]), axis=-1), 50, 100)
    return model, paddle.optimizer.Adam(3.5e-4, parameters=model.parameters(), weight_decay=5e-4)


def ise_step(model, optimizer, images, labels):
    """One step of ISE, the memory's included. Returns: the loss."""
    from ppcls_ise.loss import cluster_contrast, label_preserving

    output = model(images, labels)
    loss = cluster_contrast(output["contrast_rows"], output["contrast_labels"], output["centroids"])
    loss = loss + 0.1 * label_preserving(output["global_features"], output["support_features"], output["labels"])
    loss.backward()
    optimizer.step()
    optimizer.clear_grad()
    model.head.after_step()
    return float(loss)


def prepared(threads):
    """Paddle on the CPU as a run of this package has it; a version of it from before knows nothing of that."""
    import ppcls_ise

    ppcls_ise.register()
    with contextlib.suppress(ImportError):
        from ppcls_ise.engine import prepare_processor

        prepare_processor(threads)


def ours(network, threads):
    prepared(threads)
    import paddle

    images, height, width = SIZES[network]
    model, optimizer = ise_model(network + "_last_stage_stride1" * (network == "ResNet50"))
    x, labels = paddle.rand([images, 3, height, width]), paddle.arange(images) // INSTANCES
    return lambda: ise_step(model, optimizer, x, labels)


def theirs(network, threads):
    import torch
    from torch_twin import Network, adam, train_step

    torch.set_num_threads(threads)
    images, height, width = SIZES[network]
    model = Network(network).train()
    optimizer = adam(model)
    x, labels = torch.rand(images, 3, height, width), torch.arange(images) // INSTANCES
    centroids = torch.nn.functional.normalize(torch.randn(200, WIDTHS[network]), dim=1)
    return lambda: train_step(model, optimizer, x, labels, centroids, 0.1)


def timed(step, count):
    """Seconds of the fastest of ``count`` steps after two others; processor seconds of all over their seconds."""
    step()
    step()
    seconds, begun, busy = [], time.perf_counter(), time.process_time()
    for _ in range(count):
        started = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - started)
    return min(seconds), (time.process_time() - busy) / (time.perf_counter() - begun)


def ise_epochs(images, weights, folder, threads, epochs):
    """Train in this process; print the seconds of each epoch and how much of the processors it had."""
    import ppcls_ise

    ppcls_ise.register()
    from ppcls.engine.engine import Engine

    from ppcls_ise.config import load_config
    from ppcls_ise.config.blocks import GlobalBlock
    from ppcls_ise.engine import Hook, prepare_config, run_of

    class Clock(Hook):
        begun, busy = [], []

        def before_epoch(self, epoch):
            self.begun.append(time.perf_counter())
            self.busy.append(time.process_time())

    given = [f"Global.image_root={images}", f"Global.output_dir={folder}", f"Arch.Backbone.pretrained={weights}",
             f"Global.epochs={epochs}"]
    if hasattr(GlobalBlock, "cpu_num_threads"):
        given.append(f"Global.cpu_num_threads={threads}")
    engine = Engine(prepare_config(load_config("ISE_MobileNetV2_CUHK03.yaml", given), "train"), mode="train")
    clock = run_of(engine.model).join(Clock())
    engine.train()
    clock.before_epoch(epochs + 1)
    for index in range(1, epochs):  # the first compiles
        seconds = clock.begun[index + 1] - clock.begun[index]
        print(f"epoch {seconds} {(clock.busy[index + 1] - clock.busy[index]) / seconds}", flush=True)


def fastest(command, checkout, threads, pattern):
    """The pair with the smallest first number that ``pattern`` finds in what a command prints."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    return min(tuple(map(float, found)) for found in re.findall(pattern, done.stdout))


def compared(title, rivals, rounds):
    """A table row for each of ``rivals``: name -> function that gives (seconds, share of the processors)."""
    best = {}
    for _ in range(rounds):
        for name, run in rivals.items():
            best[name] = min(best.get(name, (float("inf"), 0.0)), run())
    first = best.get("PyTorch", next(iter(best.values())))[0]
    for name, (seconds, share) in best.items():
        print(f"| {title} | {name} | {seconds:.3f} | {seconds / first:.2f} | {share:.1f} |", flush=True)


def rivals_of(arguments, part, *rest):
    """The programs to compare, each a function that runs it anew."""
    pythons = {"PyTorch": (arguments.torch, "theirs", ROOT), "before": (arguments.before and sys.executable, "ours",
               arguments.before), "ours": (sys.executable, "ours", ROOT)}
    return {name: lambda python=python, side=side, checkout=checkout: fastest(
        [python, __file__, part, "--side", side, "--threads", str(arguments.threads), *rest], checkout,
        arguments.threads, r"epoch ([\d.]+) ([\d.]+)") for name, (python, side, checkout) in pythons.items() if python}


def run_side(arguments):
    if arguments.part == "steps":
        build = ours if arguments.side == "ours" else theirs
        print("epoch", *timed(build(arguments.network, arguments.threads), arguments.count))
    elif arguments.side == "ours":
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            ise_epochs(arguments.images, arguments.weights, folder, arguments.threads, arguments.epochs)
    else:
        import torch_twin

        torch_twin.main(["--images", arguments.images, "--weights", arguments.weights, "--threads",
                         str(arguments.threads), "--epochs", str(arguments.epochs)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("steps", "epoch"))
    parser.add_argument("--network", choices=SIZES, help="one of the steps (default: all)")
    parser.add_argument("--torch", metavar="PYTHON")
    parser.add_argument("--before", metavar="CHECKOUT")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--count", type=int, default=6, help="steps a round")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--images", help="of CUHK03-NP, or a part of it")
    parser.add_argument("--weights", help="of MobileNetV2, .pdparams")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        return run_side(arguments)
    print("| | program | seconds | ratio | processors |\n|---|---|---|---|---|", flush=True)
    if arguments.part == "epoch":
        rest = ["--images", os.path.abspath(arguments.images), "--weights", os.path.abspath(arguments.weights),
                "--epochs", str(arguments.epochs)]
        compared("epoch", rivals_of(arguments, "epoch", *rest), arguments.rounds)
        return
    for network in [arguments.network] if arguments.network else SIZES:
        images, height, width = SIZES[network]
        compared(f"{network}, {images} images of {height}x{width}",
                 rivals_of(arguments, "steps", "--network", network, "--count", str(arguments.count)), arguments.rounds)


if __name__ == "__main__":
    main()
