import subprocess
import sys

from helpers import ROOT

PROGRAM = """
import sys
sys.modules["paddle"] = sys.modules["ppcls"] = None   # not installed
from ppcls_ise.inference import FeatureExtractor, Gallery
extractor = FeatureExtractor(sys.argv[1], "onnx")
gallery = Gallery(extractor([sys.argv[2]]), [{"path": "a.jpg"}], model=extractor.model)
print(round(gallery.search(extractor([sys.argv[2]]))[0][0].similarity, 4))
try:
    FeatureExtractor(sys.argv[1])
except ValueError as error:
    print(error)
"""


def test_onnx_features_and_galleries_need_no_paddle(with_onnx, people):
    image = next((people / "query").iterdir())
    printed = subprocess.run([sys.executable, "-c", PROGRAM, str(with_onnx[1]), str(image)], cwd=ROOT, check=True,
                             capture_output=True, text=True).stdout.splitlines()
    assert printed[0] == "1.0" and "PaddlePaddle is not installed" in printed[1]
