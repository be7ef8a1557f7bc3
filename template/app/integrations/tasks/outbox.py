"""Sends tasks by way of the outbox: once the transaction is committed, even if the broker is unavailable then."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from taskiq import AsyncTaskiqDecoratedTask
from taskiq.exceptions import SendTaskError
from taskiq.kicker import AsyncKicker
from uuid_utils import uuid4

from app.domain.messages import Message
from app.integrations.tasks.broker import broker
from app.repository.outbox_repository import put_message
from app.service.handlers import Delivery, DeliveryError, handles


class TaskMessage(Message, kind="task"):
    """A task and its arguments as JSON, in the form that `kiq` takes."""

    name: str
    # Taskiq's ID of the task, the same however often the task is sent.
    id: str
    labels: dict[str, Any]
    positional: list[Any]
    named: dict[str, Any]


async def put_task(
    session: AsyncSession,
    task: AsyncTaskiqDecoratedTask[..., Any] | AsyncKicker[..., Any],
    *positional: object,
    **named: object,
) -> None:
    """Sends the task once this transaction is committed, and never if it is rolled back.

    Raises UnprocessableError if its arguments are too large.
    """
    kicker = task if isinstance(task, AsyncKicker) else task.kicker()
    message = TaskMessage(
        name=kicker.task_name,
        id=kicker.custom_task_id or uuid4().hex,
        labels=kicker.labels,
        positional=list(positional),
        named=named,
    )
    await put_message(session, message)


@handles(TaskMessage)
async def send_task(message: TaskMessage, _: Delivery) -> None:
    """Sends the task by its name: it may be of another version of the application, whose workers know it."""
    kicker = AsyncKicker[..., None](message.name, broker, message.labels).with_task_id(message.id)
    try:
        await kicker.kiq(*message.positional, **message.named)
    except SendTaskError as error:
        kind = type(error.__cause__ or error).__name__
        raise DeliveryError(f"The broker did not take {message.name}: {kind}.") from error
