"""ISE from nothing to a search result on the CPU: data, training, evaluation before and after, export, rank lists."""
import os
import re
import subprocess
import sys
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
sys.path.insert(0, ROOT)

from ppcls_ise.cli import quiet  # noqa: E402

quiet.silence()

CONFIG = "configs/ISE_demo.yaml"
OUTPUT = "output/ISE_demo"  # these two as the config has them
DATASET = "dataset/synthetic"
QUERIES, MATCHES = 6, 8


def run(*command):
    """Run a tool as a user would, show it, and return what it printed."""
    print("\n$ python " + " ".join(command), flush=True)
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True)
    lines = []
    for line in process.stdout:
        lines.append(line)
        if re.search(r"\[(Train|Eval|Cluster|Synthetic)\]|error|Error|Export succeeded", line):
            print("  " + line.split("INFO: ")[-1].rstrip(), flush=True)
    if process.wait():
        sys.exit("".join(lines[-30:]) + f"error: {command[0]} failed")
    return "".join(lines)


def figures(output):
    """The last evaluation in a log: name -> fraction."""
    line = [line for line in output.splitlines() if "[Avg]mAP" in line][-1]
    return {name: float(value) for name, value in re.findall(r"(mAP|rank\d+): ([\d.]+)", line)}


def trained_weights():
    """The newest ``latest``: in the output folder itself or, with PaddleClas 2.x, below it under the model's name."""
    stems = [os.path.join(OUTPUT, *part, "latest") for part in ((), ("ISEModel",))]
    written = {stem: os.path.getmtime(os.path.join(ROOT, stem + ".pdparams")) for stem in stems
               if os.path.isfile(os.path.join(ROOT, stem + ".pdparams"))}
    return max(written, key=written.get)


def rank_lists(model_dir, folder, target):
    """Search the gallery with some queries through Paddle Inference and draw what was found."""
    import numpy as np

    from ppcls_ise.data.datasets import list_images
    from ppcls_ise.inference import FeatureExtractor
    from ppcls_ise.visualize import contact_sheet, rank_lists
    from ppcls_ise.visualize.pictures import BAD, GOOD, PLAIN

    extractor = FeatureExtractor(model_dir)
    queries, gallery = list_images(folder, "query"), list_images(folder, "bounding_box_test")
    chosen = np.linspace(0, len(queries.names) - 1, QUERIES).astype(int)
    found = rank_lists(
        range(len(chosen)),
        (extractor([queries.path(i) for i in chosen]), queries.pids[chosen], queries.camids[chosen]),
        (extractor([gallery.path(i) for i in range(len(gallery.names))]), gallery.pids, gallery.camids), top=MATCHES)
    print("\n  query (identity, camera) -> nearest gallery images of other cameras: identity (similarity), * is right")
    sheet = []
    for query, row in zip(chosen, found):
        cells = [(gallery.path(g), GOOD if right else BAD, f"{gallery.pids[g]}{'*' * bool(right)} ({similarity:.2f})")
                 for g, right, similarity in zip(row.matches, row.right, row.similarity)]
        sheet.append([(queries.path(query), PLAIN, str(queries.pids[query])), *cells])
        print(f"  {queries.pids[query]:4d}, c{queries.camids[query]} -> "
              + "  ".join(caption for _, _, caption in cells[:5]))
    contact_sheet(sheet).save(target)


def main():
    started = time.time()
    config = ["-c", CONFIG]
    before = figures(run("tools/eval.py", *config))
    run("tools/train.py", *config)
    weights = f"Global.pretrained_model={trained_weights()}"
    after = figures(run("tools/eval.py", *config, "-o", weights))
    run("tools/export_model.py", *config, "-o", weights, "-o", f"Global.save_inference_dir={OUTPUT}/inference")
    picture = os.path.join(OUTPUT, "rank_lists.png")
    os.chdir(ROOT)
    rank_lists(os.path.join(OUTPUT, "inference"), DATASET, picture)
    print("\n            " + "".join(f"{name:>8}" for name in before))
    for name, values in (("untrained", before), ("after ISE", after)):
        print(f"  {name:10}" + "".join(f"{100 * value:8.1f}" for value in values.values()))
    print(f"\n  {picture}: queries left, green frames are right. {time.time() - started:.0f} seconds in all.")


if __name__ == "__main__":
    main()
