"""Everything that is public about one project, as a record of HDR UK's standard."""

from __future__ import annotations

from collections import Counter
from datetime import date

from flip_sdk.contract.applications import Application, DataAsked, Reference
from flip_sdk.contract.closing import PurgedItem
from flip_sdk.contract.form import FIELDS
from flip_sdk.contract.records import digest
from flip_sdk.contract.register import (
    DataUse,
    Federated,
    RegisterClosing,
    RegisterCondition,
    RegisterModel,
    RegisterOutput,
    RegisterPurge,
    RegisterTrust,
)
from flip_sdk.contract.states import JobState
from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.database import (
    Budget,
    Closing,
    Condition,
    Consent,
    Job,
    ModelVersion,
    Project,
    Release,
    Review,
    Signature,
    Submission,
    Trust,
    TrustPurgeRow,
)
from flip_hub.errors import MissingError
from flip_hub.governance.closing import KEPT, deleted_at_hub, deleted_at_trusts
from flip_hub.governance.when import state_of
from flip_hub.register.listing import LISTED

ENHANCEMENTS = (
    "Data stay at each Trust. What leaves are sums over persons under differential privacy: its noise bounds what can "
    "be learnt of any one person, and each Trust's own ledger caps it. Files leave the research environment only after "
    "two output checkers."
)


def entry(session: Session, project_id: str) -> DataUse:
    """One project of the register.

    Raises:
        MissingError: there is none of that name, or it was never approved: both look the same.
    """
    project = session.get(Project, project_id)
    submission = session.get(Submission, (project_id, project.version)) if project else None
    if project is None or submission is None or state_of(project) not in LISTED:
        raise MissingError("There is no such project in the register.", "Search the register for it.")
    application = submission.application
    said = {name: _words(application, name) for name in ("sector", "accreditation", "request_category", "frequency")}
    said |= {name: _words(application, name) for name in ("sensitivity", "article_6", "article_9", "opt_out")}
    approved = _approved_on(session, project)
    return DataUse(
        project_id_text=project_id,
        project_title=application.title,
        lay_summary=application.lay_summary,
        public_benefit_statement=application.public_benefit,
        technical_summary=application.technical_summary,
        organisation_name=application.organisation,
        organisation_id=application.organisation_id,
        organisation_sector=said["sector"],
        funders_and_sponsors=application.funders,
        accredited_researcher_status=said["accreditation"],
        request_category_type=said["request_category"],
        request_frequency=said["frequency"],
        other_approval_committees=tuple(_approval(one) for one in application.references),
        project_start_date=application.starts_on,
        project_end_date=project.expires_at.date(),
        latest_approval_date=approved,
        data_sensitivity_level=said["sensitivity"],
        legal_basis_for_data_article6=said["article_6"],
        legal_basis_for_data_article9=said["article_9"],
        duty_of_confidentiality=_words(application, "confidentiality"),
        national_data_optout=said["opt_out"],
        non_gateway_datasets=tuple(f"{one.trust}: {one.what}" for one in application.data),
        dataset_linkage_description=application.linkage_description or _words(application, "linkage"),
        access_date=approved,
        privacy_enhancements=ENHANCEMENTS,
        federated=_federated(session, project, application),
    )


def _federated(session: Session, project: Project, application: Application) -> Federated:
    name = project.project_id
    releases = list(session.scalars(select(Release).where(Release.project_id == name).order_by(Release.sequence)))
    models = session.scalars(
        select(ModelVersion).where(ModelVersion.project_id == name).order_by(ModelVersion.version_id)
    )
    out = {row.content for row in releases if row.revoked_at is None}
    conditions = session.scalars(
        select(Condition)
        .where(Condition.project_id == name, Condition.version == project.version)
        .order_by(Condition.condition_id)
    )
    closing = session.get(Closing, name)
    signed = list(
        session.scalars(select(Signature).where(Signature.project_id == name, Signature.version == project.version))
    )
    return Federated(
        state=state_of(project).value,
        trusts=_trusts(session, name, application),
        outputs=tuple(_output(row) for row in releases if row.audience == "public"),
        outputs_to_team=sum(row.audience != "public" and row.revoked_at is None for row in releases),
        models=tuple(
            RegisterModel(weights=row.weights, trained_on=row.created_at.date(), released=row.weights in out)
            for row in models
        ),
        conditions=tuple(RegisterCondition(text=row.text, met=bool(row.confirmed_by)) for row in conditions),
        agreement=signed[-1].clauses if signed else "",
        signatures=len({row.person for row in signed}),
        closed_at=closing.closed_at if closing else None,
        hub_purged_at=closing.purged_at if closing else None,
        closing=_closing(session, closing) if closing else None,
    )


def _closing(session: Session, row: Closing) -> RegisterClosing:
    hub = RegisterPurge(owner="hub", title="The hub", purged_at=row.purged_at, deleted=_numbers(deleted_at_hub(row)))
    trusts = [
        RegisterPurge(
            owner=one.trust,
            title=one.title,
            purged_at=one.purged_at,
            deleted=_numbers(one.items),
            statement=digest(one.statement.encode()) if one.statement else None,
        )
        for one in deleted_at_trusts(session, row.project_id)
    ]
    purges = (hub, *trusts)
    return RegisterClosing(purges=purges, kept=KEPT, complete=all(one.purged_at for one in purges))


def _numbers(items: tuple[PurgedItem, ...]) -> dict[str, int]:
    # a digest over something short, such as a cohort's size, could be guessed: it is not for everybody
    return {item.what: item.count for item in items}


def _trusts(session: Session, project_id: str, application: Application) -> tuple[RegisterTrust, ...]:
    ran: dict[str, Counter[str]] = {}
    last: dict[str, date] = {}
    done = select(Job.kind, Job.trusts, Job.ended_at).where(
        Job.project_id == project_id, Job.state == str(JobState.COMPLETED)
    )
    for kind, names, ended_at in session.execute(done):
        for name in names:
            ran.setdefault(name, Counter())[kind] += 1
            if ended_at:
                last[name] = max(last.get(name, ended_at.date()), ended_at.date())
    titles = {row.name: row.title for row in session.scalars(select(Trust))}
    consents = {row.trust: row for row in session.scalars(select(Consent).where(Consent.project_id == project_id))}
    budgets = {row.trust: row for row in session.scalars(select(Budget).where(Budget.project_id == project_id))}
    asked_to_purge = select(TrustPurgeRow).where(TrustPurgeRow.project_id == project_id)
    purged = {row.trust: row.purged_at for row in session.scalars(asked_to_purge)}
    names = sorted({*application.trusts, *consents, *budgets, *ran})
    return tuple(
        _trust(
            name,
            titles.get(name, name),
            [one for one in application.data if one.trust == name],
            consents.get(name),
            budgets.get(name),
        ).model_copy(
            update={"jobs": dict(ran.get(name, {})), "last_job": last.get(name), "purged_at": purged.get(name)}
        )
        for name in names
    )


def _trust(
    name: str, title: str, asked: list[DataAsked], consent: Consent | None, budget: Budget | None
) -> RegisterTrust:
    return RegisterTrust(
        trust=name,
        title=title,
        what="\n".join(one.what for one in asked)[:4000],
        why="\n".join(one.why for one in asked)[:4000],
        consent=consent.state if consent else "none",
        epsilon=budget.epsilon if budget else None,
        spent=budget.spent if budget else None,
        delta=budget.delta if budget else None,
    )


def _output(row: Release) -> RegisterOutput:
    return RegisterOutput(
        release_id=row.release_id,
        title=row.title,
        name=row.path.rpartition("/")[2],
        released_at=row.released_at,
        revoked_at=row.revoked_at,
        content=row.content,
    )


def _approved_on(session: Session, project: Project) -> date | None:
    chosen = select(Review.decided_at).where(
        Review.project_id == project.project_id, Review.version == project.version, Review.decision == "approve"
    )
    moments = list(session.scalars(chosen))
    return max(moments).date() if moments else None


def _words(application: Application, name: str) -> str:
    return FIELDS[name].words(getattr(application, name))


def _approval(reference: Reference) -> str:
    kind = FIELDS["references"].part("kind").words(reference.kind)
    until = f", until {reference.expires_on:%-d %B %Y}" if reference.expires_on else ""
    return f"{kind} {reference.number}{until}".strip()
