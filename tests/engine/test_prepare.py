import pytest
import yaml

from ppcls_ise.clustering import KReciprocalDBSCAN
from ppcls_ise.config import load_config, save_config
from ppcls_ise.engine import clustering_of, prepare_config
from ppcls_ise.errors import ISEError
from tests.helpers import ROOT

CONFIGS = sorted(ROOT.glob("configs/ISE*.yaml"))


def prepared(overrides=(), mode="train", name="ISE_demo.yaml"):
    return prepare_config(load_config(str(ROOT / "configs" / name), overrides), mode)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_is_complete(path):
    config = prepared(name=path.name)
    assert config["Global"]["device"] in ("cpu", "gpu")
    sampler = config["DataLoader"]["Train"]["sampler"]
    assert sampler["iter_per_epoch"] == config["Global"]["iter_per_epoch"]
    for block in (config["DataLoader"]["Train"], *config["DataLoader"].get("Eval", {}).values()):
        assert block["dataset"]["image_root"] == config["Global"]["image_root"]


def test_the_given_config_is_not_changed():
    config = load_config(str(ROOT / "configs/ISE_demo.yaml"))
    before = yaml.dump(config)
    prepare_config(config, "train")
    assert yaml.dump(config) == before


@pytest.mark.parametrize("override, message", [
    ("Cluster.eps=1.5", "Cluster.eps must be above 0 and below 1"),
    ("Cluster.eps=big", "Cluster.eps is a number or auto, not 'big'"),
    ("Cluster.search=flann", "Cluster.search is exact, faiss, paddle, ivf, not 'flann'"),
    ("Cluster.half=1", "Cluster.half is True or False"), ("Cluster.block_size=0", "Cluster.block_size must be above 0"),
    ("Cluster.probes=many", "Cluster.probes is a whole number"),
    ("Cluster.min_samples=0", "Cluster.min_samples must be above 0"),
    ("Cluster.k1=2.5", "Cluster.k1 is a whole number"),
    ("Global.pretrained_model=nowhere/best", "Global.pretrained_model: there is no file nowhere/best.pdparams"),
    ("Global.checkpoints=nowhere/latest", "Global.checkpoints: there is no file nowhere/latest.pdparams"),
    ("Global.iter_per_epoch=0", "Global.iter_per_epoch is a whole number above 0"),
    ("DataLoader.Train.sampler.name=PKSampler", "PseudoLabelSampler"),
    ("Global.train_mode=None", "Global.train_mode: ise"), ("Global.train_mode=isee", "Global.train_mode is ise"),
    ("Global.protocol=foo", "Global.protocol is market, all, same_camera"), ("Global.device=tpu", "Global.device is"),
    ("Arch.Head.topk=0", "needs support samples"), ("DataLoader=None", "DataLoader.Train.dataset.name: ReIDImages"),
    ("DataLoader.Train.dataset.name=Market1501", "ReIDImages"), ("DataLoader.Eval=None", "DataLoader.Eval is missing"),
    ("Loss.Train=[{'LabelPreservingLoss':{'weight':1.0}}]", "needs ClusterContrastLoss"),
    ("Loss.Train=[{'ClusterContrastLoss':{'weight':0.5}}]", "weight of a single loss"),
])
def test_mistakes_are_named(override, message):
    with pytest.raises(ValueError, match=message):
        prepared([override])


def test_null_is_the_default():
    keys = ["Global.device", "Global.flip_test", "Global.eval_interval", "Global.best_metric", "Cluster.eps",
            "Cluster.interval", "Arch.Head.topk", "Arch.stem_relu", "DataLoader.Train.loader.use_shared_memory",
            "DataLoader.Train.dataset.cache", "DataLoader.Train.dataset.transform_ops.2.PadCrop.padding",
            "Loss.Train.0.ClusterContrastLoss.temperature", "Metric.Eval.0.ReIDMetric.topk", "Synthetic.seed"]

    found = prepared([f"{key}=null" for key in keys])
    assert "temperature" not in found["Loss"]["Train"][0]["ClusterContrastLoss"]
    assert "topk" not in found["Metric"]["Eval"][0]["ReIDMetric"] and "seed" not in found["Synthetic"]
    assert "padding" not in found["DataLoader"]["Train"]["dataset"]["transform_ops"][2]["PadCrop"]
    assert "cache" not in found["DataLoader"]["Train"]["dataset"] and "topk" not in found["Arch"]["Head"]
    assert found["DataLoader"]["Train"]["loader"]["use_shared_memory"] is True
    assert (found["Global"]["device"], found["Global"]["eval_interval"]) in (("cpu", 1), ("gpu", 1))
    assert found["Global"]["flip_test"] is False and "best_metric" not in found["Global"]


def test_weights_that_are_false_are_unset():
    found = prepared(["Global.checkpoints=False", "Global.pretrained_model=False"])
    assert found["Global"]["checkpoints"] is None is found["Global"]["pretrained_model"]


TRAIN, QUERY = "DataLoader.Train", "DataLoader.Eval.Query"


@pytest.mark.parametrize("mode", ["train", "eval", "export", "data"])
@pytest.mark.parametrize("override, message", [
    ("Clusters.eps=0.5", "the config has a block Clusters, did you mean Cluster"),
    ("Optimiser={}", "block Optimiser, did you mean Optimizer"), ("arch={}", "block arch, did you mean Arch"),
    ("Global.epoch=2", "Global.epoch is no known key, did you mean epochs"),
    ("Global.of_another_program=1", r"Global.of_another_program is no known key\. Known are image_root, "),
    ("Global.use_gpu=True", "Global.use_gpu is no key of this block: set Global.device"),
    ("Cluster.epss=0.5", "Cluster.epss is no known key, did you mean eps"),
    ("Cluster=0.5", "Cluster is a block of keys"),
    ("Arch.bn_groupsize=64", "Arch.bn_groupsize is no known key, did you mean bn_group_size"),
    ("Arch.feature_cache=True", "Arch.feature_cache is no key of this block: set Global.feature_cache"),
    ("Arch.Backbone.name=PPLCNet_x1", "Arch.Backbone.name: PaddleClas has no PPLCNet_x1, did you mean PPLCNet_x1_"),
    ("Arch.Head.top_k=2", "Arch.Head.top_k is no known key, did you mean topk"),
    ("Arch.Pooling.P=3", "Arch.Pooling.P is no known key, did you mean p"),
    ("Arch.Neck.num_feature=128", "Arch.Neck.num_feature is no known key, did you mean num_features"),
    ("Arch.BackboneStopLayer.nam=blocks5", "Arch.BackboneStopLayer.nam is no known key, did you mean name"),
    ("DataLoader.Clusters={}", "DataLoader.Clusters is no known key, did you mean Cluster"),
    ("DataLoader.Eval.Galery={}", "DataLoader.Eval.Galery is no known key, did you mean Gallery"),
    (f"{TRAIN}.datasets={{}}", f"{TRAIN}.datasets is no known key, did you mean dataset"),
    (f"{TRAIN}.dataset.cls_label_pth=train", "dataset.cls_label_pth is no known key, did you mean cls_label_path"),
    (f"{TRAIN}.dataset.layuot=MSMT17", f"{TRAIN}.dataset.layuot is no known key, did you mean layout"),
    (f"{QUERY}.dataset.keep_jnk=True", f"{QUERY}.dataset.keep_jnk is no known key, did you mean keep_junk"),
    (f"{QUERY}.dataset.called=names", f"{QUERY}.dataset.called is no known key"),
    (f"{TRAIN}.sampler.num_instance=4", f"{TRAIN}.sampler.num_instance is no known key, did you mean num_instances"),
    (f"{TRAIN}.sampler.seed=1", f"{TRAIN}.sampler.seed is no key of this block: set Global.seed"),
    (f"{TRAIN}.sampler.iter_per_epoch=9", "set Global.iter_per_epoch"),
    (f"{TRAIN}.sampler.group_size=64", "set Arch.bn_group_size"),
    (f"{TRAIN}.loader.num_worker=1", f"{TRAIN}.loader.num_worker is no known key, did you mean num_workers"),
    (f"{QUERY}.sampler.batchsize=8", f"{QUERY}.sampler.batchsize is no known key, did you mean batch_size"),
    (f"{QUERY}.loader.shared_memory=True", "loader.shared_memory is no known key, did you mean use_shared_memory"),
    ("DataLoader.Cluster.dataset.transform_op=[]", "dataset.transform_op is no known key, did you mean transform_ops"),
    ("DataLoader.Cluster.dataset.image_root=x", "Cluster.dataset.image_root is no .*: the images are those of .*Train"),
    ("DataLoader.Cluster.sampler.batches=8", "Cluster.sampler.batches is no known key, did you mean batch_size"),
    ("DataLoader.Cluster.loader.workers=1", "Cluster.loader.workers is no known key, did you mean num_workers"),
    (f"{TRAIN}.dataset.transform_ops.2.PadCrop.paddings=3", "PadCrop.paddings is no known key, did you mean padding"),
    (f"{TRAIN}.dataset.transform_ops.5.RandomErase.ares=1", "RandomErase.ares is no known key, did you mean area"),
    (f"{TRAIN}.dataset.transform_ops.4.ChannelJitter.gains=1", "Jitter.gains is no known key, did you mean gain"),
    (f"{TRAIN}.dataset.transform_ops.2={{'PadCorp': None}}", "transform_ops.2: PaddleClas has no PadCorp, .* PadCrop"),
    (f"{TRAIN}.dataset.transform_ops.2=PadCrop", "transform_ops.2 is one name with its options below it"),
    ("Loss.Train.0.ClusterContrastLoss.tmperature=1", "Loss.tmperature is no known key, did you mean temperature"),
    ("Loss.Train.1.LabelPreservingLoss.wieght=1", "1.LabelPreservingLoss.wieght is no known key, did you mean weight"),
    ("Loss.Train.1={'LabelPreserveLoss': {'weight': 1}}", "PaddleClas has no LabelPreserveLoss, did you mean Label"),
    ("Loss.Train.1.LabelPreservingLoss.weight=None", "Loss.Train.1.LabelPreservingLoss.weight is missing"),
    ("Metric.Eval.0.ReIDMetric.top_k=[1]", "Metric.Eval.0.ReIDMetric.top_k is no known key, did you mean topk"),
    ("Metric.Eval=ReIDMetric", "Metric.Eval is a list, not 'ReIDMetric'"),
    ("Synthetic.identites=9", "Synthetic.identites is no known key, did you mean identities"),
])
def test_a_misspelt_key_is_named_with_the_nearest_known_one(tmp_path, override, message, mode):
    (tmp_path / "w.pdparams").write_bytes(b"")
    with pytest.raises(ISEError, match=message):
        prepared([f"Global.pretrained_model={tmp_path / 'w'}", override], mode)


def test_a_folder_without_identities_has_no_key_that_needs_them():
    for override, message in ((f"{TRAIN}.dataset.layout=Market", "knows no identities; use ReIDImages"),
                              (f"{TRAIN}.dataset.camera=folder", "did you mean cameras")):
        with pytest.raises(ISEError, match=message):
            prepared([override], name="ISE_folder.yaml")


@pytest.mark.parametrize("name, override, message, modes", [
    ("ISE_demo", f"{QUERY}.loader=None", f"{QUERY}.loader is missing", "train eval"),
    ("ISE_demo", f"{QUERY}.loader.num_workers=None", f"{QUERY}.loader.num_workers is missing", "train eval"),
    ("ISE_demo", f"{QUERY}.sampler=None", f"{QUERY}.sampler is missing", "train eval"),
    ("ISE_demo", f"{QUERY}.sampler={{'batch_size':8}}", f"{QUERY}.sampler.shuffle is missing", "train eval"),
    ("ISE_demo", f"{QUERY}={{}}", f"{QUERY}.dataset is missing", "train eval export"),
    ("ISE_demo", f"{TRAIN}.sampler.batch_size=None", f"{TRAIN}.sampler.batch_size is missing", "train"),
    ("ISE_demo", f"{TRAIN}.sampler.num_instances=None", f"{TRAIN}.sampler.num_instances is missing", "train"),
    ("ISE_demo", f"{TRAIN}.loader=None", f"{TRAIN}.loader is missing", "train"),
    ("ISE_folder", "DataLoader.Cluster.loader=None", "DataLoader.Cluster.loader is missing", "train"),
    ("ISE_folder", "DataLoader.Cluster.sampler=None", "DataLoader.Cluster.sampler is missing", "train"),
    ("ISE_folder", "DataLoader.Cluster.sampler={}", "DataLoader.Cluster.sampler.batch_size is missing", "train"),
    ("ISE_folder", "DataLoader.Cluster.dataset={}", "Cluster.dataset.transform_ops is missing", "train export"),
    ("ISE_demo", f"{QUERY}.dataset.transform_ops=None", f"{QUERY}.dataset.transform_ops is missing", "train export"),
])
def test_what_a_mode_needs_of_the_data_loader_is_there(tmp_path, name, override, message, modes):
    (tmp_path / "w.pdparams").write_bytes(b"")
    for mode in ["train", "eval", "export", "data"]:
        if name == "ISE_folder" and mode == "eval":
            continue  # it has nothing to evaluate
        arguments = [f"Global.pretrained_model={tmp_path / 'w'}", override], mode, f"{name}.yaml"
        if mode in modes.split():
            with pytest.raises(ISEError, match=message):
                prepared(*arguments)
        else:
            prepared(*arguments)


def test_shared_memory_is_on_where_the_loader_does_not_say():
    config = prepared([f"{TRAIN}.loader={{'num_workers':2}}", f"{QUERY}.loader={{'num_workers':2}}"])
    for block in (config["DataLoader"]["Train"], config["DataLoader"]["Eval"]["Query"]):
        assert block["loader"] == {"num_workers": 2, "use_shared_memory": True}


def test_what_is_paddleclas_own_is_left_to_it():
    config = load_config(str(ROOT / "configs/ISE_demo.yaml"), [
        "Global.use_dali=False", "Global.to_static=False", "EMA.decay=0.9", "Of_another_program.x=1",
        "Arch={'name':'RecModel','Backbone':{'name':'ResNet50'},'head_feature_from':'neck'}",
        f"{TRAIN}={{'dataset':{{'name':'ImageNetDataset','class_nums':3}},'sampler':{{'x':1}},'loaders':None}}",
        "Loss.Train=[{'CELoss':{'weights':1.0}}]", "Metric.Eval=[{'Recallk':{'topks':[1]}}]",
        "DataLoader.UnLabelTrain={}", "Global.train_mode=None"])
    prepare_config(config, "train")
    for override, message in ((f"{QUERY}.dataset.camera=1", f"{QUERY}.dataset.camera is no known key"),
                              ("Global.epoch=2", "did you mean epochs")):  # ours, even so
        with pytest.raises(ISEError, match=message):
            prepared([override, "Arch={'name':'RecModel'}"])


@pytest.mark.parametrize(("name", "override"), [
    ("ISE_folder.yaml", "DataLoader.Train.dataset.transform_ops.0.ResizeImage.size=[64,128]"),
    ("ISE_folder.yaml", "DataLoader.Cluster.dataset.transform_ops.0.ResizeImage.size=128"),
    ("ISE_R50.yaml", "DataLoader.Eval.Gallery.dataset.transform_ops.0.ResizeImage.size=[64,128]")])
def test_images_are_of_one_size_everywhere(name, override):
    key = override.split(".dataset")[0].split("=")[0]
    with pytest.raises(ISEError, match=rf"different sizes \(width x height\): .*{key} \d+x\d+.*"):
        prepared([override], name=name)


@pytest.mark.parametrize("name", ["ISE_demo.yaml", "ISE_folder.yaml"])
def test_a_flat_config_names_its_sizes(tmp_path, name):
    path = save_config(load_config(name), str(tmp_path))
    with pytest.raises(ISEError, match=r"Global.image_shape 32x48, DataLoader.Train \d+x\d+, .*leave size out"):
        prepare_config(load_config(path, ["Global.image_shape=[3,48,32]"]), "train")


def test_a_resize_without_size_needs_the_image_shape():
    with pytest.raises(ISEError, match="DataLoader.Train has a ResizeImage without size, and Global.image_shape is No"):
        prepared(["Global.image_shape=None"])


def test_export_without_weights_is_refused():
    with pytest.raises(ValueError, match="export needs the trained weights"):
        prepared(mode="export")


def test_weights_may_be_named_with_or_without_suffix(tmp_path):
    (tmp_path / "best.pdparams").write_bytes(b"")
    for name in ("best", "best.pdparams"):
        config = prepared([f"Global.pretrained_model={tmp_path / name}"], mode="eval")
        assert config["Global"]["pretrained_model"] == str(tmp_path / "best")


def test_defaults_are_those_of_market():
    expected = KReciprocalDBSCAN(eps=0.4, min_samples=4, k1=30, k2=6, search="exact"), 1
    assert clustering_of({}) == clustering_of(None) == expected


def test_cluster_block():
    config = prepared(["Cluster.eps=auto", "Cluster.search=ivf", "Cluster.probes=9", "Cluster.half=True"])
    assert clustering_of(config["Cluster"]) == (KReciprocalDBSCAN(
        "auto", config["Cluster"]["min_samples"], config["Cluster"]["k1"], search="ivf", probes=9, half=True), 1)


@pytest.mark.parametrize("size", [2.0, 0, -1, True, [32], [32, 0], "32"])
def test_a_size_that_is_none_is_named(size):
    with pytest.raises(ISEError, match=r"transform_ops.0.ResizeImage.size is \[width, height\], not "):
        prepared([f"DataLoader.Train.dataset.transform_ops.0.ResizeImage.size={size!r}"])
