"""Draw the pictures of docs: python docs/draw.py [FOLDER]. Their numbers come from the functions they explain."""
import pathlib
import sys

import numpy as np
import paddle

from ppcls_ise.arch.pli import interpolation_degree, support_samples
from ppcls_ise.visualize.charts import STYLE, line_chart

HERE = pathlib.Path(__file__).resolve().parent

COLOURS = ("var(--c0)", "var(--c1)", "var(--c2)")
CLUSTERS = {0: (52, 60, 68, 76), 1: (96, 104, 112), 2: (136, 143, 150, 158)}  # angles of features, degrees


def svg(width, height, parts, label):
    return (f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" aria-label="{label}" '
            'xmlns="http://www.w3.org/2000/svg" font-size="13" font-family="system-ui,sans-serif">'
            f'{STYLE}{"".join(parts)}</svg>\n')


def text(x, y, words, colour="var(--ink)", anchor="middle", size=13):
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="{colour}" font-size="{size}">{words}</text>'


def pli():
    """Features on a circle (features of two numbers), their centroids, and the supports at the degree of the end."""
    angles = np.radians([angle for members in CLUSTERS.values() for angle in members])
    labels = np.repeat(list(CLUSTERS), [len(members) for members in CLUSTERS.values()])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    centroids = np.stack([features[labels == label].mean(axis=0) for label in CLUSTERS])
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    supports, _ = support_samples(paddle.to_tensor(features.astype("float32")), paddle.to_tensor(labels),
                                  paddle.to_tensor(centroids.astype("float32")), interpolation_degree(1, 1))
    radius, centre, base = 320, 330, 370

    def at(point, scale=1.0):
        return centre + scale * radius * point[0], base - scale * radius * point[1]

    (x0, y0), (x1, y1) = at((np.cos(0.6), np.sin(0.6))), at((-np.cos(0.3), np.sin(0.3)))
    parts = [f'<path d="M{x0:.1f} {y0:.1f}A{radius} {radius} 0 0 0 {x1:.1f} {y1:.1f}" fill="none" '
             'stroke="var(--line)" stroke-width="2"/>']
    for label, centroid in enumerate(centroids):
        (x, y), (tx, ty) = at(centroid, 0.92), at(centroid, 0.82)
        parts.append(f'<path d="M{x - 7:.1f} {y:.1f}h14M{x:.1f} {y - 7:.1f}v14" stroke="{COLOURS[label]}" '
                     f'stroke-width="3"/>' + text(tx, ty + 5, f"c{label + 1}", COLOURS[label]))
    for row, (feature, support, label) in enumerate(zip(features, supports.numpy(), labels)):
        lift = 1.045 + 0.03 * (row % 3)  # apart from each other; all are of unit length
        (x, y), (sx, sy), (ox, oy) = at(feature), at(support, lift), at(feature, lift)
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="{COLOURS[label]}"/>'
                     f'<path d="M{ox:.1f} {oy:.1f}L{sx:.1f} {sy:.1f}" stroke="{COLOURS[label]}" stroke-width="1.5"/>'
                     f'<circle cx="{sx:.1f}" cy="{sy:.1f}" r="5" fill="none" stroke="{COLOURS[label]}" '
                     'stroke-width="2"/>')
    parts += [text(330, 205, "filled: actual samples f, at unit length"),
              text(330, 228, "open: their support samples s at the end of training,"),
              text(330, 251, "moved by 0.25 (c of the nearest other cluster - c of their own)"),
              text(330, 274, "+: centroids", "var(--soft)")]
    return svg(660, 300, parts, "Support samples lean from their own cluster towards the nearest other one")


def degree():
    """delta over 70 epochs of 400 steps."""
    epochs, steps = 70, 400
    curve = [(epoch, interpolation_degree(epoch * steps, epochs * steps)) for epoch in range(epochs + 1)]
    return styled(line_chart({"delta": curve}))


def styled(chart):
    return chart.replace("<svg ", '<svg width="540" font-family="system-ui,sans-serif" ', 1).replace(
        ">", ">" + STYLE, 1) + "\n"


def cameras():
    """Market mAP of the runs of seed 1 in docs/cameras.md: their evaluation.csv, and the start."""
    runs = {"plain ISE": [18.6, 15.2, 11.1, 9.0, 8.5, 8.8, 8.9, 9.2, 9.0, 9.4],
            "with cameras": [20.3, 21.3, 22.3, 22.4, 22.7, 22.7, 23.3, 24.3, 23.9, 23.7]}
    chart = line_chart({name: list(enumerate([19.5, *values])) for name, values in runs.items()})
    names = [text(340, y, name, colour, "end") for y, name, colour in zip((155, 34), runs, COLOURS)]
    return styled(chart.replace("</svg>", "".join(names) + "</svg>"))


def box(x, y, width, title, *lines, room=""):
    height = 30 + 17 * len(lines)
    parts = [f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="none" stroke="var(--c0)" '
             f'stroke-width="1.5"/>{text(x + width / 2, y + 20, title)}']
    parts += [text(x + width / 2, y + 38 + 17 * row, line, "var(--soft)", size=11) for row, line in enumerate(lines)]
    return parts + ([text(x + width - 4, y - 5, room, "var(--c2)", "end", 11)] if room else [])


def arrow(x0, y0, x1, y1, words=""):
    angle = np.arctan2(y1 - y0, x1 - x0)
    tips = " ".join(f"{x1 - 9 * np.cos(angle + turn):.1f},{y1 - 9 * np.sin(angle + turn):.1f}" for turn in (0.4, -0.4))
    return [f'<path d="M{x0} {y0}L{x1} {y1}" stroke="var(--ink)" stroke-width="1.3"/>'
            f'<polygon points="{x1},{y1} {tips}" fill="var(--ink)"/>'
            + (text((x0 + x1) / 2 + 6, (y0 + y1) / 2 + 4, words, "var(--soft)", "start", 11) if words else "")]


def corner(path, tip, down=True):
    """A line with corners, and its tip."""
    x, y = tip
    wing = -9 if down else 9
    return [f'<path d="{path}" fill="none" stroke="var(--ink)" stroke-width="1.3"/>'
            f'<polygon points="{x},{y} {x - 4},{y + wing} {x + 4},{y + wing}" fill="var(--ink)"/>']


def architecture():
    """The way of the data: a step, what an epoch begins with, and a search with the exported model."""
    parts = []
    for x, y, words in ((10, 18, "every step"), (690, 200, "before an epoch"), (10, 405, "a search")):
        parts.append(text(x, y, words, "var(--c1)", "start"))
    parts += box(10, 60, 130, "ReIDImages", "PseudoLabelSampler,", "ImageLoader", room="data")
    parts += box(180, 60, 120, "ISEModel", "backbone,", "BN neck", room="arch")
    parts += box(340, 60, 130, "ISEHead", "support samples,", "ClusterMemory", room="arch")
    parts += box(510, 60, 140, "losses", "ClusterContrastLoss,", "LabelPreservingLoss", room="loss")
    parts += box(690, 60, 130, "optimizer", "PaddleClas's", "train_epoch", room="ppcls")
    for x in (140, 300, 470, 650):
        parts += arrow(x, 92, x + 40, 92)
    parts += corner("M755 60V36H405V52", (405, 60))
    parts.append(text(580, 30, "Run.after_step: the memory follows", "var(--soft)", size=11))
    parts += box(10, 240, 130, "list_images", "layouts, crops", room="images")
    parts += box(180, 240, 120, "extract_features", "no augmentation", room="engine")
    parts += box(340, 240, 310, "a Clustering, chosen by Cluster.name",
                 "neighbours (every process), assign (the first)", room="clustering")
    parts += box(690, 240, 130, "Run", "hooks, state_dict", room="engine")
    for x, wide in ((140, 40), (300, 40), (650, 40)):
        parts += arrow(x, 264, x + wide, 264)
    parts += arrow(75, 240, 75, 134, "crops")
    parts += arrow(240, 124, 240, 232, "features")
    parts += arrow(405, 240, 405, 134, "centroids")
    parts += corner("M560 240V212H110V134", (110, 126), down=False)
    parts.append(text(500, 206, "pseudo labels", "var(--soft)", size=11))
    parts += corner("M755 287V360H240V417", (240, 425))
    parts.append(text(500, 354, "checkpoint; export_model makes a static model of it", "var(--soft)", size=11))
    parts += box(10, 425, 130, "read_image", room="images")
    parts += box(180, 425, 120, "FeatureExtractor", "Paddle or ONNX", room="inference")
    parts += box(340, 425, 130, "Gallery.search", "faiss", room="gallery")
    parts += box(510, 425, 140, "SearchService", "HTTP, page", room="serving")
    for x in (140, 300, 470):
        parts += arrow(x, 442, x + 40, 442)
    return svg(830, 490, parts, "The way of the data through ppcls_ise")


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for draw in (pli, degree, cameras, architecture):
        (folder / f"{draw.__name__}.svg").write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "pictures")
