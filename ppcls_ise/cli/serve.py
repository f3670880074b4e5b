"""Serve a gallery: a search page and its HTTP interface.

    ise serve -o Global.rec_inference_model_dir=inference -o IndexProcess.index_dir=gallery

On this machine only, unless Serving.host says otherwise. Without options: the gallery of the demo. Images can be
appended and deleted with the token in the environment variable ISE_GALLERY_TOKEN, if it is set.
"""
from __future__ import annotations

import argparse
import os

from ..errors import ISEError
from . import program

__all__ = ["main", "parser"]


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = program.make_parser("serve", __doc__)
    program.add_config(parser, "gallery.yaml")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run it. Returns: the exit code."""
    return program.run(parser(), _serve, arguments)


def _serve(options: argparse.Namespace) -> None:
    from ..gallery.deployment import make_extractor, read_config
    try:
        import uvicorn

        from ..serving.app import TOKEN_VARIABLE, create_app
        from ..serving.limits import patient_protocol
    except ImportError as error:
        raise ISEError(f"the service needs fastapi, uvicorn and python-multipart ({error}): pip install "
                       "fastapi uvicorn python-multipart") from error
    from ..serving.service import Limits, SearchService

    config = read_config(options.config, options.override)
    block, serving = config.get("IndexProcess") or {}, config.get("Serving") or {}
    if not block.get("index_dir"):
        raise ISEError("IndexProcess.index_dir is missing: the folder of the gallery")
    limits = Limits.from_config(serving)
    service = SearchService(make_extractor({**config["Global"], "batch_size": 1}),
                            os.path.expanduser(block["index_dir"]), limits)
    host, port = serving.get("host") or "127.0.0.1", serving.get("port") or 8000
    if not isinstance(host, str) or isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        raise ISEError(f"Serving.host is a name or an address, and Serving.port a number below 65536, not {host!r} and "
                       f"{port!r}")
    token = os.environ.get(TOKEN_VARIABLE)
    print(f"{len(service.gallery)} images; http://{host}:{port}, its interface at http://{host}:{port}/docs; "
          f"{'changes with the token' if token else f'no changes ({TOKEN_VARIABLE} is not set)'}", flush=True)
    uvicorn.run(create_app(service, token, min(block.get("return_k") or 10, 200)), host=host, port=port, ws="none",
                http=patient_protocol(limits.upload_seconds, 8 * limits.max_waiting), timeout_keep_alive=30,
                timeout_graceful_shutdown=5, server_header=False, access_log=False)
