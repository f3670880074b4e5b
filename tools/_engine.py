"""What train.py, eval.py and export_model.py share: PaddleClas's command line on PaddleClas's Engine."""
import os
import sys
import time
import traceback

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "..")))

from ppcls_ise.cli import quiet  # noqa: E402

quiet.silence()


def make_synthetic_set(config, patience=600):
    """Make the set of a ``Synthetic`` block at ``Global.image_root`` on first use: rank 0 draws, the others wait."""
    block = config.get("Synthetic")
    root = config["Global"].get("image_root")
    if not isinstance(block, dict) or not root or os.path.isdir(root):
        return
    import paddle.distributed as dist

    if dist.get_rank() == 0:
        from ppcls_ise.images.synthetic import make_synthetic
        print(f"[Synthetic] drawing the synthetic set into {root}", flush=True)
        try:
            make_synthetic(root, **block)
        except (TypeError, ValueError) as error:
            sys.exit(f"error: Synthetic: {error}")
    for _ in range(patience):
        if os.path.isdir(root):
            return
        time.sleep(1)
    sys.exit(f"error: {root} did not appear within {patience} seconds; the first process should have made it")


def run(mode, action):
    """Build the engine that ``-c FILE -o key=value ...`` describes and call ``action(engine)``.

    A mistake of the user's ends the program with one message instead of a traceback.
    """
    import ppcls_ise
    from ppcls_ise.errors import ISEError
    from ppcls_ise.host import HostError
    try:
        ppcls_ise.register()
        quiet.silence_flags()
        import paddle.distributed as dist
        from ppcls.engine.engine import Engine
        from ppcls.utils import config as ppcls_config

        from ppcls_ise.engine import load_config, prepare_config, save_config

        arguments = ppcls_config.parse_args()
        given = load_config(arguments.config, arguments.override)
        config = prepare_config(given, mode)
        if mode != "export":
            make_synthetic_set(config)
        config["profiler_options"] = getattr(arguments, "profiler_options", None)
        engine = build(Engine, config, mode, arguments.config)
        if mode == "train" and dist.get_rank() == 0:
            save_config(given, engine.output_dir)
        action(engine)
    except (ISEError, HostError) as error:
        sys.exit(f"error: {error}")


def build(engine_class, config, mode, name):
    """PaddleClas's Engine; what it trips over in a config becomes a message that names the config."""
    from ppcls_ise.errors import ISEError
    try:
        return engine_class(config, mode=mode)
    except ISEError:
        raise
    except (AssertionError, AttributeError, KeyError, NameError, TypeError, ValueError) as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise ISEError(f"PaddleClas cannot build what {name} describes: {type(error).__name__}: {error} "
                       f"(in {place.name}, {place.filename}:{place.lineno})") from error
