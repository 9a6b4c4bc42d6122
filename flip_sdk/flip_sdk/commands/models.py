"""``flip train``, ``evaluate`` and ``advise``: a model is named by its module and attribute, such as ``nets:make``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

import flip_sdk as flip
from flip_sdk.commands import options
from flip_sdk.commands.jobs import told_of
from flip_sdk.commands.options import opened, project_option
from flip_sdk.commands.running import Told

if TYPE_CHECKING:
    from flip_sdk.commands.running import Group
    from flip_sdk.frames import Frame

MODEL = "A torch module, or a function that makes one: MODULE:ATTRIBUTE of a file here or of an installed package."
features = click.option("--feature", "features", multiple=True, help="A measurement (repeat); all when left out.")
watched = click.option("--watch", is_flag=True, help="Wait until it ends, then show what it released.")
label = click.option("--label", required=True, help="The condition that the model tells.")
rounds = click.option("--rounds", type=int, help="How often sums come together; the mechanism's preset when left out.")


def add_to(app: Group) -> None:
    """Add the commands."""

    @app.command_of("train", example="flip train nets:make --label malignant --epsilon 3 --watch")
    @click.argument("model", help=MODEL)
    @project_option
    @label
    @features
    @options.who
    @options.epsilon(3.0)
    @click.option("--delta", type=float, default=1e-5, show_default=True, help="Well below one over the persons.")
    @click.option("--mechanism", default="full_batch", show_default=True, help="How noise is added.")
    @click.option("--trust-model", default="local", show_default=True, help="local or distributed.")
    @rounds
    @options.trusts
    @watched
    def train(model: str, project: str | None, watch: bool, **given: Any) -> Frame | Told:
        """Train a model at the Trusts. What has no option here (images, days, scaling) a file says: `flip submit`."""
        from flip_sdk.job_files import model_of

        asked = {name: given.pop(name) for name in ("epsilon", "delta", "mechanism", "trust_model")}
        named = {name: given.pop(name) for name in ("label", "features", "rounds", "trusts")}
        opened_project = opened(project)
        named["features"] = named["features"] or opened_project.catalogue().features()
        cohort, privacy = options.cohort_of(**given), flip.Privacy(**asked)
        job = opened_project.train(model_of(model), cohort=cohort, privacy=privacy, **named)
        return job.result().table() if watch else told_of(job)

    @app.command_of("evaluate", example="flip evaluate 7f3c --epsilon 2 --watch")
    @click.argument("job", help="The training's id: its model is scored on persons that it has not seen.")
    @options.epsilon(2.0)
    @click.option("--bins", type=int, default=10, show_default=True, help="Of predicted probabilities.")
    @options.trusts
    @watched
    def evaluate(job: str, epsilon: float, bins: int, trusts: tuple[str, ...], watch: bool) -> Frame | Told:
        """Score a trained model at the Trusts, on the three persons in ten it was not trained on."""
        hub = flip.connect()
        trained = hub.job(job)
        asked = hub.project(trained.view.project_id).evaluate(trained, epsilon=epsilon, bins=bins, trusts=trusts)
        return asked.result().table() if watch else told_of(asked)

    @app.command_of("advise", example="flip advise nets:candidates --label malignant --epsilon 1")
    @click.argument("models", help="A dictionary of torch modules by name: MODULE:ATTRIBUTE.")
    @project_option
    @label
    @features
    @options.epsilon(3.0)
    @rounds
    @click.option("--tries", type=int, default=3, show_default=True, help="How often each is tried.")
    def advise(models: str, project: str | None, epsilon: float, tries: int, **given: Any) -> Frame:
        """Try models on made-up people in the shape of the catalogue, and say which one to train. Spends nothing."""
        from flip_sdk.job_files import attribute_of

        catalogue, privacy = opened(project).catalogue(), flip.Privacy(epsilon=epsilon)
        given["features"] = given["features"] or None
        advice = flip.advise(attribute_of(models), catalogue=catalogue, privacy=privacy, tries=tries, **given)
        for line in (advice.headline, *advice.why):
            click.echo(line, err=True)
        return advice.table()
