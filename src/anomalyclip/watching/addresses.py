"""Addresses that no message and no stream may reach unless that was asked for: link-local ones and cloud metadata.

Loopback and private addresses are where a factory's receivers are. A link-local address is answered by whatever stands
on the same wire, and 169.254.169.254 by the cloud: with keys to it. Names are looked up before connecting, and the
address that was connected to is looked at again, since a name may answer differently the second time.
"""

from __future__ import annotations

import ipaddress
import socket

from anomalyclip.errors import InputError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Metadata services outside the link-local ranges: Alibaba's, Oracle's, Azure's helpers, Google's and Scaleway's.
_METADATA = frozenset(
    map(
        ipaddress.ip_address,
        ("100.100.100.200", "192.0.0.192", "168.63.129.16", "fd20:ce::254", "fd00:42::42"),
    )
)
_AMAZON = ipaddress.ip_network("fd00:ec2::/32")  # metadata, and the keys of containers
#: IPv6 that ends in an IPv4 address: compatible (RFC 4291), translated (RFC 2765, 6052, 8215).
_ENDING = tuple(map(ipaddress.IPv6Network, ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/96")))
_ISATAP = (b"\0\0\x5e\xfe", b"\x02\0\x5e\xfe")  # before the IPv4 address at the end of one (RFC 5214)


def refused(address: str) -> bool:
    """Whether an IP address is one of those.

    >>> refused("169.254.169.254"), refused("::ffff:169.254.169.254"), refused("10.0.0.7"), refused("127.0.0.1")
    (True, True, False, False)
    """
    try:
        found = _plain(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return True
    return found.is_link_local or found.is_multicast or found.is_unspecified or found in _METADATA or found in _AMAZON


def check_host(host: str, port: int | None) -> None:
    """Raises InputError where the name leads to such an address; a name that leads nowhere is told on connecting."""
    try:
        found = socket.getaddrinfo(host, port or 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return
    for *_, address in found:
        check_address(str(address[0]))


def check_address(address: str) -> None:
    """Raises InputError."""
    if refused(address):
        raise InputError(
            f"{address} is a link-local or metadata address, which is not reached unless --allow-link-local says so"
        )


def _plain(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one."""
    if isinstance(address, ipaddress.IPv4Address) or int(address) <= 1:  # :: and ::1 are themselves
        return address
    inside = address.ipv4_mapped or address.sixtofour or (address.teredo and address.teredo[1])
    if inside is None and (any(address in net for net in _ENDING) or address.packed[8:12] in _ISATAP):
        inside = ipaddress.IPv4Address(address.packed[-4:])
    return inside or address
