"""Asks the application in this container whether it answers; the exit status is the answer.

python -m scripts.healthcheck [/health/ready]
"""

import os
import sys
from http import HTTPStatus
from http.client import HTTPConnection


def healthy(port: int, path: str) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return HTTPStatus(connection.getresponse().status).is_success
    except OSError:
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    prefix = os.environ.get("API_V1_PREFIX", "/api/v1")
    path = sys.argv[1] if sys.argv[1:] else "/health"
    sys.exit(0 if healthy(int(os.environ.get("PORT", "8000")), prefix + path) else 1)
