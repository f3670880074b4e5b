"""Export a static model: python tools/export_model.py -c configs/ISE_R50.yaml
-o Global.pretrained_model=output/ISE_R50/best_model -o Global.save_inference_dir=inference
--onnx writes inference.onnx too, and checks it."""
import sys

import _engine


def main():
    onnx = "--onnx" in sys.argv  # PaddleClas's command line does not know it
    sys.argv = [argument for argument in sys.argv if argument != "--onnx"]

    def export(engine):
        from ppcls_ise.cli import quiet
        from ppcls_ise.engine import export_model

        quiet.silence_export()
        export_model(engine, onnx)

    _engine.run("export", export)


if __name__ == "__main__":
    main()
