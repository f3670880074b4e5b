"""As ppcls/loss: the losses of ISE."""
from .camera_proxy_loss import CameraProxyLoss
from .cluster_contrast_loss import ClusterContrastLoss
from .functional import camera_entropy_weights, camera_proxy_contrast, cluster_contrast, label_preserving
from .label_preserving_loss import LabelPreservingLoss

__all__ = ["CameraProxyLoss", "ClusterContrastLoss", "LabelPreservingLoss", "camera_entropy_weights",
           "camera_proxy_contrast", "cluster_contrast", "label_preserving"]
