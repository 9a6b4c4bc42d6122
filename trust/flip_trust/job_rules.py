"""Which job of which project may run here: ``policies/trust/jobs``, and what a hospital forbids beside it in its home.

A hospital's own file, ``<home>/jobs.cedar``, can only take away: every statement in it has to be a ``forbid``. Why a
job was refused stays at the Trust; the hub is told one of the codes that it knows already, and of the hospital's own
policies always the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import cedarpy
from flip_sdk.contract.concepts import domains_of
from flip_sdk.contract.jobs import AnySpec, EvaluateSpec, TrainSpec
from flip_sdk.contract.notices import ProjectForTrust
from flip_sdk.contract.records import digest
from flip_sdk.contract.tasks import RefusalCode, SignedOffJob

from flip_trust import heard
from flip_trust.audit import Reader
from flip_trust.config import TrustConfig
from flip_trust.consent import Consent, standing
from flip_trust.errors import RefusedError, SetupError
from flip_trust.policy import FOLDER, SCHEMA_FILE, Known, Parsed
from flip_trust.sums import trust_model_of

OWN_FILE = "jobs.cedar"
OWN_REFUSAL = RefusalCode.JOB_KIND_NOT_ALLOWED
"""All that the hub is told of a hospital's own policies."""
_TRUST = {"type": "Trust", "id": "trust"}
_MEND = "Correct the file, or take the statement out; nothing runs until then. See docs/console.md."


@dataclass(frozen=True)
class Verdict:
    """What the policies say of a job.

    Attributes:
        policy: that decided.
        refusal: what the hub is told; None where the job may run.
        reason: for people at the Trust alone.
    """

    policy: str
    refusal: RefusalCode | None = None
    reason: str = ""


class JobRules:
    """The policies on jobs, parsed and validated once.

    Args:
        own: text of the hospital's own file; empty where it has none.
        path: of that file, to be named in what is wrong with it.
        human_sign_off: which jobs a person has to have signed off (``trust.toml``).

    Attributes:
        digest: of all of them.
        own: the hospital's own, in their order.

    Raises:
        SetupError: a statement permits something, has no words, or does not fit the schema.
    """

    def __init__(self, own: str = "", path: Path = Path(OWN_FILE), human_sign_off: str = "never") -> None:
        self._human_sign_off = human_sign_off
        defaults, schema = _defaults()
        self.own = _checked(own, schema, path) if own.strip() else ()
        text = f"{defaults}\n{own}"
        self.digest = digest(f"{schema}\n{text}".encode())
        self._parsed = Parsed.of(text, schema, str(path) if self.own else "policies/trust/jobs")

    @classmethod
    def of(cls, config: TrustConfig) -> JobRules:
        """Those of a Trust: the defaults, and its own file where it has one.

        Raises:
            SetupError: the file cannot be read, or does not fit.
        """
        path = config.home / OWN_FILE
        try:
            own = path.read_text(encoding="utf-8") if path.exists() else ""
            return cls(own, path, config.human_sign_off)
        except (OSError, UnicodeDecodeError) as error:
            raise SetupError(f"{path} cannot be read: {error}", _MEND) from error

    def require(self, reader: Reader, job: SignedOffJob, now: datetime, *, begun: bool) -> Consent:
        """The consent that lets a job run.

        Args:
            reader: of consents, and of what the hub told.
            job: signed off by governance.
            now: with a time zone; policies ask for the hour of the machine's.
            begun: whether a task of it was accepted before.

        Raises:
            RefusedError: it may not run; with the reason, which stays here.
        """
        agreed = standing(reader, job.spec.project_id)
        told = heard.one(reader, job.spec.project_id)
        organisation = " ".join(told.record.organisation.casefold().split()) if told else ""
        project = _project(job.spec.project_id, agreed, now, organisation)
        asked = context_of(job, now, begun=begun, beyond=is_beyond(job.spec, told.record if told else None))
        context = asked | {"human_sign_off": self._human_sign_off}
        verdict = self.judge(project, job.spec.kind, context)
        if verdict.refusal or agreed is None:
            code = verdict.refusal or RefusalCode.NOT_OPTED_IN
            raise RefusedError(code, reason=verdict.reason, policy=verdict.policy)
        return agreed

    def judge(self, project: dict[str, Any], kind: str, context: dict[str, Any]) -> Verdict:
        """What the policies say of a project's job; one that fails while it is asked refuses the job."""
        uid = {"type": "Project", "id": "project"}
        request = {"principal": uid, "action": {"type": "Action", "id": kind}, "resource": _TRUST, "context": context}
        entities = [{"uid": uid, "attrs": project, "parents": []}, {"uid": _TRUST, "attrs": {}, "parents": []}]
        result = cedarpy.is_authorized(request, self._parsed.policies, entities, self._parsed.schema)
        if result.diagnostics.errors:
            # Cedar leaves a policy that fails out of account: a forbid among them would silently permit
            return Verdict("", OWN_REFUSAL, f"The policies failed: {'; '.join(map(str, result.diagnostics.errors))}")
        known = self._parsed.decisive(result.diagnostics.reasons)
        if known is None:
            return Verdict("", RefusalCode.NOT_OPTED_IN, "No policy permits this.")
        return Verdict(known.id) if result.allowed else _denied(known)


def context_of(job: SignedOffJob, now: datetime, *, begun: bool, beyond: bool = False) -> dict[str, Any]:
    """What policies can ask about a job."""
    spec, here = job.spec, now.astimezone()
    return {
        "kind": spec.kind,
        "trust_model": trust_model_of(spec),
        "epsilon": {"__extn": {"fn": "decimal", "arg": _rounded_up(_epsilon(spec))}},
        "researcher": job.researcher,
        "trusts": len(job.trusts),
        "images": isinstance(spec, TrainSpec | EvaluateSpec) and spec.images is not None,
        "data": sorted(domains_of(spec)),
        "begun": begun,
        "signed_off": job.signed_off,
        "human_sign_off": "never",
        "beyond": beyond,
        "hour": here.hour,
        "weekday": here.isoweekday(),
    }


def is_beyond(spec: AnySpec, told: ProjectForTrust | None) -> bool:
    """Whether a job goes beyond an application, as the hub told of it; one of which nothing was told covers nothing."""
    if told is None:
        return True
    delta = spec.privacy.delta if isinstance(spec, TrainSpec) else getattr(spec, "delta", 0.0)
    data = any(asked.domains and domains_of(spec) - set(asked.domains) for asked in told.data)
    return spec.kind not in told.job_kinds or _epsilon(spec) > told.epsilon or delta > told.delta or data


@cache
def _defaults() -> tuple[str, str]:
    folder = FOLDER / "jobs"
    texts = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.cedar"))]
    if not texts:
        raise SetupError(f"There are no policies in {folder}.", "Install flip-trust again.")
    return "\n".join(texts), (folder / SCHEMA_FILE).read_text(encoding="utf-8")


def _checked(own: str, schema: str, path: Path) -> Sequence[Known]:
    """The statements of a hospital's own file.

    Raises:
        SetupError: every statement that permits something, has no words or a name that is taken, at once.
    """
    statements = Parsed.of(own, schema, str(path)).known
    taken = {one.id for one in Parsed.of(_defaults()[0], schema, "policies/trust/jobs").known}
    wrong = []
    for number, one in enumerate(statements, start=1):
        name = f"statement {number}" + (f" ({one.id})" if one.id else "")
        if one.effect != "forbid":
            wrong.append(f"{name} permits something, and a hospital's own policies only forbid")
        wrong += [f'{name} lacks @{note}("…")' for note in ("id", "reason") if not one.annotations.get(note)]
        if "refusal" in one.annotations:
            wrong.append(f"{name} has @refusal, and what the hub is told is always the same")
        if one.id in taken:
            wrong.append(f"{name} has a name that is taken")
        taken.add(one.id)
    if wrong:
        raise SetupError(f"{path}: {'; '.join(wrong)}.", _MEND)
    return statements


def _denied(known: Known) -> Verdict:
    notes = known.annotations
    code = RefusalCode(notes["refusal"]) if "refusal" in notes else OWN_REFUSAL
    return Verdict(known.id, code, f"{notes['reason']} {notes.get('mend', '')}".strip())


def _project(project_id: str, agreed: Consent | None, now: datetime, organisation: str) -> dict[str, Any]:
    return {
        "project": project_id,
        "standing": agreed.state if agreed else "undecided",
        "over": agreed is not None and agreed.terms.expires_at <= now,
        "kinds": list(agreed.terms.job_kinds) if agreed else [],
        "trust_models": list(agreed.terms.trust_models) if agreed else [],
        "organisation": organisation,
    }


def _epsilon(spec: AnySpec) -> float:
    return spec.privacy.epsilon if isinstance(spec, TrainSpec) else spec.epsilon


def _rounded_up(value: float) -> str:
    whole, rest = divmod(-int(-value * 10_000 // 1), 10_000)
    return f"{whole}.{rest:04d}"
