"""What the programs of this folder share: PaddleClas's command line, -c FILE -o key.sub=value."""
import argparse
import os
import sys

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..")))

from ppcls_ise.cli import quiet  # noqa: E402

quiet.silence()


def run(main, description):
    """Call ``main(config)``; a mistake of the user's ends the program with one message instead of a traceback."""
    from ppcls_ise.errors import ISEError
    from ppcls_ise.gallery.deployment import read_config

    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--config", required=True, help="yaml file")
    parser.add_argument("-o", "--override", action="append", default=[], help="key.sub=value, as often as you like")
    arguments = parser.parse_args()
    try:
        main(read_config(arguments.config, arguments.override))
    except ISEError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
