"""``ise cluster-report``: runs side by side."""
import subprocess
import sys

import numpy as np
import pytest

from ppcls_ise.cli import cluster_report
from ppcls_ise.metric.epoch_table import EpochTable
from tests.helpers import ROOT


@pytest.fixture
def tool(capsys):
    def run(*arguments):
        code, printed = cluster_report.main([*map(str, arguments)]), capsys.readouterr()
        if code:
            raise SystemExit(printed.err)
        return printed.out

    return run


@pytest.fixture
def runs(tmp_path):
    """``a`` kept its figures, which say more than file names do; ``b`` only its pseudo labels."""
    table = EpochTable(str(tmp_path / "a" / "clusters.csv"))
    table.put(1, {"clusters": 3, "outliers": 0, "cross_camera": 0.25})
    table.put(2, {"clusters": 12, "outliers": 7, "cross_camera": 1.0})
    for folder, names in (("a", ["gate/x.jpg", "yard/y.jpg"]), ("b", ["1_c1.jpg", "1_c2.jpg"])):
        (tmp_path / folder / "pseudo_labels").mkdir(parents=True)
        np.savez(tmp_path / folder / "pseudo_labels" / "epoch_2.npz", labels=np.array([0, 0]), paths=np.array(names))
    return tmp_path


def test_figures_of_a_run_or_of_its_labels(tool, runs):
    printed = tool(f"first={runs / 'a'}", f"second={runs / 'b'}", "--columns", "clusters", "cross_camera", "purity")
    assert printed.splitlines() == [
        "Each cell: first / second.", "", "| epoch | clusters | cross camera | purity |", "|---|---|---|---|",
        "| 1 | 3 / - | .250 / - | - / - |", "| 2 | 12 / 1 | 1.00 / 1.00 | - / 1.00 |"]


@pytest.mark.slow
def test_pictures_and_histories_need_no_paddle(runs):
    program = ("import sys; sys.modules['paddle'] = sys.modules['ppcls'] = None\n"  # not installed
               "from ppcls_ise.visualize import cluster_history, contact_sheet\n"
               "print(cluster_history(sys.argv[1])[2]['clusters'], contact_sheet([]).size)")
    result = subprocess.run([sys.executable, "-c", program, str(runs / "b")], cwd=ROOT, capture_output=True, text=True)
    assert result.stdout == "1 (80, 156)\n", result.stderr


def test_records_of_an_abandoned_run_do_not_count(tool, runs):
    for epoch in (1, 3):
        np.savez(runs / "a" / "pseudo_labels" / f"epoch_{epoch}.npz", labels=np.array([0, 1]),
                 paths=np.array(["1_c1.jpg", "1_c2.jpg"]))
    printed = tool(runs / "a", "--pattern", r"(?P<pid>\d)_c\d", "--columns", "clusters").splitlines()
    assert [line.split(" | ")[0] for line in printed[4:]] == ["| 1", "| 2"]  # clusters.csv ends there


def test_a_pattern_works_the_figures_out_anew(tool, runs):
    pattern = r"(?P<pid>\d)_c\d"
    assert "| 2 | 1 / 1 | - / - |" in tool(runs / "a", runs / "b", "--pattern", pattern, "--columns", "clusters",
                                           "cross_camera")
    for wrong, message in (("(?P<pid", "pattern .* missing"), ("(?P<pid>[a-z]+)", "pattern .* which is no integer")):
        with pytest.raises(SystemExit, match=message):
            tool(runs / "a", "--pattern", wrong)
    with pytest.raises(SystemExit, match="no pseudo labels in"):
        tool(runs / "elsewhere")


@pytest.mark.parametrize("every", ["0", "-1", "1.5", "many"])
def test_lines_are_some_epochs_apart(runs, every, capsys):
    with pytest.raises(SystemExit, match="2"):
        cluster_report.main([str(runs / "a"), f"--every={every}"])
    assert f"a whole number above 0, not '{every}'" in capsys.readouterr().err


def test_a_column_that_no_run_has_is_named(runs, capsys):
    assert cluster_report.main([str(runs / "a"), "--columns", "purities"]) == 1
    assert "error: --columns: no run has purities, did you mean purity? Known are" in capsys.readouterr().err
