from __future__ import annotations

import math

import paddle
import paddle.nn.functional as F
from paddle import nn
from paddle.distributed.fleet.utils import recompute
from ppcls.arch import RecModel
from ppcls.utils import logger

from ..distributed.global_batch import average_gradients
from ..errors import ISEError
from .block import check_arch
from .bn_groups import GroupStatistics, batch_norms, span_batch_norms
from .fit import check_fit, read_weights
from .head import ISEHead
from .neck import freeze_bias
from .pooling import GeM, pooled_feature, use_gem

__all__ = ["ISEModel"]


class ISEModel(RecModel):
    """PaddleClas's RecModel with the feature of ISE: unit-length output of a bias-free BatchNorm neck.

    ``Arch`` keys: ``Backbone`` {name, pretrained: False | True | a file, ...}, ``Pooling`` {name: avg | gem, p},
    ``BackboneStopLayer`` {name} (optional: the layer whose output map is pooled to the feature; by default the whole
    backbone without its classifier),
    ``Neck`` {name: BNNeck, num_features}, ``Head`` {name: ISEHead, ...}, ``bn_group_size`` (images that BatchNorm
    sees together; by default those of each process), ``feature_cache`` (see :meth:`forward`), ``stem_relu`` (False for
    ResNet weights of programs without a ReLU in the stem, ClusterContrast for one).

    Parameter names are RecModel's (``backbone.*``, ``neck.feat_bn.*``), so PaddleClas's published ISE weights load.

    Raises:
        ISEError: for a head, neck or pooling that ISE cannot use, a key that is not known, or a weight file that does
            not fit.
    """

    def __init__(self, Backbone, Neck, Head, Pooling=None, BackboneStopLayer=None,  # noqa: N803 PaddleClas's keys
                 bn_group_size=None, feature_cache=False, stem_relu=True, **host):
        check_arch({"Backbone": Backbone, "Neck": Neck, "Head": Head, "Pooling": Pooling,
                    "BackboneStopLayer": BackboneStopLayer, **host}, ISEModel)
        Backbone, Neck, Head = dict(Backbone), dict(Neck), dict(Head)  # noqa: N806  RecModel takes them apart
        name, pretrained = Backbone["name"], Backbone.get("pretrained", False)
        pooling = dict(Pooling or {"name": "avg"})
        pooling_name, _ = pooling.pop("name"), Head.pop("name")
        local_file = isinstance(pretrained, str) and not pretrained.startswith("http")
        if local_file:
            Backbone["pretrained"] = False
        stop = {"BackboneStopLayer": BackboneStopLayer} if BackboneStopLayer else {}
        try:
            super().__init__(Backbone=Backbone, Neck=Neck, **stop)
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
        if not stem_relu:
            _drop_stem_relu(self.backbone, name)
        freeze_bias(self.neck.feat_bn)
        self.head = ISEHead(**Head)
        self.bn_group_size, self.feature_cache = bn_group_size, feature_cache
        self.statistics = GroupStatistics(batch_norms(self))

    def span_processes(self, processes_per_group: int) -> None:
        """Let BatchNorm see the rows of ``processes_per_group`` consecutive processes; for groups larger than a
        process's share of the batch."""
        span_batch_norms(self, processes_per_group)
        self.statistics = GroupStatistics(batch_norms(self))

    def forward(self, x, label=None):
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
        features = F.normalize(neck.astype("float32"), axis=-1)
        return {"backbone": pooled, "neck": neck, "features": features, **self.head(features, label)}

    def _embed(self, x):
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

    def _cached(self, embed):
        """``embed`` without a graph; it runs again, with one, when its gradient is there."""
        # Images have no gradient. The token stands in for them: a zero that is added to every output, whose own
        # gradient is complete when all groups have had theirs. Only then may the processes average.
        token = paddle.zeros([1])
        token.stop_gradient = False
        token.register_hook(lambda _: average_gradients(self.parameters()))

        def run(x):
            generator = paddle.get_rng_state()

            def embed_group(x, token):
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


def _drop_stem_relu(backbone, name):
    stem = getattr(backbone, "stem", None)
    if not isinstance(stem, nn.Sequential) or getattr(stem[-1], "act", None) != "relu":
        raise ISEError(f"Arch.stem_relu: False is for PaddleClas's ResNets; {name} has no such stem")
    stem[-1].act = None
