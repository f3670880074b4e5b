"""``ise`` and the parsers of its commands; and that the files of a checkout are nothing but other names of them."""
import os
import re
import shlex
import subprocess
import sys

import pytest

import ppcls_ise
from ppcls_ise.cli import main as ise
from ppcls_ise.cli import program
from ppcls_ise.errors import ISEError
from ppcls_ise.host import HostError
from tests.helpers import ROOT

#: File of a checkout -> command.
SHIMS = {"tools/train.py": "train", "tools/eval.py": "eval", "tools/export_model.py": "export",
         "tools/check_data.py": "check-data", "tools/visualize.py": "visualize", "tools/demo.py": "demo",
         "tools/cluster_report.py": "cluster-report", "tools/convert_weights.py": "convert-weights",
         "tools/mix_weights.py": "mix-weights",
         "tools/make_synthetic.py": "synthetic", "deploy/python/predict_rec.py": "predict",
         "deploy/python/build_gallery.py": "gallery", "deploy/python/search.py": "search",
         "deploy/serving/serve.py": "serve"}
WITHOUT_PADDLE = """import sys
for name in ("paddle", "ppcls", "paddleclas", "faiss", "fastapi", "numba"):
    sys.modules[name] = None  # as if not installed
import ppcls_ise
from ppcls_ise.cli.main import COMMANDS, main
for arguments in ([], ["--help"], ["--version"]):
    assert main(arguments) == 0
for name in COMMANDS:
    try:
        main([name, "--help"])
    except SystemExit as end:
        assert end.code == 0, name
"""


def python(*command, **options):
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=ROOT, timeout=60,
                          env={**os.environ, "PYTHONPATH": str(ROOT)}, **options)


@pytest.fixture(scope="module")
def helped():
    """What every ``--help`` prints, one after the other."""
    done = python("-c", WITHOUT_PADDLE)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_help_names_every_command_in_a_line_of_its_own(helped):
    listed = re.findall(r"^  ([\w-]+) +(\w.{10,80}\.)$", helped.partition("options:")[0], re.M)
    assert [name for name, _ in listed] == list(ise.COMMANDS)
    assert f"ppcls_ise {ppcls_ise.__version__}\n" in helped


@pytest.mark.parametrize("name", ise.COMMANDS)
def test_help_of_a_command_has_an_example_that_its_parser_takes(name, helped):
    module = ise.command(name)
    assert f"usage: ise {name} [-h]" in helped and module.__doc__.strip() in helped
    text = module.__doc__.replace("\\\n", " ")  # which Python 3.13 takes the blanks from that all lines begin with
    examples = re.findall(rf"^ *(?:python .* )?ise {name}\b(.*)$", text, re.M)
    assert examples
    for example in examples:
        module.parser().parse_args(shlex.split(example, comments=True))


def test_a_command_that_there_is_not(capsys):
    assert ise.main(["chek-data"]) == 2
    assert "error: chek-data is no command, did you mean check-data?" in capsys.readouterr().err
    assert ise.main(["xyzzy"]) == 2
    assert "did you mean" not in capsys.readouterr().err


@pytest.mark.parametrize("path, name", SHIMS.items())
def test_a_file_of_the_checkout_is_the_command(path, name):
    assert len((ROOT / path).read_text().splitlines()) < 16
    done = python(path, "--help")
    assert done.returncode == 0 and done.stdout.startswith(f"usage: ise {name} [-h]"), done.stderr


@pytest.mark.parametrize("path", [path for path in SHIMS if path.startswith("deploy/")])
def test_a_file_of_deploy_has_to_be_given_its_config(path):
    done = python(path)
    assert done.returncode == 2 and "required: -c" in done.stderr


def test_no_other_file_lies_beside_them():
    found = [path for folder in ("tools", "deploy") for path in (ROOT / folder).rglob("*.py")]
    assert {str(path.relative_to(ROOT)) for path in found} == set(SHIMS)
    assert {*SHIMS.values(), "config"} == set(ise.COMMANDS)


@pytest.mark.slow
def test_the_exit_code_of_a_file_is_that_of_the_command():
    assert python("tools/cluster_report.py", "nowhere").returncode == 1
    assert python("-m", "ppcls_ise.cli", "cluster-report", "nowhere").returncode == 1


@pytest.mark.parametrize("outcome, code", [
    (None, 0), (0, 0), (1, 1), (ISEError("a key\nis wrong"), 1), (HostError("no PaddleClas"), 1),
    (KeyboardInterrupt(), 130)])
def test_how_a_command_ends(outcome, code, capsys):
    def action(options):
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    assert program.run(program.make_parser("train", None), action, []) == code
    printed = capsys.readouterr()
    message = f"error: {outcome}\n" if isinstance(outcome, (ISEError, HostError)) else ""
    assert (printed.out, printed.err) == ("", message)


@pytest.mark.parametrize("command", ["--help", "config -c ISE_demo.yaml"])
def test_who_prints_what_nobody_reads_ends_quietly(command):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as nobody:
        done = subprocess.run([sys.executable, "-m", "ppcls_ise.cli", *command.split()], stdout=nobody,
                              stderr=subprocess.PIPE, text=True, cwd=ROOT, timeout=60)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_broken_pipe_of_somebody_else_is_not_hidden():
    def action(options):
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        program.run(program.make_parser("train", None), action, [])


def test_other_errors_are_not_hidden():
    def action(options):
        raise RuntimeError("a fault of ours")

    with pytest.raises(RuntimeError, match="a fault of ours"):
        program.run(program.make_parser("train", None), action, [])


def test_options_of_paddleclas(capsys):
    options = ise.command("train").parser().parse_args(["-c", "a.yaml", "-o", "A=1", "-o", "B.c=2", "-p", "timer=1"])
    assert (options.config, options.override, options.profiler_options) == ("a.yaml", ["A=1", "B.c=2"], "timer=1")
    with pytest.raises(SystemExit, match="2"):
        ise.main(["train"])
    assert "-c" in capsys.readouterr().err
