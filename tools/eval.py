"""Evaluate: python tools/eval.py -c configs/ISE_R50.yaml -o Global.pretrained_model=output/ISE_R50/best_model"""
import _engine

if __name__ == "__main__":
    _engine.run("eval", lambda engine: engine.eval())
