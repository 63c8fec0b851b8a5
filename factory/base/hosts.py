"""Which servers a team file may name: those that anybody can reach, and the internal ones that the platform names.

A worker reaches more than a team does: its own machine, where `factory up` needs no log-in, the cloud's server of
credentials, and what only the company's network has.
"""

import socket
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Annotated, Any
from urllib.request import getproxies

from pydantic import AfterValidator, AnyHttpUrl, ValidationInfo
from pydantic_core import PydanticCustomError

from factory.base.section import Surroundings

_GATEWAYS = tuple(map(IPv6Network, ("64:ff9b::/96", "::/96", "::ffff:0:0:0/96")))
"""Whose addresses end with one of IPv4: https://www.iana.org/assignments/iana-ipv6-special-registry."""
_LOCAL_NETWORKS = (IPv6Network("64:ff9b:1::/48"),)
"""What Python 3.11 takes for global, and no more than one network has."""

EVERY_HOST = "*"
"""In the platform's `internal_hosts`: all."""


class InternalHostError(ValueError):
    """A server that a team file may not name; says what the platform can do."""


def check_host(host: str, internal_hosts: Collection[str], *, resolve: bool = True) -> None:
    """Check that a team file may name a server.

    Args:
        host: Its name or address.
        internal_hosts: Those that the platform allows though they are internal.
        resolve: Whether to look a name up; else only what is an address is known to be internal.

    Raises:
        InternalHostError: It may not.
    """
    name = _name(host)
    if not is_named(host, internal_hosts) and any(
        map(is_internal, _addresses(name, resolve=resolve))
    ):
        raise InternalHostError(
            f"{name} is on the worker's own machine or network, which a team file may not name unless "
            f"the platform allows it: `internal_hosts: [{name}]` in _defaults.yaml"
        )


def check_peer(host: str, internal_hosts: Collection[str]) -> dict[str, Any]:
    """The `extensions` of an httpx request that let it reach none but those whom `check_host` allows.

    Who is connected is looked at before anything is sent: a name may lead elsewhere a moment after it was
    looked up. The request raises an InternalHostError then. What a proxy connects to is left to the proxy.
    """
    if getproxies() or is_named(host, internal_hosts):
        return {}

    def trace(event: str, info: dict[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            peer = info["return_value"].get_extra_info("server_addr")
            check_host(str(peer[0]), ())

    return {"trace": trace}


def is_named(host: str, internal_hosts: Collection[str]) -> bool:
    """Whether the platform allows a server by its name, wherever it is."""
    return EVERY_HOST in internal_hosts or _name(host) in {one.lower() for one in internal_hosts}


def is_internal(address: str) -> bool:
    """Whether an IP address is none that anybody on the internet reaches."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped:
            return is_internal(str(found.ipv4_mapped))
        if found.is_site_local or any(found in network for network in _LOCAL_NETWORKS):
            return True
        if (within := _ipv4_within(found)) and is_internal(str(within)):
            return True
    return not found.is_global or found.is_multicast


def _ipv4_within(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a gateway makes of one of IPv6."""
    if address.sixtofour:
        return address.sixtofour
    if any(address in network for network in _GATEWAYS):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _name(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()


def _addresses(name: str, *, resolve: bool) -> list[str]:
    try:
        return [str(ip_address(name.partition("%")[0]))]
    except ValueError:
        pass
    if name == "localhost" or name.endswith(".localhost"):
        return ["127.0.0.1"]
    if not resolve:
        return []
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError:
        # Whoever connects will say so; through a proxy it may be known all the same.
        return []
    return [str(address[0]) for *_, address in found]


def check_written_host(host: str, surroundings: object) -> None:
    """As `check_host`, for what stands in a file that is read against a validation context.

    Raises:
        PydanticCustomError: A team file may not name it.
    """
    if isinstance(surroundings, Surroundings):
        try:
            check_host(host, surroundings.internal_hosts, resolve=False)
        except InternalHostError as error:
            raise PydanticCustomError("host", "{why}", {"why": str(error)}) from None


def _check_public_host(value: AnyHttpUrl, info: ValidationInfo) -> AnyHttpUrl:
    check_written_host(str(value.host), info.context)
    return value


PublicUrl = Annotated[AnyHttpUrl, AfterValidator(_check_public_host)]
"""An address in a team file; not of the worker's own machine or network unless the platform allows it."""
