"""Where we reach into PaddleClas: every row of the table on the host that is installed."""
import ast
import importlib
import subprocess
import sys

import pytest

from ppcls_ise.host.find import VERSIONS, version
from ppcls_ise.host.table import TABLE, Row, broken, resolve
from tests.helpers import ROOT

HOST = ("ppcls", "paddle")


def name(row):
    return f"{row.kind} {row.target}"


@pytest.fixture(scope="module")
def complaints():
    """Row -> what broke, asked in a process where nothing is registered."""
    code = ("from ppcls_ise.host import activate; activate()\n"
            "from ppcls_ise.host.bridges import stand_in_for_visualdl; stand_in_for_visualdl()\n"
            "from ppcls_ise.host.table import TABLE, broken\n"
            "print('rows:', [broken(row) for row in TABLE])")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    return dict(zip(TABLE, ast.literal_eval(result.stdout.split("rows: ")[-1])))


def test_the_version_is_one_of_the_three():
    assert version() in VERSIONS


@pytest.mark.parametrize("row", TABLE, ids=name)
def test_the_row_holds_on_this_host(row, complaints):
    assert complaints[row] is None, complaints[row]


@pytest.mark.parametrize("row", [row for row in TABLE if row.kind != "used"], ids=name)
def test_the_row_is_done(row):
    module, _, target = row.target.partition(":")
    place, ours = importlib.import_module(module), resolve(row.ours)
    if module == "visualdl" and place.LogWriter is not ours:
        pytest.skip("VisualDL is installed")
    if row.kind == "wrapped":
        if not hasattr(place, target):
            pytest.skip(f"only in {', '.join(row.versions)}")
        # The replacement is a function that was made in our wrapper.
        assert getattr(place, target).__code__ in ours.__code__.co_consts
    else:
        assert getattr(place, target) is ours


@pytest.mark.parametrize("row", [row for row in TABLE if row.kind == "used"], ids=name)
def test_who_relies_on_it_exists(row):
    assert callable(resolve(row.ours))


ELSEWHERE = tuple(name for name in VERSIONS if name != version())


@pytest.mark.parametrize("row, complaint", [
    (Row("ppcls.utils.save_load:save_models", "wrapped", "a:b", "why"), "has no attribute 'save_models'"),
    (Row("ppcls.no_such_module:save_model", "wrapped", "a:b", "why"), "No module named 'ppcls.no_such_module'"),
    (Row("ppcls.utils.config:AttrDict", "used", "a:b", "why", mentions=("deepcopies",)), "no longer says 'deepcopies'"),
    (Row("ppcls.utils.config:AttrDict", "used", "a:b", "why", (version(),), ("deepcopies",)), "no longer says"),
    (Row("ppcls.utils.config:AttrDict", "used", "a:b", "why", ELSEWHERE, ("deepcopies",)), None),
    (Row("ppcls.utils.config:Attr", "used", "a:b", "why", ELSEWHERE), None),
    (Row("ppcls.utils.config:AttrDict", "used", "a:b", "why", ELSEWHERE), f"it is in {version()} as well"),
    (Row("ppcls.arch:Other", "added", "a:b", "why", mentions=("looked_up(name)",)), "no longer says")])
def test_a_row_that_no_longer_holds_is_named(row, complaint):
    found = broken(row)
    assert (found is None) if complaint is None else (complaint in found and row.target in found and "why" in found)


@pytest.mark.slow
def test_a_registration_that_failed_can_be_tried_again():
    code = ("import ppcls_ise, ppcls_ise.host.registration as registration\n"
            "resolve, failed = registration.resolve, []\n"
            "def first(place):\n"
            "    if place.endswith('wrap_load_pretrained') and not failed:\n"
            "        failed.append(place); raise ImportError('no faiss')\n"
            "    return resolve(place)\n"
            "registration.resolve = first\n"
            "try: ppcls_ise.register()\n"
            "except ImportError as error: print('error:', error)\n"
            "ppcls_ise.register()\n"
            "import ppcls.utils.save_load as save_load\n"
            "print('once:', not hasattr(save_load.save_model.__wrapped__, '__wrapped__'))")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert "error: ppcls.utils.save_load:load_dygraph_pretrain cannot be wrapped by" in result.stdout, result.stderr
    assert "once: True" in result.stdout


def test_nobody_else_puts_something_in_the_place_of_a_name():
    """Setting an attribute of a module, or of a class, of theirs."""
    for path in (ROOT / "ppcls_ise").rglob("*.py"):
        if "host" in path.relative_to(ROOT / "ppcls_ise").parts:
            continue
        tree = ast.parse(path.read_text())
        theirs = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                theirs |= {alias.asname or alias.name.partition(".")[0] for alias in node.names
                           if alias.name.partition(".")[0] in HOST}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module.partition(".")[0] in HOST:
                theirs |= {alias.asname or alias.name for alias in node.names}
        for node in ast.walk(tree):
            targets = node.targets if isinstance(node, ast.Assign) else []
            for target in targets:
                root = target
                while isinstance(root, ast.Attribute):
                    root = root.value
                if isinstance(target, ast.Attribute) and isinstance(root, ast.Name):
                    assert root.id not in theirs, f"{path.name}:{node.lineno}"
        assert "unittest" not in path.read_text(), path


def test_versions_are_known_to_the_host_only():
    for path in (ROOT / "ppcls_ise").rglob("*.py"):
        if "host" not in path.relative_to(ROOT / "ppcls_ise").parts:
            assert "paddle.__version__" not in path.read_text() and "importlib.metadata" not in path.read_text(), path
