from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real pictures beside the repository; they are not ours to give away, so not everybody has them."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the real pictures in {folder}")
    return folder


@pytest.fixture(scope="session")
def shared_parity() -> Path:
    """Numbers of the published code; see ``shared_data``."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "parity"
    if not folder.is_dir():
        pytest.skip(f"needs the parity fixtures in {folder}")
    return folder
