"""Jobs that a file describes, in TOML or JSON: the arguments of a project's method, by the same names.

    kind = "train"                     # or evaluate, count, describe, mean, histogram …
    model = "nets:make"                # MODULE:ATTRIBUTE; the module may lie beside the file
    label = "malignant"
    features = ["mean radius", { age = [18, 95] }, { had = "diabetes", days = [-3650, 0] }]
    rounds = 20

    [privacy]
    epsilon = 3
    delta = 1e-5

    [cohort]
    conditions = ["malignant"]
    without = ["benign"]
    age = [40, 70]
    sex = ["female"]

What is left out is what the method presets; ``features`` left out are all measurements that every Trust holds.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flip_sdk as flip
from flip_sdk.contract.violations import Violation
from flip_sdk.errors import ModelError, NotFoundError, SpecError
from flip_sdk.job_words import cohort_from, features_from, groupings_from, images_from, label_from, predictors_from

if TYPE_CHECKING:
    from flip_sdk.frames import Frame
    from flip_sdk.jobs import Job
    from flip_sdk.project import Project

KINDS = (
    *("train", "evaluate", "count", "describe", "cross_table", "histogram", "mean", "quantiles", "kaplan_meier"),
    *("linear_regression", "logistic_regression", "cox_regression"),
)
"""Methods of a project that a file may name."""
_IN_A_ROW = {"cross_table": "by", "mean": "measurements"}
"""What a method takes one after the other, without a name."""
_OF_QUESTIONS = ("cohort", "epsilon", "delta", "part", "trusts")
_READ: dict[str, Callable[[Any], Any]] = {
    "cohort": cohort_from,
    "features": features_from,
    "on": predictors_from,
    "images": images_from,
    "label": label_from,
    "by": groupings_from,
    "privacy": lambda given: flip.Privacy(**given),
}


@dataclass(frozen=True)
class JobFile:
    """A job as its file says it.

    Attributes:
        kind: the project's method.
        given: its arguments.
        path: of the file.
    """

    kind: str
    given: Mapping[str, Any]
    path: Path

    def submit(self, project: Project) -> Job | Frame:
        """Ask the project: a training or an evaluation is a job, a question waits for its answer."""
        positional, named = self._arguments(project)
        done: Job | Frame = getattr(project, self.kind)(*positional, **named)
        return done

    def price(self, project: Project) -> Frame:
        """What it would cost; of trainings, whose cost follows from all that the file says.

        Raises:
            SpecError: it is no training.
        """
        if self.kind != "train":
            message = f"The cost of a {self.kind} is the epsilon that it asks for."
            raise _wrong(self.path, ("kind", message, "Give a file with kind = 'train', or project.price(spec)."))
        positional, named = self._arguments(project)
        return project.price(*positional, **named)

    def _arguments(self, project: Project) -> tuple[list[Any], dict[str, Any]]:
        named = {name: _READ.get(name, lambda one: one)(value) for name, value in self.given.items()}
        if self.kind == "train" and "images" not in named:
            named.setdefault("features", project.catalogue().features())
        positional: list[Any] = []
        if "model" in named:
            positional = [_model(named.pop("model"), project, self.path.parent)]
        if self.kind in _IN_A_ROW:
            positional = list(named.pop(_IN_A_ROW[self.kind]))
        elif "by" in named:
            if len(named["by"]) > 1:
                raise _wrong(self.path, ("by", f"A {self.kind} is told by one grouping.", "Leave the others out."))
            named["by"] = named["by"][0]
        return positional, named


def read(path: str | Path) -> JobFile:
    """A job's file, held against the method that it names.

    Raises:
        NotFoundError: there is no such file.
        SpecError: it cannot be read, or it says what the method does not take: all that is wrong.
    """
    path = Path(path)
    content = _parsed(path)
    kind = str(content.pop("kind", ""))
    if kind not in KINDS:
        near = get_close_matches(kind, KINDS, n=1)
        mend = f"Did you mean {near[0]!r}?" if near else f"Say kind = one of: {', '.join(KINDS)}."
        raise _wrong(path, ("kind", f"There is no job of the kind {kind!r}.", mend))
    found = [_unknown(name, kind) for name in content if name not in arguments_of(kind)]
    found += [(name, f"A {kind} needs {name!r}.", f"Say {name} = …") for name in _missing(kind, content)]
    if found:
        raise _wrong(path, *found)
    return JobFile(kind, content, path)


def arguments_of(kind: str) -> dict[str, bool]:
    """What a method takes, and whether it has to be given."""
    from flip_sdk.project import Project

    parameters = list(inspect.signature(getattr(Project, kind)).parameters.values())[1:]
    named = {p.name: p.default is p.empty for p in parameters if p.kind != p.VAR_KEYWORD}
    takes_more = any(p.kind == p.VAR_KEYWORD for p in parameters)
    return {**(dict.fromkeys(_OF_QUESTIONS, False) if takes_more else {}), **named}


def model_of(name: str, folder: Path | None = None) -> Any:
    """The torch module behind ``MODULE:ATTRIBUTE``; a function is called for it.

    Raises:
        ModelError: it cannot be loaded, or is no model.
    """
    found = attribute_of(name, folder)
    made = found() if callable(found) and not hasattr(found, "state_dict") else found
    if not hasattr(made, "state_dict") or isinstance(made, type):
        raise ModelError(f"{name} is no torch module.", "Name a torch.nn.Module, or a function that returns one.")
    return made


def attribute_of(name: str, folder: Path | None = None) -> Any:
    """What ``MODULE:ATTRIBUTE`` names; modules of the folder (the current one when left out) come first.

    Raises:
        ModelError: there is no such module or attribute.
    """
    module, _, attribute = name.partition(":")
    if not attribute:
        raise ModelError(f"{name!r} names no attribute.", "Write MODULE:ATTRIBUTE, such as nets:make.")
    sys.path.insert(0, str((folder or Path()).resolve()))
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        mend = f"Save {module}.py beside the job's file, or install its package." if error.name == module else ""
        raise ModelError(f"{error.name} cannot be imported.", mend or f"Install it: {module} needs it.") from error
    except AttributeError as error:
        raise ModelError(f"{module} has no {attribute!r}.", "Name one of its modules or functions.") from error
    finally:
        sys.path.pop(0)


def _model(given: str, project: Project, folder: Path) -> Any:
    """A model by its name, or a training's result by its job's id."""
    return model_of(given, folder) if ":" in given else project.job(given)


def _parsed(path: Path) -> dict[str, Any]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NotFoundError(f"{path} cannot be read ({error.strerror}).", "Give the path of a job's file.") from error
    try:
        found = json.loads(content) if path.suffix == ".json" else tomllib.loads(content.decode("utf-8"))
    except ValueError as error:
        what = "JSON" if path.suffix == ".json" else "TOML"
        raise _wrong(path, ("file", f"It is not {what}: {error}.", "Mend that line; names stand in quotes.")) from error
    if not isinstance(found, dict):
        raise _wrong(path, ("file", "It is no set of names and values.", 'Begin with kind = "train".'))
    return found


def _unknown(name: str, kind: str) -> tuple[str, str, str]:
    known = list(arguments_of(kind))
    near = get_close_matches(name, known, n=1)
    mend = f"Did you mean {near[0]!r}?" if near else f"It takes: {', '.join(known)}."
    return name, f"A {kind} takes no {name!r}.", mend


def _missing(kind: str, content: Mapping[str, Any]) -> list[str]:
    return [name for name, needed in arguments_of(kind).items() if needed and name not in content]


def _wrong(path: Path, *found: tuple[str, str, str]) -> SpecError:
    return SpecError(
        [Violation(rule="job_file", where=f"{path.name}: {where}", message=m, mend=mend) for where, m, mend in found]
    )
