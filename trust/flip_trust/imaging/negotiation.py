"""Association negotiation as the acceptor (PS3.8 section 7.1), with pynetdicom's PDUs: who may send, and what."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AllStoragePresentationContexts
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import PresentationContext

from flip_trust.errors import TrustError
from flip_trust.imaging.part10 import IMPLEMENTATION_NAME, IMPLEMENTATION_UID

VERIFICATION = "1.2.840.10008.1.1"
_PLAIN = {ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian}
_CALLING_UNKNOWN, _CALLED_UNKNOWN, _TOO_MANY = (1, 1, 3), (1, 1, 7), (2, 3, 2)
_REFUSED_CLASS, _REFUSED_SYNTAX = 0x03, 0x04


class NotAcceptedError(TrustError):
    """An association is refused.

    Attributes:
        answer: the A-ASSOCIATE-RJ to send.
        why: a word for the log.
        sender: the AE title that called.
    """

    def __init__(self, reason: tuple[int, int, int], why: str, sender: str) -> None:
        rejection = A_ASSOCIATE_RJ()
        rejection.result, rejection.source, rejection.reason_diagnostic = reason
        self.answer: bytes = rejection.encode()
        self.why, self.sender = why, sender
        super().__init__(why)


@dataclass(frozen=True)
class Rules:
    """Who may send.

    Attributes:
        ae_title: ours; whoever calls another name is refused.
        allowed: AE titles that may call; empty: nobody may.
        max_pdu: the largest PDU that we take, in bytes.
    """

    ae_title: str
    allowed: frozenset[str]
    max_pdu: int = 1 << 17


@dataclass(frozen=True)
class Agreed:
    """What was agreed.

    Attributes:
        sender: the calling AE title.
        contexts: SOP Class and transfer syntax by presentation context ID.
        answer: the A-ASSOCIATE-AC to send.
        max_pdu: the largest PDU that the peer takes; 0: any.
    """

    sender: str
    contexts: dict[int, tuple[str, str]]
    answer: bytes
    max_pdu: int


def negotiate(content: bytes, rules: Rules, *, full: bool) -> Agreed:
    """Answer an A-ASSOCIATE-RQ.

    Every storage SOP Class is taken, private ones too, in the transfer syntax that the sender names first: nothing is
    decoded on the way in, so none is out of reach.

    Args:
        content: the PDU with its header.
        rules: who may send.
        full: whether there are as many associations as may be.

    Raises:
        NotAcceptedError: by these rules it is refused.
        Exception: whatever pynetdicom raises on bytes that are no A-ASSOCIATE-RQ.
    """
    pdu = A_ASSOCIATE_RQ()
    pdu.decode(content)
    request = pdu.to_primitive()
    sender = str(request.calling_ae_title).strip()
    if sender not in rules.allowed:
        raise NotAcceptedError(_CALLING_UNKNOWN, "calling AE title not allowed", sender)
    if str(request.called_ae_title).strip() != rules.ae_title:
        raise NotAcceptedError(_CALLED_UNKNOWN, "called AE title is not ours", sender)
    if full:
        raise NotAcceptedError(_TOO_MANY, "too many associations", sender)
    answers = [_answered(context) for context in request.presentation_context_definition_list]
    contexts = {
        int(context.context_id or 0): (str(context.abstract_syntax), str(context.transfer_syntax[0]))
        for context in answers
        if context.result == 0
    }
    return Agreed(sender, contexts, _acceptance(request, answers, rules), int(request.maximum_length_received or 0))


@cache
def _storage() -> frozenset[str]:
    return frozenset(str(context.abstract_syntax) for context in AllStoragePresentationContexts)


def _answered(asked: PresentationContext) -> PresentationContext:
    answer = PresentationContext()
    answer.context_id, answer.abstract_syntax = asked.context_id, asked.abstract_syntax
    syntaxes = list(asked.transfer_syntax)
    uid = asked.abstract_syntax
    if uid == VERIFICATION:
        syntaxes = [syntax for syntax in syntaxes if syntax in _PLAIN]
        answer.result = 0 if syntaxes else _REFUSED_SYNTAX
    else:
        answer.result = 0 if uid is not None and (uid in _storage() or uid.is_private) else _REFUSED_CLASS
    answer.transfer_syntax = [(syntaxes or list(asked.transfer_syntax))[0]]
    return answer


def _acceptance(request: A_ASSOCIATE, answers: list[PresentationContext], rules: Rules) -> bytes:
    primitive = A_ASSOCIATE()
    primitive.application_context_name = request.application_context_name
    primitive.calling_ae_title, primitive.called_ae_title = request.calling_ae_title, request.called_ae_title
    primitive.result, primitive.result_source = 0, 1
    primitive.presentation_context_definition_results_list = answers
    length = MaximumLengthNotification()
    length.maximum_length_received = rules.max_pdu
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = IMPLEMENTATION_UID
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = IMPLEMENTATION_NAME
    primitive.user_information = [length, implementation, version]
    accepted = A_ASSOCIATE_AC()
    accepted.from_primitive(primitive)
    encoded: bytes = accepted.encode()
    return encoded
