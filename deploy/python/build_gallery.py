"""Build a gallery of features, add images to it or take them out (IndexProcess.index_operation: new, append, remove).

cd deploy && python python/build_gallery.py -c configs/gallery.yaml -o IndexProcess.image_root=/data/crops"""
import os
import time

import _program


def main(config):
    from tqdm import tqdm

    from ppcls_ise.errors import ISEError
    from ppcls_ise.gallery.deployment import make_extractor, update_gallery
    from ppcls_ise.images.reading import shown

    block = config.get("IndexProcess")
    if not isinstance(block, dict):
        raise ISEError("the config has no block IndexProcess")
    settings = {**config["Global"], "batch_size": block.get("batch_size") or config["Global"].get("batch_size")}
    started = time.time()
    extractor = None if block.get("index_operation") == "remove" else make_extractor(settings)
    gallery, counts = update_gallery(block, extractor, lambda paths: tqdm(paths, unit="image"))
    done = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "nothing to do"
    cameras = ", ".join(map(shown, gallery.cameras)) or "unknown"
    print(f"{block['index_dir']}: {len(gallery)} images ({done}), {gallery.kind}, {gallery.dimension} numbers each, "
          f"cameras {cameras}; {time.time() - started:.1f} s")
    root = os.path.abspath(os.path.expanduser(block["image_root"]))
    if counts["unknown"] and root != gallery.image_root:
        print(f"not in the gallery: {counts['unknown']} of the listed images; those it has lie below "
              f"{shown(gallery.image_root)}, where IndexProcess.image_root is {shown(root)}")


if __name__ == "__main__":
    _program.run(main, __doc__)
