"""How urgently a code is wanted: the values of the watch and interest hashes."""

from pydantic import BaseModel, ConfigDict, Field


class Want(BaseModel):
    """A relative `weight` above 0, and the staleness (s) that must not be passed, None for no such promise."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    weight: float = Field(default=1.0, gt=0)
    max_staleness_s: float | None = Field(default=None, gt=0)
