from __future__ import annotations

import difflib
import math

import paddle.nn.functional as F
import ppcls.arch.backbone
from paddle import nn
from ppcls.arch import RecModel
from ppcls.utils import logger

from ..errors import ISEError
from .head import ISEHead
from .neck import freeze_bias
from .pooling import GeM, pooled_feature, use_gem
from .weights import check_fit, read_weights

__all__ = ["ISEModel"]


class ISEModel(RecModel):
    """PaddleClas's RecModel with the feature of ISE: unit-length output of a bias-free BatchNorm neck.

    ``Arch`` keys: ``Backbone`` {name, pretrained: False | True | a file, ...}, ``Pooling`` {name: avg | gem, p},
    ``BackboneStopLayer`` {name} (optional: the layer whose output map is pooled to the feature; by default the whole
    backbone without its classifier),
    ``Neck`` {name: BNNeck, num_features}, ``Head`` {name: ISEHead, ...}.

    Parameter names are RecModel's (``backbone.*``, ``neck.feat_bn.*``), so PaddleClas's published ISE weights load.

    Raises:
        ISEError: for a head, neck or pooling that ISE cannot use, or a weight file that does not fit.
    """

    def __init__(self, Backbone, Neck, Head, Pooling=None, BackboneStopLayer=None, **_):  # noqa: N803 PaddleClas's keys
        Backbone, Neck, Head = dict(Backbone), dict(Neck), dict(Head)  # noqa: N806  RecModel takes them apart
        name, pretrained = Backbone["name"], Backbone.get("pretrained", False)
        pooling = dict(Pooling or {"name": "avg"})
        pooling_name, head_name = pooling.pop("name", None), Head.pop("name", None)
        if pooling_name not in ("avg", "gem"):
            raise ISEError(f"Arch.Pooling.name is avg or gem, not {pooling_name!r}")
        if head_name != "ISEHead" or Neck.get("name") != "BNNeck":
            raise ISEError(f"ISEModel has Neck BNNeck and Head ISEHead, not {Neck.get('name')!r} and {head_name!r}")
        local_file = isinstance(pretrained, str) and not pretrained.startswith("http")
        if local_file:
            Backbone["pretrained"] = False
        if not hasattr(ppcls.arch.backbone, name):
            near = difflib.get_close_matches(name, dir(ppcls.arch.backbone), 1)
            raise ISEError(f"Arch.Backbone.name: PaddleClas has no {name}; near is {', '.join(near) or 'nothing'}")
        stop = {"BackboneStopLayer": BackboneStopLayer} if BackboneStopLayer else {}
        super().__init__(Backbone=Backbone, Neck=Neck, **stop)
        if not stop:
            pooled_feature(self.backbone, name)
        if local_file:
            weights = read_weights(pretrained)
            logger.info(f"Arch.Backbone.pretrained {pretrained}: {check_fit(self.backbone, weights)}")
            self.backbone.set_state_dict(weights)
        # A named stop layer may give a map, pooled here; a whole backbone pools by itself.
        self.pool = None
        if stop:
            self.pool = GeM(**pooling) if pooling_name == "gem" else nn.AdaptiveAvgPool2D(1)
        elif pooling_name == "gem":
            use_gem(self.backbone, name, **pooling)
        freeze_bias(self.neck.feat_bn)
        try:
            self.head = ISEHead(**Head)
        except TypeError as error:
            raise ISEError(f"Arch.Head: {error}") from error

    def forward(self, x, label=None):
        """Args: x float32 [B, 3, H, W]; label int64 [B, 1], pseudo labels, used in training only.

        Returns:
            A dict: ``backbone`` and ``neck`` [B, D], ``features`` [B, D] with unit rows; in training also what
            :meth:`ISEHead.forward` returns.
        """
        pooled = self.backbone(x)
        if isinstance(pooled, (list, tuple)):
            raise ISEError(f"Arch.Backbone gives {len(pooled)} outputs; name the layer whose output is the feature in "
                           "Arch.BackboneStopLayer.name")
        if self.pool is not None:
            pooled = self.pool(pooled)
        width, expected = math.prod(pooled.shape[1:]), self.neck.feat_bn.weight.shape[0]
        if width != expected:
            raise ISEError(f"Arch.Neck.num_features is {expected}, but the feature of the backbone has {width} numbers")
        neck = self.neck(pooled)
        output = {"backbone": pooled, "neck": neck, "features": F.normalize(neck, axis=-1)}
        if self.training and label is not None:
            output.update(self.head(output["features"], label))
        return output

    def set_state_dict(self, state_dict, use_structured_name=True):
        """Load a checkpoint of this model or of a bare backbone (no ``backbone.`` names); log what does not match.

        Raises:
            ValueError: if nothing matches or a shape differs.
        """
        if not any(key.startswith("backbone.") for key in state_dict):
            state_dict = {"backbone." + key: value for key, value in state_dict.items()}
        logger.info(f"weights: {check_fit(self, state_dict)}")
        return super().set_state_dict(state_dict, use_structured_name)

    set_dict = load_dict = set_state_dict
