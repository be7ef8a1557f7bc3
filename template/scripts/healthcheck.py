"""Checks whether the application in this container responds. The exit status is 0 if it does.

python -m scripts.healthcheck [/health/ready [ATTEMPTS]]
"""

import os
import sys
import time
from http import HTTPStatus
from http.client import HTTPConnection

from app.core.settings.server import ServerSettings, read_settings

# A server that listens on all addresses responds on the loopback address.
ON_THIS_MACHINE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (connects to the address, binds nothing)


def healthy(port: int, path: str, host: str = "127.0.0.1", timeout: float = 2) -> bool:
    """Returns whether a GET of the path gets a 2xx. Waits for the server at most `timeout` seconds at each step."""
    connection = HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", path)
        return HTTPStatus(connection.getresponse().status).is_success
    except OSError:
        return False
    finally:
        connection.close()


def main(path: str = "/health", attempts: str = "1") -> int:
    """Asks up to `attempts` times, a second apart, until the response is good. Returns the exit status."""
    settings = read_settings(ServerSettings)
    host = ON_THIS_MACHINE.get(settings.HOST, settings.HOST)
    api = settings.ROOT_PATH + settings.API_V1_PREFIX
    # Compose sets the port of the host that leads to ours.
    outside = f"http://127.0.0.1:{os.environ.get('PUBLISHED_PORT', settings.PORT)}"
    for attempt in range(int(attempts)):
        time.sleep(min(attempt, 1))
        if healthy(settings.PORT, api + path, host):
            page = f"{settings.ROOT_PATH}/docs" if settings.has_documentation else f"{api}/health"
            print(f"The API is ready: {outside}{page}")
            return 0
    print(f"It is not ready: {outside}{api}{path} says what is missing, if it responds.")
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
