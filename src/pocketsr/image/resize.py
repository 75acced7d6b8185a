"""Bicubic resizing as MATLAB's ``imresize`` does it, in numpy.

The field's low-resolution inputs are made by that function, so its details decide the second decimal of every published
figure: the Keys kernel with a = −0.5, stretched when shrinking (antialiasing), mirrored borders, and, for 8-bit images,
rounding after each of the two passes. Some papers' "bicubic" rows were enlarged by OpenCV or torch instead, with
a = −0.75: that is a keyword here. Knows nothing of files, colour or networks.
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from pocketsr.errors import SettingError

_Pixels = TypeVar("_Pixels", np.uint8, np.uint16, np.float32, np.float64)
Border = Literal["mirror", "edge"]


def resize_bicubic(
    image: npt.NDArray[_Pixels],
    height: int,
    width: int,
    *,
    antialias: bool = True,
    a: float = -0.5,
    border: Border = "mirror",
) -> npt.NDArray[_Pixels]:
    """Resize an image to ``height`` × ``width`` pixels, as MATLAB's ``imresize(image, [height width], 'bicubic')``.

    Args:
        image: ``(H, W)`` or ``(H, W, C)``. Integer images are rounded (half up) and clipped after each pass, as MATLAB
            does; float images keep any range and are never rounded.
        height: Rows of the result, at least 1.
        width: Columns of the result, at least 1.
        antialias: Stretch the kernel when shrinking. MATLAB's default.
        a: Slope of the kernel at distance 1; −0.5 is MATLAB's and Pillow's, −0.75 OpenCV's and torch's.
        border: What lies beyond the image: its mirror image as in MATLAB, or its last pixels (``edge``) as in OpenCV
            and torch.

    Returns:
        An array of the same dtype and number of channels.

    Raises:
        SettingError: ``height`` or ``width`` is below 1, or the image is empty.

    Source:
        Keys, "Cubic convolution interpolation" (1981), with a = −0.5; border and phase as MATLAB's ``imresize``.

    >>> resize_bicubic(np.array([[0, 0, 255, 255]], np.uint8), 1, 2).tolist()  # the far ends are mirrored in
    [[14, 241]]
    """
    if height < 1 or width < 1 or image.size == 0:
        raise SettingError(
            f"an image of {image.shape[:2]} pixels cannot be resized to {height}×{width}; both need 1 or more"
        )
    sizes = {0: height, 1: width}
    # MATLAB takes the axis that shrinks most first; on 8-bit images the rounding in between makes the order visible.
    for axis in sorted(sizes, key=lambda axis: sizes[axis] / image.shape[axis]):
        image = _resize_axis(image, axis, sizes[axis], antialias, a, border)
    return image


def downscale(image: npt.NDArray[_Pixels], scale: int) -> npt.NDArray[_Pixels]:
    """Shrink an image by a whole factor, after cropping it at the bottom and right to a multiple of that factor.

    Args:
        image: ``(H, W)`` or ``(H, W, C)`` with H and W at least ``scale``.
        scale: Factor, at least 1.

    >>> downscale(np.zeros((7, 9, 3), np.uint8), 3).shape
    (2, 3, 3)
    """
    cropped = crop_to_multiple(image, scale)
    return resize_bicubic(cropped, cropped.shape[0] // scale, cropped.shape[1] // scale)


def crop_to_multiple(image: npt.NDArray[_Pixels], multiple: int) -> npt.NDArray[_Pixels]:
    """Cut rows off the bottom and columns off the right until both are multiples of ``multiple`` (a view).

    >>> crop_to_multiple(np.zeros((7, 9, 3), np.uint8), 4).shape
    (4, 8, 3)
    """
    height, width = image.shape[:2]
    return image[: height - height % multiple, : width - width % multiple]


def _resize_axis(
    image: npt.NDArray[_Pixels], axis: int, size: int, antialias: bool, a: float, border: Border
) -> npt.NDArray[_Pixels]:
    if image.shape[axis] == size:
        return image
    weights, indices = contributions(image.shape[axis], size, antialias=antialias, a=a, border=border)
    shape = [1] * image.ndim
    shape[axis] = size
    dtype: type[np.floating[Any]] = np.float64 if image.dtype == np.float64 else np.float32
    result: npt.NDArray[np.floating[Any]] = np.zeros((*image.shape[:axis], size, *image.shape[axis + 1 :]), dtype)
    for tap in range(weights.shape[1]):
        result += np.take(image, indices[:, tap], axis) * weights[:, tap].astype(dtype).reshape(shape)
    if image.dtype.kind != "u":
        return result.astype(image.dtype, copy=False)
    np.clip(result, 0, np.iinfo(str(image.dtype)).max, out=result)
    result += 0.5  # truncation of a positive number and a half is MATLAB's round-half-away
    return result.astype(image.dtype)


def contributions(
    size_in: int, size_out: int, *, antialias: bool = True, a: float = -0.5, border: Border = "mirror"
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    """Return for each output position the weights of the input positions it looks at, and these: ``(size_out, taps)``.

    Args:
        size_in: Pixels along the axis.
        size_out: Pixels of the result.
        antialias: As ``resize_bicubic``.
        a: As ``resize_bicubic``.
        border: As ``resize_bicubic``.
    """
    scale = size_out / size_in
    stretch = min(scale, 1.0) if antialias else 1.0
    support = 4.0 / stretch
    # Centres in MATLAB's 1-based pixel coordinates.
    centre = np.arange(1, size_out + 1) / scale + 0.5 * (1 - 1 / scale)
    left = np.floor(centre - support / 2)
    positions = left[:, None] + np.arange(math.ceil(support) + 2)
    weights = stretch * _keys(stretch * (centre[:, None] - positions), a)
    weights /= weights.sum(axis=1, keepdims=True)
    places = positions.astype(np.intp) - 1
    if border == "edge":
        indices = np.clip(places, 0, size_in - 1)
    else:
        mirror = np.concatenate([np.arange(size_in), np.arange(size_in - 1, -1, -1)])
        indices = mirror[np.mod(places, 2 * size_in)]
    used = np.any(weights != 0, axis=0)
    return weights[:, used], indices[:, used]


def _keys(x: npt.NDArray[np.float64], a: float) -> npt.NDArray[np.float64]:
    """Keys' cubic kernel; zero beyond two pixels."""
    x = np.abs(x)
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))
