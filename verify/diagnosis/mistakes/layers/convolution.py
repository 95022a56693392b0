"""Mistakes in convolutions and in pooling: windows, padding, ties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from verify.diagnosis.mistakes.layers.mistake import (
    LayerMistake,
    Wrong,
    mistake_of_change,
    mistake_of_forward,
)
from verify.reference.layers.convolution import (
    conv2d,
    conv_transpose2d,
    convolution_places,
    convolution_windows,
    padded_images,
)

CONVOLUTIONS = ("conv2d", "dilated_conv2d", "grouped_conv2d")


def _flipped(w: Any) -> Any:
    return w[:, :, ::-1, ::-1]


def _dpadded(right: Any, dout: Any, x: Any, w: Any, b: Any, **options: Any) -> Any:
    """The gradient of the padded x."""
    wide = padded_images(x, options["pad"])
    _, pullback = jax.vjp(lambda wide: conv2d(wide, w, b, **{**options, "pad": 0}), wide)
    return pullback(dout)[0]


def _placed(window: Any, into: Any, top: int, left: int) -> Any:
    """Zeros like an array, but a window at a place."""
    bottom, right = (into.shape[i] - window.shape[i] - start for i, start in ((2, top), (3, left)))
    edges = ((0, 0, 0), (0, 0, 0), (top, bottom, 0), (left, right, 0))
    return lax.pad(window, jnp.zeros((), window.dtype), edges)


def _put(into: Any, window: Any, top: int, left: int) -> Any:
    """An array with a window put into it at a place, by =."""
    inside = np.zeros(into.shape, dtype=bool)
    inside[:, :, top : top + window.shape[2], left : left + window.shape[3]] = True
    return jnp.where(inside, _placed(window, into, top, left), into)


def _assigned(seen: Any, x: Any, size: int, stride: int) -> Any:
    """Each window's gradients (n, c, size size, height, width) put into x's place by =, window after window."""
    n, c = x.shape[:2]
    height, width = seen.shape[3:]
    dx = jnp.zeros_like(x)
    for p in range(height):
        for q in range(width):
            window = seen[:, :, :, p, q].reshape(n, c, size, size)
            dx = _put(dx, window, p * stride, q * stride)
    return dx


def _added(seen: Any, x: Any, size: int, stride: int) -> Any:
    """The same by +=; what lies outside of x is lost."""
    _, pullback = jax.vjp(lambda x: convolution_windows(x, (size, size), stride), x)
    return pullback(seen)[0]


def _max_pool(share: Callable[[Any], Any], put: Callable[..., Any] = _added) -> Wrong:
    """dx where each window's gradient goes to its entries by ``share(seen)``."""

    def wrong(right: Any, dout: Any, x: Any, *, size: int, stride: int) -> Any:
        seen = convolution_windows(x, (size, size), stride)
        return (put(dout[:, :, jnp.newaxis] * share(seen), x, size, stride),)

    return wrong


def _largest(seen: Any) -> Any:
    return jnp.where(seen >= jnp.max(seen, axis=2, keepdims=True), 1.0, 0.0)


def _first_largest(seen: Any) -> Any:
    """1 at the first of the largest entries of each window."""
    largest = _largest(seen)
    before = jnp.einsum("ncjpq,jk->nckpq", largest, np.triu(np.ones([largest.shape[2]] * 2), 1))
    return largest * jnp.where(before > 0, 0.0, 1.0)


def _avg_pool(share: Callable[[int], float], put: Callable[..., Any] = _added) -> Wrong:
    def wrong(right: Any, dout: Any, x: Any, *, size: int, stride: int) -> Any:
        seen = jnp.ones_like(convolution_windows(x, (size, size), stride))
        return (put(dout[:, :, jnp.newaxis] * share(size) * seen, x, size, stride),)

    return wrong


def _without_overlap(seen: Any, x: Any, size: int, stride: int) -> Any:
    """Windows put side by side, whatever the stride; what does not fit is lost."""
    n, c = x.shape[:2]
    height, width = seen.shape[3:]
    room = jnp.zeros((n, c, max(x.shape[2], height * size), max(x.shape[3], width * size)), x.dtype)
    return _assigned(seen, room, size, size)[:, :, : x.shape[2], : x.shape[3]]


def _conv_window_assigned(right: Any, dout: Any, x: Any, w: Any, b: Any, *, stride: int, pad: int) -> Any:
    wide = jnp.zeros_like(padded_images(x, pad))
    for p in range(dout.shape[2]):
        for q in range(dout.shape[3]):
            window = jnp.einsum("nf,fcij->ncij", dout[:, :, p, q], w)
            wide = _put(wide, window, p * stride, q * stride)
    dx = wide[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]]
    return dx, *right(dout)[1:]


def _unstrided(right: Any, dout: Any, x: Any, w: Any, b: Any, *, stride: int, pad: int) -> Any:
    """Windows put one place apart, whatever the stride."""
    kernel = w.shape[2:]
    wide = padded_images(x, pad)
    height, width = dout.shape[2:]
    part = wide[:, :, : height + kernel[0] - 1, : width + kernel[1] - 1]
    _, pullback = jax.vjp(lambda part: conv2d(part, w, b, stride=1, pad=0), part)
    filled = _placed(pullback(dout)[0], wide, 0, 0)
    return filled[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]], *right(dout)[1:]


def _last_place(dw: Any, dout: Any, x: Any, w: Any, b: Any, *, stride: int, pad: int) -> Any:
    """dw of the last window alone: = for += in the loop."""
    kernel = w.shape[2:]
    wide = padded_images(x, pad)
    top, left = (
        (convolution_places(n, k, stride, 1) - 1) * stride
        for n, k in zip(wide.shape[2:], kernel, strict=True)
    )
    window = wide[:, :, top : top + kernel[0], left : left + kernel[1]]
    return jnp.einsum("nf,ncij->fcij", dout[:, :, -1, -1], window)


TABLE: tuple[LayerMistake, ...] = (
    LayerMistake(
        "conv_window_assigned",
        ("conv2d",),
        "dx[window] = w * dout",
        "dx[window] += w * dout",
        "right where windows do not overlap and there is one filter at a time",
        _conv_window_assigned,
    ),
    LayerMistake(
        "conv_padding_not_undone",
        CONVOLUTIONS,
        "dx = dpadded[:, :, :h, :w]",
        "dx = dpadded[:, :, pad:pad + h, pad:pad + w]",
        "the border is cut off at one end; right at padding 0",
        lambda right, dout, x, *rest, **options: (
            _dpadded(right, dout, x, *rest, **options)[:, :, : x.shape[2], : x.shape[3]],
            *right(dout)[1:],
        ),
    ),
    LayerMistake(
        "conv_padding_cut_off_twice",
        CONVOLUTIONS,
        "dx = dpadded[:, :, 2 pad:]",
        "dx = dpadded[:, :, pad:pad + h, pad:pad + w]",
        "the border is cut off at the other end; right at padding 0",
        lambda right, dout, x, *rest, **options: (
            _dpadded(right, dout, x, *rest, **options)[:, :, 2 * options["pad"] :, 2 * options["pad"] :],
            *right(dout)[1:],
        ),
    ),
    LayerMistake(
        "conv_kernel_flipped_in_dx",
        CONVOLUTIONS,
        "dx with w[:, :, ::-1, ::-1]",
        "dx with w",
        "flipped once too often; right for kernels of one place",
        lambda right, dout, x, w, b, **options: (
            mistake_of_forward(conv2d)(right, dout, x, _flipped(w), b, **options)[0],
            *right(dout)[1:],
        ),
    ),
    LayerMistake(
        "conv_kernel_flipped_in_dw",
        CONVOLUTIONS,
        "dw[:, :, ::-1, ::-1]",
        "dw",
        "a convolution's derivative where a cross-correlation was computed",
        mistake_of_change(1, lambda d, *rest, **options: _flipped(d)),
    ),
    LayerMistake(
        "conv_kernel_turned",
        CONVOLUTIONS,
        "dx with w flipped along its rows",
        "dx with w",
        "one axis is flipped, the other is not",
        lambda right, dout, x, w, b, **options: (
            mistake_of_forward(conv2d)(right, dout, x, w[:, :, ::-1], b, **options)[0],
            *right(dout)[1:],
        ),
    ),
    LayerMistake(
        "conv_dw_last_image",
        CONVOLUTIONS,
        "dw = ... of each image",
        "dw += ... of each image",
        "= for += in the loop over the batch; right for one image",
        lambda right, dout, x, w, b, **options: (
            right(dout)[0],
            mistake_of_forward(conv2d)(right, dout[-1:], x[-1:], w, b, **options)[1],
            right(dout)[2],
        ),
    ),
    LayerMistake(
        "conv_dw_last_place",
        ("conv2d",),
        "dw = ... of each place",
        "dw += ... of each place",
        "= for += in the loop over the places",
        mistake_of_change(1, _last_place),
    ),
    LayerMistake(
        "conv_dw_mean",
        CONVOLUTIONS,
        "dw / n",
        "dw",
        "the mean of the loss is taken a second time; right for one image",
        mistake_of_change(1, lambda d, dout, x, *rest, **options: d / x.shape[0]),
    ),
    LayerMistake(
        "conv_db_mean",
        CONVOLUTIONS,
        "mean(dout, axis=(0, 2, 3))",
        "sum(dout, axis=(0, 2, 3))",
        "a mean where the sum belongs",
        mistake_of_change(2, lambda d, dout, *rest, **options: d * dout.shape[1] / dout.size),
    ),
    LayerMistake(
        "conv_db_mean_of_images",
        CONVOLUTIONS,
        "sum(dout, axis=(0, 2, 3)) / n",
        "sum(dout, axis=(0, 2, 3))",
        "the mean of the loss is taken a second time; right for one image",
        mistake_of_change(2, lambda d, dout, *rest, **options: d / dout.shape[0]),
    ),
    LayerMistake(
        "conv_db_one_place",
        CONVOLUTIONS,
        "sum(dout[:, :, 0, 0], axis=0)",
        "sum(dout, axis=(0, 2, 3))",
        "the places are not summed; right for one place",
        mistake_of_change(2, lambda d, dout, *rest, **options: jnp.sum(dout[:, :, 0, 0], axis=0)),
    ),
    LayerMistake(
        "conv_stride_lost",
        ("conv2d",),
        "dx[p : p + kh] += ...",
        "dx[p stride : p stride + kh] += ...",
        "right at stride 1",
        _unstrided,
    ),
    LayerMistake(
        "conv_dilation_lost",
        ("dilated_conv2d",),
        "dx without dilation",
        "dx with dilation",
        "right at dilation 1",
        lambda right, dout, x, w, b, *, stride, pad, dilation: (
            _undilated(dout, x, w, b, stride, pad),
            *right(dout)[1:],
        ),
    ),
    LayerMistake(
        "conv_groups_exchanged",
        ("grouped_conv2d",),
        "dx in the order of the last group first",
        "dx group by group",
        "groups are counted the other way round; right for one group",
        mistake_of_change(
            0,
            lambda d, dout, x, w, b, *, stride, pad, groups: jnp.flip(
                d.reshape(d.shape[0], groups, -1, *d.shape[2:]), axis=1
            ).reshape(d.shape),
        ),
    ),
    LayerMistake(
        "transposed_kernel_flipped",
        ("conv_transpose2d",),
        "dx with w[:, :, ::-1, ::-1]",
        "dx with w",
        "flipped once too often; right for kernels of one place",
        lambda right, dout, x, w, b, **options: (
            mistake_of_forward(conv_transpose2d)(right, dout, x, _flipped(w), b, **options)[0],
            *right(dout)[1:],
        ),
    ),
    LayerMistake(
        "transposed_dw_flipped",
        ("conv_transpose2d",),
        "dw[:, :, ::-1, ::-1]",
        "dw",
        "flipped once too often",
        mistake_of_change(1, lambda d, *rest, **options: _flipped(d)),
    ),
    LayerMistake(
        "transposed_db_mean",
        ("conv_transpose2d",),
        "mean(dout, axis=(0, 2, 3))",
        "sum(dout, axis=(0, 2, 3))",
        "a mean where the sum belongs",
        mistake_of_change(2, lambda d, dout, *rest, **options: d * dout.shape[1] / dout.size),
    ),
    LayerMistake(
        "transposed_dw_last_image",
        ("conv_transpose2d",),
        "dw = ... of each image",
        "dw += ... of each image",
        "= for += in the loop over the batch; right for one image",
        lambda right, dout, x, w, b, **options: (
            right(dout)[0],
            mistake_of_forward(conv_transpose2d)(right, dout[-1:], x[-1:], w, b, **options)[1],
            right(dout)[2],
        ),
    ),
    LayerMistake(
        "max_pool_window_assigned",
        ("max_pool2d",),
        "dx[window] = mask * dout",
        "dx[window] += mask * dout",
        "right where windows do not overlap, as at 2 x 2 with stride 2",
        _max_pool(_first_largest, _assigned),
    ),
    LayerMistake(
        "max_pool_ties_paid_in_full",
        ("max_pool2d",),
        "dx[window] += (window == max) * dout",
        "one of the equals, or a share to each",
        "right where no window has its maximum twice",
        _max_pool(_largest),
    ),
    LayerMistake(
        "max_pool_to_every_entry",
        ("max_pool2d",),
        "dx[window] += dout",
        "dx[window] += mask * dout",
        "the mask is left out",
        _max_pool(jnp.ones_like),
    ),
    LayerMistake(
        "max_pool_shared_by_all",
        ("max_pool2d",),
        "dx[window] += dout / size**2",
        "dx[window] += mask * dout",
        "the backward pass of average pooling",
        _max_pool(lambda seen: jnp.ones_like(seen) / seen.shape[2]),
    ),
    LayerMistake(
        "max_pool_value_for_mask",
        ("max_pool2d",),
        "dx[window] += mask * max * dout",
        "dx[window] += mask * dout",
        "the maximum is multiplied in",
        _max_pool(lambda seen: _first_largest(seen) * jnp.max(seen, axis=2, keepdims=True)),
    ),
    LayerMistake(
        "max_pool_smallest",
        ("max_pool2d",),
        "argmin of the window",
        "argmax of the window",
        "the wrong end",
        _max_pool(lambda seen: _first_largest(-seen)),
    ),
    LayerMistake(
        "max_pool_stride_is_size",
        ("max_pool2d",),
        "windows size apart",
        "windows stride apart",
        "right where the stride is the size",
        _max_pool(_first_largest, _without_overlap),
    ),
    LayerMistake(
        "avg_pool_window_assigned",
        ("avg_pool2d",),
        "dx[window] = dout / size**2",
        "dx[window] += dout / size**2",
        "right where windows do not overlap",
        _avg_pool(lambda size: 1 / size**2, _assigned),
    ),
    LayerMistake(
        "avg_pool_not_divided",
        ("avg_pool2d",),
        "dx[window] += dout",
        "dx[window] += dout / size**2",
        "the mean is in the forward pass alone",
        _avg_pool(lambda size: 1.0),
    ),
    LayerMistake(
        "avg_pool_divided_by_size",
        ("avg_pool2d",),
        "dx[window] += dout / size",
        "dx[window] += dout / size**2",
        "the square is forgotten",
        _avg_pool(lambda size: 1 / size),
    ),
    LayerMistake(
        "avg_pool_stride_is_size",
        ("avg_pool2d",),
        "windows size apart",
        "windows stride apart",
        "right where the stride is the size",
        _avg_pool(lambda size: 1 / size**2, _without_overlap),
    ),
)


def _undilated(dout: Any, x: Any, w: Any, b: Any, stride: int, pad: int) -> Any:
    wide = padded_images(x, pad)
    height, width = dout.shape[2:]
    kernel = w.shape[2:]
    part = wide[:, :, : stride * (height - 1) + kernel[0], : stride * (width - 1) + kernel[1]]
    _, pullback = jax.vjp(lambda part: conv2d(part, w, b, stride=stride, pad=0), part)
    filled = _placed(pullback(dout)[0], wide, 0, 0)
    return filled[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]]
