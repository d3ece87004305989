"""A Sigstore on loopback: Fulcio, a CT log, Rekor v1 and v2, timestamps, tokens of GitHub.

It speaks the HTTP of these services and signs for real, with keys of its own: sigstore-python and
model_signing take its bundles because they verify, with the trusted root that it hands out.

https://github.com/sigstore/fulcio/blob/main/fulcio.proto
https://github.com/sigstore/rekor/blob/main/openapi.yaml
https://github.com/sigstore/rekor-tiles/blob/main/CLIENTS.md
RFC 3161 (timestamps), RFC 6962 (signed certificate timestamps, Merkle trees)
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

GITHUB = "https://token.actions.githubusercontent.com"
WORKFLOW = "example/storms/.github/workflows/register.yml@refs/heads/main"
SECRET = "of the one who issues tokens, here"
_SCTS = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_ISSUER, _ISSUER_V2 = (x509.ObjectIdentifier(f"1.3.6.1.4.1.57264.1.{n}") for n in (1, 8))
_SHA256 = ec.ECDSA(hashes.SHA256())
_SINCE = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
_DER, _PEM = serialization.Encoding.DER, serialization.Encoding.PEM


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Key:
    """An ECDSA key of one of the services."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        info = serialization.PublicFormat.SubjectPublicKeyInfo
        self.public = self.private.public_key().public_bytes(_DER, info)
        self.id = hashlib.sha256(self.public).digest()

    def sign(self, data: bytes) -> bytes:
        return self.private.sign(data, _SHA256)

    def plain(self) -> dict[str, Any]:
        """The key as a trusted root lists that of a log."""
        return {
            "baseUrl": "http://127.0.0.1",
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": b64(self.public),
                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                "validFor": {"start": _SINCE.isoformat().replace("+00:00", "Z")},
            },
            "logId": {"keyId": b64(self.id)},
        }


def _authority(name: str, key: Key) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
         "key_agreement", "encipher_only", "decipher_only"), False,
    )  # fmt: skip
    return (
        x509.CertificateBuilder(subject, subject, key.private.public_key(), 1)
        .not_valid_before(_SINCE)
        .not_valid_after(_SINCE + timedelta(days=999))
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.private.public_key()), critical=False
        )
        .sign(key.private, hashes.SHA256())
    )


@dataclass
class Sigstore:
    """An instance with its keys. What a test changes says how it misbehaves."""

    url: str = ""
    rekor: int = 1  # the version of the log's API
    stamps: bool = False  # whether a timestamp authority is asked
    late: int = 0  # seconds that the log's clock is ahead
    refuse: int = 0  # this status is Fulcio's answer
    silent: bool = False  # nothing is answered
    ended: threading.Event = field(default_factory=threading.Event)
    entries: list[bytes] = field(default_factory=list)
    ca: Key = field(default_factory=Key)
    ct: Key = field(default_factory=Key)
    log: Key = field(default_factory=Key)
    tsa: Key = field(default_factory=Key)
    tsa_leaf: Key = field(default_factory=Key)

    def __post_init__(self) -> None:
        self.root = _authority("fulcio", self.ca)
        self.tsa_root = _authority("timestamps", self.tsa)
        self.tsa_cert = self._stamper()

    # --- what people are given

    def token(self, *, email: str | None = "ada@example.org", **claims: Any) -> str:
        """A token of OIDC for an email address, or of GitHub for a workflow."""
        now = int(time.time())
        said = {"aud": "sigstore", "sub": "x", "iat": now, "exp": now + 600, "iss": self.url}
        said |= {"email": email} if email else {"iss": GITHUB, "job_workflow_ref": WORKFLOW}
        return jwt.encode(said | claims, SECRET, algorithm="HS256")

    def github(self) -> dict[str, str]:
        """The variables that a job of GitHub Actions with `id-token: write` has."""
        return {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "secret",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}/github?v=1",
        }

    def trusted_root(self) -> dict[str, Any]:
        since = {"start": _SINCE.isoformat().replace("+00:00", "Z")}

        def authority(*chain: x509.Certificate) -> dict[str, Any]:
            return {
                "subject": {"organization": "example", "commonName": "example"},
                "uri": self.url,
                "certChain": {
                    "certificates": [{"rawBytes": b64(each.public_bytes(_DER))} for each in chain]
                },
                "validFor": since,
            }

        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [self.log.plain()],
            "certificateAuthorities": [authority(self.root)],
            "ctlogs": [self.ct.plain()],
            "timestampAuthorities": [authority(self.tsa_cert, self.tsa_root)],
        }

    def config(self, place: Path) -> Path:
        """Write what clients sign and verify with, a ClientTrustConfig, and return its path."""

        def service(url: str, version: int) -> dict[str, Any]:
            valid = {"start": _SINCE.isoformat().replace("+00:00", "Z")}
            return {
                "url": url,
                "majorApiVersion": version,
                "validFor": valid,
                "operator": "example",
            }

        place.write_text(
            json.dumps(
                {
                    "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
                    "trustedRoot": self.trusted_root(),
                    "signingConfig": {
                        "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
                        "caUrls": [service(self.url, 1)],
                        "oidcUrls": [service(self.url, 1)],
                        "rekorTlogUrls": [service(self.url, self.rekor)],
                        "tsaUrls": [service(f"{self.url}/stamp", 1)] if self.stamps else [],
                        "rekorTlogConfig": {"selector": "ANY"},
                        "tsaConfig": {"selector": "ANY"},
                    },
                }
            )
        )
        return place

    # --- Fulcio

    def certify(self, token: str, request: bytes) -> list[str]:
        """Return the certificate for whom the token names, with its promise of the CT log."""
        issuer = jwt.decode(token, options={"verify_signature": False})["iss"]
        said = jwt.decode(
            token, SECRET, algorithms=["HS256"], audience="sigstore", issuer=[self.url, GITHUB]
        )
        asked = x509.load_pem_x509_csr(request)
        assert asked.is_signature_valid
        name: x509.GeneralName = (
            x509.UniformResourceIdentifier(f"https://github.com/{said['job_workflow_ref']}")
            if issuer == GITHUB
            else x509.RFC822Name(said["email"])
        )
        now = datetime.now(UTC).replace(microsecond=0)
        utf8 = issuer.encode()
        builder = (
            x509.CertificateBuilder(
                self.root.subject, x509.Name([]), asked.public_key(), x509.random_serial_number()
            )
            .not_valid_before(now - timedelta(seconds=5))
            .not_valid_after(now + timedelta(minutes=10))
            .add_extension(x509.SubjectAlternativeName([name]), critical=True)
            .add_extension(_signing_only(), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.ca.private.public_key()),
                critical=False,
            )
            .add_extension(x509.UnrecognizedExtension(_ISSUER, utf8), critical=False)
            .add_extension(
                x509.UnrecognizedExtension(_ISSUER_V2, bytes([12, len(utf8)]) + utf8),
                critical=False,
            )
        )
        before = builder.sign(self.ca.private, hashes.SHA256())
        promised = self._promise(before.tbs_certificate_bytes)
        made = builder.add_extension(
            x509.UnrecognizedExtension(_SCTS, promised), critical=False
        ).sign(self.ca.private, hashes.SHA256())
        return [each.public_bytes(_PEM).decode() for each in (made, self.root)]

    def _promise(self, tbs: bytes) -> bytes:
        """Return the list of one signed certificate timestamp of a precertificate (RFC 6962, 3)."""
        when = int(time.time() * 1000)
        length = struct.pack("!I", len(tbs))[1:]
        entry = struct.pack("!BBQH", 0, 0, when, 1) + self.ca.id + length + tbs + b"\0\0"
        made = self.ct.sign(entry)
        one = b"\0" + self.ct.id + struct.pack("!QH", when, 0) + b"\4\3"
        one += struct.pack("!H", len(made)) + made
        listed = struct.pack("!HH", len(one) + 2, len(one)) + one
        return core.OctetString(listed).dump()

    # --- Rekor

    def enter(self, proposed: Any) -> dict[str, Any]:
        """Log an envelope as version 1 does: {uuid: entry}."""
        content = proposed["spec"]["proposedContent"]
        envelope = json.loads(content["envelope"])
        payload = base64.b64decode(envelope["payload"])
        body = {
            "apiVersion": "0.0.1",
            "kind": "dsse",
            "spec": {
                "envelopeHash": _hash(content["envelope"].encode()),
                "payloadHash": _hash(payload),
                "signatures": [
                    {"signature": each["sig"], "verifier": verifier}
                    for each, verifier in zip(
                        envelope["signatures"], content["verifiers"], strict=True
                    )
                ],
            },
        }
        index, data, proof = self._included(body)
        entry = {
            "body": b64(data),
            "integratedTime": int(time.time()) + self.late,
            "logID": self.log.id.hex(),
            "logIndex": index,
        }
        promise = self.log.sign(json.dumps(entry, sort_keys=True, separators=(",", ":")).encode())
        proof |= {"rootHash": proof["rootHash"].hex(), "hashes": [h.hex() for h in proof["hashes"]]}
        entry["verification"] = {"inclusionProof": proof, "signedEntryTimestamp": b64(promise)}
        return {hashlib.sha256(b"\0" + data).hexdigest(): entry}

    def enter_v2(self, proposed: Any) -> dict[str, Any]:
        """Log the digest of what was signed as version 2 does: a TransparencyLogEntry."""
        asked = proposed["hashedRekordRequestV002"]
        body = {
            "apiVersion": "0.0.2",
            "kind": "hashedrekord",
            "spec": {
                "hashedRekordV002": {
                    "data": {"algorithm": "SHA2_256", "digest": asked["digest"]},
                    "signature": asked["signature"],
                }
            },
        }
        index, data, proof = self._included(body)
        return {
            "logIndex": str(index),
            "logId": {"keyId": b64(self.log.id)},
            "kindVersion": {"kind": "hashedrekord", "version": "0.0.2"},
            "inclusionProof": {
                "logIndex": str(index),
                "rootHash": b64(proof["rootHash"]),
                "treeSize": str(proof["treeSize"]),
                "hashes": [b64(each) for each in proof["hashes"]],
                "checkpoint": {"envelope": proof["checkpoint"]},
            },
            "canonicalizedBody": b64(data),
        }

    def _included(self, body: Any) -> tuple[int, bytes, dict[str, Any]]:
        data = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
        index = len(self.entries)
        self.entries.append(data)
        leaves = [hashlib.sha256(b"\0" + each).digest() for each in self.entries]
        root, size = _top(leaves), len(leaves)
        note = f"log.example.org\n{size}\n{b64(root)}\n"
        signature = b64(self.log.id[:4] + self.log.sign(note.encode()))
        return (
            index,
            data,
            {
                "logIndex": index,
                "rootHash": root,
                "treeSize": size,
                "hashes": _path(index, leaves),
                "checkpoint": f"{note}\n\u2014 log.example.org {signature}\n",
            },
        )

    # --- timestamps

    def _stamper(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stamps")])
        return (
            x509.CertificateBuilder(
                self.tsa_root.subject, name, self.tsa_leaf.private.public_key(), 2
            )
            .not_valid_before(_SINCE)
            .not_valid_after(_SINCE + timedelta(days=999))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_signing_only(), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.tsa.private.public_key()),
                critical=False,
            )
            .sign(self.tsa.private, hashes.SHA256())
        )

    def stamp(self, request: bytes) -> bytes:
        """Return the TimeStampResp to a TimeStampReq."""
        asked = tsp.TimeStampReq.load(request)
        leaf = asn1.Certificate.load(self.tsa_cert.public_bytes(_DER))
        info = tsp.TSTInfo(
            {
                "version": "v1",
                "policy": "1.3.6.1.4.1.57264.2",
                "message_imprint": asked["message_imprint"],
                "serial_number": len(self.entries) + 1,
                "gen_time": datetime.now(UTC).replace(microsecond=0),
                "nonce": asked["nonce"],
            }
        ).dump()
        identifier = tsp.ESSCertIDv2({"cert_hash": hashlib.sha256(leaf.dump()).digest()})
        signed = cms.CMSAttributes(
            [
                {"type": "content_type", "values": ["tst_info"]},
                {"type": "message_digest", "values": [hashlib.sha256(info).digest()]},
                {
                    "type": "signing_certificate_v2",
                    "values": [tsp.SigningCertificateV2({"certs": [identifier]})],
                },
            ]
        )
        content = cms.SignedData(
            {
                "version": "v3",
                "digest_algorithms": [{"algorithm": "sha256"}],
                "encap_content_info": {
                    "content_type": "tst_info",
                    "content": core.ParsableOctetString(info),
                },
                "certificates": [leaf],
                "signer_infos": [
                    {
                        "version": "v1",
                        "sid": cms.SignerIdentifier(
                            "issuer_and_serial_number",
                            {"issuer": leaf.issuer, "serial_number": leaf.serial_number},
                        ),
                        "digest_algorithm": {"algorithm": "sha256"},
                        "signed_attrs": signed,
                        "signature_algorithm": algos.SignedDigestAlgorithm(
                            {"algorithm": "sha256_ecdsa"}
                        ),
                        "signature": self.tsa_leaf.sign(signed.dump()),
                    }
                ],
            }
        )
        token = cms.ContentInfo({"content_type": "signed_data", "content": content})
        return tsp.TimeStampResp(
            {"status": {"status": "granted"}, "time_stamp_token": token}
        ).dump()


def _signing_only() -> x509.KeyUsage:
    return x509.KeyUsage(True, False, False, False, False, False, False, False, False)


def _hash(data: bytes) -> dict[str, str]:
    return {"algorithm": "sha256", "value": hashlib.sha256(data).hexdigest()}


def _split(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1


def _top(leaves: list[bytes]) -> bytes:
    """Return the hash of a Merkle tree (RFC 6962, 2.1)."""
    if len(leaves) == 1:
        return leaves[0]
    at = _split(len(leaves))
    return hashlib.sha256(b"\1" + _top(leaves[:at]) + _top(leaves[at:])).digest()


def _path(index: int, leaves: list[bytes]) -> list[bytes]:
    """Return the audit path of a leaf (RFC 6962, 2.1.1)."""
    if len(leaves) == 1:
        return []
    at = _split(len(leaves))
    if index < at:
        return [*_path(index, leaves[:at]), _top(leaves[at:])]
    return [*_path(index - at, leaves[at:]), _top(leaves[:at])]


def _answer(to: BaseHTTPRequestHandler, state: Sigstore) -> None:
    asked = to.rfile.read(int(to.headers.get("Content-Length") or 0))
    status, kind, answer = 201, "application/json", b""
    if state.silent:
        state.ended.wait()
    if to.path.startswith("/github?") and to.headers["Authorization"] == "bearer secret":
        answer = json.dumps({"value": state.token(email=None)}).encode()
        status = 200
    elif to.path == "/api/v2/signingCert" and state.refuse:
        status, answer = state.refuse, b'{"code": 16, "message": "no such identity"}'
    elif to.path == "/api/v2/signingCert":
        request = base64.b64decode(json.loads(asked)["certificateSigningRequest"])
        chain = state.certify(to.headers["Authorization"].removeprefix("Bearer "), request)
        made = {"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}
        answer = json.dumps(made).encode()
    elif to.path == "/api/v1/log/entries":
        answer = json.dumps(state.enter(json.loads(asked))).encode()
    elif to.path == "/api/v2/log/entries":
        answer = json.dumps(state.enter_v2(json.loads(asked))).encode()
    elif to.path == "/stamp":
        kind, answer = "application/timestamp-reply", state.stamp(asked)
    else:
        status = 404
    to.send_response(status)
    to.send_header("Content-Type", kind)
    to.send_header("Content-Length", str(len(answer)))
    to.end_headers()
    to.wfile.write(answer)


@contextmanager
def running() -> Iterator[Sigstore]:
    """Start an instance of its own keys."""
    state = Sigstore()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _answer(self, state)

        def do_POST(self) -> None:
            _answer(self, state)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        state.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield state
        finally:
            state.ended.set()
            server.shutdown()
            thread.join()
