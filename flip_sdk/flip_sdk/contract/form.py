"""The application's form, once: sections, fields, words, who reads them, what is needed.

The page, the completeness check, the differences between versions, the agreement's annexes and the public register are
all made from :data:`SECTIONS`; whoever adds a field adds it here and to :class:`~.applications.Application`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from flip_sdk.contract.form_fields import Choices, FormField, Reader, Section

_SECTORS: Choices = (
    ("academic", "University or research institute"),
    ("nhs", "NHS or other care provider"),
    ("government", "Government or its agency"),
    ("charity", "Charity"),
    ("commercial", "Company"),
    ("other", "Other"),
)
_AUDIENCES: Choices = (
    ("publication", "A publication"),
    ("public", "The public"),
    ("trusts", "The Trusts, for care"),
    ("team", "The team only"),
    ("commercial", "A product"),
    ("other", "Other"),
)
_OUTPUTS: Choices = (
    ("table", "Table"),
    ("figure", "Figure"),
    ("statistics", "Statistics"),
    ("model", "Trained model"),
    ("dashboard", "Dashboard"),
    ("report", "Report or paper"),
    ("code", "Code"),
    ("other", "Other"),
)
_REFERENCES: Choices = (
    ("hra", "HRA approval"),
    ("rec", "Research Ethics Committee"),
    ("cag_s251", "CAG, section 251"),
    ("dpia", "Data protection impact assessment"),
    ("caldicott", "Caldicott Guardian"),
    ("sponsor", "Sponsor"),
    ("other", "Other"),
)
_DOMAINS: Choices = (
    ("conditions", "Diagnoses"),
    ("measurements", "Measurements and laboratory results"),
    ("drugs", "Drugs"),
    ("procedures", "Procedures"),
    ("observations", "Observations"),
    ("visits", "Visits"),
    ("images", "Images"),
    ("waveforms", "Waveforms"),
)
JOB_KINDS: Choices = (
    ("count", "Counts of persons in cohorts"),
    ("train", "Training of models"),
    ("evaluate", "Evaluation of models"),
    ("statistics", "Statistics: tables, means, survival, regressions"),
)

PEOPLE = Section(
    "people",
    "Safe people",
    "Who works with the data, for whom, and who pays?",
    (
        FormField(
            "organisation",
            "Organisation that applies",
            "line",
            needed=True,
            readers="public",
            fewest=2,
            register="Organisation name",
        ),
        FormField(
            "organisation_id",
            "Its identifier",
            "line",
            "A ROR or ODS code, where it has one",
            readers="public",
            register="Organisation ID",
        ),
        FormField(
            "sector",
            "Its sector",
            "choice",
            needed=True,
            readers="public",
            choices=_SECTORS,
            register="Organisation sector",
        ),
        FormField(
            "team",
            "Team, besides yourself",
            "people",
            "Each of them signs the data access agreement",
            readers="trusts",
            register="Applicant name(s)",
        ),
        FormField(
            "accreditation",
            "Accreditation of the team",
            "choice",
            "As researchers under the Digital Economy Act, or a scheme like it",
            readers="public",
            choices=(("all", "All are accredited"), ("some", "Some are"), ("none", "None is yet")),
            register="DEA accredited researcher",
        ),
        FormField(
            "funders",
            "Who funds it",
            "lines",
            "One a line, with the grant's number",
            readers="public",
            register="Funders / sponsors",
        ),
        FormField(
            "interests",
            "Competing interests",
            "text",
            "Of anyone on the team: companies, patents, fees",
            most=4000,
            readers="trusts",
        ),
    ),
)
PROJECT = Section(
    "project",
    "Safe project",
    "What is it for, who is better off, and who allowed it?",
    (
        FormField("title", "Title", "line", needed=True, readers="public", fewest=3, register="Project title"),
        FormField(
            "lay_summary",
            "Lay summary",
            "text",
            "What you want to find out, in words that patients understand",
            needed=True,
            readers="public",
            fewest=20,
            most=4000,
            register="Lay summary",
        ),
        FormField(
            "public_benefit",
            "Public benefit",
            "text",
            "Who is better off, and how",
            needed=True,
            readers="public",
            fewest=20,
            most=4000,
            register="Public benefit statement",
        ),
        FormField(
            "technical_summary",
            "Technical summary",
            "text",
            "Design, population, methods, and how well it has to work",
            needed=True,
            readers="public",
            fewest=20,
            most=4000,
            register="Technical summary",
        ),
        FormField(
            "request_category",
            "Kind of request",
            "choice",
            needed=True,
            readers="public",
            choices=(
                ("health_services", "Health services and delivery"),
                ("public_health", "Public health research"),
                ("efficacy", "Efficacy and mechanism"),
                ("discovery", "Discovery science"),
                ("methods", "Methods"),
                ("other", "Other"),
            ),
            register="Requested category type",
        ),
        FormField(
            "public_involvement", "How patients and the public are involved", "text", most=4000, readers="public"
        ),
        FormField(
            "references",
            "Approvals that you hold",
            "entries",
            "Ethics, section 251 and others. One that is needed ends the project with its own last day",
            readers="public",
            register="Other approval committees",
            one="approval",
            parts=(
                FormField("kind", "Given by", "choice", choices=_REFERENCES),
                FormField("number", "Reference", "line"),
                FormField("granted_on", "Given on", "date"),
                FormField("expires_on", "Holds until", "date", "Leave it empty where it has no end"),
                FormField("needed", "The project may not go on without it", "flag"),
            ),
        ),
        FormField(
            "article_6",
            "Legal basis under UK GDPR, article 6",
            "choice",
            needed=True,
            readers="public",
            choices=(
                ("6_1_e", "6(1)(e): public task"),
                ("6_1_f", "6(1)(f): legitimate interests"),
                ("6_1_c", "6(1)(c): legal obligation"),
                ("6_1_a", "6(1)(a): consent"),
                ("not_applicable", "Not applicable: made-up data"),
            ),
            register="Legal basis (Article 6)",
        ),
        FormField(
            "article_9",
            "Legal basis under UK GDPR, article 9",
            "choice",
            needed=True,
            readers="public",
            choices=(
                ("9_2_j", "9(2)(j): research"),
                ("9_2_h", "9(2)(h): health or social care"),
                ("9_2_i", "9(2)(i): public health"),
                ("9_2_a", "9(2)(a): explicit consent"),
                ("not_applicable", "Not applicable: made-up data"),
            ),
            register="Lawful conditions (Article 9)",
        ),
        FormField("legal_basis", "More on the legal basis", "text", most=4000, readers="public"),
        FormField(
            "confidentiality",
            "Common law duty of confidentiality",
            "choice",
            needed=True,
            readers="public",
            choices=(
                ("not_engaged", "Not engaged: nobody outside the Trust sees confidential information"),
                ("consent", "Met by consent"),
                ("section_251", "Set aside by section 251"),
                ("statutory", "Statutory exemption"),
                ("other", "Other"),
            ),
            register="Common law duty of confidentiality",
        ),
    ),
)
SETTINGS = Section(
    "settings",
    "Safe settings",
    "What is computed, with what, and for how long?",
    (
        FormField("job_kinds", "What is computed", "choices", needed=True, readers="trusts", choices=JOB_KINDS),
        FormField(
            "compute",
            "Workspaces",
            "choice",
            readers="reviewers",
            choices=(("cpu", "With processors alone"), ("gpu", "With a graphics card (GPU)")),
        ),
        FormField("gpus", "Graphics cards at once", "whole", "0 to 64"),
        FormField("compute_notes", "Why that much", "text", most=4000),
        FormField("starts_on", "First day", "date", readers="public", register="Project start date"),
        FormField(
            "expires_at",
            "Last day",
            "end",
            "Approval ends with this day (UTC), or with an approval that is needed",
            needed=True,
            readers="public",
            register="Project end date",
        ),
    ),
)
DATA = Section(
    "data",
    "Safe data",
    "Which data of which Trust, why, and how much may be learnt of each person?",
    (
        FormField(
            "trusts",
            "Trusts whose patients it is about",
            "trusts",
            "Each one's data steward decides separately whether it takes part",
            needed=True,
            readers="public",
            register="Data custodian",
        ),
        FormField(
            "data",
            "What is asked of each Trust",
            "entries",
            "One entry a Trust at least",
            needed=True,
            readers="public",
            register="Dataset(s) name",
            one="Trust’s data",
            parts=(
                FormField("trust", "Trust", "trust", needed=True),
                FormField("what", "Which patients, which data", "text", needed=True, fewest=3, most=4000),
                FormField("why", "What it is needed for", "text", needed=True, fewest=3, most=4000),
                FormField("domains", "Kinds of data", "choices", choices=_DOMAINS),
                FormField("modalities", "Modalities of images", "line", "Such as CT, MR"),
                FormField("years", "Years", "line", "Such as 2015-2025"),
            ),
        ),
        FormField(
            "sensitivity",
            "Sensitivity of the data",
            "choice",
            needed=True,
            readers="public",
            choices=(
                ("de_personalised", "De-personalised"),
                ("anonymous", "Anonymous"),
                ("identifiable", "Personally identifiable"),
            ),
            register="Data sensitivity level",
        ),
        FormField(
            "opt_out",
            "National data opt-out",
            "choice",
            needed=True,
            readers="public",
            choices=(("applied", "Applied at each Trust"), ("not_applicable", "Not applicable"), ("exempt", "Exempt")),
            register="National data opt-out applied?",
        ),
        FormField(
            "linkage",
            "Linkage",
            "choice",
            readers="public",
            choices=(("none", "No linkage"), ("within_trust", "Within each Trust"), ("external", "With other data")),
            register="For linked datasets, specify how the linkage will take place",
        ),
        FormField("linkage_description", "How data are linked", "text", most=4000, readers="public"),
        FormField(
            "frequency",
            "How often data are used",
            "choice",
            readers="public",
            choices=(("once", "Once"), ("recurring", "Again with newer data")),
            register="Request frequency",
        ),
        FormField(
            "epsilon",
            "Privacy budget: epsilon (ε)",
            "number",
            "Most that each person at each Trust may lose over the whole project, such as 10",
            needed=True,
            readers="public",
        ),
        FormField("delta", "Privacy budget: delta (δ)", "number", "Such as 0.00001", needed=True, readers="public"),
    ),
)
OUTPUTS = Section(
    "outputs",
    "Safe outputs",
    "What leaves, for whom, and how is it made known?",
    (
        FormField(
            "planned_outputs",
            "Planned outputs",
            "entries",
            "What you mean to take out, each with whom it is for",
            needed=True,
            readers="public",
            one="output",
            parts=(
                FormField("kind", "Kind", "choice", choices=_OUTPUTS),
                FormField("audience", "For whom", "choice", choices=_AUDIENCES),
                FormField("description", "What it shows", "text", needed=True, fewest=3, most=4000),
            ),
        ),
        FormField(
            "dissemination",
            "How results are made known",
            "text",
            "Also to the patients whose data they come from",
            most=4000,
            readers="public",
        ),
    ),
)
SECTIONS = (PROJECT, PEOPLE, DATA, SETTINGS, OUTPUTS)


def fields(readers: Reader = "reviewers") -> Iterator[FormField]:
    """Every field that these readers may see, in the form's order."""
    seen = {"reviewers": {"reviewers", "trusts", "public"}, "trusts": {"trusts", "public"}, "public": {"public"}}
    return (field for section in SECTIONS for field in section.fields if field.readers in seen[readers])


FIELDS: Mapping[str, FormField] = MappingProxyType({field.name: field for field in fields()})
