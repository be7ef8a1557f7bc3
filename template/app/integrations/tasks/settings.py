"""The settings of background tasks."""

from pydantic import BaseModel, PositiveFloat


class TasksSettings(BaseModel):
    """The settings of tasks."""

    JOB_TIMEOUT: PositiveFloat = 30.0
