"""Reads DATABASE_URL as hosting services and libpq write it (PostgreSQL documentation, 32.1)."""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

DRIVER = "postgresql+asyncpg"
FORM = "must look like postgresql://user:password@host:5432/name"

NO_URL = (ArgumentError, ValueError)

SCHEME = re.compile(r"^postgres(ql)?(\+\w+)?://", re.IGNORECASE)
SEVERAL_HOSTS = re.compile(r"(?<=://)((?:[^@/]*@)?)([^@/?]*,[^@/?]*)")
HOST_AND_PORT = re.compile(r"(?:\[(?P<ipv6>.*)\]|(?P<host>[^:]+))(?::(?P<port>\d+))?")

# The parameters that a connection can have.
PARAMETER = re.compile(
    r"""
    (host|port|user|password|dbname|passfile|service|krbsrvname|gsslib|application_name|options)=.+
    |(sslcert|sslkey|sslpassword|sslrootcert|sslcrl|ssl_min_protocol_version|ssl_max_protocol_version)=.+
    |ssl=(disable|allow|prefer|require|verify-ca|verify-full)
    |sslnegotiation=(postgres|direct)
    |target_session_attrs=(any|primary|standby|read-write|read-only|prefer-standby)
    |connect_timeout=-?\d{1,9}
    |prepared_statement_cache_size=\d{1,9}
    """,
    re.VERBOSE,
)
# Parameters of libpq that the driver ignores, or whose value it always assumes.
WITHOUT_EFFECT = re.compile(
    r"""
    (keepalives|keepalives_count|keepalives_idle|keepalives_interval|tcp_user_timeout|load_balance_hosts)=.*
    |(channel_binding|client_encoding|gssdelegation|sslcertmode|sslcompression|sslsni)=.*
    |(min_protocol_version|max_protocol_version)=.*
    |gssencmode=(disable|prefer)
    """,
    re.VERBOSE,
)
OTHER_NAMES = {
    "sslmode": "ssl",
    "database": "dbname",
    "hostaddr": "host",
    "fallback_application_name": "application_name",
}
OTHER_SSL_MODES = {"true": "require", "1": "require", "false": "disable", "0": "disable"}


def async_url(value: str) -> str:
    """Returns the URL as SQLAlchemy takes it. Raises ValueError, which says what is wrong and repeats no value."""
    text, schemes = SCHEME.subn(f"{DRIVER}://", value.strip())
    if not schemes:
        raise ValueError("must start with postgresql://")
    several = SEVERAL_HOSTS.search(text)
    try:
        url = make_url(SEVERAL_HOSTS.sub(r"\1", text))
    except NO_URL:  # the error repeats a part of the URL
        raise ValueError(FORM) from None
    query = dict(_parameters(url.query))
    hosts = query.pop("host", "") or (several[2] if several else unquote(url.host or ""))
    if "," in hosts or hosts.startswith("/"):
        # SQLAlchemy accepts several hosts, and the folder of a socket, only in the query.
        ports = query.pop("port", str(url.port or ""))
        url = URL.create(DRIVER, url.username, url.password, database=url.database)
        query |= _places(hosts, ports)
    elif hosts:
        url = url.set(host=hosts)
    return url.set(query=query).render_as_string(hide_password=False)


def _parameters(query: Mapping[str, str | tuple[str, ...]]) -> Iterator[tuple[str, str]]:
    for name, given in query.items():
        value = given if isinstance(given, str) else ",".join(given) if name == "host" else given[-1]
        known = OTHER_NAMES.get(name, name)
        if known == "ssl":
            value = OTHER_SSL_MODES.get(value.lower(), value)
        if PARAMETER.fullmatch(f"{known}={value}"):
            yield known, value
        elif not WITHOUT_EFFECT.fullmatch(f"{known}={value}"):
            raise ValueError(f"has a parameter that the driver does not take: {name}")


def _places(hosts: str, ports: str) -> dict[str, str]:
    """Returns hosts and ports for the query of the URL, where SQLAlchemy expects one port for each host."""
    if hosts.startswith("/"):
        return {"host": hosts} | ({"port": ports} if ports else {})
    found = [match for place in hosts.split(",") if (match := HOST_AND_PORT.fullmatch(place))]
    shared = ports.split(",") if "," in ports else [ports] * len(found)
    if not len(shared) == len(found) == hosts.count(",") + 1:
        raise ValueError(FORM)
    return {
        "host": ",".join(match["ipv6"] or match["host"] for match in found),
        "port": ",".join(match["port"] or port or "5432" for match, port in zip(found, shared, strict=True)),
    }
