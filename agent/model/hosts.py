"""What a host's name or address tells of where it is. Pure."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

# RFC 1918, RFC 3927, RFC 4193, RFC 4291: addresses that no router on the way to the internet passes on.
_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10")
)


def address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that the text is, or None where it is a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Tell whether a host's name or address is this machine's own."""
    address = address_of(host)
    return host == "localhost" if address is None else address.is_loopback


def is_private(host: str) -> bool:
    """Tell whether this is an address that no router on the way to the internet passes on."""
    address = address_of(host)
    return address is not None and any(address in network for network in _PRIVATE)


def is_mixed(url: str, page: str) -> bool:
    """Tell whether a browser loads nothing from `url` into the page at `page`, for being http:// in an https:// one.

    https://w3c.github.io/webappsec-mixed-content/: its own machine's addresses are as good as https:// ones.
    """
    there = urlsplit(url)
    return urlsplit(page).scheme == "https" and there.scheme == "http" and not is_loopback(there.hostname or "")
