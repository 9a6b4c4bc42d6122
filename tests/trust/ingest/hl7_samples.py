"""HL7 messages about the person of the samples, and a sender that speaks MLLP."""

from __future__ import annotations

import socket
import ssl

from tests.trust.ingest.samples import HOSPITAL_NUMBER, NHS_NUMBER

PID = f"PID|1||{HOSPITAL_NUMBER}^^^RX1^MR~{NHS_NUMBER}^^^NHS^NH||Doe^Jane||19700405|F"


def message(kind: str, *segments: str, control: str = "1", pid: str = PID, **fields: str) -> bytes:
    header = f"MSH|^~\\&|LAB|RX1|FLIP|RX1|20240101100000||{kind}|{control}|P|2.5.1"
    return ("\r".join([header + fields.get("more", ""), pid, *segments]) + "\r").encode()


ADMISSION = message("ADT^A01", "PV1|1|I|W1" + "|" * 16 + "V1" + "|" * 25 + "20240101093000", control="a1")
DISCHARGE = message("ADT^A03", "EVN|A03|20240103", "PV1|1|I|W1" + "|" * 16 + "V1", control="a3")
CANCELLED = message("ADT^A11", "EVN|A11|20240101", "PV1|1|I|W1" + "|" * 16 + "V1", control="a11")
UPDATED = message("ADT^A31", control="a31", pid=PID + "|" * 21 + "20250102")
RESULT = message(
    "ORU^R01",
    "PV1|1|I|W1" + "|" * 16 + "V1",
    "OBR|1|P1|F1|panel^Panel^L|||20240102110000",
    "OBX|1|NM|g1^Glucose^LN||7.25|mmol/L^^UCUM|3.9-5.6|H|||F",
    "OBX|2|SN|g1^Glucose^LN|2|<^5|mmol/L^^UCUM||||| F",
    "OBX|3|CWE|o1^Smoker^SCT||v1^Positive^SCT||||||F|||20240103",
    "OBX|4|TX|note^Note^L||Jane says that it hurts||||||F",
    "OBX|5|NM|local^Local^99RX1||1||||||F",
    control="r1",
)
TAKEN_BACK = RESULT.replace(b"7.25|mmol/L^^UCUM|3.9-5.6|H|||F", b"7.25|mmol/L^^UCUM|3.9-5.6|H|||W")
ORDER = message(
    "ORM^O01",
    "ORC|NW|P7|F7||||||20240102",
    "OBR|1|P7|F7|p1^CT chest^SCT" + "|" * 14 + "ACC7" + "|" * 6 + "CT",
    control="o1",
)
IMAGING_ORDER = message(
    "OMI^O23", "ORC|NW|P8|F8||||||20240102", "OBR|1|P8|F8|p1^CT chest^SCT", "IPC|ACC8|RP8|1.2.3|SPS8|CT", control="o2"
)
SAMPLES = {
    "ADT^A01": ADMISSION,
    "ADT^A03": DISCHARGE,
    "ADT^A31": UPDATED,
    "ORU^R01": RESULT,
    "ORM^O01": ORDER,
    "OMI^O23": IMAGING_ORDER,
}
MALFORMED = {
    "no header": (b"PID|1||x\r", "AR"),
    "nothing": (b"", "AR"),
    "separators": (ADMISSION.replace(b"|^~\\&|", b"||||||", 1), "AR"),
    "kind": (ADMISSION.replace(b"ADT^A01", b"ADT^A99"), "AR"),
    "type": (ADMISSION.replace(b"ADT^A01", b"SIU^S12"), "AR"),
    "version": (ADMISSION.replace(b"2.5.1", b"3.0"), "AR"),
    "processing": (ADMISSION.replace(b"|P|2", b"|X|2"), "AR"),
    "character set named": (message("ADT^A31", more="|" * 6 + "KLINGON"), "AR"),
    "character set": (message("ADT^A31", more="|" * 6 + "ASCII").replace(b"Jane", b"Zo\xeb"), "AE"),
    "control id": (ADMISSION.replace(b"|a1|", b"||"), "AE"),
    "segment": (ADMISSION + b"nonsense\r", "AE"),
    "no patient": (message("ADT^A31", pid="PV1|1"), "AE"),
    "no number": (message("ADT^A31", pid="PID|1||^^^RX1^MR||Doe"), "AE"),
    "birth date": (message("ADT^A31", pid=PID.replace("19700405", "19701305")), "AE"),
    "visit": (message("ADT^A01", "PV1|1|I"), "AE"),
    "admission": (message("ADT^A01", "PV1|1|I|W1" + "|" * 16 + "V1"), "AE"),
    "admission date": (ADMISSION.replace(b"20240101093000", b"yesterday"), "AE"),
    "merge of nobody": (message("ADT^A40", "EVN|A40|20240301"), "AE"),
    "merge without a number": (message("ADT^A40", "EVN|A40|20240301", "MRG|^^^RX1^MR"), "AE"),
    "result without request": (message("ORU^R01", "OBX|1|NM|g1^G^LN||7|||||F"), "AE"),
    "no request": (message("ORU^R01"), "AE"),
    "number": (RESULT.replace(b"|7.25|", b"|seven|"), "AE"),
    "number without an end": (RESULT.replace(b"|7.25|", b"|" + b"9" * 400 + b"|"), "AE"),
    "result without a date": (message("ORU^R01", "OBR|1|P|F|x", "OBX|1|NM|g1^G^LN||7|||||F"), "AE"),
    "result of nothing": (RESULT.replace(b"g1^Glucose^LN||7", b"||7"), "AE"),
    "order without a request": (message("ORM^O01", "ORC|NW|P7"), "AE"),
    "order of nothing": (message("ORM^O01", "ORC|NW|P7", "OBR|1|P7|F7"), "AE"),
    "imaging order of nothing": (message("OMI^O23", "ORC|NW|P8", "OBR|1|P8|F8", "IPC|ACC8"), "AE"),
    "order without a number": (message("ORM^O01", "ORC|NW", "OBR|1|||p1^CT^SCT"), "AE"),
}


class Sender:
    """One MLLP connection."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        plain = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._socket = tls.wrap_socket(plain, server_hostname="localhost") if tls else plain
        self._rest = b""

    def send(self, raw: bytes) -> None:
        self._socket.sendall(b"\x0b" + raw + b"\x1c\r")

    def raw(self, content: bytes) -> None:
        self._socket.sendall(content)

    def answer(self) -> tuple[str, str]:
        """Code and control id of the next acknowledgement; raises ConnectionError where none comes any more."""
        while b"\x1c\r" not in self._rest:
            more = self._socket.recv(65536)
            if not more:
                raise ConnectionError
            self._rest += more
        frame, _, self._rest = self._rest.partition(b"\x1c\r")
        fields = frame.split(b"\rMSA|")[1].split(b"|")
        return fields[0].decode(), fields[1].decode()

    def close(self) -> None:
        self._socket.close()
