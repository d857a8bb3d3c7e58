"""What several tests need: real servers and the fake with what it lacks."""

import pkgutil

import pytest

# So that a failed assertion in here says what it saw, as one in a test does.
pytest.register_assert_rewrite(*(f"support.{module.name}" for module in pkgutil.iter_modules(__path__)))
