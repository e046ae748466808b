"""What every driver promises, tried on every driver with a real system behind it.

A driver brings one file, ``<source>_<driver>.py``, with ``open_world`` (see :mod:`tests.contract.world`); nothing is
registered, and a driver without such a file fails :mod:`tests.contract.test_worlds`.
"""
