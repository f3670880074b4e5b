"""All tests run with ISE registered at PaddleClas."""
import pytest

import ppcls_ise
from ppcls_ise.data.synthetic import make_synthetic

ppcls_ise.register()


@pytest.fixture(scope="session")
def people(tmp_path_factory):
    """A synthetic set of 16 training and 6 test persons at 64 x 32."""
    root = tmp_path_factory.mktemp("people") / "set"
    make_synthetic(str(root), identities=16, test_identities=6, images_per_identity=6, cameras=3, height=64, width=32)
    return root
