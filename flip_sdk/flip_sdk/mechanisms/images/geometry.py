"""Where the elements of an image lie in the body: matrices as MONAI takes them, right, front and up positive (RAS).

DICOM counts to the left, the back and up (PS3.3 C.7.6.2.1.1), so that two axes change their sign.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
_TO_RAS = np.diag([-1.0, -1.0, 1.0])


def in_plane(spacing: Sequence[float]) -> Matrix:
    """``[4, 4]`` for a slice by itself: millimetres between rows and between columns."""
    return np.diag([float(spacing[0]), float(spacing[1]), 1.0, 1.0])


def in_body(orientation: Sequence[float], spacing: Sequence[float], step: Sequence[float] | Matrix) -> Matrix:
    """``[4, 4]`` for a volume of slices, rows and columns; where it begins is of no use to a transform, and left out.

    Args:
        orientation: DICOM's ImageOrientationPatient: the direction along a row, then that along a column.
        spacing: DICOM's PixelSpacing: millimetres between rows, then between columns.
        step: ``[3]``: from one slice to the next, in millimetres and in DICOM's axes.
    """
    along_row, along_column = np.asarray(orientation[:3], np.float64), np.asarray(orientation[3:], np.float64)
    affine = np.eye(4)
    affine[:3, 0] = _TO_RAS @ np.asarray(step, np.float64)
    affine[:3, 1] = _TO_RAS @ (along_column * float(spacing[0]))
    affine[:3, 2] = _TO_RAS @ (along_row * float(spacing[1]))
    return affine


def upright(spacing: Sequence[float]) -> Matrix:
    """``[4, 4]`` for axial slices from the feet up, so many millimetres between slices, rows and columns."""
    return in_body([1, 0, 0, 0, 1, 0], spacing[1:], [0.0, 0.0, float(spacing[0])])


def normal_of(orientation: Sequence[float]) -> Matrix:
    """``[3]``: the direction in which positions of slices are counted."""
    return np.cross(np.asarray(orientation[:3], np.float64), np.asarray(orientation[3:], np.float64))
