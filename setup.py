from setuptools import find_packages, setup

# Name, version, dependencies and commands are in pyproject.toml. Here is what it cannot say: configs/, which is beside
# the package in a checkout, is in it when installed.
setup(packages=[*find_packages(include=["ppcls_ise", "ppcls_ise.*"]), "ppcls_ise.configs"],
      package_dir={"ppcls_ise.configs": "configs"})
