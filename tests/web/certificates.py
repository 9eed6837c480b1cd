"""A certificate authority, a server and clients, made for each test session."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from ssl import Purpose, SSLContext, create_default_context

import trustme


@dataclass(frozen=True)
class Certificates:
    ca: trustme.CA
    other_ca: trustme.CA
    server: trustme.LeafCert
    second_server: trustme.LeafCert
    client: trustme.LeafCert
    stranger: trustme.LeafCert

    def write(self, directory: Path) -> None:
        """Files by the names that the web configurations in the tests use."""
        self.write_server(directory, self.server)
        self.ca.cert_pem.write_to_path(directory / "ca.pem")
        self.second_server.private_key_pem.write_to_path(directory / "other.key")

    def write_server(self, directory: Path, server: trustme.LeafCert) -> None:
        server.private_key_pem.write_to_path(directory / "server.key")
        (directory / "server.crt").write_bytes(b"".join(blob.bytes() for blob in server.cert_chain_pems))

    def trusting(self, shown: trustme.LeafCert | None = None) -> SSLContext:
        """A client's context, which shows a certificate if there is one."""
        context = create_default_context(Purpose.SERVER_AUTH)
        self.ca.configure_trust(context)
        if shown is not None:
            shown.configure_cert(context)
        return context


@cache
def certificates() -> Certificates:
    ca, other_ca = trustme.CA(), trustme.CA()
    return Certificates(
        ca,
        other_ca,
        ca.issue_cert("127.0.0.1", "localhost", key_type=trustme.KeyType.RSA),
        ca.issue_cert("127.0.0.1", "second.example", key_type=trustme.KeyType.RSA),
        ca.issue_cert("test3", "10.0.0.7", "fd00::1", "someone@example.org"),
        other_ca.issue_cert("test3"),
    )
