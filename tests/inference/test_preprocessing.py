import numpy as np
import pytest
from ppcls.data import create_operators

from ppcls_ise.inference.preprocessing import Preprocessing

NORMALIZE = {"scale": "1.0/255.0", "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4], "order": "hwc"}


@pytest.mark.parametrize("resize", [{"size": [32, 64], "interpolation": "bicubic", "backend": "pil"},
                                    {"size": [32, 64]}, {"size": 24, "interpolation": "area", "backend": "cv2"}])
@pytest.mark.parametrize("normalize", [NORMALIZE, {**NORMALIZE, "scale": 0.00392157}, {"order": "hwc"}])
def test_it_is_paddleclas_to_the_last_bit(resize, normalize):
    ops = [{"ResizeImage": resize}, {"NormalizeImage": normalize}, {"ToCHWImage": None}]
    image = expected = np.random.default_rng(0).integers(0, 256, (70, 31, 3), dtype=np.uint8)
    for operator in create_operators([dict(op) for op in ops]):
        expected = operator(expected)
    made = Preprocessing(ops)(image)
    assert made.dtype == np.float32 and made.flags.c_contiguous
    np.testing.assert_array_equal(made, expected)


@pytest.mark.parametrize(("ops", "message"), [
    ([{"NormalizeImage": NORMALIZE}], "not NormalizeImage"),
    ([], "not none"),
    ([{"ResizeImage": {"size": 8}}, {"RandFlipImage": None}, {"NormalizeImage": NORMALIZE}, {"ToCHWImage": None}],
     "take augmentation"),
    ([{"ResizeImage": {"resize_short": 8}}, {"NormalizeImage": NORMALIZE}, {"ToCHWImage": None}], "resize_short"),
    ([{"ResizeImage": {"size": 8, "interpolation": "sinc"}}, {"NormalizeImage": NORMALIZE}, {"ToCHWImage": None}],
     "not sinc"),
    ([{"ResizeImage": {"size": 8}}, {"NormalizeImage": {**NORMALIZE, "scale": "import os"}}, {"ToCHWImage": None}],
     "a fraction"),
    ([{"ResizeImage": {"size": 8}}, {"NormalizeImage": {**NORMALIZE, "order": "chw"}}, {"ToCHWImage": None}],
     "order 'chw'")])
def test_other_transforms_are_named(ops, message):
    with pytest.raises(ValueError, match=message):
        Preprocessing(ops)
