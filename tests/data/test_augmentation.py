"""The published augmentation, transcribed plainly, beside our pipeline as the configs have it."""
import random

import numpy as np
import pytest
from PIL import Image, ImageOps

from ppcls_ise.config import load_config
from ppcls_ise.data import ReIDImages
from ppcls_ise.data.sampler import Draw
from tests.helpers import ROOT

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def published(path, size, padding, rng):
    """Resize bicubic, flip 0.5, pad, random crop, normalise, random erasing 0.5 with the mean values: float64 CHW."""
    width, height = size
    image = Image.open(path).convert("RGB").resize(size, Image.BICUBIC)
    if rng.randint(0, 1) == 1:
        image = ImageOps.mirror(image)
    image = ImageOps.expand(image, border=padding, fill=(0, 0, 0))
    top, left = rng.randint(0, 2 * padding), rng.randint(0, 2 * padding)
    image = image.crop((left, top, left + width, top + height))
    pixels = (np.asarray(image, np.float64) / 255 - MEAN) / STD
    if rng.random() < 0.5:
        for _ in range(100):
            area = rng.uniform(0.02, 0.4) * height * width
            aspect = rng.uniform(0.3, 1 / 0.3)
            h, w = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
            if h < height and w < width:
                top, left = rng.randint(0, height - h), rng.randint(0, width - w)
                pixels[top:top + h, left:left + w] = MEAN
                break
    return pixels.transpose(2, 0, 1)


@pytest.mark.parametrize("config, size, padding", [
    ("ISE_R50", (128, 256), 10), ("ISE_MobileNetV2_CUHK03", (64, 128), 5)])
@pytest.mark.parametrize("cache", ["none", "ram"])
def test_our_pipeline_is_the_published_augmentation(tmp_path, config, size, padding, cache):
    blocks = load_config(ROOT / f"configs/{config}.yaml")["DataLoader"]
    rng = np.random.default_rng(0)
    for i, shape in enumerate(((128, 64, 3), (371, 160, 3), (61, 50, 3))):  # enlarged, shrunk, and across
        smooth = np.cumsum(rng.integers(-20, 21, shape), axis=0) % 256
        Image.fromarray(smooth.astype(np.uint8)).save(tmp_path / f"000{i}_c1.jpg", quality=95)
    images = ReIDImages(blocks["Train"]["dataset"]["transform_ops"], str(tmp_path), cls_label_path=".", cache=cache)
    erased = 0
    for row in range(3):
        for seed in range(20):
            expected = published(images.list.path(row), size, padding, random.Random(seed))
            image = images[Draw(row, 0, seed)][0]
            assert image.dtype == np.float32
            np.testing.assert_allclose(image, expected, atol=1e-5)
            erased += (expected == MEAN[:, None, None]).all(axis=0).any()
    assert 15 < erased < 45
    plain = images.with_transforms(blocks["Eval"]["Query"]["dataset"]["transform_ops"])
    for row in range(3):
        pixels = np.asarray(Image.open(images.list.path(row)).resize(size, Image.BICUBIC), np.float64) / 255
        np.testing.assert_allclose(plain[row][0], ((pixels - MEAN) / STD).transpose(2, 0, 1), atol=1e-5)
