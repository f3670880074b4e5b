import os
import subprocess
import sys

import pytest

from ppcls_ise import host
from ppcls_ise.host import bridges
from tests.helpers import ROOT


def activate(**environment):
    code = "import ppcls_ise.host as h; print(h.activate())"
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True,
                          env={**os.environ, **environment})


def checkout(folder, engine):
    (folder / "ppcls" / "engine").mkdir(parents=True)
    (folder / "ppcls" / "__init__.py").write_text("")
    if engine:
        (folder / "ppcls" / "engine" / "engine.py").write_text("")
    return str(folder)


def test_the_named_checkout_comes_first(tmp_path):
    home = checkout(tmp_path, engine=True)
    assert activate(PADDLECLAS_HOME=home).stdout.strip() == home


def test_a_named_folder_without_engine_is_an_error_with_both_ways_out(tmp_path):
    result = activate(PADDLECLAS_HOME=checkout(tmp_path, engine=False))
    assert result.returncode and str(tmp_path) in result.stderr
    assert "paddleclas==2.4.2" in result.stderr and "release/2.5" in result.stderr


def test_an_importable_ppcls_is_used(tmp_path):
    home = checkout(tmp_path, engine=True)
    result = activate(PADDLECLAS_HOME="", PYTHONPATH=home)
    assert result.stdout.strip() == home


def test_the_engineless_wheel_is_told_from_the_one_with_an_engine(tmp_path):
    # Only the newest wheels of PaddleClas: a package paddleclas whose ppcls has no engine.
    wheel = tmp_path / "paddleclas"
    wheel.mkdir()
    checkout(wheel, engine=False)
    (wheel / "__init__.py").write_text("raise SystemExit('the wheel must not be imported')")
    result = activate(PADDLECLAS_HOME="", PYTHONPATH=str(tmp_path))
    assert result.returncode and f"paddleclas wheel: {wheel} has no ppcls/engine/engine.py" in result.stderr


def test_registering_twice_changes_nothing():
    import ppcls.engine.evaluation as evaluation

    import ppcls_ise

    before = evaluation.retrieval_eval
    ppcls_ise.register()
    assert evaluation.retrieval_eval is before


@pytest.mark.parametrize("paddle_version, sklearn_version, refused", [
    ("2.6.2", "1.9.1", True), ("2.6.2", "1.10.0", True), ("2.6.2", "1.7.2", False), ("3.3.1", "1.9.1", False)])
def test_packages_that_crash_paddle_2_are_refused_by_name(monkeypatch, paddle_version, sklearn_version, refused):
    monkeypatch.setattr("paddle.__version__", paddle_version)
    monkeypatch.setattr("importlib.metadata.version", {"scipy": "1.12.0", "scikit-learn": sklearn_version}.get)
    for module in ("scipy", "sklearn"):
        monkeypatch.delitem(sys.modules, module)
    if refused:
        with pytest.raises(host.HostError, match=f"scikit-learn {sklearn_version} crashes .*\n.*scikit-learn<1.8"):
            bridges.refuse_crash()
    else:
        bridges.refuse_crash()
