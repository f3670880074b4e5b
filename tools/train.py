"""Train: python tools/train.py -c configs/ISE_R50.yaml [-o Global.output_dir=... -o ...]

On several devices: python -m paddle.distributed.launch tools/train.py -c configs/ISE_R50.yaml
"""
import _engine

if __name__ == "__main__":
    _engine.run("train", lambda engine: engine.train())
