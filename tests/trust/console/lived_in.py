"""A Trust that has been at it for months: debits over time, jobs that ran and were refused, and a quarantine."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from flip_sdk.accounting.events import Gaussian, Pure
from flip_trust.ingest import quarantine
from flip_trust.ingest.quarantine import Refused
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from tests.trust.console.world import Console, told
from tests.trust.world import PROJECT, WEIGHTS, count_spec, train_spec

HOSTILE = "<script>alert(1)</script>\u202egnp.exe"


def live(console: Console, days: int = 90) -> str:
    """Fill a Trust; the id of a training that ran."""
    trust, now = console.trust, console.clock()
    second = told(project_id="stroke-ct", title="Stroke on CT", epsilon=5.0, job_kinds=("count", "statistics"))
    console.hear(told(), second, told(project_id="odd", title=HOSTILE))
    trust.opt_in(epsilon=40.0, expires_at=now + timedelta(days=20))
    agent, hub = trust.agent(), trust.hub
    job = hub.job(train_spec())
    refused = hub.job(count_spec(epsilon=11))
    wanted = [hub.parts(hub.job(count_spec()), "count"), hub.prepare(job), hub.train(job, weights=WEIGHTS)]
    for parts in (*wanted, hub.parts(refused, "count")):
        received = trust.carrier.put(parts)
        agent.take(trust.carrier.receive())
        trust.carrier.answer(received)
    spend(console, days)
    refuse_things(console)
    return job.job_id


def spend(console: Console, days: int, project: str = PROJECT) -> None:
    """Debits every third day, as so many days of jobs would have left them."""
    now = console.clock()
    rows = [(now - timedelta(days=day), f"job-{day}", day) for day in range(days, 0, -3)]
    with console.trust.database.transaction() as transaction:
        for at, job, day in rows:
            event = Pure(epsilon=0.25) if day % 2 else Gaussian(noise_multiplier=20.0, steps=5)
            _debit(transaction, at, project, job, event.canonical().decode())


def refuse_things(console: Console) -> str:
    """Images and records in the quarantine; the name of an image."""
    home = console.trust.config.home
    folder = home / "quarantine" / "deidentification"
    folder.mkdir(mode=0o700, parents=True)
    names = [f"{number:040x}.dcm" for number in range(30)]
    for number, name in enumerate(names):
        reason = ("BURNED_IN", "text was found in the picture") if number % 3 else ("SLIDE_LABEL", "a slide's label")
        told_ = {"reason": reason[0], "text": reason[1], "profile": "x", "at": console.clock().isoformat()}
        (folder / f"{name}.json").write_text(json.dumps(told_))
    image(folder / names[1])
    lines = [Refused(f"line {n}", "the patient has no number", f'{{"secret": "MRS EXAMPLE {n}"}}') for n in range(40)]
    quarantine.keep(home, "fhir", b"source", lines)
    return names[1]


def image(path) -> None:
    """A secondary capture with a name in it."""
    data = Dataset()
    data.PatientName, data.PatientID, data.Modality = "EXAMPLE^MRS", "9434765919", "US"
    data.Manufacturer, data.ManufacturerModelName, data.Rows, data.Columns = "Acme", "Sono 3", 8, 8
    data.SOPClassUID, data.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3"
    data.BitsAllocated, data.BitsStored, data.SamplesPerPixel = 8, 8, 1
    data.PixelData = b"\0" * 64
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.save_as(path, enforce_file_format=True)


def _debit(transaction, at: datetime, project: str, job: str, event: str) -> None:
    from flip_trust.audit import Entry

    sql = "INSERT INTO ledger (at, project_id, job_id, purpose, event) VALUES (?, ?, ?, 'count', ?)"
    entry = Entry("admission", "ledger.debited", f"job/{job}", {"project": project})
    transaction.write(entry, (sql, (at.isoformat(), project, job, event)))
