"""The marker of the tests that run the real emitters."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "emitters: runs real SDKs in environments of their own")
