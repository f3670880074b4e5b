"""As ppcls/loss: the losses of ISE."""
from .cluster_contrast_loss import ClusterContrastLoss
from .functional import cluster_contrast, label_preserving
from .label_preserving_loss import LabelPreservingLoss

__all__ = ["ClusterContrastLoss", "LabelPreservingLoss", "cluster_contrast", "label_preserving"]
