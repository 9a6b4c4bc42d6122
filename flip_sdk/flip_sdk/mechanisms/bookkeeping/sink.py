"""Where every person's gradient is gathered, layer by layer, until its norm and the clipped sum are known.

A gradient is held in one of three forms. *Whole*: one tensor ``[persons, *shape]``. *Factored*: a matrix that is a
product of what went into a layer and what came back to it, ``leftᵀ · right``, never written out; its norm is the
product of two norms where each factor is one row, and otherwise comes from the factors' Gram matrices ("ghost norm",
Goodfellow arXiv 1510.01799, Li et al. arXiv 2110.05679), in float64. *Rows*: the rows of a table that a person looked
up.

Clipping must not trust a norm below the true one, and no rounding may stand for more than a person's clip. So the norm
is always that of the very tensors that the sum is made of, in float64, and factors are rounded down. Sums are in
float64 too, but for parameters of more than 16,384 numbers: these are added up in float32 within a micro-batch of at
most 512 persons, and room is left below the clip for the rounding of that (2^-12 of the clip).
Factors of several rows, whose terms could cancel, are never summed in float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = npt.NDArray[np.float64]
_ROUNDING = 1 + 2.0**-22
_ROUNDING_OF_COARSE = 1 + 2.0**-12
LARGEST_FINE = 16384
"""Numbers of a parameter whose sum is in float64 even where a coarse one is allowed."""
_LONGEST_COARSE = 1024
"""Numbers of a row up to whom its norm may be reckoned in float32, where the sum is in float32 as well."""
_UNIT, _COARSE_UNIT = 2.0**-53, 2.0**-24
_SMALLEST = 2.0**-126
_LARGEST = 1e30


@dataclass(frozen=True)
class Factored:
    """``leftᵀ · right`` for each person, of ``left`` ``[persons, t, a]`` and ``right`` ``[persons, t, b]``.

    Attributes:
        left: what came back to the layer, or what went in.
        right: the other of the two.
        bias: a parameter whose gradient is the sum of one factor's rows, where it is held with the matrix.
        bias_of_left: whether that factor is ``left``.
    """

    left: Tensor
    right: Tensor
    bias: str | None = None
    bias_of_left: bool = True

    def squares(self) -> Tensor:
        """Squared norm of each person's gradient, ``[persons]`` float64: never below the true one."""
        coarse = self.left.shape[1] == 1 and self.numbers > LARGEST_FINE
        left, right = _squared(self.left, coarse=coarse), _squared(self.right, coarse=coarse)
        if left.shape[1] == 1:
            if self.bias is not None:
                (right if self.bias_of_left else left).add_(1.0)
            return left[:, 0].mul_(right[:, 0])
        one, other = self.left.double(), self.right.double()
        grams = torch.bmm(one, one.transpose(1, 2)).mul_(torch.bmm(other, other.transpose(1, 2)))
        most = (left.sqrt() * right.sqrt()).sum(dim=1).square()
        terms = left.shape[1] ** 2 + self.left.shape[2] + self.right.shape[2]
        return grams.sum(dim=(1, 2)).clamp_(min=0.0) + 2 * (terms + 8) * _UNIT * most

    def clear(self, unusable: Tensor) -> None:
        """Put zeros where persons count as zero."""
        _clear(self.left, unusable)
        _clear(self.right, unusable)

    @property
    def numbers(self) -> int:
        """How many numbers one person's gradient has."""
        return self.left.shape[2] * self.right.shape[2]

    def weighted_sums(self, key: str, factors: Tensor, *, fine: bool) -> Iterator[tuple[str, Tensor]]:
        """``Σ factors[i] · gradient[i]``, ``[a, b]``, and of the bias held with it; in float64 where ``fine``."""
        left, right = self.left, self.right
        if fine or left.shape[1] > 1:
            left, right = left.double(), right.double()
        weights = factors.to(left.dtype)[:, None, None]
        if self.bias_of_left:
            left = left * weights
        else:
            right = right * weights
        yield key, left.flatten(0, 1).T @ right.flatten(0, 1)
        if self.bias is not None:
            yield self.bias, (left if self.bias_of_left else right).sum(dim=(0, 1))


@dataclass(frozen=True)
class Rows:
    """Gradients of a table's rows: segment s is row ``row[s]`` of person ``person[s]``; no person has a row twice."""

    values: Tensor
    person: Tensor
    row: Tensor
    shape: tuple[int, ...]
    persons: int

    def squares(self) -> Tensor:
        """Squared norm of each person's gradient, ``[persons]`` float64."""
        norms = torch.linalg.vector_norm(self.values, dim=1, dtype=torch.float64).square()
        total: Tensor = norms.new_zeros(self.persons).index_add_(0, self.person, norms)
        return total

    def clear(self, _: Tensor) -> None:
        """Put zeros where the gradient is not finite; a person with one such number has a factor of zero."""
        torch.nan_to_num_(self.values, nan=0.0, posinf=0.0, neginf=0.0)

    @property
    def numbers(self) -> int:
        """None that are summed in float32: a table is added up in float64, however large."""
        return 0

    def weighted_sums(self, key: str, factors: Tensor, *, fine: bool) -> Iterator[tuple[str, Tensor]]:  # noqa: ARG002
        """``Σ factors[i] · gradient[i]``, ``[rows of the table, width]``."""
        weighted = self.values.double() * factors[self.person, None]
        yield key, weighted.new_zeros(self.shape).index_add_(0, self.row, weighted)


class Sink:
    """The gradients of some persons, of whom each has ``rows`` rows next to each other.

    Args:
        persons: how many.
        rows: how many rows each has.
        whole: hold everything in the form *whole*, so that parts of one person's gradient can be added.
        fine: add up everything in float64.
    """

    def __init__(self, persons: int, rows: int, *, whole: bool = False, fine: bool = False) -> None:
        self.persons, self.rows, self.whole, self._fine = persons, rows, whole, fine
        self.gradients: dict[str, Tensor] = {}
        self._others: dict[str, Factored | Rows] = {}

    def by_person(self, x: Tensor, *shape: int) -> Tensor:
        """``[persons · rows · …]`` as ``[persons, all of a person's positions, *shape]``."""
        return x.reshape(self.persons, -1, *shape)

    def add(self, key: str, gradients: Tensor) -> None:
        """One part of a parameter's gradient, ``[persons, *shape]``; parts add up."""
        before = self.gradients.get(key)
        self.gradients[key] = gradients if before is None else before + gradients

    def hold(self, key: str, gradient: Factored | Rows) -> None:
        """The whole gradient of a parameter that is used once."""
        self._others[key] = gradient

    def squares(self) -> Tensor:
        """Squared norm of each person's gradient over all parameters, ``[persons]`` float64."""
        parts = [other.squares() for other in self._others.values()]
        for gradient in self.gradients.values():
            parts.append(
                torch.linalg.vector_norm(gradient.reshape(len(gradient), -1), dim=1, dtype=torch.float64).square()
            )
        return torch.stack(parts).sum(dim=0)

    def add_clipped(self, sums: dict[str, Tensor], max_grad_norm: float, counted: int) -> None:
        """Add the clipped gradients of the first ``counted`` persons to float64 sums.

        Whoever's gradient is not finite counts as zero.
        """
        if not self.gradients and not self._others:
            return
        with np.errstate(over="ignore", invalid="ignore"):
            squares = self.squares()
        shares = shares_of(squares.cpu().numpy(), max_grad_norm, counted, coarse=self._may_be_coarse())
        factors = torch.from_numpy(shares).to(squares.device)
        unusable = torch.nonzero(factors == 0)[:, 0]
        for key, total in self._weighted_sums(factors, unusable):
            sums[key].add_(total, alpha=max_grad_norm)

    def _may_be_coarse(self) -> bool:
        """By the model alone: if it depended on how many there are, one more would change what all others count."""
        numbers = [*(gradient[0].numel() for gradient in self.gradients.values())]
        numbers += [other.numbers for other in self._others.values()]
        return max(numbers) > LARGEST_FINE

    def _is_fine(self, numbers: int) -> bool:
        return self._fine or numbers <= LARGEST_FINE

    def _weighted_sums(self, factors: Tensor, unusable: Tensor) -> Iterator[tuple[str, Tensor]]:
        for key, gradient in self.gradients.items():
            _clear(gradient, unusable)
            rows = gradient.reshape(len(gradient), -1)
            rows = rows.double() if self._is_fine(rows.shape[1]) else rows
            yield key, (factors.to(rows.dtype) @ rows).reshape(gradient.shape[1:])
        for key, other in self._others.items():
            other.clear(unusable)
            yield from other.weighted_sums(key, factors, fine=self._is_fine(other.numbers))


def shares_of(squares: Array, max_grad_norm: float, counted: int, *, coarse: bool) -> Array:
    """By what each person's gradient is multiplied, in units of the clip, so that a tiny one does not vanish.

    Args:
        squares: squared norms, ``[persons]``, none below the true one.
        max_grad_norm: the clip.
        counted: how many of the first persons count; whoever's gradient is not finite does not either.
        coarse: whether a parameter may be added up in float32.
    """
    norms: Array = np.sqrt(squares)
    norms *= _ROUNDING_OF_COARSE if coarse else _ROUNDING
    usable = np.isfinite(norms)
    usable[counted:] = False
    shares: Array = np.minimum(1 / np.maximum(norms, max_grad_norm), _LARGEST)
    # numbers below the smallest that has all its bits could be rounded up
    shares[(shares < _SMALLEST) | ~usable] = 0.0
    return shares


def squared_rows(rows: npt.NDArray[np.float32], *, coarse: bool) -> Array:
    """Squared norms of the rows in the last dimension, float64; of short ones in float32, rounded up, if ``coarse``."""
    width = rows.shape[-1]
    if not coarse or width > _LONGEST_COARSE:
        exact = rows.astype(np.float64)
        squares: Array = np.vecdot(exact, exact)
        return squares
    squares = np.vecdot(rows, rows).astype(np.float64)
    # a sum of n squares is within n + 1 units; what underflows is below the smallest each time
    squares *= 1 + 2 * (width + 4) * _COARSE_UNIT
    squares += 2 * width * _SMALLEST
    return squares


def _squared(x: Tensor, *, coarse: bool) -> Tensor:
    if x.device.type == "cpu" and x.shape[1] == 1:
        return torch.from_numpy(squared_rows(x.numpy(), coarse=coarse))
    squares: Tensor = torch.linalg.vector_norm(x, dim=2, dtype=torch.float64).square()
    return squares


def _clear(x: Tensor, unusable: Tensor) -> None:
    # always called, whether there is anybody or not; it takes about no time either way
    x.index_fill_(0, unusable, 0.0)
