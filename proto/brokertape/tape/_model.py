"""The base of every value that travels: immutable, validated, tolerant of fields it does not know."""

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """An immutable value. Unknown fields are ignored, as subscribers must (a newer writer may add some)."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, populate_by_name=True)

    def __eq__(self, other: object) -> bool:
        # Pydantic's own also compares what no model of ours has, in three times the time.
        return self.__dict__ == other.__dict__ if type(self) is type(other) else NotImplemented
