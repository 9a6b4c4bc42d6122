"""The hub's database: SQLAlchemy 2 models, for SQLite (WAL) and PostgreSQL, and their migrations."""

from flip_hub.database.airlock import CheckRun, Ingress, Output, OutputDecisionRow, Release, ReleaseRequest
from flip_hub.database.applications import (
    Closing,
    Comment,
    Condition,
    DraftField,
    ExpiryWarning,
    Signature,
    Submission,
    TrustPurgeRow,
)
from flip_hub.database.base import Base
from flip_hub.database.chain import AuditHead, AuditReduction, AuditRow, Entry, Routine
from flip_hub.database.dashboards import Dashboard, DashboardVersion
from flip_hub.database.emergencies import Emergency
from flip_hub.database.engine import Database, also, now, once
from flip_hub.database.identity import Identity, ServiceIdentity, SignIn
from flip_hub.database.links import DashboardLink, LinkDecision, LinkReader
from flip_hub.database.members import ProjectMember, ProjectWords
from flip_hub.database.migrate import upgrade
from flip_hub.database.people import Budget, Catalogue, Consent, NoticeSeen, Person, Project, Review, Trust
from flip_hub.database.person_records import PersonRecord
from flip_hub.database.roots import AuditBlock, DailyRoot, RootSeen
from flip_hub.database.runs import (
    BlobUse,
    Checkpoint,
    Job,
    JobEventRow,
    JobResultRow,
    ModelVersion,
    ReceivedUpdate,
    RefusalRow,
    SharedSum,
    SignOff,
    TaskRow,
)
from flip_hub.database.usage import ProjectResources, WorkspaceRun

__all__ = [
    "AuditBlock",
    "AuditHead",
    "AuditReduction",
    "AuditRow",
    "Base",
    "BlobUse",
    "Budget",
    "Catalogue",
    "CheckRun",
    "Checkpoint",
    "Closing",
    "Comment",
    "Condition",
    "Consent",
    "DailyRoot",
    "Dashboard",
    "DashboardLink",
    "DashboardVersion",
    "Database",
    "DraftField",
    "Emergency",
    "Entry",
    "ExpiryWarning",
    "Identity",
    "Ingress",
    "Job",
    "JobEventRow",
    "JobResultRow",
    "LinkDecision",
    "LinkReader",
    "ModelVersion",
    "NoticeSeen",
    "Output",
    "OutputDecisionRow",
    "Person",
    "PersonRecord",
    "Project",
    "ProjectMember",
    "ProjectResources",
    "ProjectWords",
    "ReceivedUpdate",
    "RefusalRow",
    "Release",
    "ReleaseRequest",
    "Review",
    "RootSeen",
    "Routine",
    "ServiceIdentity",
    "SharedSum",
    "SignIn",
    "SignOff",
    "Signature",
    "Submission",
    "TaskRow",
    "Trust",
    "TrustPurgeRow",
    "WorkspaceRun",
    "also",
    "now",
    "once",
    "upgrade",
]
