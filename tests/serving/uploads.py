"""Images for schemathesis to upload: its own are bytes at random; ``schemathesis.toml`` names this file."""
import io

import schemathesis
from hypothesis import strategies
from PIL import Image


def image(width, height, colour):
    """A BMP file of one colour without a byte above 127, as text.

    schemathesis (4.32) holds what it has sent against the schema, to see whether a wrong type is still one as text of a
    form; it cannot do so, and calls every text field at fault, where a file is among the fields as bytes.
    """
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, "BMP", dpi=(72, 72))
    return file.getvalue()


values = strategies.integers(0, 127)
schemathesis.openapi.media_type("image/bmp", strategies.builds(
    image, strategies.integers(1, 80), strategies.integers(1, 120), strategies.tuples(values, values, values),
).filter(lambda data: max(data) < 128).map(bytes.decode))
