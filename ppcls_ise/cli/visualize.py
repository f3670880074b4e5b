"""Draw a trained run in one page: rank lists, clusters, features, curves.

    ise visualize -c ISE_R50.yaml -o Global.pretrained_model=output/ISE_R50/ISEModel/latest

writes report.html, and its pictures as files, to Global.output_dir/report. The page needs no network and no other file.
"""
from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..config.blocks import GlobalBlock
from . import engine, program

if TYPE_CHECKING:
    from ..visualize import Retrieval

__all__ = ["main", "parser"]


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = program.make_parser("visualize", __doc__)
    program.add_config(parser)
    parser.add_argument("--folder", help="where to write (default: report, in Global.output_dir)")
    parser.add_argument("--queries", type=int, default=8, metavar="N", help="rank lists shown (default: %(default)s)")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run it. Returns: the exit code."""
    return program.run(parser(), _visualize, arguments)


def _visualize(options: argparse.Namespace) -> None:
    started = time.time()

    def say(step: str) -> None:
        print(f"[{time.time() - started:5.1f} s] {step}", flush=True)

    _, config = engine.prepared(options, "train")
    from ..images.reading import shown

    print("report:", shown(_report(config, options.folder, options.queries, say)))


def _report(config: dict, folder: str | None, queries: int, say: Callable[[str], None]) -> str:
    """Extract, evaluate, cluster and draw; the path of the page."""
    from ..engine.offline import cluster_split, extract_splits
    from ..visualize import ImageSet, run_tables, write_report

    settings, output = config["Global"], config["Global"]["output_dir"]
    splits = extract_splits(config)
    sets = {name: ImageSet(split.features, data.pids, data.camids, [data.list.path(i) for i in range(len(data))],
                           data.list.cameras)
            for name, split in splits.items() for data in (split.data_set,)}
    say("clusters")
    clusters = cluster_split(config, splits["train"])
    for line in clusters.lines:
        say(line)
    retrieval = None
    if "query" in sets:
        say("evaluation")
        retrieval = _retrieval(config, splits, sets, queries)
    return write_report(
        folder or os.path.join(output, "report"), os.path.basename(os.path.normpath(output)),
        f"{settings['pretrained_model'] or 'untrained'} · {len(clusters.labels)} training images", sets["train"],
        clusters.labels,
        run_tables(output), retrieval, settings.get("best_metric", GlobalBlock.best_metric), say)


def _retrieval(config: dict, splits: dict, sets: dict, queries: int) -> Retrieval:
    from ..engine.evaluation import describe_rules, evaluate_splits, evaluation_rules
    from ..metric import ReIDMetric
    from ..visualize import Retrieval, rank_lists, spread_by_precision

    query, gallery = sets["query"], sets["gallery"]
    metric = ReIDMetric()
    rules = evaluation_rules(splits["query"], splits["gallery"], config["Global"])
    result = evaluate_splits(metric, splits["query"], splits["gallery"], rules)
    lists = rank_lists(spread_by_precision(result["ap"], queries), query[:3], gallery[:3], result["ap"], rules)
    return Retrieval(query, gallery, lists, metric.summary(result), describe_rules(rules, config["Global"]))
