"""Export a static model: python tools/export_model.py -c configs/ISE_R50.yaml
-o Global.pretrained_model=output/ISE_R50/best_model -o Global.save_inference_dir=inference"""
import _engine


def export(engine):
    from ppcls_ise.engine import export

    export(engine)

if __name__ == "__main__":
    _engine.run("export", export)
