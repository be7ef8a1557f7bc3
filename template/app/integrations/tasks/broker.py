"""Where tasks are declared and sent.

`taskiq worker app.integrations.tasks.broker:broker` runs them, with those of every module in `app.tasks`.
"""

from taskiq import TaskiqEvents

from app.core.config import get_settings
from app.integrations.tasks.middleware import LogMiddleware, TimeLimitMiddleware
from app.integrations.tasks.process import start_worker, stop_worker
from app.integrations.tasks.stream import StreamBroker

broker = StreamBroker(get_settings)
broker.add_middlewares(LogMiddleware(), TimeLimitMiddleware())
broker.add_event_handler(TaskiqEvents.WORKER_STARTUP, start_worker)
broker.add_event_handler(TaskiqEvents.WORKER_SHUTDOWN, stop_worker)
