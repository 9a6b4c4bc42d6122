"""The console's words for what the machine calls by a code."""

from __future__ import annotations

from math import exp
from typing import NamedTuple


class Words(NamedTuple):
    """A code in words.

    Attributes:
        text: short.
        colour: of its tag; the text says the same.
        more: in a sentence.
    """

    text: str
    colour: str = "grey"
    more: str = ""


STATES = {
    "opted_in": Words("Opted in", "green", "Its jobs run here, on your terms."),
    "paused": Words("Paused", "orange", "Every job of it is refused until somebody resumes it."),
    "left": Words("Left", "grey", "This Trust is out of it; every job of it is refused."),
    "undecided": Words("Waits for you", "blue", "Every job of it is refused until somebody opts in."),
    "expired": Words("Run out", "orange", "The opt-in is over; every job of it is refused."),
    "offered": Words("Arrived", "blue"),
    "accepted": Words("Running", "blue"),
    "executed": Words("Running", "blue"),
    "protected": Words("Answered", "green", "The noisy answer is ready to be taken."),
    "reported": Words("Answered", "green", "The hub has the noisy answer."),
    "refused": Words("Refused", "red"),
    "failed": Words("Failed", "red", "It was not finished, and nothing of it left."),
    "expired_task": Words("Expired", "grey", "Nobody took the answer in time; nothing of it left."),
    "cancelled": Words("Cancelled", "grey"),
}
KINDS = {
    "count": Words("Count", more="How many persons are in a group: one noisy, rounded number."),
    "train": Words(
        "Train a model",
        more="A model learns from this Trust's persons; in each round noisy sums leave, never a record.",
    ),
    "evaluate": Words(
        "Evaluate a model",
        more="How well a finished model does on persons who were set aside: one noisy table of numbers of persons.",
    ),
    "statistics": Words(
        "Statistics",
        more="Tables, means, curves and regressions: noisy figures over persons, none about fewer than the floor.",
    ),
}
TRUST_MODELS = {
    "local": Words("This Trust's own noise, in full", more="What protects your patients depends on nobody else."),
    "distributed": Words(
        "Noise shared with other Trusts",
        more="Less noise in the result. What protects your patients depends on other Trusts being honest too; only "
        "with Trusts whose keys were confirmed here.",
    ),
}
STEPS = {
    "keys": "Exchange of keys",
    "prepare": "Preparation",
    "train": "Training",
    "evaluate": "Evaluation",
    "count": "Count",
    "statistics": "Statistics",
    "cancel": "Cancellation",
}
EVENTS = {
    "audit.exported": "exported the audit log",
    "audit.reduced": "reduced old details of the audit log to digests, by the policy of retention",
    "audit.root_signed": "signed the day's root of the audit log",
    "audit.root_handed_over": "handed the day's root of the audit log to the hub",
    "hub.root_seen": "verified the day's root of the hub's audit log",
    "hub.root_countersigned": "countersigned the day's root of the hub's audit log",
    "hub.alarm_dealt_with": "dealt with an alarm about the hub's audit log",
    "hub.log_inconsistent": "found the hub's audit log changed, and countersigned nothing",
    "job.ended": "closed a job, and deleted its frozen cohort",
    "job.cancelled": "cancelled a job",
    "sharing.key_deleted": "deleted a job's key for shared noise",
    "task.repeated": "sent a task's result once more",
    "consent.opted_in": "opted in to a project",
    "consent.paused": "paused a project",
    "consent.left": "left a project",
    "consent.announced": "told the hub of a decision",
    "ledger.debited": "debited the ledger",
    "task.offered": "received a task",
    "task.accepted": "accepted a task",
    "task.executed": "computed a task's result",
    "task.protected": "put noise on a task's result",
    "task.reported": "sent a task's result",
    "task.refused": "refused a task",
    "task.failed": "could not finish a task",
    "task.expired": "let an answer expire that nobody took",
    "task.cancelled": "cancelled a task",
    "projects.told": "heard of projects from the hub",
    "catalogue.compiled": "published the catalogue",
    "optouts.taken": "took the list of opted-out patients",
    "peer.confirmed": "confirmed another Trust's key",
    "peer.forgotten": "forgot another Trust's key",
    "trust.initialised": "set this Trust up",
    "project.purged": "deleted what was kept for a closed project",
    "trust.backed_up": "made a backup of this Trust",
    "ledger.reconciled": "debited what a backup's ledger had forgotten",
    "trust.restored": "restored this Trust from a backup",
    "console.entered": "signed in to the console",
    "console.left": "signed out of the console",
    "console.refused": "was not let in",
    "console.denied": "was told no by the policies",
    "console.person_added": "let somebody sign in",
    "console.person_closed": "closed somebody's sign-in",
    "quarantine.looked": "looked at a refused file's header",
    "quarantine.retried": "had refused files tried again",
    "quarantine.deleted": "deleted refused files",
}


def what_epsilon_means(epsilon: float, delta: float = 0.0) -> list[str]:
    """A privacy budget in sentences that need no mathematics; the figures are exact for pure ε, and a ceiling."""
    sure = 1 / (1 + exp(-epsilon))
    certain = "practically certain" if sure > 0.995 else f"{sure:.0%} sure"
    but = f" This may fail with a chance of at most 1 in {1 / delta:,.0f} (δ)." if delta else ""
    lines = [
        "Every answer is made noisy, so that nobody can tell from it whether one given person was among your patients. "
        f"ε (epsilon) says how well that works, over all the project's answers together; the smaller, the better.{but}",
        "In the very worst case, somebody who knows everything else about everybody, and would otherwise toss a coin "
        f"about whether one person is in your data, could come to be {certain}. That is a ceiling, not a forecast.",
    ]
    if epsilon > 10:
        lines.append("Over 10 the ceiling promises little: what protects people then is what is asked, not ε.")
    return lines
