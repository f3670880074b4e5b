"""Make the identity conv-BN pair of a converted MobileNetV2 an identity in training, too.

PaddleClas's MobileNetV2 has one more conv-BN-ReLU6 in ``conv2`` than torchvision's. Converted weights fill it with an
identity convolution and a BatchNorm of mean 0 and variance 1: an identity in eval mode, but in training BatchNorm
normalises by the *batch*, and the ReLU6 behind it then cuts off half of every channel. With the statistics of its real
input as running statistics and as weight and bias the pair is an identity in both modes.

python benchmarks/calibrate_identity_pair.py -c configs/ISE_MobileNetV2_CUHK03.yaml \
    -o Global.image_root=... -o Arch.Backbone.pretrained=converted.pdparams --out calibrated.pdparams
"""
import argparse
import os
import sys

import numpy as np
import paddle

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "..")))

import ppcls_ise  # noqa: E402

ppcls_ise.register()

from ppcls.arch import build_model  # noqa: E402

from ppcls_ise.data import ReIDImages  # noqa: E402
from ppcls_ise.engine import load_config, prepare_config  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--config", required=True)
    parser.add_argument("-o", "--override", action="append", default=[])
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    config = prepare_config(load_config(arguments.config, arguments.override), "train")
    backbone = build_model(config).backbone
    backbone.eval()
    options = {key: value for key, value in config["DataLoader"]["Train"]["dataset"].items() if key != "name"}
    options["transform_ops"] = config["DataLoader"]["Eval"]["Query"]["dataset"]["transform_ops"]
    images = ReIDImages(**options)
    total, squares, count = 0.0, 0.0, 0
    with paddle.no_grad():
        for start in range(0, len(images), 64):
            batch = np.stack([images[i][0] for i in range(start, min(start + 64, len(images)))])
            x = backbone.conv1(paddle.to_tensor(batch), if_act=True).numpy().astype("float64")
            total, squares = total + x.sum(axis=(0, 2, 3)), squares + (x ** 2).sum(axis=(0, 2, 3))
            count += x.size // x.shape[1]
    mean = total / count
    variance = squares / count - mean ** 2
    state = {name: value.numpy() for name, value in backbone.state_dict().items()}
    pair = "conv2._first_block._expand_conv._batch_norm."
    state.update({pair + "weight": np.sqrt(variance + 1e-5), pair + "bias": mean,
                  pair + "_mean": mean, pair + "_variance": variance})
    paddle.save({name: paddle.to_tensor(value.astype("float32")) for name, value in state.items()}, arguments.out)
    print(f"{arguments.out}: input of the pair has mean {mean.min():.2f} .. {mean.max():.2f}, "
          f"variance {variance.min():.2f} .. {variance.max():.2f}")


if __name__ == "__main__":
    main()
