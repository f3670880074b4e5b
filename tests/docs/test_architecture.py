"""The layering of docs/architecture.md against the imports, and the pictures against the script that draws them."""
import ast
import importlib
import re
import runpy

import pytest

from tests.helpers import ROOT

PACKAGE = ROOT / "ppcls_ise"
ROWS = re.findall(r"^\| `(\w+)` \| [^|]* \|([^|]*)\|$", (ROOT / "docs/architecture.md").read_text(), re.M)
ROOMS = [name for name, _ in ROWS]


def allowed():
    rooms, below = {}, []
    for name, text in ROWS:
        named = set(re.findall(r"`(\w+)`", text))
        if text.strip().startswith("all"):
            named = set(below) - named  # "all of the above but"
        rooms[name] = named | {name}
        below.append(name)
    return rooms


def imports(path):
    """Modules that a file imports, whole names."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [*package[:len(package) - node.level + 1]] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def rooms_of(path):
    return {name.split(".")[1] for name in imports(path) if name.startswith("ppcls_ise.")} & set(ROOMS)


def test_every_room_is_in_the_table():
    found = {path.stem for path in PACKAGE.iterdir() if path.is_dir() and list(path.glob("*.py"))
             or path.suffix == ".py" and path.stem != "__init__"}
    assert found == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_what_the_table_allows(room):
    files = list((PACKAGE / room).rglob("*.py")) or [PACKAGE / f"{room}.py"]
    for path in files:
        assert rooms_of(path) <= allowed()[room], path


@pytest.mark.parametrize("room, theirs", [
    *((room, ("ppcls",)) for room in ("host", "clustering", "metric", "weights", "distributed", "inference", "gallery",
                                      "serving", "visualize")),
    *((room, ("ppcls", "paddle")) for room in ("errors", "files", "threads", "finite", "config", "images", "gallery",
                                               "serving", "visualize"))])
def test_rooms_that_know_no_paddleclas_or_paddle(room, theirs):
    """At the head of a module: a function may import what its caller has anyway."""
    for path in list((PACKAGE / room).rglob("*.py")) or [PACKAGE / f"{room}.py"]:
        tree = ast.parse(path.read_text())
        heads = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
        names = [alias.name for node in heads if isinstance(node, ast.Import) for alias in node.names]
        names += [node.module for node in heads if isinstance(node, ast.ImportFrom) and not node.level]
        assert not [name for name in names if name.partition(".")[0] in theirs], path


NAMES = sorted({name for name in re.findall(r"`((?:\w+\.)+\w+)`", (ROOT / "docs/architecture.md").read_text())
                if name.split(".")[0] in ROOMS and not name.endswith(".yml")})


@pytest.mark.parametrize("name", NAMES)
def test_the_walk_names_what_is_there(name):
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(["ppcls_ise", *parts[:length]]))
        except ModuleNotFoundError as error:
            assert error.name.startswith("ppcls_ise"), error
            continue
        for attribute in parts[length:]:
            found = getattr(found, attribute)
        return
    raise AssertionError(name)


def changes_path(tree):
    """Whether a program changes sys.path, by a call, an assignment or a slice."""
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else [node.func.value] if (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)) else []
        for target in targets:
            if ast.unparse(target).split("[")[0] == "sys.path":
                return True
    return False


def test_only_shims_change_the_path_and_they_are_a_few_lines():
    shims = {path for folder in ("tools", "deploy/python", "deploy/serving") for path in (ROOT / folder).glob("*.py")}
    for path in shims:
        assert changes_path(ast.parse(path.read_text())) and len(path.read_text().splitlines()) < 20, path
    others = {path for folder in ("ppcls_ise", "benchmarks", "docs", "tests", "test_tipc")
              for path in (ROOT / folder).rglob("*.py") if "output" not in path.parts}
    finder = PACKAGE / "host/find.py"  # makes ppcls importable, which is what a user asks it for
    assert {path for path in others if changes_path(ast.parse(path.read_text()))} == {finder}


def test_the_pictures_are_those_that_the_script_draws(tmp_path):
    runpy.run_path(str(ROOT / "docs/draw.py"))["main"](tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted(path.name for path in (ROOT / "docs/pictures").iterdir())
    number = re.compile(r"-?\d+\.\d+")
    for name in names:  # numbers may differ in their last digit from machine to machine
        drawn, committed = ((folder / name).read_text() for folder in (tmp_path, ROOT / "docs/pictures"))
        assert number.sub("#", drawn) == number.sub("#", committed), name
        for new, old in zip(number.findall(drawn), number.findall(committed)):
            assert abs(float(new) - float(old)) < 0.15, name
