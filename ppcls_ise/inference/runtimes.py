"""What runs an exported model: float32 [n, 3, H, W] in, float32 [n, D] out, from any thread."""
from __future__ import annotations

import os
import platform
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ISEError
from ..host.bridges import save_memory, switch_off_onednn
from ..host.processor import faster_blas

__all__ = ["OnnxRuntime", "PaddleRuntime", "model_files", "onnx_file"]


def model_files(model_dir: str) -> tuple[str, str]:
    """The program (``inference.json`` of paddle 3 or ``inference.pdmodel`` of paddle 2) and its weights.

    Raises:
        ISEError: if the folder holds no exported model.
    """
    programs = [os.path.join(model_dir, "inference" + suffix) for suffix in (".json", ".pdmodel")]
    program = next((file for file in programs if os.path.isfile(file)), None)
    weights = os.path.join(model_dir, "inference.pdiparams")
    if program is None or not os.path.isfile(weights):
        raise ISEError(f"{model_dir} holds no exported model (inference.json or .pdmodel, and inference.pdiparams); "
                       "ise export writes one (Global.rec_inference_model_dir names its folder)")
    return program, weights


def onnx_file(model_dir: str) -> str:
    """``inference.onnx``. Raises: ISEError: if the folder does not hold it."""
    file = os.path.join(model_dir, "inference.onnx")
    if not os.path.isfile(file):
        raise ISEError(f"there is no {file}; ise export --onnx writes it")
    return file


class PaddleRuntime:
    """Paddle Inference: the CPU with oneDNN, a GPU, or TensorRT.

    Args:
        model_dir: folder of the exported model.
        threads: of the CPU.
        use_gpu, gpu_mem: run on the first GPU, with that many MB reserved at the start.
        enable_mkldnn: oneDNN on the CPU.
        use_tensorrt, use_fp16, batch_size: TensorRT on the GPU, in half precision, for batches up to that size.

    Raises:
        ISEError: if the folder holds no exported model or this Paddle cannot run it as wished.
    """

    def __init__(self, model_dir: str, threads: int = 2, use_gpu: bool = False, gpu_mem: int = 8000,
                 enable_mkldnn: bool = True, use_tensorrt: bool = False, use_fp16: bool = False, batch_size: int = 32):
        try:
            import paddle
            from paddle import inference
        except ImportError as error:
            raise ISEError(f"{model_dir}: PaddlePaddle is not installed ({error}); pip install paddlepaddle, or run "
                           "the ONNX file with runtime onnx") from error
        if use_gpu and not paddle.is_compiled_with_cuda():
            raise ISEError("use_gpu: this PaddlePaddle is built for the CPU only; install paddlepaddle-gpu or set "
                           "use_gpu to False")
        if (use_tensorrt and not use_gpu) or (use_fp16 and not use_tensorrt):
            raise ISEError("use_tensorrt needs use_gpu, and use_fp16 needs use_tensorrt")
        faster_blas()  # for what oneDNN does not compute
        program, weights = model_files(model_dir)
        config = inference.Config(program, weights)
        config.disable_glog_info()
        save_memory(config, program)
        if use_gpu:
            config.enable_use_gpu(gpu_mem, 0)
        else:
            config.disable_gpu()
            config.set_cpu_math_library_num_threads(threads)
            self._choose_onednn(config, enable_mkldnn)
        if use_tensorrt:
            precision = inference.PrecisionType.Half if use_fp16 else inference.PrecisionType.Float32
            config.enable_tensorrt_engine(workspace_size=1 << 30, max_batch_size=batch_size, min_subgraph_size=30,
                                          precision_mode=precision, use_static=False, use_calib_mode=False)
        try:
            self._predictor = inference.create_predictor(config)
        except (RuntimeError, ValueError) as error:
            raise ISEError(f"Paddle cannot load the model in {model_dir}: {str(error).strip()[-400:]}") from error
        # A predictor holds its input and output. Its own threads fill the cores, so one run at a time loses nothing.
        self._lock = threading.Lock()
        self._input = self._predictor.get_input_handle(self._predictor.get_input_names()[0])
        self._output = self._predictor.get_output_handle(self._predictor.get_output_names()[0])

    @staticmethod
    def _choose_onednn(config: Any, wanted: bool) -> None:
        if not wanted:
            switch_off_onednn(config)
        elif platform.machine().lower() in ("x86_64", "amd64"):
            config.set_mkldnn_cache_capacity(10)  # kernels of so many batch shapes; without a bound memory grows
            config.enable_mkldnn()

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        with self._lock:
            self._input.reshape(batch.shape)
            self._input.copy_from_cpu(batch)
            self._predictor.run()
            return self._output.copy_to_cpu().copy()


class OnnxRuntime:
    """ONNX Runtime on the CPU.

    Args:
        file: ``inference.onnx``.
        threads: of the CPU.

    Raises:
        ISEError: if it is no such file, or onnxruntime is not installed.
    """

    def __init__(self, file: str, threads: int = 2):
        try:
            import onnxruntime
        except ImportError as error:
            raise ISEError("runtime onnx needs onnxruntime: pip install onnxruntime") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its own kinds of error, which it does not name
            raise ISEError(f"ONNX Runtime cannot load {file}: {str(error).strip()[-400:]}") from error
        self._name = self._session.get_inputs()[0].name

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._session.run(None, {self._name: batch})[0]
