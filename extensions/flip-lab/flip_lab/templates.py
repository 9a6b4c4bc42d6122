"""Notebooks to begin with: a cell of words, a cell of code, and so on. Each runs as it stands."""

from __future__ import annotations

from typing import Any

from flip_sdk.errors import NotFoundError

from flip_sdk import templates

_CONNECT = "import flip_sdk as flip\n\nproject = flip.connect().project()\nproject.budget()"
_TEMPLATES: dict[str, tuple[str, ...]] = {
    "first-model": (
        "# A first federated model\n\nThe model travels to the Trusts and learns there. No record of a person leaves "
        "a Trust; what comes back carries noise, and costs privacy budget (ε) at each of them.",
        _CONNECT,
        "What do the Trusts hold? Names and public bounds, no data.",
        "project.catalogue()",
        "What should the model learn to tell, and from which measurements? Say so here, then run the cells below.",
        "catalogue = project.catalogue()\n"
        "features = catalogue.features()[:4]\n"
        'label = catalogue.conditions()["name"][0]\n'
        "label, [feature.name for feature in features]",
        "Try everything here first: the price is told before anything is sent.",
        "import torch\n\n"
        "asked = {\n"
        '    "features": features,\n'
        '    "label": label,\n'
        '    "privacy": flip.Privacy(epsilon=1.0, delta=1e-6),\n'
        '    "rounds": 5,\n'
        "}\n"
        "model = torch.nn.Linear(len(features), 1)\n"
        "project.price(model, **asked)",
        "Train it. The panel at the side shows how it goes, and you may close this notebook meanwhile.",
        "job = project.train(model, **asked)\njob.result()",
    ),
    "cohort": (
        "# A cohort\n\nWho is this about? Rules read like a sentence; a count costs privacy budget (ε) at each Trust.",
        _CONNECT,
        "Change the rules, and read what they mean before you pay for an answer.",
        "cohort = flip.Cohort(flip.age_between(40, 70))\nprint(cohort.explain(project.catalogue()))",
        "Each count carries noise, is rounded to 5, and is kept back where it is under the floor of 10 persons.",
        "project.count(cohort, epsilon=0.2)",
    ),
    "statistics": (
        "# Statistics\n\nA cohort's description: persons by age, sex and conditions, with intervals that the noise is "
        "part of. One answer, one price.",
        _CONNECT,
        "What is left out is taken from the catalogue; fewer figures carry less noise.",
        "cohort = flip.Cohort(flip.age_between(18, 100))\nproject.describe(cohort, epsilon=0.5)",
    ),
}


def notebook(name: str) -> dict[str, Any]:
    """A notebook (nbformat 4.5).

    Raises:
        NotFoundError: there is no such template.
    """
    if name not in _TEMPLATES:
        return _of_a_dashboard(name)
    return {
        "cells": [_cell(number, text) for number, text in enumerate(_TEMPLATES[name])],
        "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _of_a_dashboard(name: str) -> dict[str, Any]:
    try:
        return templates.template(name).content
    except NotFoundError as error:
        known = (*_TEMPLATES, *(one.name for one in templates.all_of_them()))
        raise NotFoundError(error.message, f"Choose one of: {', '.join(known)}.") from None


def _cell(number: int, text: str) -> dict[str, Any]:
    """Words and code take turns, words first."""
    cell: dict[str, Any] = {"id": f"cell-{number}", "metadata": {}, "source": text}
    if number % 2:
        return cell | {"cell_type": "code", "execution_count": None, "outputs": []}
    return cell | {"cell_type": "markdown"}
