"""Images/s of Paddle Inference and ONNX Runtime against plain Paddle, on one exported model, in one run.

OMP_NUM_THREADS=2 python benchmarks/inference.py [--config configs/ISE_R50.yaml] [--threads 2] [--batches 1 8 32]

The weights are random: they do not change the time. Each engine runs in turns with the others, the fastest run of each
counts. Features are compared as well."""
import argparse
import logging
import os
import tempfile
import time


def exported(config_file, folder):
    """The training model with random weights, and its static and ONNX files in ``folder``."""
    import paddle

    import ppcls_ise
    ppcls_ise.register()
    from ppcls.arch import build_model
    from ppcls.engine.engine import Engine

    from ppcls_ise.config import load_config
    from ppcls_ise.engine import export_model, prepare_config

    weights = os.path.join(folder, "weights")
    config = load_config(config_file, ["Arch.Backbone.pretrained=False", f"Global.output_dir={folder}",
                                       f"Global.save_inference_dir={folder}", f"Global.pretrained_model={weights}"])
    paddle.seed(0)
    model = build_model(config)
    model.train()
    model(paddle.rand([4, *config["Global"]["image_shape"]]))
    model.eval()
    paddle.save(model.state_dict(), weights + ".pdparams")
    export_model(Engine(prepare_config(config, "export"), mode="export"), onnx=True)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="configs/ISE_R50.yaml")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    import numpy as np
    import paddle

    from ppcls_ise.inference import FeatureExtractor

    with tempfile.TemporaryDirectory() as folder:
        model = exported(arguments.config, folder)
        logging.disable()
        static = {"Paddle Inference, oneDNN": {}, "Paddle Inference, no oneDNN": {"enable_mkldnn": False},
                  "ONNX Runtime": {"runtime": "onnx"}}
        engines = {name: FeatureExtractor(folder, threads=arguments.threads, **options)._run
                   for name, options in static.items()}
        shape = FeatureExtractor(folder).preprocess
        paddle.set_device("cpu")

        def eager(batch):
            with paddle.no_grad():
                return model(paddle.to_tensor(batch))["features"].numpy()

        engines = {"Paddle, eager": eager, **engines}
        print("| images/s | " + " | ".join(f"batch {size}" for size in arguments.batches)
              + " | cosine to eager | difference |\n" + "|---" * (len(arguments.batches) + 3) + "|")
        speed = {name: [] for name in engines}
        for size in arguments.batches:
            batch = np.random.default_rng(0).normal(size=(size, 3, shape.height, shape.width)).astype(np.float32)
            outputs, best = {name: run(batch) for name, run in engines.items()}, dict.fromkeys(engines, np.inf)
            for _ in range(arguments.rounds):
                for name, run in engines.items():
                    started = time.perf_counter()
                    run(batch)
                    best[name] = min(best[name], time.perf_counter() - started)
            for name in engines:
                speed[name].append(size / best[name])
        for name, rows in outputs.items():
            cosine, difference = (rows * outputs["Paddle, eager"]).sum(1).min(), rows - outputs["Paddle, eager"]
            print(f"| {name} | " + " | ".join(f"{value:.2f} ({value / reference:.2f} x)" for value, reference in
                                              zip(speed[name], speed["Paddle, eager"]))
                  + f" | {cosine:.7f} | {np.abs(difference).max():.1e} |", flush=True)


if __name__ == "__main__":
    main()
