"""A hub and Trusts in one process, for tests and for trying things out without spending anybody's budget.

    from flip_sdk.testing import FakeHub

    hub = FakeHub()                                   # four Trusts with made-up patients
    project = flip.connect(hub.api, hub.token, transport=hub.transport).project()

    with hub.serve() as environment:                  # a real server on loopback, for another process
        subprocess.run([...], env={**os.environ, **environment})

It speaks the hub's JSON API and really trains, counts and evaluates, on synthetic patients, by the Trusts' own code. It
adds no noise and promises no privacy: never give it real data. With noise it is ``flip_sdk.simulate``.
"""

from flip_sdk.extras import needed

with needed("learning", "A played hub"):
    from flip_sdk.testing.hub import FakeHub
    from flip_sdk.testing.patients import Patients, synthetic_patients
    from flip_sdk.testing.trusts import FakeTrust, demo_trusts

__all__ = ["FakeHub", "FakeTrust", "Patients", "demo_trusts", "synthetic_patients"]
