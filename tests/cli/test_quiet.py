"""What the programs print is theirs and PaddleClas's: each is run as a user runs it."""
import logging
import os
import subprocess
import sys
import warnings
from types import SimpleNamespace

import paddle
import pytest
from paddle.distributed import parallel

from ppcls_ise.cli import quiet
from tests.helpers import NOISE, ROOT
from tests.training import TINY

pytestmark = pytest.mark.slow  # starts every program


def run(program, *arguments):
    """A program in a process of its own, with nothing set that this one has set."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GLOG_")}
    return subprocess.run([sys.executable, program, *map(str, arguments)], cwd=ROOT, text=True, env=environment,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)


def options(*overrides):
    return [part for override in overrides for part in ("-o", override)]


@pytest.fixture(scope="module")
def trained(people, tmp_path_factory):
    """(command line of a tiny run, its folder, its process)."""
    folder = tmp_path_factory.mktemp("run")
    arguments = ["-c", "configs/ISE_demo.yaml", *options(
        *TINY, "Global.epochs=1", f"Global.image_root={people}", f"Global.output_dir={folder}",
        f"Global.save_inference_dir={folder / 'inference'}")]
    return arguments, folder, run("tools/train.py", *arguments)


def check(done):
    assert done.returncode == 0, done.stdout
    assert not NOISE.search(done.stdout), done.stdout
    return done.stdout


def test_training_is_quiet(trained):
    assert "ppcls INFO: [Train][Epoch 1/1]" in check(trained[2])


@pytest.mark.parametrize("tool, line", [
    ("eval", "[Avg]mAP"), ("export_model", "Export succeeded"), ("visualize", "report:"), ("check_data", "Gallery")])
def test_tools_are_quiet(trained, tool, line):
    weights = next(trained[1].rglob("latest.pdparams"))
    assert line in check(run(f"tools/{tool}.py", *trained[0], *options(f"Global.pretrained_model={weights}")))


def test_tools_without_a_config_are_quiet(trained, tmp_path):
    weights = next(trained[1].rglob("latest.pdparams"))
    assert "purity" in check(run("tools/cluster_report.py", trained[1]))
    assert "wrote" in check(run("tools/convert_weights.py", weights, tmp_path / "weights.npz"))


def test_deployed_programs_are_quiet(exported, people, tmp_path):
    gallery = ["-c", "deploy/configs/gallery.yaml", *options(
        f"Global.rec_inference_model_dir={exported[1]}", f"Global.infer_imgs={people / 'query'}",
        f"IndexProcess.index_dir={tmp_path}", f"IndexProcess.image_root={people / 'query'}")]
    assert "jpg:\t[" in check(run("deploy/python/predict_rec.py", *gallery))
    assert "14 images" in check(run("deploy/python/build_gallery.py", *gallery))
    assert "similarity" in check(run("deploy/python/search.py", *gallery))


@pytest.mark.parametrize("command", [
    "tools/train.py -c configs/ISE_demo.yaml -o Global.protocol=none",
    "tools/export_model.py -c configs/ISE_demo.yaml",
    "tools/visualize.py -c configs/ISE_demo.yaml -o Cluster.epsilon=1",
    "tools/check_data.py -c nowhere.yaml",
    "tools/convert_weights.py nowhere.pth weights.npz",
    "tools/cluster_report.py nowhere",
    "tools/make_synthetic.py --root nowhere --cameras 99",
    "deploy/python/build_gallery.py -c deploy/configs/gallery.yaml -o IndexProcess.index_method=Fast",
    "deploy/serving/serve.py -c deploy/configs/gallery.yaml -o IndexProcess.index_dir=nowhere"])
def test_the_last_line_is_the_error(exported, command):
    model = options(f"Global.rec_inference_model_dir={exported[1]}") if command.startswith("deploy") else []
    done = run(*command.split(), *model)
    assert done.returncode and done.stdout.splitlines()[-1].startswith("error: "), done.stdout
    assert not NOISE.search(done.stdout), done.stdout


def test_the_library_leaves_logging_and_warnings_alone():
    code = ("import logging, warnings; before = list(warnings.filters)\n"
            "import ppcls_ise; from ppcls_ise.cli import quiet\n"
            "print(warnings.filters == before, logging.getLogger('faiss.loader').level)")
    assert run("-c", code).stdout == "True 0\n"


def test_other_warnings_are_shown(monkeypatch):
    monkeypatch.setenv("GLOG_minloglevel", "0")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        quiet.silence()
        warnings.warn("No ccache found. Please be aware", stacklevel=1)
        warnings.warn("No space left", stacklevel=1)
    assert [str(warning.message) for warning in seen] == ["No space left"]
    assert logging.getLogger("faiss.loader").isEnabledFor(logging.WARNING)
    assert os.environ["GLOG_minloglevel"] == "0"  # set by the user


@pytest.mark.parametrize("verbosity, expected", [(None, "1"), ("4", None)])
def test_paddles_verbose_lines_are_shown_to_who_asks(monkeypatch, verbosity, expected):
    for name, value in (("GLOG_minloglevel", None), ("GLOG_v", verbosity)):
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
    with warnings.catch_warnings():
        quiet.silence()
    assert os.environ.get("GLOG_minloglevel") == expected


def test_flags_that_the_environment_sets_are_shown(monkeypatch):
    shown = []
    monkeypatch.setattr(parallel, "_print_modified_flags", shown.extend)
    monkeypatch.setenv("FLAGS_check_nan_inf", "1")
    quiet.silence_flags()
    flags = [SimpleNamespace(name=name) for name in ("FLAGS_enable_pir_in_executor", "FLAGS_check_nan_inf")]
    parallel._print_modified_flags(flags)
    assert [flag.name for flag in shown] == ["FLAGS_check_nan_inf"]


def test_after_the_export_line_is_spent_errors_are_shown(capfd):
    quiet.silence_export()
    os.write(2, b"W0000 something else\n")
    assert capfd.readouterr().err == "W0000 something else\n"
    assert paddle.in_dynamic_mode()
