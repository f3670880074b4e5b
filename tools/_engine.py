"""What train.py, eval.py and export_model.py share: PaddleClas's command line on PaddleClas's Engine."""
import os
import sys

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "..")))


def run(mode, action):
    """Build the engine that ``-c FILE -o key=value ...`` describes and call ``action(engine)``.

    A mistake of the user's ends the program with one message instead of a traceback.
    """
    import ppcls_ise
    from ppcls_ise.errors import ISEError
    from ppcls_ise.host import HostError
    try:
        ppcls_ise.register()
        from ppcls.engine.engine import Engine
        from ppcls.utils import config as ppcls_config
        from ppcls_ise.engine import load_config, prepare_config

        arguments = ppcls_config.parse_args()
        config = prepare_config(load_config(arguments.config, arguments.override), mode)
        config["profiler_options"] = getattr(arguments, "profiler_options", None)
        action(Engine(config, mode=mode))
    except (ISEError, HostError) as error:
        sys.exit(f"error: {error}")
