"""Python reaches no other machine: who tries is refused, and noted in the file CMBKIT_REACHED.

A folder of its own, so that PYTHONPATH hands it to the processes that tests start.
"""

import ipaddress
import os
import socket

LOCAL = {"", "localhost", "ip6-localhost", socket.gethostname()}


def is_here(host) -> bool:
    """Whether a host is this machine: by name, or an address of its own."""
    if host is None or host in LOCAL:
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if address.is_loopback or address.is_unspecified:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(host), 0))  # only addresses of this machine can be taken
        except OSError:
            return False
    return True


def refuse(host) -> None:
    with open(os.environ["CMBKIT_REACHED"], "a") as log:
        log.write(f"{host}\n")
    raise OSError(f"{host}: expected to stay on this machine")


def guard(name: str) -> None:
    real = getattr(socket.socket, name)

    def guarded(self, address, *rest):
        inet = self.family in (socket.AF_INET, socket.AF_INET6)
        # to connect a datagram socket sends nothing: distributed asks for its own address so
        if inet and self.type == socket.SOCK_STREAM and not is_here(address[0]):
            refuse(address[0])
        return real(self, address, *rest)

    setattr(socket.socket, name, guarded)


def look_up(host, *rest, real=socket.getaddrinfo, **options):
    text = host.decode() if isinstance(host, bytes) else host
    numeric = text is not None and text.replace(".", "").replace(":", "").isalnum()
    if not is_here(text) and not (numeric and text[:1].isdigit()):
        refuse(text)
    return real(host, *rest, **options)


if "CMBKIT_REACHED" in os.environ:
    guard("connect")
    guard("connect_ex")
    socket.getaddrinfo = look_up
