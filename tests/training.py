"""Small trainings: overrides that make configs/ISE_demo.yaml a matter of seconds, on a set of 64 x 32 images."""

TINY = ["Global.epochs=2", "Global.iter_per_epoch=3", "Global.print_batch_step=1", "Global.image_shape=[3,64,32]",
        "DataLoader.Train.sampler.batch_size=16", "Arch.bn_group_size=16",
        "DataLoader.Train.sampler.num_instances=4",
        "Cluster.min_samples=2", "Cluster.k1=8", "Cluster.k2=3"]
#: What configs/*_cameras.yaml add.
CAMERAS = ["Cluster.name=CrossCameraDBSCAN", "Arch.Head.negatives=same_camera", "Global.ema_decay=auto",
           "Loss.Train=[{'ClusterContrastLoss':{'weight':1.0,'temperature':0.1}},{'LabelPreservingLoss':{'weight':0.1}},"
           "{'CameraProxyLoss':{'weight':1.0}}]"]


def cluster_hook(engine):
    """The hook with the pseudo labels of an engine's run."""
    from ppcls_ise.engine import ClusterHook, run_of

    return run_of(engine.model).hook(ClusterHook)
