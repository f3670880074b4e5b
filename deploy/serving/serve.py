"""Serve a gallery: a search page and its HTTP interface, on this machine only unless Serving.host says otherwise.

cd deploy && python serving/serve.py -c configs/gallery.yaml
Images can be appended and deleted with the token in the environment variable ISE_GALLERY_TOKEN, if it is set."""
import os
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"),
                os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")]

import _program  # noqa: E402


def main(config):
    from ppcls_ise.errors import ISEError
    from ppcls_ise.gallery.deployment import make_extractor
    try:
        import uvicorn

        from ppcls_ise.serving.app import TOKEN_VARIABLE, create_app
        from ppcls_ise.serving.limits import patient_protocol
    except ImportError as error:
        raise ISEError(f"the service needs fastapi, uvicorn and python-multipart ({error}): in the "
                       "checkout, pip install -e '.[deploy]'") from error
    from ppcls_ise.serving.service import Limits, SearchService

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


if __name__ == "__main__":
    _program.run(main, __doc__)
