"""Serve a gallery: a search page and its HTTP interface.

    ise serve -o Global.rec_inference_model_dir=inference -o IndexProcess.index_dir=gallery

On this machine only, unless Serving.host says otherwise. Without options: the gallery of the demo. Images can be
appended and deleted with the token in the environment variable ISE_GALLERY_TOKEN, if it is set.
"""
from __future__ import annotations

import argparse
import os

from ..config.deployment import read_deployment
from ..errors import ISEError
from . import program

__all__ = ["main", "parser"]


def parser(config: str | None = "gallery.yaml") -> argparse.ArgumentParser:
    """Options of the command; ``config`` is the default of ``-c``, without which it has to be given."""
    parser = program.make_parser("serve", __doc__)
    program.add_config(parser, config)
    return parser


def main(arguments: list[str] | None = None, config: str | None = "gallery.yaml") -> int:
    """Run it; ``config`` as of :func:`parser`. Returns: the exit code."""
    return program.run(parser(config), _serve, arguments)


def _serve(options: argparse.Namespace) -> None:
    from ..inference.from_config import make_extractor
    try:
        import uvicorn

        from ..serving.app import TOKEN_VARIABLE, create_app
        from ..serving.limits import patient_protocol
    except ImportError as error:
        raise ISEError(f"the service needs fastapi, uvicorn and python-multipart ({error}): pip install "
                       "fastapi uvicorn python-multipart") from error
    from ..serving.service import SearchService

    config = read_deployment(options.config, options.override)
    if not config.index.index_dir:
        raise ISEError("IndexProcess.index_dir is missing: the folder of the gallery")
    service = SearchService(make_extractor(config.model, batch_size=1), os.path.expanduser(config.index.index_dir),
                            config.serving)
    host, port, connections = config.serving.host, config.serving.port, 8 * config.serving.max_waiting
    token = os.environ.get(TOKEN_VARIABLE)
    print(f"{len(service.gallery)} images; http://{host}:{port}, its interface at http://{host}:{port}/docs; "
          f"{'changes with the token' if token else f'no changes ({TOKEN_VARIABLE} is not set)'}", flush=True)
    uvicorn.run(create_app(service, token, min(config.index.return_k, 200)), host=host, port=port, ws="none",
                http=patient_protocol(config.serving.upload_seconds, connections), timeout_keep_alive=30,
                timeout_graceful_shutdown=5, server_header=False, access_log=False)
