"""Normalizes the addresses of clients."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address, ip_network

# Networks whose last 32 bits are an IPv4 address: mapped, translated (RFC 2765), NAT64 (RFC 6052, 8215), compatible.
_EMBEDDING = [
    ip_network(prefix) for prefix in ("::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "::/96")
]
# The network 0.0.0.0/8 has no clients, so that `::1` embeds no address.
_FIRST_CLIENT = 1 << 24


def plain(address: str) -> IPv4Address | IPv6Address:
    """Returns the address, or the IPv4 address that an IPv6 address embeds.

    A client cannot choose these forms freely, unlike an interface ID. Raises ValueError if this is not an address.
    """
    found = ip_address(address)
    return _embedded(found) or found if isinstance(found, IPv6Address) else found


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if address.teredo:
        return address.teredo[1]
    tail = int(address) & 0xFFFF_FFFF
    if tail >= _FIRST_CLIENT and any(address in network for network in _EMBEDDING):
        return IPv4Address(tail)
    return address.sixtofour


def with_mapped(proxies: str) -> str:
    """Adds the IPv4-mapped form of each IPv4 address and network, which a dual-stack listener sees."""
    return ",".join(form for proxy in proxies.split(",") for form in _forms(proxy.strip()))


def _forms(proxy: str) -> list[str]:
    try:
        network = IPv4Network(proxy)
    except ValueError:
        return [proxy]
    return [proxy, f"::ffff:{network.network_address}/{96 + network.prefixlen}"]
