import pytest, torch
import flip_sdk as flip
def test_sdk(make_hub):
    h=make_hub(); h.ready()
    c=h.client("ada")
    with c:
        token=c.headers["authorization"].split()[1]
        hub=flip.connect("http://testserver/services/flip/api", token, transport=c._transport)
        print(hub, hub.projects())
        p=hub.project("cytology"); print(p); print(p.budget()); print(p.catalogue().concepts)
        feats=p.catalogue().features()
        job=p.train(torch.nn.Linear(len(feats),1),features=feats,label="malignant",rounds=3)
        print(job, job.events(), p.jobs()); print(job.cancel())
        for bad in (lambda: hub.project("cyt"), lambda: hub.job("nope"), lambda: p.train(torch.nn.Linear(len(feats),1),features=feats,label="malignant",privacy=flip.Privacy(50)),
                    lambda: p.publish("notebooks/dashboards/training_report.ipynb", name="x", jobs=[job])):
            try: bad(); print("??")
            except flip.PublicError as e: print(type(e).__name__, e.code, e)
        print(p.publish("notebooks/dashboards/training_report.ipynb", name="x").view)
        h2=h
        from flip_hub.database import Project, Routine, now
        from datetime import timedelta
        with h.office.database.write(Routine("x")) as s: s.get_one(Project,"cytology").expires_at=now()-timedelta(seconds=1)
        try: p.train(torch.nn.Linear(len(feats),1),features=feats,label="malignant")
        except flip.PublicError as e: print(type(e).__name__, e.code, e)
        try: flip.connect("http://testserver/services/flip/api","bad",transport=c._transport)
        except flip.PublicError as e: print(type(e).__name__, e.code, e)
