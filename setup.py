from setuptools import find_packages, setup

# PaddlePaddle stands in an extra: which build fits is the machine's affair. PaddleClas is not listed at all: the
# wheel that has its engine (2.4.2) pins packages that current Pythons cannot install, so it goes in with --no-deps;
# what its engine really imports is below.
PADDLECLAS_NEEDS = ["easydict", "opencv-python-headless", "requests", "six", "visualdl", "tqdm"]

setup(
    name="ppcls_ise",
    version="0.1.0",
    description="Unsupervised person re-identification by Implicit Sample Extension, as a plugin of PaddleClas",
    license="Apache-2.0",
    packages=find_packages(include=["ppcls_ise", "ppcls_ise.*"]),
    package_data={"ppcls_ise.visualize": ["*.css"], "ppcls_ise.serving": ["*.html"]},
    python_requires=">=3.9",
    install_requires=["faiss-cpu", "numba", "numpy", "pillow", "pyyaml", "scikit-learn", "scipy", "setuptools",
                      *PADDLECLAS_NEEDS],
    extras_require={
        "cpu": ["paddlepaddle>=2.6"],
        "convert": ["safetensors"],  # tools/convert_weights.py reads and writes .safetensors with it
        "paddle2": ["paddlepaddle==2.6.2", "numpy<2", "scipy<1.13", "scikit-learn<1.8"],  # newer ones crash it
        "deploy": ["fastapi", "python-multipart", "uvicorn"],
        "onnx": ["onnxruntime", "paddle2onnx"],
        "test": ["httpx", "pytest", "ruff", "safetensors",
                 "schemathesis>=4.32,<5; python_version>='3.10'"],
    },
)
