"""Random numbers of named parts of a computation, all from one seed."""

from __future__ import annotations

import zlib

import numpy as np

__all__ = ["stream"]


def stream(seed: int, *names: str) -> np.random.Generator:
    """Return the random generator of one part of a computation, named so that no part shifts the numbers of another.

    A simulated trial with one more recipient, or with reads, thus has the same first recipients and the same tables;
    a thinned sample is the same whatever other samples are thinned beside it.
    """
    return np.random.default_rng([seed, zlib.crc32("\0".join(names).encode())])
