"""The base of every value that travels: immutable, checked when it is read, tolerant of fields it does not know."""

from msgspec import Struct


class Model(Struct, frozen=True, gc=False):
    """An immutable value. Unknown fields are ignored, as subscribers must (a newer writer may add some).

    What is read is checked against the fields' types, what we make ourselves is checked by mypy. Values hold values
    and never each other in a ring: the garbage collector, which would look at all twenty-odd of every event on the
    way, need not know them.
    """
