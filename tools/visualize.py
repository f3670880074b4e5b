"""Pictures of a trained run in one page: rank lists, clusters, a map of the features, curves.

    python tools/visualize.py -c configs/ISE_R50.yaml -o Global.pretrained_model=output/ISE_R50/latest

writes report.html, and its pictures as files, to Global.output_dir/report. The page needs no network and no other file.
"""
import argparse
import os
import sys
import time

import _engine

STARTED = time.time()


def parse_args(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--config", required=True)
    parser.add_argument("-o", "--override", action="append", default=[], help="key.sub=value of the config")
    parser.add_argument("--folder", help="where to write (default: report, in Global.output_dir)")
    parser.add_argument("--queries", type=int, default=8, help="rank lists shown (default: %(default)s)")
    return parser.parse_args(argv)


def main(argv=None):
    arguments = parse_args(argv)
    import ppcls_ise
    from ppcls_ise.errors import ISEError
    from ppcls_ise.host import HostError
    from ppcls_ise.images.reading import shown
    try:
        ppcls_ise.register()
        from ppcls_ise.engine import load_config, prepare_config
        config = prepare_config(load_config(arguments.config, arguments.override), "train")
        _engine.make_synthetic_set(config)
        print("report:", shown(report(config, arguments.folder, arguments.queries)))
    except (ISEError, HostError) as error:
        sys.exit(f"error: {error}")


def report(config, folder=None, queries=8):
    """Extract, evaluate, cluster and draw; the path of the page."""
    from ppcls_ise.clustering import pseudo_labels
    from ppcls_ise.engine import ClusterSettings
    from ppcls_ise.engine.checkpoints import read_run_state
    from ppcls_ise.engine.offline import extract_splits
    from ppcls_ise.visualize import ImageSet, run_tables, write_report

    settings, output = config["Global"], config["Global"]["output_dir"]
    splits = extract_splits(config)
    sets = {name: ImageSet(split.features, data.pids, data.camids, [data.list.path(i) for i in range(len(data))],
                           data.list.cameras)
            for name, split in splits.items() for data in (split.data_set,)}
    say("clusters")
    cluster, eps = ClusterSettings.from_config(config), None
    if cluster.eps == "auto" and settings["pretrained_model"]:
        eps = read_run_state(settings["pretrained_model"]).get("eps")  # what the run chose and kept
    labels = pseudo_labels(sets["train"].features, cluster.eps if eps is None else float(eps), cluster.min_samples,
                           cluster.k1, cluster.k2)
    return write_report(
        folder or os.path.join(output, "report"), os.path.basename(os.path.normpath(output)),
        f"{settings['pretrained_model'] or 'untrained'} · {len(labels)} training images", sets["train"], labels,
        run_tables(output), retrieval(config, splits, sets, queries) if "query" in sets else None,
        settings.get("best_metric", "mAP"), say)


def retrieval(config, splits, sets, queries):
    from ppcls_ise.engine.evaluation import describe_rules, evaluate_splits, evaluation_rules
    from ppcls_ise.metric import ReIDMetric
    from ppcls_ise.visualize import Retrieval, rank_lists, spread_by_precision

    say("evaluation")
    query, gallery = sets["query"], sets["gallery"]
    metric = ReIDMetric()
    rules = evaluation_rules(splits["query"], splits["gallery"], config["Global"])
    result = evaluate_splits(metric, splits["query"], splits["gallery"], rules)
    lists = rank_lists(spread_by_precision(result["ap"], queries), query[:3], gallery[:3], result["ap"], rules)
    return Retrieval(query, gallery, lists, metric.summary(result), describe_rules(rules, config["Global"]))


def say(step):
    print(f"[{time.time() - STARTED:5.1f} s] {step}", flush=True)


if __name__ == "__main__":
    main()
