import numpy as np
import pytest

from ppcls_ise.cli import mix_weights
from ppcls_ise.errors import ISEError
from ppcls_ise.weights import mixed, read_state, write_state

START = {"a.weight": np.array([1, 2], np.float32), "a.count": np.array([3])}
TRAINED = {"a.weight": np.array([3, 10], np.float32), "a.count": np.array([5])}


def test_weights_lie_on_the_way():
    found = mixed(START, TRAINED, 0.75)
    assert found["a.weight"].tolist() == [2.5, 8] and found["a.weight"].dtype == np.float32
    assert found["a.count"].tolist() == [5]
    assert mixed(START, TRAINED, 0)["a.weight"].tolist() == [1, 2]
    assert mixed(START, TRAINED, 1)["a.weight"].tolist() == [3, 10]


@pytest.mark.parametrize("other, share, message", [
    (TRAINED, 1.1, "from 0, the start, to 1"), ({"a.weight": START["a.weight"]}, 0.5, "only one has a.count"),
    ({**TRAINED, "b": np.zeros(1)}, 0.5, "only one has b"),
    ({**TRAINED, "a.weight": np.zeros(3, np.float32)}, 0.5, r"a.weight float32 \[2\] and float32 \[3\]")])
def test_other_networks_are_refused(other, share, message):
    with pytest.raises(ISEError, match=message):
        mixed(START, other, share)


def test_the_command_writes_a_file(tmp_path, capsys):
    files = [str(tmp_path / f"{name}.npz") for name in ("start", "trained", "between")]
    write_state(files[0], START)
    write_state(files[1], TRAINED)
    assert mix_weights.main([*files, "--share", "0.5"]) == 0
    assert read_state(files[2])["a.weight"].tolist() == [2, 6]
    assert "2 parameters, 0.5 of the way" in capsys.readouterr().out
    assert mix_weights.main([files[0], str(tmp_path / "none.npz"), files[2]]) == 1
