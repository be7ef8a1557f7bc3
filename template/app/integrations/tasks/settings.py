"""The settings of background tasks."""

from pydantic import BaseModel, PositiveFloat


class TasksSettings(BaseModel):
    JOB_TIMEOUT: PositiveFloat = 30.0
