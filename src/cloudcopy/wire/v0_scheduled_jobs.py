"""The compatible API's scheduled jobs. As in `wire.v0`, what is missing is refused at run time."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

_COPY: dict[str, Any] = {
    "instance_id": "101",
    "src": "/workspace/checkpoints",
    "dst": "my-bucket/run-1",
    "selected": "1001",
    "transfer": "Instance To Cloud",
    "flags": [],
}


class ScheduledJobChange(BaseModel):
    """What is absent or null stays."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"request_body": _COPY, "hour_of_the_day": 4}}
    )

    start_time: float | None = Field(default=None, description="Unix time.")
    end_time: float | None = Field(default=None, description="Unix time.")
    api_endpoint: str | None = Field(
        default=None, description="`/api/v0/commands/rclone/`, and nothing else."
    )
    request_method: str | None = Field(default=None, description="`POST`.")
    request_body: dict[str, Any] | None = Field(
        default=None, description="The body of a cloud copy. A key in it is dropped."
    )
    day_of_the_week: int | None = Field(default=None, description="0 to 6; 0 is Sunday.")
    hour_of_the_day: int | None = Field(default=None, description="0 to 23, in UTC.")
    frequency: str | None = Field(
        default=None,
        description="HOURLY has neither a day nor an hour, DAILY an hour, WEEKLY both.",
    )
    instance_id: int | str | None = Field(
        default=None, description="The instance of the copy, once more."
    )


class ScheduledJobRequest(ScheduledJobChange):
    """A cloud copy, hourly, daily or weekly."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "start_time": 1790000000.0,
                "end_time": 4102444800.0,
                "api_endpoint": "/api/v0/commands/rclone/",
                "request_method": "POST",
                "request_body": _COPY,
                "day_of_the_week": None,
                "hour_of_the_day": 3,
                "frequency": "DAILY",
                "instance_id": "101",
            }
        }
    )


class ScheduledJobMade(BaseModel):
    """It is kept."""

    success: bool
    scheduled_job_id: int
    msg: str


class JobExists(BaseModel):
    """Nothing was done: `scheduled_job_id` makes the same copy."""

    success: bool
    msg: str
    error: str
    scheduled_job_id: int


class ScheduledJob(BaseModel):
    """One job. `frequency` is CRON for a native schedule that is none of the three."""

    id: int
    instance_id: int
    api_endpoint: str
    request_method: str
    request_body: dict[str, Any]
    start_time: float
    end_time: float
    frequency: str
    day_of_the_week: int | None
    hour_of_the_day: int | None
    min_of_the_hour: int | None = Field(description="Chosen by the server.")
    paused: bool
