from typing import Any

import pytest
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from app.core.settings.addresses import with_mapped


@pytest.mark.parametrize("proxy", ["10.1.2.3", "::ffff:10.1.2.3", "::1"])
@pytest.mark.parametrize("trusted", ["10.1.2.3, ::1", "10.0.0.0/8,::1", "*"])
async def test_a_proxy_is_believed_in_either_form(proxy: str, trusted: str) -> None:
    assert await client_behind(proxy, with_mapped(trusted)) == "192.0.2.1"


@pytest.mark.parametrize("proxy", ["11.1.2.3", "::ffff:11.1.2.3", "::2"])
async def test_anybody_else_is_not(proxy: str) -> None:
    assert await client_behind(proxy, with_mapped("10.0.0.0/8,::1,unix:")) == proxy


async def client_behind(proxy: str, trusted: str) -> str:
    """Returns the address that the server sees as the client's."""
    scope: Any = {"type": "http", "client": (proxy, 1), "headers": [(b"x-forwarded-for", b"192.0.2.1")]}

    async def app(*_: Any) -> Any:
        pass

    await ProxyHeadersMiddleware(app, trusted)(scope, app, app)
    host: str = scope["client"][0]
    return host
