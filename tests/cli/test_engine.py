"""Folders that a training cannot use."""
import pytest

from ppcls_ise.cli.main import main


@pytest.mark.parametrize("key, message", [("image_root", "the synthetic set cannot be drawn there: "),
                                          ("output_dir", "cannot be made: ")])
def test_a_folder_that_cannot_be_made_is_named(key, message, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    folders = {"image_root": tmp_path / "set", "output_dir": tmp_path / "out"}
    folders[key] = tmp_path / "file" / "below"
    options = [part for name, folder in folders.items() for part in ("-o", f"Global.{name}={folder}")]
    assert main(["train", "-c", "ISE_demo.yaml", *options]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"error: Global.{key} {folders[key]}") and message in error
    assert not (tmp_path / "set").exists()
