"""Run by paddle.distributed.launch: the second batch of the last process holds an image that cannot be read."""
import sys

import numpy as np
import paddle.distributed as dist
from paddle.io import Dataset

import ppcls_ise

ppcls_ise.register()

from ppcls_ise.data.loader import ImageLoader  # noqa: E402
from ppcls_ise.errors import ISEError  # noqa: E402


class Images(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, row):
        if row == 3 and dist.get_rank() == dist.get_world_size() - 1:
            raise ISEError("spoilt.jpg is no readable image")
        return np.zeros((3, 4, 2), np.float32), row


def main(target):
    if dist.get_world_size() > 1:
        dist.init_parallel_env()
    reported = []
    loader = ImageLoader(Images(), batch_size=2, num_workers=int(dist.get_rank() == 0), use_shared_memory=False)
    try:
        for _, rows in loader:
            reported.append(str(rows.tolist()))
    except ISEError as error:
        reported.append(str(error))
    with open(f"{target}_{dist.get_rank()}.txt", "w") as file:
        file.write("\n".join(reported))


if __name__ == "__main__":
    main(*sys.argv[1:])
