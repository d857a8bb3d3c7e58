"""How urgently a code is wanted: the values of the watch and interest hashes."""

from pydantic import Field

from brokertape.tape._model import Model


class Want(Model):
    """A relative `weight` above 0, and the staleness (s) that must not be passed, None for no such promise."""

    weight: float = Field(default=1.0, gt=0)
    max_staleness_s: float | None = Field(default=None, gt=0)
