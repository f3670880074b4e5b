"""Name, version, dependencies and commands are in pyproject.toml; here is the one thing that it cannot say."""
import os
from glob import glob

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithConfigs(build_py):
    """``configs/``, which is beside the package in a checkout, is in it when installed."""

    def run(self):
        super().run()
        if not self.editable_mode:
            self.copy_tree("configs", os.path.join(self.build_lib, "ppcls_ise", "configs"))

    def get_source_files(self):
        return [*super().get_source_files(), *glob("configs/**/*.yaml", recursive=True)]


setup(cmdclass={"build_py": BuildWithConfigs})
