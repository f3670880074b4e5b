"""What README and docs tell people to type works: commands in ``bash`` blocks are run, ``yaml`` blocks are read.

Commands run for real, in this process, whether they are written as ``ise NAME`` or as the tool of a checkout: in an
empty folder, with the data replaced by 96 synthetic crops and the network by a tiny one; weights that a command wants
are those of such a run. ``make`` is asked what it would do, ``pip`` not run.
What cannot be run has ``<!-- not run: REASON -->`` on the line before its block.
"""
import functools
import importlib
import pathlib
import re
import shlex
import shutil
import subprocess

import paddle
import pytest
import yaml

from ppcls_ise.cli.main import command, main
from ppcls_ise.config import load_config
from tests.docs.test_config_page import ROWS, paths, place
from tests.helpers import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
BLOCK = re.compile(r"^(<!-- not run: .+ -->\n)?```(\w+)\n(.*?)^```", re.M | re.S)
BLOCKS = [(page.name, mark, kind, text) for page in PAGES for mark, kind, text in BLOCK.findall(page.read_text())]
COMMANDS = {}
for _page, _mark, _kind, _text in BLOCKS:
    for _line in _text.replace("\\\n", " ").splitlines() if _kind == "bash" and not _mark else []:
        if shlex.split(_line, comments=True):
            COMMANDS.setdefault(tuple(shlex.split(_line, comments=True)), _page)

TINY = ["Global.device=cpu", "Global.epochs=1", "Global.iter_per_epoch=1", "Global.print_batch_step=1",
        "Global.save_interval=1", "Global.image_shape=[3,64,32]", "Arch.Backbone.name=PPLCNet_x0_25",
        "Arch.Backbone.pretrained=False", "Arch.BackboneStopLayer=None", "Arch.Neck.num_features=1280",
        "Arch.bn_group_size=8", "Cluster.min_samples=2", "Cluster.k1=8", "Cluster.k2=3", "Cluster.eps=0.6"]
TINY_TRAIN = ["DataLoader.Train.sampler.batch_size=8", "DataLoader.Train.sampler.num_instances=4",
              "DataLoader.Train.loader.num_workers=0"]


def tiny(config, people):
    """Overrides that make a shipped config a matter of a second."""
    loaders = load_config(config)["DataLoader"]
    blocks = {"Train": loaders["Train"], "Cluster": loaders.get("Cluster"),
              **{f"Eval.{name}": block for name, block in loaders.get("Eval", {}).items()}}
    found = [*TINY, *TINY_TRAIN]
    for name, block in blocks.items():
        if block:
            found.append(f"DataLoader.{name}.loader.num_workers=0")
    return [*found, f"Global.image_root={people if loaders.get('Eval') else 'crops'}"]


def run_tool(name, arguments, codes=(0,)):
    """``ise name arguments`` in this process: importing Paddle takes longer than most of them."""
    with paddle.utils.unique_name.guard():
        assert command(name).main([*map(str, arguments)]) in codes


@pytest.fixture(scope="module")
def workspace(people, tmp_path_factory):
    """A folder with configs, crops by camera, and a run of one epoch: (folder, stem of its checkpoint)."""
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "configs").symlink_to(ROOT / "configs")
    for crop in (people / "bounding_box_train").glob("*.jpg"):
        camera = folder / "crops" / re.search(r"_(c\d)", crop.name)[1]
        camera.mkdir(parents=True, exist_ok=True)
        shutil.copy(crop, camera)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        config = "configs/ISE_R50.yaml"
        overrides = [part for override in [*tiny(config, people), "Global.output_dir=trained",
                                           "Global.eval_during_train=False"] for part in ("-o", override)]
        run_tool("train", ["-c", config, *overrides])
        latest = next((folder / "trained").rglob("latest.pdparams"))
        yield folder, latest.with_suffix("")


@pytest.fixture
def here(workspace, monkeypatch):
    folder, stem = workspace
    monkeypatch.chdir(folder)
    return stem


def provide(stem, checkpoint):
    """The trained weights, under the name that a command calls its own."""
    target = pathlib.Path(stem.removesuffix(".pdparams"))
    target.parent.mkdir(parents=True, exist_ok=True)
    for file in checkpoint.parent.glob(checkpoint.name + ".*"):
        name = target.name + file.name[len(checkpoint.name):]
        if not (target.parent / name).exists():
            shutil.copy(file, target.parent / name)
    if not (target.parent / "pseudo_labels").exists():
        shutil.copytree(checkpoint.parent / "pseudo_labels" if (checkpoint.parent / "pseudo_labels").exists()
                        else next(pathlib.Path("trained").rglob("pseudo_labels")), target.parent / "pseudo_labels")


def with_config(name, arguments, checkpoint, people):
    """A command that takes ``-c`` and ``-o``: its keys are known ones, and it runs."""
    config = pathlib.Path(arguments[arguments.index("-c") + 1])
    if config.name == "config.yaml":  # of a run: here of the one there is, which is tiny already
        config.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(next(pathlib.Path("trained").rglob("config.yaml")), config)
        extra = []
    else:
        extra = tiny(config, people)
    for override in [value for flag, value in zip(arguments, arguments[1:]) if flag == "-o"]:
        key, _, value = override.partition("=")
        assert place(re.sub(r"transform_ops\.\d+\.", "transform_ops.", key)) in ROWS, key
        if key in ("Global.pretrained_model", "Global.checkpoints"):
            provide(value, checkpoint)
        if key == "Global.checkpoints":
            extra.append("Global.epochs=2")
    # our crops are too small for anyone's recipe, and a check tells so by its exit code
    codes = (0, 1) if name == "check-data" else (0,)
    run_tool(name, [*arguments, *(part for override in extra for part in ("-o", override))], codes)


def report_of_runs(name, arguments, checkpoint, people):
    for run in arguments:
        provide(run.rpartition("=")[2] + "/latest", checkpoint)
    run_tool(name, arguments)


def parsed_only(name, arguments, checkpoint, people):
    """What other tests run in full: here its arguments are read."""
    given = command(name).parser().parse_args(arguments)
    config = getattr(given, "calibrate", None) or getattr(given, "config", None)
    assert not config or load_config(config)


RUNNERS = {"train": with_config, "eval": with_config, "export": with_config, "check-data": with_config,
           "visualize": with_config, "config": with_config, "cluster-report": report_of_runs,
           **dict.fromkeys(("convert-weights", "mix-weights", "demo", "synthetic", "predict", "gallery", "search",
                            "serve"), parsed_only)}


def as_ise(tokens):
    """``python tools/NAME.py ...`` or ``python -m ppcls_ise.cli ...`` as the command that it is."""
    if tokens[:3] == ["python", "-m", "ppcls_ise.cli"]:
        return ["ise", *tokens[3:]]
    if tokens[0] == "python" and (ROOT / tokens[1]).is_file():
        name = re.search(r"from ppcls_ise\.cli\.(\w+) import main", (ROOT / tokens[1]).read_text())
        return ["ise", name[1].replace("_", "-"), *tokens[2:]] if name else tokens
    return tokens


def launched(tokens):
    """``-m paddle.distributed.launch ... program``: its flags exist; the program is then run as one process."""
    launcher = importlib.import_module("paddle.distributed.launch.context.args_envs")
    start = next(index for index, token in enumerate(tokens) if token.endswith(".py") or token == "ise")
    known = pathlib.Path(launcher.__file__).read_text()
    for flag in [token for token in tokens[3:start] if token.startswith("--")]:
        assert f'"{flag}"' in known or f"'{flag}'" in known, flag
    return tokens[start:] if tokens[start] == "ise" else ["python", *tokens[start:]]


@pytest.mark.slow
@pytest.mark.parametrize("line", COMMANDS, ids=lambda line: " ".join(line)[:90])
def test_command(line, here, people):
    tokens = [token for token in line if not re.fullmatch(r"[A-Z_]+=\S*", token)]
    tokens[0] = tokens[0].removeprefix(".venv/bin/")
    if tokens[:3] == ["python", "-m", "paddle.distributed.launch"]:
        tokens = launched(tokens)
    tokens = as_ise(tokens)
    if tokens[0] == "make":
        subprocess.run([*tokens, "-n"], cwd=ROOT, check=True, capture_output=True)
    elif tokens[:2] == ["pip", "install"]:
        own = (ROOT / "Makefile").read_text() + (ROOT / "pyproject.toml").read_text()
        pinned = [token.strip("'\"") for token in tokens if "==" in token and not token.startswith("paddlepaddle")]
        assert all(token in own for token in pinned)
    elif tokens == ["ise", "--help"]:
        assert main(tokens[1:]) == 0
    elif tokens[0] != "mkdir":
        assert tokens[0] == "ise" and tokens[1] in RUNNERS, (
            f"{COMMANDS[line]}: {tokens[:2]} is not known here: add it to RUNNERS, or mark the block as not run")
        run_once(tuple(tokens[1:]), here, people)


@functools.cache
def run_once(line, checkpoint, people):
    """Lines that differ in how many processes they start are the same here."""
    RUNNERS[line[0]](line[0], list(line[1:]), checkpoint, people)


YAML = [(page, text) for page, mark, kind, text in BLOCKS if kind == "yaml" and not mark]


@pytest.mark.parametrize("page, text", YAML, ids=[page for page, _ in YAML])
def test_yaml_has_known_keys(page, text):
    for path in paths(yaml.safe_load(text)):
        if path.split(".")[-1] in ("_base_", "_delete_"):
            continue
        name = place(path if path[0].isupper() else f"DataLoader.Train.{path}")
        assert any(key == name or key.startswith(name + ".") for key in ROWS), name


PYTHON = [(page, text) for page, mark, kind, text in BLOCKS if kind == "python" and not mark]


@pytest.mark.slow
@pytest.mark.parametrize("page, text", PYTHON, ids=[page for page, _ in PYTHON])
def test_python_block(page, text, here, people, capsys):
    if "torch" in text:
        pytest.importorskip("torch")
    someone = sorted((people / "query").glob("*.jpg"))[0]
    if '"inference"' in text and not pathlib.Path("inference").exists():
        provide("weights", here)
        with_config("export", ["-c", "configs/ISE_folder.yaml", "-o", "Global.pretrained_model=weights",
                               "-o", "Global.save_inference_dir=inference"], here, people)
    text = text.replace("/data/crops", "crops").replace("/data/someone.jpg", str(someone))
    exec(compile(text, page, "exec"), {})  # a block of our own documents
    assert capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_scripts_exist(page):
    text = page.read_text()
    for target in re.findall(r"\]\(([^)#\s]+)?(#[\w-]+)?\)", text):
        path, anchor = target
        if path.startswith(("http", "mailto")):
            continue
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), path
        if anchor and file.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", file.read_text(), re.M)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor[1:] in slugs, target
    for script in re.findall(r"(?:tools|benchmarks|configs|docs|tests)/[\w/]+\.(?:py|yaml|md)\b", text):
        assert (ROOT / script).exists() or (ROOT / "deploy" / script).exists(), script
