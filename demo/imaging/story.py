"""The second demo's steps: images in, de-identified at three Trusts, and what they hold of them in the catalogue."""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import polars as pl
from flip_sdk.contract.applications import Application, DataAsked, PlannedOutput
from flip_trust.imaging.cleaned import Place, profile_of
from flip_trust.imaging.index import Index

from demo.imaging import leaks, sending
from demo.imaging.hospitals import HOSPITALS, Hospital
from demo.imaging.records import write_catalogue, write_extract
from demo.people import ADA
from demo.platform import Platform, TrustPlan
from demo.processes import PlatformError, free_ports
from demo.story import DELTA, EPSILON, Story, expiry

Outcome = TypeVar("Outcome")
PROJECT = "chest-ct"
TUTORIAL = "tutorials/04_medical_images.ipynb"
"""Where a workspace has it."""
_WAIT = 600


@dataclass(frozen=True)
class Held:
    """What a Trust holds of images.

    Attributes:
        indexed: instances, conflicts left out.
        cleaned: de-identified ones.
        refused: by reason, those that went to quarantine instead.
    """

    indexed: int
    cleaned: int
    refused: dict[str, int]

    @property
    def waiting(self) -> int:
        """Instances that are still to be de-identified."""
        return self.indexed - self.cleaned - sum(self.refused.values())


def plans() -> tuple[TrustPlan, ...]:
    """The three Trusts, with their hospitals' records."""
    return tuple(TrustPlan(place.name, place.title, functools.partial(load, place)) for place in HOSPITALS)


def load(place: Hospital, home: Path) -> None:
    """The hospital extracts its records, and the Trust's operator takes them in.

    Raises:
        PlatformError: they are not taken.
    """
    extract = home.parent.parent / "hospitals" / place.name / "records"
    write_extract(place, extract)
    write_catalogue(home)
    command = (Platform.command("flip-trust"), "ingest", "omop", str(extract), "--home", str(home))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PlatformError(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")


class ImagingStory(Story):
    """The steps, in order. What the first demo has too, it inherits.

    Attributes:
        dashboard: the published dashboard's path, once it was looked at.
    """

    dashboard = ""

    def set_up_people_and_project(self) -> None:
        """A project is applied for, signed off, and opted in to by every Trust."""
        self.register_people()
        self.apply(PROJECT, wanted=application(self.trusts))
        self.sign_off(PROJECT)
        self.opt_in_everywhere(PROJECT)
        self.confirm_peers()
        self.wait_for_consent(PROJECT)

    def bring_images_in(self) -> None:
        """Made, sent, indexed, de-identified, and searched for what must not be left.

        Raises:
            PlatformError: an image is lost on the way, or an identifier is left.
        """
        counts = sending.fill_folders(self.platform)
        made = ", ".join(f"{place.name} {counts[place.name][0]}" for place in HOSPITALS)
        self.teller.say(
            f"The hospitals' scanners make CT series: {made} instances; pydicom's real files lie beside them"
        )
        ports = free_ports([place.name for place in HOSPITALS])
        self._everywhere(lambda place: sending.start_receiver(self.platform, place, ports[place.name]))
        self.teller.say("flip-trust receive listens at each Trust, for its hospital's scanner alone")
        sent = self._everywhere(lambda place: sending.send(self.platform, place, ports[place.name], counts[place.name]))
        for name, one in sent.items():
            self.teller.say(
                f"{name}: storescu sends {one.stored} instances, each acknowledged once it is on the disk; "
                f"of pydicom's {one.bundled} files it cannot send {len(one.unsent)} (no images, or compressed)"
            )
        rest = self._everywhere(lambda place: sending.take_the_rest(self.platform, place))
        for name, words in rest.items():
            self.teller.say(f"{name}: flip-trust ingest dicom is offered pydicom's files too. {words}")
        for place in HOSPITALS:
            self.wait_for_images(place, sent[place.name])
            self.search(place)
        # what a Trust tells that it holds includes its images now
        self.publish_catalogues()

    def wait_for_images(self, place: Hospital, sent: sending.Sent) -> Held:
        """Until every instance that a Trust received is de-identified or in quarantine.

        Raises:
            PlatformError: they are not in time, or one that was acknowledged is not there.
        """
        home = self.platform.trust_home(place.name)

        def done() -> bool:
            held = held_by(home)
            self.teller.now(f"{place.name}: {held.waiting} of {held.indexed} instances wait to be de-identified")
            return not Index(home).waiting() and not held.waiting and held.cleaned >= sent.made

        what = f"every image of {place.name} is indexed and de-identified"
        self.platform.wait_until(done, _WAIT, what, log=f"receive-{place.name}")
        held = held_by(home)
        reasons = ", ".join(f"{count} {reason.lower()}" for reason, count in sorted(held.refused.items()))
        self.teller.say(
            f"{place.name}: {held.indexed} instances indexed, {held.cleaned} de-identified, "
            f"{sum(held.refused.values())} to quarantine{f' ({reasons})' if reasons else ''}"
        )
        return held

    def search(self, place: Hospital) -> leaks.Finding:
        """Search the de-identified files for everything that was made up about their persons.

        Raises:
            PlatformError: something is left, or the search would not have found it.
        """
        home = self.platform.trust_home(place.name)
        before, after = leaks.search_raw(place, home), leaks.search_cleaned(place, home)
        if after.left or not after.files or len({path for path, _ in before.left}) < before.files:
            told = "\n".join(f"{path}: {word}" for path, word in after.left[:20])
            raise PlatformError(
                f"{place.name}: {len(after.left)} identifiers are left in {after.files} de-identified files; "
                f"{len(before.left)} were in {before.files} raw ones.\n{told}"
            )
        self.teller.say(
            f"{place.name}: {after.identifiers} identifiers of {after.persons} persons searched for in every byte of "
            f"{after.files} de-identified files: [bold]0 left[/bold] (as they came: {len(before.left)})"
        )
        return after

    def _everywhere(self, step: Callable[[Hospital], Outcome]) -> dict[str, Outcome]:
        with ThreadPoolExecutor(len(HOSPITALS)) as pool:
            return dict(zip((place.name for place in HOSPITALS), pool.map(step, HOSPITALS), strict=True))


def held_by(home: Path) -> Held:
    """What a Trust holds at the moment, by its own tables."""
    indexed = Index(home).instances().filter(~pl.col("conflict")).select("file")
    dealt = Place(home, profile_of(home)).records.frame().join(indexed, on="file", how="semi").collect()
    refused = dealt.filter(pl.col("reason") != "").group_by("reason").len()
    cleaned = int((dealt["reason"] == "").sum())
    return Held(int(indexed.select(pl.len()).collect().item()), cleaned, dict(refused.iter_rows()))


def application(trusts: tuple[str, ...]) -> Application:
    """What ada applies with."""
    return Application(
        title="Finding masses in chest CT",
        lay_summary=(
            "A scanner takes pictures of the chest. We teach a small model to tell from them whether there may be a "
            "lump in a lung, using pictures of several hospitals that never leave them."
        ),
        public_benefit="Lumps are found earlier, in small hospitals as in large ones.",
        technical_summary=(
            "A convolutional network on slices of chest CT, trained under differential privacy and judged by AUC."
        ),
        request_category="efficacy",
        organisation=ADA.organisation,
        sector="academic",
        funders=("None: a demonstration on published data",),
        article_6="not_applicable",
        article_9="not_applicable",
        legal_basis="A demonstration: published and made-up data",
        confidentiality="not_engaged",
        opt_out="not_applicable",
        sensitivity="anonymous",
        trusts=trusts,
        data=tuple(
            DataAsked(
                trust=trust,
                what="Chest CT of adults, and whether a mass was found within 90 days",
                why="To train the network on, and to judge it by",
                domains=("images", "conditions"),
                modalities="CT",
            )
            for trust in trusts
        ),
        epsilon=EPSILON,
        delta=DELTA,
        expires_at=expiry(),
        planned_outputs=(
            PlannedOutput(kind="model", audience="publication", description="One model with its accuracy and AUC"),
            PlannedOutput(kind="dashboard", audience="team", description="A dashboard of its training"),
        ),
    )
