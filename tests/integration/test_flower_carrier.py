"""The gateway, the dispatcher's carrier and two Trusts' carriers as real programs over real TLS, killed in turn."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator

import httpx
import psutil
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flip_hub.flower.grid import Carrier, CarrierUnavailableError, Incoming, TrustOfflineError, connect
from flip_sdk.contract.notices import HubEnrolment
from flip_trust.agent.carrier import FleetCarrier
from flip_trust.agent.hub_client import HubClient, HubRefusedError, HubUnreachableError

from demo.processes import kill, wait_until
from tests.integration.flower_programs import Carriage

pytestmark = pytest.mark.processes
TRUSTS = frozenset({"aldgate", "brookfield"})


@pytest.fixture(scope="module")
def carriage(tmp_path_factory) -> Iterator[Carriage]:
    carriage = Carriage(tmp_path_factory.mktemp("carriage"))
    carriage.start_gateway()
    for name in sorted(TRUSTS):
        carriage.enrol(name)
        carriage.start_trust(name)
    yield carriage
    carriage.stop()


@pytest.fixture(scope="module")
def dispatcher(carriage) -> Iterator[Carrier]:
    carrier = connect(carriage.config)
    yield carrier
    carrier.close()


@pytest.fixture
def everyone(carriage, dispatcher) -> Carriage:
    until(carriage, lambda: dispatcher.online() == TRUSTS, "both Trusts online")
    return carriage


def until(carriage: Carriage, condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Wait for what has to be true well within 60 s; a gateway that restarts may not answer meanwhile."""

    def settled() -> bool:
        try:
            return condition()
        except CarrierUnavailableError:
            return False

    wait_until(settled, seconds, what, last_words=carriage.words)


def answer(carriage: Carriage, dispatcher: Carrier, message_id: str, seconds: float = 30) -> Incoming:
    found: list[Incoming] = []

    def came() -> bool:
        found.extend(dispatcher.pull([message_id], 5))
        return bool(found)

    until(carriage, came, "an answer", seconds)
    return found[0]


def ask(carriage: Carriage, dispatcher: Carrier, trust: str, **parts: bytes) -> Incoming:
    return answer(carriage, dispatcher, dispatcher.push(trust, parts))


@pytest.fixture(scope="module")
def public(carriage) -> Iterator[httpx.Client]:
    context = ssl.create_default_context(cadata=(carriage.config.tls / "ca.pem").read_text())
    with httpx.Client(base_url=f"https://{carriage.config.gateway}", verify=context) as client:
        yield client


def test_bytes_go_to_each_trust_and_back(everyone, dispatcher):
    sent = {dispatcher.push(name, {"task": name.encode(), "empty": b""}): name for name in TRUSTS}
    for message_id, name in sent.items():
        assert answer(everyone, dispatcher, message_id).parts == {"task": name.encode(), "empty": b""}


def test_an_answer_comes_once(everyone, dispatcher):
    message_id = dispatcher.push("aldgate", {"task": b"once"})
    assert answer(everyone, dispatcher, message_id).parts == {"task": b"once"}
    assert dispatcher.pull([message_id]) == [Incoming(message_id, None, "lost")]


@pytest.mark.slow
def test_a_hundred_megabytes_pass(everyone, dispatcher):
    weights = bytes(range(256)) * 390_625
    message_id = dispatcher.push("aldgate", {"task": b"big", "weights": weights})
    assert answer(everyone, dispatcher, message_id, 120).parts == {"task": b"big", "weights": weights}


def test_nothing_but_the_fleet_api_and_the_trust_api_is_there(everyone, public):
    for path in (
        "/v1/fleet/register-node",
        "/v1/fleet/unregister-node",
        "/v1/fleet/get-run",
        "/v1/fleet/get-fab",
        "/v1/control/start-run",
        "/v1/control/list-nodes",
        "/v1/runtime/acquire-task",
        "/v1/runtime/push-messages",
        "/docs",
        "/openapi.json",
        "/answers",
        "/trusts",
    ):
        assert public.post(path).status_code == 404, path
        assert public.get(path).status_code == 404, path


def test_the_loopback_listener_wants_the_secret(everyone):
    address = f"http://127.0.0.1:{everyone.config.control_port}"
    for headers in ({}, {"authorization": "Bearer wrong"}):
        assert httpx.get(f"{address}/trusts", headers=headers).status_code == 401
        assert httpx.post(f"{address}/trusts/aldgate/messages", headers=headers, content=b"").status_code == 401
    path = everyone.config.secrets / "runtime.secret"
    assert path.stat().st_mode & 0o077 == 0


def test_notices_and_projects_go_over_the_same_address(everyone):
    hub = HubEnrolment.parse((everyone.folder / "aldgate" / "hub.json").read_bytes())
    with HubClient(hub) as client:
        client.post_notice("a.b.c")
        assert client.ask_projects("a.b.c") == []
        with pytest.raises(HubRefusedError):
            client.post_notice("refused")


def test_a_hub_with_another_authority_is_not_spoken_to(everyone, tmp_path):
    (tmp_path / "other").mkdir()
    other = Carriage(tmp_path / "other")
    hub = HubEnrolment.parse((everyone.folder / "aldgate" / "hub.json").read_bytes())
    ca = (other.config.tls / "ca.pem").read_text()
    with HubClient(hub.model_copy(update={"ca_certificate": ca})) as client, pytest.raises(HubUnreachableError):
        client.post_notice("a.b.c")


def test_a_key_that_is_not_enrolled_gets_nothing(everyone, dispatcher):
    home = everyone.make_home("stranger", ec.generate_private_key(ec.SECP384R1()))
    hub = HubEnrolment.parse((home / "hub.json").read_bytes())
    with FleetCarrier(hub, home / "node.pem") as carrier:
        assert carrier.receive(0.1) is None
        assert not carrier.connected
    assert dispatcher.online() == TRUSTS
    with pytest.raises(TrustOfflineError):
        dispatcher.push("stranger", {"task": b""})


def test_enrolment_and_its_end_take_effect_at_once(everyone, dispatcher):
    everyone.enrol("carrick")
    everyone.start_trust("carrick")
    until(everyone, lambda: "carrick" in dispatcher.online(), "carrick online")
    line = (everyone.config.home / "enrolled" / "carrick").read_bytes()
    (everyone.config.home / "enrolled" / "carrick").unlink()
    until(everyone, lambda: "carrick" not in dispatcher.online(), "carrick struck off")
    (everyone.config.home / "enrolled" / "carrick").write_bytes(line)
    until(everyone, lambda: "carrick" in dispatcher.online(), "carrick enrolled again")
    everyone.stop("carrick")
    until(everyone, lambda: dispatcher.online() == TRUSTS, "carrick said good-bye")


def test_a_trust_that_stops_is_reported(everyone, dispatcher):
    (everyone.folder / "aldgate" / "hanging").unlink(missing_ok=True)
    message_id = dispatcher.push("aldgate", {"task": b"hang"})
    until(everyone, (everyone.folder / "aldgate" / "hanging").exists, "the task is held")
    everyone.stop("aldgate")
    assert answer(everyone, dispatcher, message_id).error == "offline"
    with pytest.raises(TrustOfflineError):
        dispatcher.push("aldgate", {"task": b""})
    everyone.start_trust("aldgate")


def test_a_killed_trust_is_back_at_once_and_its_task_is_reported_lost(everyone, dispatcher):
    (everyone.folder / "brookfield" / "hanging").unlink(missing_ok=True)
    message_id = dispatcher.push("brookfield", {"task": b"hang"})
    until(everyone, (everyone.folder / "brookfield" / "hanging").exists, "the task is held")
    kill(everyone.pid("brookfield"))
    assert answer(everyone, dispatcher, message_id).error == "lost"
    assert ask(everyone, dispatcher, "brookfield", task=b"hang").parts == {"task": b"hang"}


def test_a_trust_killed_while_it_waits_is_not_handed_a_message(everyone, dispatcher):
    agent = psutil.Process(everyone.pid("aldgate"))
    kill(agent.pid)
    until(everyone, lambda: not agent.is_running(), "the agent gone")
    assert ask(everyone, dispatcher, "aldgate", task=b"after").parts == {"task": b"after"}


def test_a_killed_gateway_has_a_new_epoch_and_everyone_goes_on(everyone, dispatcher):
    (everyone.folder / "aldgate" / "hanging").unlink(missing_ok=True)
    epoch = dispatcher.epoch
    message_id = dispatcher.push("aldgate", {"task": b"hang"})
    until(everyone, (everyone.folder / "aldgate" / "hanging").exists, "the task is held")
    kill(everyone.pid("gateway"))
    until(everyone, lambda: bool(dispatcher.online() is not None) and dispatcher.epoch != epoch, "a new epoch")
    assert answer(everyone, dispatcher, message_id).error == "lost"
    kill(everyone.pid("aldgate"))
    until(everyone, lambda: dispatcher.online() == TRUSTS, "both Trusts online again")
    for name in TRUSTS:
        assert ask(everyone, dispatcher, name, task=b"again").parts == {"task": b"again"}


def test_another_dispatcher_finds_the_answer_to_what_a_killed_one_had_sent(everyone, dispatcher):
    before = connect(everyone.config)
    message_id = before.push("aldgate", {"task": b"orphan"})
    before.close()
    assert dispatcher.epoch == before.epoch
    assert answer(everyone, dispatcher, message_id).parts == {"task": b"orphan"}
