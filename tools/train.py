"""Train: python tools/train.py -c configs/ISE_R50.yaml [-o Global.output_dir=... -o ...]

On several devices: python -m paddle.distributed.launch tools/train.py -c configs/ISE_R50.yaml
"""
import _engine


def train(engine):
    from ppcls_ise.engine import log_best_and_last

    engine.train()
    log_best_and_last(engine)


if __name__ == "__main__":
    _engine.run("train", train)
