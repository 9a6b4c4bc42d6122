"""Two blind checkers decide on each file. Where they disagree, a third one does, or one of them changes their mind.

Until two have decided, nobody learns what the other said: the audit log holds a digest of each decision, and tells the
decisions themselves with what came of them.
"""

from __future__ import annotations

import secrets
from typing import Any

from flip_sdk.contract.airlock import Audience, DecideOutputs, ReleaseView
from flip_sdk.contract.records import digest
from flip_sdk.contract.states import OUTPUT, OutputState
from flip_sdk.contract.violations import Violation
from flip_sdk.errors import SpecError
from sqlalchemy.orm import Session

from flip_hub.airlock.access import load_request
from flip_hub.airlock.outcome import check_others_anew, settle
from flip_hub.airlock.releases import release
from flip_hub.airlock.requests import shown
from flip_hub.airlock.views import ENOUGH, approved_contents, is_disputed
from flip_hub.database import Entry, Output, OutputDecisionRow, ReleaseRequest, also, now
from flip_hub.errors import ConflictError, InvalidError, MissingError
from flip_hub.governance.office import Office
from flip_hub.policy import Subject

_DECIDABLE = frozenset({OutputState.CHECKED, OutputState.IN_REVIEW})


def decide(office: Office, subject: Subject, request_id: str, decision: DecideOutputs) -> ReleaseView:
    """Record one checker's decision on some files of a request, and what follows from it. All of it, or nothing.

    The same decision again changes nothing.

    Raises:
        MissingError: no such request, or a file that is not of it.
        DeniedError: no output checker, or one with a conflict of interest: the policy says which.
        ConflictError: a file is decided already, or its checks run.
        InvalidError: a reason is missing.
        SpecError: several are approved at once, and some need a decision of their own: all of those.
    """
    entry = Entry(subject.name, "output.decided", f"release-request/{request_id}")
    with office.database.write(entry) as session:
        row = load_request(office, session, subject, "review_release", request_id)
        outputs = _named(row, decision)
        if row.checked_at is None:
            raise ConflictError("The checks of this request are running.", "Decide when they are done, in a moment.")
        news = [output for output in outputs if not _is_repeated(output, subject, decision)]
        before = approved_contents(session, row)
        _check(news, subject, decision, before)
        entry.details["decisions"] = [_keep(output, subject, decision) for output in news]
        released = [_settle(office, session, output, subject) for output in news]
        settle(row)
        if any(released):
            check_others_anew(session, row)
        session.flush()
        return shown(session, subject, row)


def waits_for(output: Output, subject: Subject) -> bool:
    """Whether a file waits for this checker: it is not decided, and they have not decided on it."""
    if not output.statement.leaves or output.state not in _DECIDABLE:
        return False
    return all(row.checker != subject.name for row in output.decisions)


def goes_in_a_group(output: Output, before: frozenset[str]) -> bool:
    """Whether a file may be approved together with others: it passes every check, or was approved before."""
    passes = output.examined is not None and output.examined.verdict == "pass"
    return output.statement.leaves and (passes or output.content in before)


def _named(row: ReleaseRequest, decision: DecideOutputs) -> list[Output]:
    by_id = {output.output_id: output for output in row.outputs}
    if not set(decision.outputs) <= by_id.keys():
        raise MissingError("A file is not of this request.", "Decide on files of one request at a time.")
    return [by_id[output_id] for output_id in dict.fromkeys(decision.outputs)]


def _is_repeated(output: Output, subject: Subject, decision: DecideOutputs) -> bool:
    """The same person said the same before: a form that was sent twice."""
    said = (decision.decision, _audience(decision))
    return any(row.checker == subject.name and (row.decision, row.audience) == said for row in output.decisions)


def _check(outputs: list[Output], subject: Subject, decision: DecideOutputs, before: frozenset[str]) -> None:
    for output in outputs:
        _check_state(output)
        _check_reason(output, subject, decision, before)
    if decision.decision == "approve" and len(decision.outputs) > 1:
        alone = [output for output in outputs if not goes_in_a_group(output, before)]
        if alone:
            raise SpecError([_alone(output) for output in alone])


def _check_state(output: Output) -> None:
    if not output.statement.leaves:
        raise InvalidError(f"{output.path} only helps the checkers and does not leave.", "Decide on the others.")
    if output.state not in _DECIDABLE:
        words = str(output.state).replace("_", " ")
        raise ConflictError(f"{output.path} is {words} already.", "Load the page again to see what became of it.")


def _check_reason(output: Output, subject: Subject, decision: DecideOutputs, before: frozenset[str]) -> None:
    if decision.reason.strip():
        return
    flagged = not goes_in_a_group(output, before)
    if any(row.checker == subject.name for row in output.decisions):
        raise InvalidError(f"You decided otherwise on {output.path}.", "Say why you changed your mind.")
    if decision.decision == "approve" and flagged:
        raise InvalidError(f"The checks flagged {output.path}.", "Say why it may leave all the same.")
    if decision.decision == "withhold" and not flagged:
        raise InvalidError(f"{output.path} passes its checks.", "Say why it is withheld, and what has to change.")


def _alone(output: Output) -> Violation:
    return Violation(
        rule="needs_its_own_decision",
        where=output.path,
        message="Its checks flagged it, so it is not approved together with others.",
        mend="Look at it, and decide on it alone.",
    )


def _keep(output: Output, subject: Subject, decision: DecideOutputs) -> dict[str, Any]:
    mine = next((row for row in output.decisions if row.checker == subject.name), None)
    if mine is None and len(output.decisions) >= ENOUGH and not is_disputed(output):
        raise ConflictError(f"{output.path} is decided already.", "Load the page again.")
    if mine is None:
        mine = OutputDecisionRow(checker=subject.name, changed=False)
        output.decisions.append(mine)
    else:
        mine.changed = True
    mine.decision, mine.reason = decision.decision, decision.reason.strip() or _findings(output, decision)
    mine.audience = _audience(decision)
    mine.salt, mine.decided_at = secrets.token_hex(16), now()
    if output.state == OutputState.CHECKED:
        output.state = OUTPUT.step(output.state, OutputState.IN_REVIEW).target
    return {"path": output.path, "content": output.content, "digest": _digest(mine), "changed": mine.changed}


def _audience(decision: DecideOutputs) -> Audience | None:
    """The widest that an approval lets a file go to; what is withheld goes to nobody."""
    return decision.audience if decision.decision == "approve" else None


def _findings(output: Output, decision: DecideOutputs) -> str:
    """The checks' own words, for a flagged file that is withheld without others."""
    if decision.decision == "approve" or output.examined is None:
        return ""
    found = [f"{f.message} {f.mend}".strip() for f in output.examined.findings if f.severity != "note"]
    return "\n".join(found)[:4000]


def _digest(row: OutputDecisionRow) -> str:
    said = f"{row.decision} {row.audience}" if row.audience else row.decision
    return digest("\n".join((row.salt, row.checker, said, row.reason)).encode())


def _settle(office: Office, session: Session, output: Output, subject: Subject) -> bool:
    """Release or withhold a file on which two agree.

    Returns:
        Whether it was released.
    """
    agreed = [d for d in ("approve", "withhold") if sum(row.decision == d for row in output.decisions) >= ENOUGH]
    if not agreed:
        return False
    target = OutputState.RELEASED if agreed[0] == "approve" else OutputState.WITHHELD
    step = OUTPUT.step(output.state, target)
    output.state, output.decided_at = step.target, now()
    details: dict[str, Any] = {"path": output.path, "content": output.content, "decisions": _told(output)}
    if target is OutputState.WITHHELD:
        output.reason = "\n\n".join(row.reason for row in output.decisions if row.decision == "withhold" and row.reason)
    else:
        output.reason = ""
        details.update(release(office, session, output))
    also(session, Entry(subject.name, step.event, f"output/{output.output_id}", details))
    return target is OutputState.RELEASED


def _told(output: Output) -> list[dict[str, Any]]:
    return [
        {
            "checker": row.checker,
            "decision": row.decision,
            "audience": row.audience,
            "reason": row.reason,
            "salt": row.salt,
            "digest": _digest(row),
        }
        for row in output.decisions
    ]
