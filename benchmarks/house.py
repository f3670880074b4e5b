"""Numbers of the code itself, at one commit or beside each other at several.

    python benchmarks/house.py                  # the working tree
    python benchmarks/house.py 05eba48 HEAD     # two commits, a column each

prints two markdown tables: lines and lengths, and the rooms whose public functions are not all annotated. Lengths,
parameters and annotations are those of ppcls_ise, tools and deploy; a function within a function is a function too.
"""
from __future__ import annotations

import argparse
import ast
import io
import math
import re
import statistics
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CODE = ("ppcls_ise", "tools", "deploy")
HOST = {"host", "host.py"}  # what may know versions: the room, and the module that it once was
VERSION = re.compile(r"""\b(paddle|paddleclas|ppcls)\.(__version__|version\b)|version\(["']paddle""")

Files = dict[str, str]  # text by path, from the root of the checkout


@dataclass(frozen=True)
class Function:
    path: str
    name: str            # qualified, as Class.method
    lines: int
    parameters: int      # self and cls are not counted
    public: bool         # no underscore before any part of the name (but for __init__ and its like), not in a function
    annotated: bool      # every parameter but self and cls, and what it returns (__init__ may leave that out)

    @property
    def room(self) -> str:
        first, *folders = Path(self.path).parent.parts
        return folders[0] if first == "ppcls_ise" and folders else first


def of_commit(commit: str) -> Files:
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        return {member.name: members.extractfile(member).read().decode() for member in members
                if member.isfile() and _counts(member.name)}


def of_working_tree() -> Files:
    names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                           capture_output=True, check=True, text=True).stdout.split("\0")
    return {name: (ROOT / name).read_text(encoding="utf-8") for name in names
            if _counts(name) and (ROOT / name).is_file()}


def _counts(name: str) -> bool:
    return name.endswith((".py", ".yaml"))


def python(files: Files, *folders: str) -> Files:
    """The Python files below some folders, or all of them."""
    return {path: text for path, text in files.items()
            if path.endswith(".py") and (not folders or path.split("/")[0] in folders)}


def line_count(files: Files) -> int:
    return sum(len(text.splitlines()) for text in files.values())


def functions(path: str, text: str) -> Iterator[Function]:
    """Every function and method of a file, the inner ones too."""

    def visit(node: ast.AST, scope: tuple[str, ...], in_class: bool, in_function: bool) -> Iterator[Function]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                name = (*scope, child.name)
                yield _function(path, child, name, in_class, in_function)
                yield from visit(child, name, False, True)
            elif isinstance(child, ast.ClassDef):
                yield from visit(child, (*scope, child.name), True, in_function)
            else:
                yield from visit(child, scope, in_class, in_function)

    return visit(ast.parse(text), (), False, False)


def _function(path: str, node: ast.FunctionDef | ast.AsyncFunctionDef, name: tuple[str, ...], in_class: bool,
              in_function: bool) -> Function:
    given = node.args
    positional = [*given.posonlyargs, *given.args]
    static = "staticmethod" in map(ast.unparse, node.decorator_list)
    parameters = [*positional[in_class and not static:], *given.kwonlyargs,
                  *(one for one in (given.vararg, given.kwarg) if one)]
    returns = node.returns is not None or (in_class and node.name == "__init__")
    return Function(path, ".".join(name), node.end_lineno - node.lineno + 1, len(parameters),
                    not in_function and all(map(_is_public, name)),
                    returns and all(parameter.annotation for parameter in parameters))


def _is_public(name: str) -> bool:
    return not name.startswith("_") or (name.startswith("__") and name.endswith("__"))


def path_edits(text: str) -> int:
    """How often a file changes sys.path."""

    def is_path(node: ast.AST) -> bool:
        return ast.unparse(node.value if isinstance(node, ast.Subscript) else node) == "sys.path"

    edits = 0
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            edits += node.func.attr in ("append", "extend", "insert", "pop", "remove") and is_path(node.func.value)
        elif isinstance(node, (ast.Assign, ast.AugAssign, ast.Delete)):
            edits += any(map(is_path, [node.target] if isinstance(node, ast.AugAssign) else node.targets))
    return edits


def imports_mock(text: str) -> bool:
    for node in ast.walk(ast.parse(text)):
        names = [alias.name for alias in node.names] if isinstance(node, (ast.Import, ast.ImportFrom)) else []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{name}" for name in names]
        if any(f"{name}.".startswith("unittest.mock.") for name in names):
            return True
    return False


def reads_version(path: str, text: str) -> bool:
    """Whether a file that is not the host's asks which Paddle or PaddleClas runs, be it in a program it starts."""
    return HOST.isdisjoint(Path(path).parts) and bool(VERSION.search(text))


def spread(lengths: dict[str, int]) -> str:
    """Median, 90th percentile (nearest rank) and maximum of lengths, and whose the maximum is."""
    longest = max(lengths, key=lengths.__getitem__)
    p90 = sorted(lengths.values())[math.ceil(0.9 * len(lengths)) - 1]
    return f"{statistics.median(lengths.values()):g} / {p90} / {lengths[longest]} (`{longest}`)"


def listed(paths: list[str]) -> str:
    """How many files, and which where they are few."""
    names = ", ".join(f"`{path}`" for path in paths)
    return f"{len(paths)} ({names})" if 0 < len(paths) <= 3 else str(len(paths))


def share(found: list[Function]) -> str:
    annotated = sum(function.annotated for function in found)
    return f"{math.floor(100 * annotated / len(found))} % ({annotated} of {len(found)})"


def numbers(files: Files) -> dict[str, str]:
    """The rows of the first table."""
    code = python(files, *CODE)
    found = [function for path, text in code.items() for function in functions(path, text)]
    widest = max(found, key=lambda function: function.parameters)
    outside_tests = {path: text for path, text in python(files).items() if not path.startswith("tests/")}
    edits = {path: count for path, text in outside_tests.items() if (count := path_edits(text))}
    yaml = [line for path, text in files.items() if path.startswith("configs/") and path.endswith(".yaml")
            for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]
    return {
        "lines of Python: ppcls_ise": f"{line_count(python(files, 'ppcls_ise')):,}",
        "lines of Python: tests": f"{line_count(python(files, 'tests')):,}",
        "lines of Python: tools, deploy, benchmarks": f"{line_count(python(files, 'tools', 'deploy', 'benchmarks')):,}",
        "modules": str(len(code)),
        "lines of a module: median / p90 / max": spread({path: len(text.splitlines()) for path, text in code.items()}),
        "functions": str(len(found)),
        "lines of a function: median / p90 / max": spread({
            f"{function.path}:{function.name}": function.lines for function in found}),
        "longest parameter list": f"{widest.parameters} (`{widest.path}:{widest.name}`)",
        "public functions fully annotated": share([function for function in found if function.public]),
        "lines of yaml in configs": f"{len(yaml):,}",
        "edits of sys.path outside tests": f"{sum(edits.values())} in {len(edits)} files",
        "files that read a version of Paddle or PaddleClas, outside host and tests": listed([
            path for path, text in outside_tests.items() if reads_version(path, text)]),
        "files that use unittest.mock outside tests": listed([
            path for path, text in outside_tests.items() if imports_mock(text)]),
    }


def rooms(files: Files) -> dict[str, str]:
    """The rows of the second table: rooms in which a public function lacks an annotation."""
    by_room: dict[str, list[Function]] = {}
    for path, text in sorted(python(files, *CODE).items()):
        for function in functions(path, text):
            if function.public:
                by_room.setdefault(function.room, []).append(function)
    return {room: share(found) for room, found in by_room.items() if not all(one.annotated for one in found)}


def table(title: str, trees: dict[str, Files], rows_of: Callable[[Files], dict[str, str]]) -> str:
    columns = [rows_of(files) for files in trees.values()]
    names = list(dict.fromkeys(name for column in columns for name in column))
    lines = [[title, *trees], ["---"] * (1 + len(trees)),
             *([name, *(column.get(name, "") for column in columns)] for name in names)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commits", nargs="*", help="what git knows as a commit; none: the working tree")
    arguments = parser.parse_args()
    trees: dict[str, Files] = {}
    for commit in arguments.commits:
        try:
            trees[commit] = of_commit(commit)
        except subprocess.CalledProcessError as error:
            parser.error(f"{commit}: {error.stderr.decode().strip()}")
    trees = trees or {"working tree": of_working_tree()}
    print(table("", trees, numbers))
    print()
    print(table("public functions fully annotated, rooms below 100 %", trees, rooms))


if __name__ == "__main__":
    main()
