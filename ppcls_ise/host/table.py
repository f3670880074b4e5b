"""The one table of where this package reaches into PaddleClas and Paddle.

When PaddleClas moves, ``tests/host/test_table.py`` says which row no longer holds.
"""
from __future__ import annotations

import dataclasses
import importlib
import inspect
from typing import Any, Literal

from .find import VERSIONS, version

__all__ = ["TABLE", "Row", "broken", "resolve"]


@dataclasses.dataclass(frozen=True)
class Row:
    """One place.

    Attributes:
        target: ``module:name`` of theirs. The module in which the name is looked up, which need not be where it is
            defined.
        kind: ``added``: a new name for our object, which PaddleClas finds by the name in a config. ``wrapped``: ours is
            a function of the original that returns its replacement. ``replaced``: ours stands in its place. ``used``:
            nothing is put there, but something that is no public interface is relied upon, at run time.
        ours: ``module:name`` of ours: what is put there, or who relies on it.
        why: what would be missing without it.
        versions: of PaddleClas that have it; in the others the target is not there, or does not say ``mentions``.
        mentions: texts that the source of the target (of its module, where a name is added) holds as long as ours fits
            it: parameters, attributes, how names are looked up.
    """

    target: str
    kind: Literal["added", "wrapped", "replaced", "used"]
    ours: str
    why: str
    versions: tuple[str, ...] = VERSIONS
    mentions: tuple[str, ...] = ()


def _added(module: str, ours: str, looked_up: str, *names: str) -> list[Row]:
    return [Row(f"{module}:{name}", "added", f"ppcls_ise.{ours}:{name}", "PaddleClas builds it by its name in a config",
                mentions=(looked_up,) if looked_up else ()) for name in names]


TABLE: tuple[Row, ...] = (
    *_added("ppcls.arch", "arch.model", "getattr(mod, model_type)", "ISEModel"),
    *_added("ppcls.loss", "loss", "eval(name)(**param)", "ClusterContrastLoss", "LabelPreservingLoss",
            "CameraProxyLoss"),
    *_added("ppcls.data", "data", "eval(dataset_name)", "ReIDImages", "UnlabeledFolder"),
    *_added("ppcls.data", "data", "eval(sampler_name)", "PseudoLabelSampler"),
    *_added("ppcls.data.preprocess", "data", "", "ChannelJitter", "PadCrop", "RandomErase"),  # see create_operators
    *_added("ppcls.metric", "metric", "eval(metric_name)", "ReIDMetric"),
    Row("ppcls.engine.train:train_epoch_ise", "added", "ppcls_ise.engine.train_ise:train_epoch_ise",
        "Global.train_mode: ise calls it, one epoch at a time"),
    Row("ppcls.data:DataLoader", "wrapped", "ppcls_ise.data.loader:wrap_data_loader",
        "an unreadable image hangs Paddle's loader, or ends it without the image's name"),
    Row("ppcls.engine.evaluation:retrieval_eval", "wrapped", "ppcls_ise.engine.evaluation:wrap_retrieval_eval",
        "PaddleClas's metrics see blocks of similarities and cannot remove gallery images per query",
        mentions=("engine", "epoch_id")),
    Row("ppcls.utils.save_load:save_model", "wrapped", "ppcls_ise.engine.checkpoints:wrap_save_model",
        "a kill while it writes leaves a mixture of two checkpoints; the state of the run has to be saved, too",
        mentions=("net,", "optimizer,", "metric_info,", "model_path,", "prefix=")),
    Row("ppcls.engine.engine:init_model", "wrapped", "ppcls_ise.engine.checkpoints:wrap_init_model",
        "it resumes from files of other runs and architectures, and develop forgets the best metric",
        mentions=("config", "net", "optimizer=None", "'checkpoints'")),
    Row("ppcls.utils.save_load:load_dygraph_pretrain", "wrapped", "ppcls_ise.engine.checkpoints:wrap_load_pretrained",
        "it unpickles whatever a file of weights holds, and skips what does not fit", mentions=("model,", "path")),
    Row("ppcls.engine.engine:load_dygraph_pretrain", "wrapped", "ppcls_ise.engine.checkpoints:wrap_load_pretrained",
        "the engine has imported the same function by name", mentions=("model,", "path")),
    Row("ppcls.engine.engine:train_epoch", "wrapped", "ppcls_ise.host.bridges:wrap_train_epoch",
        "it knows one epoch function and no Global.train_mode", versions=("2.4.2", "release/2.5")),
    Row("ppcls.engine.train.train:update_loss", "replaced", "ppcls_ise.host.bridges:update_loss",
        "2.4.2 reads scalars as x.numpy()[0], which fails on the 0-D tensors of paddle >= 2.5",
        mentions=("trainer, loss_dict, batch_size",)),
    Row("ppcls.engine.train.train:update_metric", "replaced", "ppcls_ise.host.bridges:update_metric",
        "likewise", mentions=("trainer, out, batch, batch_size",)),
    Row("visualdl:LogWriter", "replaced", "ppcls_ise.host.bridges:NoLogWriter",
        "the engine imports it even if nothing is to be written; only where VisualDL is not installed"),
    # What is used at run time.
    Row("ppcls.data:create_operators", "used", "ppcls_ise.data.datasets:ReIDImages",
        "data sets build the transforms of a config, ours among PaddleClas's",
        mentions=("getattr(preprocess, op_name)",)),
    Row("ppcls.engine.engine:Engine", "used", "ppcls_ise.engine.train_ise:train_epoch_ise",
        "the engine looks up its epoch function by Global.train_mode", versions=("develop",),
        mentions=('"train_epoch_" + self.train_mode',)),
    Row("ppcls.arch:RecModel", "used", "ppcls_ise.arch.model:ISEModel",
        "the model is PaddleClas's, with its parameter names; backbone and neck are built by it",
        mentions=("self.backbone =", "self.neck =", "config['Neck']", "'BackboneStopLayer'")),
    Row("ppcls.engine.engine:Engine", "used", "ppcls_ise.engine.run:run_of",
        "the attribute ise_run is put on its model: PaddleClas hands no more than that to what saves and loads",
        mentions=("self.model",)),
    Row("paddle.distributed.fleet.utils.hybrid_parallel_util:fused_allreduce_gradients", "used",
        "ppcls_ise.distributed.global_batch:average_gradients", "averages gradients after the last BatchNorm group",
        mentions=("parameter_list", "hcg")),
    Row("ppcls.engine.engine:Engine", "used", "ppcls_ise.engine.train_ise:train_epoch_ise",
        "hooks read the engine's loaders, optimisers, meters and writer",
        mentions=("self.train_dataloader ", "self.optimizer", "self.output_info", "self.vdl_writer",
                  "self.gallery_query_dataloader", "self.query_dataloader", "self.gallery_dataloader",
                  "self.eval_metric_func")),
    Row("ppcls.engine.train.train:train_epoch", "used", "ppcls_ise.host.bridges:call_after_step",
        "clear_grad is called once per optimiser step, in every version, with or without AMP and gradient accumulation:"
        " ours follows it", mentions=("engine.optimizer[i].clear_grad()",)),
    Row("ppcls.loss:CombinedLoss", "used", "ppcls_ise.host.bridges:losses_see_labels_alone",
        "a batch has cameras beside its labels, which losses of PaddleClas would take for labels",
        mentions=("self.loss_func", "loss_func(input, batch)")),
    Row("ppcls.engine.train.train:train_epoch", "used", "ppcls_ise.host.bridges:forget_batches",
        "develop keeps its iterator over epochs: it would go on with the batches of the old pseudo labels",
        versions=("develop",), mentions=("engine.train_dataloader_iter",)),
    Row("ppcls.engine.engine:Engine", "used", "ppcls_ise.host.bridges:loss_scaler",
        "the state of AMP's loss scaler belongs to a checkpoint", mentions=("self.scaler",)),
    Row("ppcls.engine.engine:Engine", "used", "ppcls_ise.host.bridges:update_freq",
        "2.4.2 knows no gradient accumulation", versions=("release/2.5", "develop"), mentions=("self.update_freq",)),
    Row("ppcls.utils.logger:init_logger", "used", "ppcls_ise.host.bridges:naming",
        "the line of a save names the place it writes to, which is not the final one", mentions=("name='ppcls'",)),
    Row("ppcls.utils.config:AttrDict", "used", "ppcls_ise.host.bridges:attribute_dict",
        "the engine reads config.Global and config['Global']; the one of 2.4.2 turns into a dict when copied"),
    Row("paddle:DataParallel", "used", "ppcls_ise.host.bridges:average_gradients_ourselves",
        "with a feature cache the gradients may be averaged after the last group only",
        mentions=("self.grad_need_sync", "self._layers")),
    Row("paddle:DataParallel", "used", "ppcls_ise.distributed.processes:unwrap", "the model inside it",
        mentions=("self._layers",)),
    Row("paddle.nn.layer.norm:_BatchNormBase", "used", "ppcls_ise.arch.bn_groups:GroupStatistics",
        "groups of one step weigh alike in the running statistics",
        mentions=("self._momentum", "self._mean", "self._variance", "self._epsilon")),
    Row("paddle.nn.layer.norm:_BatchNormBase", "used", "ppcls_ise.engine.parallel:average_statistics",
        "running statistics are made equal on all processes", mentions=("self._mean", "self._variance")),
    Row("paddle.jit.sot.psdb:in_sot", "used", "ppcls_ise.arch.convolution:OneDNNConv2D",
        "a network that to_static traces has Paddle's convolutions"),
    Row("paddle.distributed.parallel:_print_modified_flags", "used", "ppcls_ise.host.bridges:silence_flags",
        "it lists flags that Paddle itself has set"),
)


def resolve(place: str) -> Any:
    """What ``module:name`` stands for.

    Raises:
        ImportError, AttributeError: if there is no such thing.
    """
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def broken(row: Row) -> str | None:
    """What of a row does not hold on the PaddleClas that is installed; None if all does.

    To be asked before :func:`ppcls_ise.host.register`, which changes the targets.
    """
    missing = _missing(row)
    if (missing is None) == (version() in row.versions):
        return None
    return (f"{row.target} ({row.kind} by {row.ours}: {row.why}): "
            + (missing or f"it is in {version()} as well, of which the table says it is not"))


def _missing(row: Row) -> str | None:
    try:
        module = importlib.import_module(row.target.partition(":")[0])
        target = module if row.kind == "added" else inspect.unwrap(resolve(row.target))
    except (ImportError, AttributeError) as error:
        return str(error)
    # Blanks and kinds of quotation marks are a matter of taste.
    source = " ".join(inspect.getsource(target).split()).replace('"', "'") if row.mentions else ""
    gone = [text for text in row.mentions if text.replace('"', "'") not in source]
    return f"its source no longer says {gone[0]!r}" if gone else None
