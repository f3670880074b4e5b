from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import paddle
import paddle.nn.functional as F
import ppcls.arch.backbone
from paddle import nn
from paddle.distributed.fleet.utils import recompute
from ppcls.arch import RecModel
from ppcls.utils import logger

from ..config.blocks import ArchBlock, GlobalBlock, PoolingBlock
from ..config.fields import read_block
from ..config.keys import check_name
from ..distributed.global_batch import average_gradients
from ..errors import ISEError
from ..unit import unit_rows
from .bn_groups import GroupStatistics, batch_norms, span_batch_norms
from .convolution import compute_by_onednn
from .fit import check_fit, read_weights
from .head import ISEHead
from .neck import freeze_bias
from .pooling import GeM, pooled_feature, use_gem

__all__ = ["ISEModel"]


class ISEModel(RecModel):
    """PaddleClas's RecModel with the feature of ISE: unit-length output of a bias-free BatchNorm neck.

    Args:
        feature_cache: see :meth:`forward`.
        use_onednn: see :func:`ppcls_ise.arch.convolution.compute_by_onednn`.
        keys: of :class:`ppcls_ise.config.blocks.ArchBlock`: ``Backbone`` {name, pretrained: False | True | a file,
            ...}, ``Pooling`` {name: avg | gem, p}, ``BackboneStopLayer`` {name} (optional: the layer whose output map
            is pooled to the feature; by default the whole backbone without its classifier), ``Neck`` {num_features},
            ``Head`` (of :class:`ISEHead`), ``bn_group_size`` (images that BatchNorm sees together; by default those of
            each process), ``stem_relu`` (False for ResNet weights of programs without a ReLU in the stem,
            ClusterContrast for one).

    Parameter names are RecModel's (``backbone.*``, ``neck.feat_bn.*``), so PaddleClas's published ISE weights load.

    Raises:
        ISEError: for a head, neck or pooling that ISE cannot use, a key that is not known, or a weight file that does
            not fit.
    """

    def __init__(self, feature_cache: bool = GlobalBlock.feature_cache, use_onednn: bool = GlobalBlock.use_onednn,
                 **keys: Any):
        arch = read_block(ArchBlock, keys, "Arch")
        name, pretrained, stop = arch.Backbone.name, arch.Backbone.pretrained, arch.BackboneStopLayer
        check_name(name, ppcls.arch.backbone, "Arch.Backbone.name")
        backbone = dict(keys["Backbone"])  # RecModel takes them apart
        file = pretrained if isinstance(pretrained, str) and not pretrained.startswith("http") else None
        if file:
            backbone["pretrained"] = False
        blocks = {"Backbone": backbone, "Neck": {"name": arch.Neck.name, **keys["Neck"]}}
        try:
            super().__init__(**blocks, **({"BackboneStopLayer": {"name": stop.name}} if stop else {}))
        except RuntimeError as error:
            if "Download" not in str(error):
                raise
            raise ISEError(f"Arch.Backbone.pretrained is {pretrained}, for which PaddleClas downloads weights: "
                           f"{error}. Without a network get the file elsewhere, or torchvision's through "
                           "tools/convert_weights.py, and name it: -o Arch.Backbone.pretrained=FILE.pdparams. "
                           "-o Arch.Backbone.pretrained=False starts from random weights, which is enough to try the "
                           "program out, but no start for clustering real images"
                           ) from error
        if not stop:
            pooled_feature(self.backbone, name)
        if file:
            weights = read_weights(file)
            logger.info(f"Arch.Backbone.pretrained {file}: {check_fit(self.backbone, weights)}")
            self.backbone.set_state_dict(weights)
        # A named stop layer may give a map, pooled here; a whole backbone pools by itself.
        pooling = arch.Pooling or PoolingBlock()
        gem = GeM(pooling.p, pooling.eps) if pooling.name == "gem" else None
        self.pool = (gem or nn.AdaptiveAvgPool2D(1)) if stop else None
        if gem and not stop:
            use_gem(self.backbone, name, gem)
        if not arch.stem_relu:
            _drop_stem_relu(self.backbone, name)
        freeze_bias(self.neck.feat_bn)
        self.head = ISEHead(**dataclasses.asdict(arch.Head))
        self.bn_group_size, self.feature_cache = arch.bn_group_size, feature_cache
        self.statistics = GroupStatistics(batch_norms(self))
        if use_onednn:
            compute_by_onednn(self)

    def span_processes(self, processes_per_group: int) -> None:
        """Let BatchNorm see the rows of ``processes_per_group`` consecutive processes; for groups larger than a
        process's share of the batch."""
        span_batch_norms(self, processes_per_group)
        self.statistics = GroupStatistics(batch_norms(self))

    def forward(self, x: paddle.Tensor, label: paddle.Tensor | None = None) -> dict[str, paddle.Tensor | None]:
        """Args: x float32 [B, 3, H, W]; label int64 [B, 1], pseudo labels, used in training only.

        In training the network runs once per BatchNorm group. With ``feature_cache`` it does so without a graph, and
        again, group by group, when the gradient of the features is there (Gao et al., "Scaling Deep Contrastive
        Learning Batch Size under Memory Limited Setup", 2021): the same step, in the memory of one group.

        Returns:
            A dict: ``backbone`` and ``neck`` [B, D], ``features`` [B, D] with unit rows; in training also what
            :meth:`ISEHead.forward` returns.
        """
        if not self.training or label is None:
            pooled, neck = self._embed(x)
            return {"backbone": pooled, "neck": neck, "features": F.normalize(neck, axis=-1)}
        # In an epoch with too few clusters for a whole group the batch of this process is the group.
        groups = max(len(x) // (self.bn_group_size or len(x)), 1)
        embed = self._cached(self._embed) if self.feature_cache else self._embed
        parts = []
        for index, part in enumerate(paddle.split(x, groups)):
            self.statistics.start_group(index, groups)
            parts.append(embed(part))
        pooled, neck = (paddle.concat(rows) for rows in zip(*parts))
        features = unit_rows(neck.astype("float32"))
        return {"backbone": pooled, "neck": neck, "features": features, **self.head(features, label)}

    def _embed(self, x: paddle.Tensor) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Images [b, 3, H, W] -> pooled backbone output and neck output, [b, D] each."""
        pooled = self.backbone(x)
        if isinstance(pooled, (list, tuple)):
            raise ISEError(f"Arch.Backbone gives {len(pooled)} outputs; name the layer whose output is the feature in "
                           "Arch.BackboneStopLayer.name")
        if self.pool is not None:
            pooled = self.pool(pooled)
        width, expected = math.prod(pooled.shape[1:]), self.neck.feat_bn.weight.shape[0]
        if width != expected:
            raise ISEError(f"Arch.Neck.num_features is {expected}, but the feature of the backbone has {width} numbers")
        return pooled, self.neck(pooled)

    def _cached(self, embed: Callable) -> Callable:
        """``embed`` without a graph; it runs again, with one, when its gradient is there."""
        # Images have no gradient. The token stands in for them: a zero that is added to every output, whose own
        # gradient is complete when all groups have had theirs. Only then may the processes average.
        token = paddle.zeros([1])
        token.stop_gradient = False
        token.register_hook(lambda _: average_gradients(self.parameters()))

        def run(x: paddle.Tensor) -> tuple[paddle.Tensor, paddle.Tensor]:
            generator = paddle.get_rng_state()

            def embed_group(x: paddle.Tensor, token: paddle.Tensor) -> tuple[paddle.Tensor, paddle.Tensor]:
                again = paddle.is_grad_enabled()
                if again:
                    self.statistics.hold()
                    after_step = paddle.get_rng_state()
                    paddle.set_rng_state(generator)  # dropout falls as in the first pass
                pooled, neck = embed(x)
                if again:
                    paddle.set_rng_state(after_step)
                return pooled + token.astype(pooled.dtype), neck + token.astype(neck.dtype)

            # recompute's own preserve_rng_state turns back the generators of Python and numpy, too, with which the
            # loader's thread augments the next batches meanwhile.
            return recompute(embed_group, x, token, preserve_rng_state=False)

        return run

    def set_state_dict(self, state_dict: dict[str, Any], use_structured_name: bool = True) -> Any:
        """Load a checkpoint of this model or of a bare backbone (no ``backbone.`` names); log what does not match.

        Raises:
            ValueError: if nothing matches or a shape differs.
        """
        if not any(key.startswith("backbone.") for key in state_dict):
            state_dict = {"backbone." + key: value for key, value in state_dict.items()}
        logger.info(f"weights: {check_fit(self, state_dict)}")
        return super().set_state_dict(state_dict, use_structured_name)

    set_dict = load_dict = set_state_dict


def _drop_stem_relu(backbone: nn.Layer, name: str) -> None:
    stem = getattr(backbone, "stem", None)
    if not isinstance(stem, nn.Sequential) or getattr(stem[-1], "act", None) != "relu":
        raise ISEError(f"Arch.stem_relu: False is for PaddleClas's ResNets; {name} has no such stem")
    stem[-1].act = None
