"""High-dimensional features on a plane."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["choose_for_map", "flatten"]


def choose_for_map(groups: NDArray[np.integer], limit: int = 1000, seed: int = 0) -> NDArray[np.int64]:
    """Images for a map of bounded cost: whole groups, drawn at random, until ``limit`` is reached.

    Args:
        groups: int [N], identities, or clusters where these are not known.

    Returns:
        int [n <= limit], ascending.
    """
    names = np.random.default_rng(seed).permutation(np.unique(groups))
    sizes = np.array([(groups == name).sum() for name in names])
    kept = names[np.cumsum(sizes) <= limit]
    chosen = np.flatnonzero(np.isin(groups, kept))
    return chosen if len(chosen) else np.arange(min(limit, len(groups)))


def flatten(features: NDArray[np.float32], seed: int = 0) -> NDArray[np.floating]:
    """t-SNE (van der Maaten and Hinton, JMLR 2008) by scikit-learn: neighbours stay together, distances mean little.

    Args:
        features: float32 [N, D] unit rows.

    Returns:
        float [N, 2].
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    if len(features) < 5:
        return np.stack([np.arange(len(features)), np.zeros(len(features))], axis=1)
    # 50 dimensions, as its authors do: beyond them is mostly noise, and the search takes long.
    small = PCA(min(50, *features.shape), random_state=seed).fit_transform(features)
    perplexity = min(30, (len(features) - 1) / 3)
    return TSNE(init="pca", perplexity=perplexity, random_state=seed).fit_transform(small)
