"""ise config: a config in one piece."""
import subprocess
import sys

import yaml

from ppcls_ise.cli.config import main
from ppcls_ise.config import load_config
from tests.helpers import ROOT


def test_it_prints_the_flat_and_complete_config(capsys):
    assert main(["-c", "ISE_R50_LP.yaml", "-o", "Global.image_shape=[3,64,32]"]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == load_config("ISE_R50_LP.yaml", ["Global.image_shape=[3,64,32]"])


def test_paddleclas_reads_the_flat_file(tmp_path, capsys):
    from ppcls.utils.config import get_config

    file = tmp_path / "new" / "flat.yaml"
    assert main(["-c", str(ROOT / "configs/ISE_demo.yaml"), "-o", "Global.epochs=3", "--flat", str(file)]) == 0
    assert get_config(str(file), show=False) == load_config("ISE_demo.yaml", ["Global.epochs=3"])
    assert not capsys.readouterr().out and file.read_text().splitlines()[0].endswith(
        "ISE_demo.yaml -o Global.epochs=3, flat.")


def test_for_a_mode_it_is_what_the_engine_is_given(tmp_path, capsys):
    from ppcls.utils.config import get_config

    from ppcls_ise.engine import prepare_config

    file = tmp_path / "flat.yaml"
    assert main(["-c", "ISE_demo.yaml", "--for", "train", "--flat", str(file)]) == 0
    assert get_config(str(file), show=False) == prepare_config(load_config("ISE_demo.yaml"), "train")
    assert "ISE_demo.yaml, flat, for PaddleClas's own tools to train, not for ise" in file.read_text().splitlines()[0]
    assert main(["-c", "ISE_demo.yaml", "--for", "export"]) == 1
    assert "export needs the trained weights" in capsys.readouterr().err


def test_mistakes_are_one_line(capsys):
    assert main(["-c", "ISE_R51.yaml"]) == 1
    assert capsys.readouterr().err.startswith("error: config ISE_R51.yaml does not exist; did you mean ISE_R50.yaml")


def test_it_needs_neither_paddle_nor_paddleclas():
    program = ("import sys; sys.modules.update(dict.fromkeys(('paddle', 'ppcls', 'numpy')))\n"
               "from ppcls_ise.cli.config import main; sys.exit(main(['-c', 'ISE_demo.yaml']))")
    found = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0 and "ISEModel" in found.stdout, found.stderr
