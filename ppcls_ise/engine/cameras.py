"""What a config asks for that needs cameras."""
from __future__ import annotations

from typing import Any

from ppcls.utils import logger

from ..clustering import CameraJaccardDBSCAN, CrossCameraDBSCAN
from ..config.keys import named_items

__all__ = ["needs_cameras", "say_what_is_off"]


def needs_cameras(config: dict[str, Any]) -> list[str]:
    """What of a training config does nothing where fewer than two cameras are known, as messages call it."""
    block, head = config.get("Cluster") or {}, config["Arch"].get("Head") or {}
    wanted = [f"Cluster.name {kind.__name__}" for kind in (CrossCameraDBSCAN, CameraJaccardDBSCAN)
              if block.get("name") == kind.__name__]
    wanted += [f"Cluster.{key}" for key in ("camera_norm", "drop_single_camera") if block.get(key)]
    wanted += ["Arch.Head.negatives same_camera"] * (head.get("negatives") == "same_camera")
    for _, name, options in named_items((config.get("Loss") or {}).get("Train"), "Loss.Train"):
        wanted += [name] * (name == "CameraProxyLoss")
        wanted += [f"{name}.camera_entropy"] * bool((options or {}).get("camera_entropy"))
    return wanted + ["Global.ema_decay auto"] * (config["Global"].get("ema_decay") == "auto")


def say_what_is_off(config: dict[str, Any]) -> None:
    """One line on it in the log, if there is any."""
    wanted = needs_cameras(config)
    if wanted:
        logger.info(f"[Cameras] fewer than two cameras are known, so that the training is that of plain ISE; off are "
                    f"{', '.join(wanted)}. Cameras are read by the data set's pattern, or cameras of UnlabeledFolder")
