"""What a job's file says of people, features and pictures, in the words of ``flip_sdk``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import flip_sdk as flip
from flip_sdk.contract.violations import Violation
from flip_sdk.errors import SpecError
from flip_sdk.imaging import Images

_COHORT = ("conditions", "without", "age", "sex", "measurements", "atlas")
_OF_SERIES = ("body_part", "plane")
_NO_STEPS = ("record", "preview", "transform")
_SUMMARIES = ("latest", "earliest", "mean", "minimum", "maximum", "count")


def cohort_from(given: Mapping[str, Any]) -> flip.Cohort:
    """``{conditions = [], without = [], age = [40, 70], sex = [], measurements = {name = [low, high]}, atlas = ""}``.

    Raises:
        SpecError: it says something else.
    """
    if unknown := [name for name in given if name not in _COHORT]:
        raise _unknown("cohort", unknown[0], _COHORT)
    rules = [flip.has_condition(name) for name in _several(given.get("conditions", []))]
    rules += [~flip.has_condition(name) for name in _several(given.get("without", []))]
    if "age" in given:
        rules.append(flip.age_between(*_two(given["age"], "cohort.age")))
    if "sex" in given:
        rules.append(flip.sex_is(*_several(given["sex"])))
    for name, span in given.get("measurements", {}).items():
        rules.append(flip.measurement_between(name, *_two(span, f"cohort.measurements.{name}")))
    if "atlas" in given:
        return flip.Cohort.from_atlas(given["atlas"]).where(*rules)
    return flip.Cohort(*rules)


def features_from(given: Any) -> list[Any]:
    """Names of measurements, and ``{age = [18, 95]}``, ``{sex = "female"}``, ``{had = "diabetes", days = [-365, 0]}``,
    ``{measurement = "creatinine", low = 0, high = 1500, take = "mean", days = [-365, 0]}``.

    Raises:
        SpecError: one says something else.
    """
    return [_feature(one) if isinstance(one, Mapping) else one for one in _several(given)]


def predictors_from(given: Any) -> list[Any]:
    """Names of measurements, and groupings as :func:`groupings_from` takes them.

    Raises:
        SpecError: one says something else.
    """
    return [groupings_from(one)[0] if isinstance(one, Mapping) else one for one in _several(given)]


def groupings_from(given: Any) -> list[Any]:
    """``[{age = [40, 60]}, {sex = ["female", "male"]}, {condition = "malignant"}]``.

    Raises:
        SpecError: one says something else.
    """
    words: dict[str, Callable[..., Any]] = {"age": flip.by_age, "sex": flip.by_sex, "condition": flip.by_condition}
    return [_one_of(words, one, "by") for one in _several(given)]


def label_from(given: Any) -> Any:
    """A condition's name, ``{condition = "malignant", days = [1, 365]}``, or ``{classes = {a = "x", b = "y"}}``.

    Raises:
        SpecError: it says something else.
    """
    match given:
        case {"classes": dict() as classes}:
            return flip.classes(**classes, **_days(given))
        case {"condition": name}:
            return flip.label(*_several(name), **_days(given))
        case dict():
            raise _unknown("label", next(iter(given), ""), ("condition", "classes", "days"))
    return given


def images_from(given: Mapping[str, Any]) -> Any:
    """``{modality = "CT", body_part = "CHEST", plane = "axial", window = [-1000, 400], size = [64, 64]}``.

    Every other name is a method of ``flip.images(…)``, called in the order of the file with what it says.

    Raises:
        SpecError: there is no such method.
    """
    named, known = dict(given), [one for one in dir(Images) if not one.startswith("_") and one not in _NO_STEPS]
    found = flip.images(*_several(named.pop("modality", [])), **{n: named.pop(n) for n in _OF_SERIES if n in named})
    for name, value in named.items():
        if name not in known:
            raise _unknown("images", name, (*_OF_SERIES, *known))
        arguments = [] if value is True else _several(value)
        found = getattr(found, name)(*arguments)
    return found


def _feature(given: Mapping[str, Any]) -> Any:
    match dict(given):
        case {"age": span}:
            return flip.age(*_two(span, "features.age"))
        case {"sex": name}:
            return flip.sex(name)
        case {"had": names, **more}:
            return flip.had(*_several(names), **_days(more))
        case {"measurement": name, **more}:
            take, days = more.pop("take", "latest"), _days(more)
            more.pop("days", None)
            if take not in _SUMMARIES:
                raise _unknown("features.take", str(take), _SUMMARIES)
            return getattr(flip.measurement(name, **more), take)(**days)
    raise _unknown("features", next(iter(given), ""), ("age", "sex", "had", "measurement"))


def _one_of(words: Mapping[str, Callable[..., Any]], given: Any, where: str) -> Any:
    if not isinstance(given, Mapping) or len(given) != 1 or next(iter(given)) not in words:
        raise _unknown(where, str(next(iter(given), "") if given else ""), tuple(words))
    ((name, value),) = given.items()
    return words[name](*_several(value))


def _several(given: Any) -> list[Any]:
    return list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given]


def _two(given: Any, where: str) -> list[Any]:
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != 2:
        raise _wrong(where, f"{given!r} is not two numbers.", "Give the lowest and the highest, such as [40, 70].")
    return list(given)


def _days(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"days": tuple(_two(given["days"], "days"))} if "days" in given else {}


def _unknown(where: str, name: str, known: Sequence[str]) -> SpecError:
    near = get_close_matches(name, known, n=1)
    mend = f"Did you mean {near[0]!r}?" if near else f"It takes: {', '.join(known)}."
    return _wrong(f"{where}.{name}" if name else where, f"{name!r} is not known here.", mend)


def _wrong(where: str, message: str, mend: str) -> SpecError:
    return SpecError([Violation(rule="job_file", where=where, message=message, mend=mend)])
