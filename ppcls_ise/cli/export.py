"""Export trained weights as a static model, for deployment.

    ise export -c ISE_R50.yaml -o Global.pretrained_model=output/ISE_R50/ISEModel/best_model \\
        -o Global.save_inference_dir=inference
"""
from __future__ import annotations

import argparse

from . import engine, program, quiet

__all__ = ["main", "parser"]


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = engine.make_parser("export", __doc__)
    parser.add_argument("--onnx", action="store_true", help="write inference.onnx, too, and check it")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run it. Returns: the exit code."""
    return program.run(parser(), _export, arguments)


def _export(options: argparse.Namespace) -> None:
    def export(exporter: object) -> None:
        from ..engine import export_model

        quiet.silence_export()
        export_model(exporter, options.onnx)

    engine.run_engine(options, "export", export)
