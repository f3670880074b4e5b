"""Reading files of weights: right values, and nothing that is in them is run."""
import io
import os
import pathlib
import pickle
import zipfile

import numpy as np
import paddle
import pytest

from ppcls_ise.weights import read_state, write_state

FIXTURE = pathlib.Path(__file__).parent / "fixture"
BASE = np.arange(12, dtype="float32").reshape(3, 4)


@pytest.mark.parametrize("form", ["zip", "legacy"])
def test_both_forms_of_torch_save(form):
    state = read_state(str(FIXTURE / f"{form}.pth"))
    assert list(state) == ["module.a", "module.b", "module.c", "n", "d", "e"]
    for name, expected in (("module.a", BASE), ("module.b", BASE.T), ("module.c", BASE[1:, ::2]), ("d", BASE)):
        np.testing.assert_array_equal(state[name], expected)
    assert state["n"] == 7 and state["n"].dtype == "int64" and state["e"].shape == (0, 3)


@pytest.mark.parametrize("suffix", [".pdparams", ".npz", ".safetensors", ".pth"])
def test_written_files_are_read_again(tmp_path, suffix):
    if suffix != ".npz":
        pytest.importorskip({".pdparams": "paddle", ".pth": "torch"}.get(suffix, "safetensors"))
    state = {"w": BASE.T, "half": BASE.astype("float16"), "n": np.array(3), "empty": np.zeros((0, 2), "float32")}
    path = str(tmp_path / "sub" / ("weights" + suffix))
    write_state(path, {"old": BASE})
    write_state(path, state)
    read = read_state(path)
    assert set(read) == set(state) and os.listdir(tmp_path / "sub") == ["weights" + suffix]
    for name, value in state.items():
        assert read[name].shape == value.shape and read[name].dtype == value.dtype
        np.testing.assert_array_equal(read[name], value)


@pytest.mark.parametrize("protocol", [2, 4])
def test_paddles_own_files(tmp_path, protocol):
    layer = paddle.nn.Linear(3, 2)
    path = str(tmp_path / "layer.pdparams")
    paddle.save(layer.state_dict(), path, protocol=protocol)
    state = read_state(path)
    assert list(state) == ["weight", "bias"]
    np.testing.assert_array_equal(state["weight"], layer.weight.numpy())


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def _malicious(kind, victim):
    payload = pickle.dumps({"state_dict": {"w": Evil(victim)}}, protocol=2)
    if kind == "zip":
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("archive/data.pkl", payload)
        return file.getvalue()
    magic = [0x1950a86a20f9469cfc6c, 1001, {}] if kind == "legacy" else []
    return b"".join(pickle.dumps(item, protocol=2) for item in magic) + payload


@pytest.mark.parametrize("kind, suffix", [("zip", ".pth"), ("legacy", ".pt"), ("plain", ".pdparams"),
                                          ("plain", ".tar")])
def test_what_a_pickle_wants_to_run_is_named_and_not_run(tmp_path, kind, suffix):
    victim, path = tmp_path / "victim", tmp_path / ("evil" + suffix)
    path.write_bytes(_malicious(kind, victim))
    with pytest.raises(ValueError, match=r"evil.* names (posix|nt)\.system"):
        read_state(str(path))
    assert not victim.exists()
    pickle.loads(pickle.dumps(Evil(victim)))  # the bait is real
    assert victim.exists()


@pytest.mark.parametrize("payload", [
    b"cbuiltins\neval\n(S'1'\ntR.", b"cnumpy\nload\n(S'x'\ntR.", b"cnumpy\ndtype\n(S'O'\ntR.",
    b"ctorch.storage\n_load_from_bytes\n(S'x'\ntR."])
def test_only_names_that_weights_need_are_known(tmp_path, payload):
    path = tmp_path / "weights.pdparams"
    path.write_bytes(payload)
    with pytest.raises(ValueError, match=r"weights.pdparams (were not read|cannot be read)"):
        read_state(str(path))


def test_tensors_beyond_their_storage_are_refused(tmp_path):
    """torch's as_strided would read other memory of the process."""
    good = zipfile.ZipFile(FIXTURE / "zip.pth")
    with zipfile.ZipFile(tmp_path / "far.pth", "w") as bad:
        for name in good.namelist():
            data = good.read(name)
            if name.endswith("data.pkl"):
                assert data.count(b"K\x03K\x04\x86") >= 1
                data = data.replace(b"K\x03K\x04\x86", b"K\x63K\x04\x86")  # [3, 4] -> [99, 4]
            bad.writestr(name, data)
    with pytest.raises(ValueError, match="outside its storage"):
        read_state(str(tmp_path / "far.pth"))


@pytest.mark.parametrize("name", ["zip.pth", "legacy.pth"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.98])
def test_truncated_files(tmp_path, name, share):
    data = (FIXTURE / name).read_bytes()
    (tmp_path / name).write_bytes(data[:int(len(data) * share)])
    with pytest.raises(ValueError, match=f"{name} (cannot be read|were not read)"):
        read_state(str(tmp_path / name))


def test_what_is_no_file_of_weights(tmp_path):
    for name, message in (("nowhere.pth", "do not exist"), ("a.doc", "known are .pdparams, .pth")):
        with pytest.raises(ValueError, match=message):
            read_state(str(tmp_path / name))
    for content, message in (([1, 2], "hold a list"), ({}, "it is empty"), ({"a": 1, "b": BASE}, "a are no arrays")):
        paddle.save(content, str(tmp_path / "x.pdparams"))
        with pytest.raises(ValueError, match=message):
            read_state(str(tmp_path / "x.pdparams"))
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as archive:
        archive.writestr("script/data.pkl", b"")
        archive.writestr("script/constants.pkl", b"")
    with pytest.raises(ValueError, match="TorchScript"):
        read_state(str(tmp_path / "script.pt"))
    with pytest.raises(ValueError, match="bfloat16; save them as float32"):
        read_state(str(FIXTURE / "bfloat16.pth"))
    np.savez(tmp_path / "object.npz", w=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="object.npz cannot be read"):
        read_state(str(tmp_path / "object.npz"))
    with pytest.raises(ValueError, match="written as"):
        write_state(str(tmp_path / "w.bin"), {})
