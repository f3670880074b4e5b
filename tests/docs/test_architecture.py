"""The layering of docs/architecture.md against the imports, and the pictures against the script that draws them."""
import ast
import re
import runpy

import pytest
from helpers import ROOT

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


@pytest.mark.parametrize("room", ["clustering", "metric", "weights", "errors"])
def test_rooms_that_know_no_paddleclas(room):
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).with_suffix("").parts[0] == room:
            assert not [name for name in imports(path) if name.partition(".")[0] == "ppcls"], path


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
