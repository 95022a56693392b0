"""The judgement of a reader of the files in any language: every vector called twice, and judged at the end."""

import numpy as np


def failed_layer_vectors(vectors, backward):
    """Return which vectors of a layer a function ``backward(dout, *inputs, **options)`` fails."""
    answers = []
    for each in vectors:
        inputs = [array.copy() for array in each.inputs]
        cotangents = tuple(array.copy() for array in each.cotangents)
        dout = cotangents[0] if len(cotangents) == 1 else cotangents
        try:
            with np.errstate(all="ignore"):
                answers.append([several(backward(dout, *inputs, **dict(each.options))) for _ in range(2)])
        except Exception:  # whatever it raises, it has no answer
            answers.append([()])
    return [
        not all(each.accepts(answer) for answer in both) for each, both in zip(vectors, answers, strict=True)
    ]


def several(gradients):
    return gradients if isinstance(gradients, (tuple, list)) else (gradients,)
