"""The wheel: what it holds, and that it is enough away from any checkout."""
import os
import re
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser

import pytest

import ppcls_ise
from tests.helpers import ROOT

pytestmark = pytest.mark.slow  # builds
pytest.importorskip("setuptools", "77", reason="an older one cannot read the licence in pyproject.toml")
SOURCES = ("ppcls_ise", "configs", "pyproject.toml", "setup.py", "README.md", "LICENSE")


def build(source, target, kind):
    """Build ``wheel`` or ``sdist`` of a source tree, offline; returns the file."""
    code = f"from setuptools.build_meta import build_{kind}; build_{kind}({str(target)!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return next(target.glob("*.whl" if kind == "wheel" else "*.tar.gz"))


def copy(target):
    """The files that a wheel is made of, without what earlier builds have left beside them."""
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target / name)
    return target


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build(copy(tmp_path_factory.mktemp("source")), tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.fixture(scope="module")
def unpacked(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


@pytest.fixture(scope="module")
def metadata(unpacked):
    return next(unpacked.glob("*.dist-info"))


def run(unpacked, tmp_path, *arguments):
    """Python in an empty folder, with the unpacked wheel first on its path; returns what it printed."""
    done = subprocess.run([sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60,
                          env={**os.environ, "PYTHONPATH": str(unpacked)})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_holds_the_package_and_the_configs_and_nothing_else(unpacked, metadata):
    held = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    package = {str(path.relative_to(ROOT)) for path in (ROOT / "ppcls_ise").rglob("*")
               if path.suffix in (".py", ".html", ".css")}
    configs = {f"ppcls_ise/{path.relative_to(ROOT)}" for path in (ROOT / "configs").rglob("*.yaml")}
    assert {"ppcls_ise/serving/page.html", "ppcls_ise/visualize/style.css"} <= package and len(configs) > 8
    assert {name for name in held if not name.startswith(metadata.name)} == package | configs


def test_a_wheel_of_the_source_distribution_holds_the_same(wheel, tmp_path):
    source = build(copy(tmp_path), tmp_path, "sdist")
    shutil.unpack_archive(source, tmp_path / "sdist", filter="data")
    again = build(next((tmp_path / "sdist").iterdir()), tmp_path, "wheel")
    assert sorted(zipfile.ZipFile(again).namelist()) == sorted(zipfile.ZipFile(wheel).namelist())


def test_its_metadata(metadata):
    text = (metadata / "METADATA").read_text()
    fields = Parser().parsestr(text)
    assert (fields["Name"], fields["Version"]) == ("ppcls_ise", ppcls_ise.__version__)
    extras = {"cpu", "gpu", "paddle2", "deploy", "onnx", "convert", "test", "dev"}
    assert extras == set(fields.get_all("Provides-Extra"))
    needed = [line for line in fields.get_all("Requires-Dist") if "extra ==" not in line]
    assert not [line for line in needed if line.startswith("paddle")]  # which fits is the machine's affair
    assert "ise = ppcls_ise.cli.main:main" in (metadata / "entry_points.txt").read_text()
    assert (metadata / "licenses" / "LICENSE").is_file()


def test_linters_are_pinned():
    """``make lint`` says the same everywhere."""
    text = (ROOT / "pyproject.toml").read_text()
    assert re.search(r'^dev = .*"mypy==[\d.]+", "ruff==[\d.]+"', text, re.M)


def test_its_commands_run_in_any_folder(unpacked, tmp_path):
    assert "cluster-report" in run(unpacked, tmp_path, "-m", "ppcls_ise.cli", "--help")
    code = ("import ppcls_ise\nfrom ppcls_ise.config.load import load_config, shipped_configs\n"
            "print(ppcls_ise.__file__, shipped_configs(), load_config('ISE_demo.yaml')['Global']['output_dir'])")
    package = str(unpacked / "ppcls_ise")
    assert run(unpacked, tmp_path, "-c", code).split() == [
        f"{package}/__init__.py", f"{package}/configs", "./output/ISE_demo"]


def test_importing_it_imports_neither_paddle_nor_paddleclas(unpacked, tmp_path):
    code = ("import sys\nimport ppcls_ise\n"
            "print([name for name in sys.modules if name.split('.')[0] in ('paddle', 'ppcls', 'paddleclas', 'numpy')])")
    assert run(unpacked, tmp_path, "-c", code) == "[]\n"
