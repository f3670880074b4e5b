"""Rows of unit length are Paddle's, gradient included."""
import numpy as np
import paddle

from ppcls_ise.unit import unit_rows


def unit_and_gradient(function, rows, weight):
    rows = paddle.to_tensor(rows, stop_gradient=False)
    unit = function(rows)
    unit.backward(paddle.to_tensor(weight))
    return unit.numpy(), rows.grad.numpy()


def test_as_paddle_normalises():
    rng = np.random.default_rng(0)
    rows = (rng.standard_normal((2, 5, 300)) * [[[1e-3]], [[1e3]]]).astype("float32")
    rows[1, 3] = 0
    rows[0, 2] = 1e-15 * rows[0, 2]  # shorter than the shortest
    weight = rng.standard_normal(rows.shape).astype("float32")
    found = unit_and_gradient(unit_rows, rows, weight)
    expected = unit_and_gradient(lambda x: paddle.nn.functional.normalize(x, axis=-1), rows, weight)
    np.testing.assert_allclose(found[0], expected[0], rtol=0, atol=1e-7)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-4, atol=1e-6 * np.abs(expected[1][0, 0]).max())
    assert not found[0][1, 3].any() and np.isfinite(found[1]).all()
