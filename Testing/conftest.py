"""Settings of every test."""

from hypothesis import settings

# How long an example takes says more about the machine's load than about the code; speed has benchmarks of its own.
settings.register_profile("any_load", deadline=None)
settings.load_profile("any_load")
