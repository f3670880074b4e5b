"""Two processes, through gloo on the CPU."""
import sys

import numpy as np
import pytest

from tests.clustering.twins import features
from tests.distributed import worker_clustering
from tests.distributed.launching import launch
from tests.helpers import NOISE, ROOT

pytestmark = pytest.mark.slow  # launches processes


def test_gradients_and_memory_are_those_of_one_process(tmp_path):
    rng = np.random.default_rng(0)
    centroids = rng.standard_normal((6, 8)).astype("float32")
    np.savez(tmp_path / "data.npz", x=rng.standard_normal((16, 5)).astype("float32"),
             weight=rng.standard_normal((5, 8)).astype("float32"), labels=np.repeat([4, 0, 5, 2], 4),
             centroids=centroids / np.linalg.norm(centroids, axis=1, keepdims=True))
    worker = ROOT / "tests/distributed/worker_global_batch.py"
    for processes in (1, 2):
        result = launch(worker, tmp_path / "data.npz", tmp_path / f"of{processes}", processes=processes, cwd=tmp_path)
        assert result.returncode == 0, result.stdout + result.stderr
    one, first, second = (np.load(tmp_path / name) for name in ("of1_0.npz", "of2_0.npz", "of2_1.npz"))
    for key in ("losses", "gradient", "weight", "centroids"):
        np.testing.assert_allclose(first[key], one[key], rtol=1e-5, atol=1e-6, err_msg=key)
        np.testing.assert_array_equal(first[key], second[key], err_msg=key)


@pytest.mark.parametrize("processes", [2, 3])
def test_labels_are_those_of_one_process_and_errors_reach_all(tmp_path, processes):
    x = features(2602, groups=200, duplicates=300)  # shares of 1301; of 868, 868, 866
    np.save(tmp_path / "x.npy", x)
    result = launch(ROOT / "tests/distributed/worker_clustering.py", tmp_path / "x.npy", tmp_path / "rank",
                    processes=processes, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    one = worker_clustering.results(x, str(tmp_path / "one.npz"))
    assert one["exact labels"].max() > 50 and one["cameras labels"].max() > 50 and one["cameras joins"] > 50
    assert all(one[f"{name}DBSCAN exact labels"].max() > 50 for name in ("CrossCamera", "CameraJaccard"))
    for rank in range(processes):
        found = np.load(tmp_path / f"rank_{rank}.npz")
        for key, value in one.items():
            np.testing.assert_array_equal(found[key], value, err_msg=f"process {rank}: {key}")
        assert "fewer images than Cluster.min_samples" in str(found["too few"])
        for broken in ("broken on the last", "scan broken on the first"):
            assert "'NoneType' object is not callable" in str(found[broken])
        own = np.arange(6).reshape(2, 3) + rank * 6
        np.testing.assert_array_equal(found["slices"], [own + 100 * other for other in range(processes)])


@pytest.fixture
def tiny(people):
    from tests.training import TINY

    return [word for override in [*TINY, f"Global.image_root={people}"] for word in ("-o", override)]


def test_training_and_evaluation_with_the_command_line(tiny, tmp_path):
    config = ["-c", ROOT / "configs/ISE_demo.yaml", *tiny, "-o", f"Global.output_dir={tmp_path / 'output'}"]
    result = launch(ROOT / "tools/train.py", *config, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    for process in (0, 1):
        assert not NOISE.search((tmp_path / f"log/workerlog.{process}").read_text())
    log = next((tmp_path / "output").rglob("train.log")).read_text()
    assert log.count("[Train][Epoch") == 8 and log.count("[Cluster][Epoch 2] images:") == 1
    assert "batches of" not in log
    weights = next((tmp_path / "output").rglob("latest.pdparams"))
    lines = []
    for processes in (1, 2):
        result = launch(ROOT / "tools/eval.py", *config, "-o", f"Global.pretrained_model={weights}",
                        processes=processes, cwd=tmp_path)
        assert result.returncode == 0, result.stdout + result.stderr
        log = next((tmp_path / "output").rglob("eval.log")).read_text()
        lines.append([line.split("[Avg]")[1] for line in log.splitlines() if "[Avg]mAP" in line][-1])
    assert lines[0] == lines[1]


@pytest.mark.parametrize("override, message", [
    ("Global.image_root=nowhere", "there is no folder or list file nowhere"),
    ("Cluster.epss=0.4", "Cluster.epss is no known key, did you mean eps?"),
    ("Cluster.eps=0.0001", "no cluster among"),
    ("Cluster.min_samples=500", "Cluster.min_samples")])
def test_mistakes_end_every_process_with_one_message(tiny, tmp_path, override, message):
    config = ["-c", ROOT / "configs/ISE_demo.yaml", *tiny, "-o", f"Global.output_dir={tmp_path / 'output'}",
              "-o", "Cluster.min_samples=4", "-o", override, "-o", "Synthetic=None"]
    for processes in (1, 2):
        result = launch(ROOT / "tools/train.py", *config, processes=processes, cwd=tmp_path, timeout=120)
        text = result.stdout + result.stderr
        assert result.returncode and "error: " in text and message in text, text
        assert "Traceback" not in text, text


def test_an_image_that_one_process_cannot_read_is_named_on_all(tmp_path):
    result = launch(ROOT / "tests/distributed/worker_bad_image.py", tmp_path / "reported", cwd=tmp_path, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    for rank in (0, 1):
        assert (tmp_path / f"reported_{rank}.txt").read_text() == "[0, 1]\nspoilt.jpg is no readable image"


def test_the_installed_command_in_several_processes(tmp_path):
    """``python -m paddle.distributed.launch ise train ...`` where pip has put the command."""
    command = tmp_path / "ise"
    command.write_text(f"#!{sys.executable}\nimport sys\nfrom ppcls_ise.cli.main import main\nsys.exit(main())\n")
    command.chmod(0o755)
    result = launch(command, "train", "-c", "ISE_demo.yaml", "-o", "Global.protocol=none", cwd=tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr
    for process in (0, 1):
        log = (tmp_path / f"log/workerlog.{process}").read_text().splitlines()
        said = any(line.startswith("error: Global.protocol is ") for line in log)
        assert said or process == 1  # which the launcher may have ended before
        assert "Traceback (most recent call last):" not in log
