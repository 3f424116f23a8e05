import errno
import gc
import os
import signal
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from viceversa.config import TrainConfig
from viceversa.seeding import seed_torch


def pytest_configure(config: pytest.Config) -> None:
    """Signals as of a terminal, and an empty home: no test depends on what lies in the user's own, or writes there.

    Set before any test file is imported, since some libraries read it when they are imported.
    """
    # A shell that starts a command in the background has it ignore these, and so would all that the tests start.
    for name, handler in ("SIGINT", signal.default_int_handler), ("SIGHUP", lambda *_: None):
        if (number := getattr(signal, name, None)) and signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)
    for name in ("FORCE_COLOR", "NO_COLOR", "HF_ENDPOINT", "HF_HOME", "HF_TOKEN", "VICEVERSA_API_KEY"):
        os.environ.pop(name, None)  # of the user's own, as the home
    home = tempfile.TemporaryDirectory(prefix="home-")
    config.add_cleanup(home.cleanup)
    os.environ |= {
        "HOME": home.name,
        "XDG_CACHE_HOME": f"{home.name}/.cache",
        "XDG_CONFIG_HOME": f"{home.name}/.config",
    }


def pytest_collection_finish() -> None:
    """What was imported stays: Python need not search it for garbage again and again, a tenth of the tests' time."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Torch's own numbers follow from the run's seed and the test's name, as pytest-randomly does it for others.

    So a run can be repeated, and each run has others: a test must pass with any.
    """
    seed = item.config.getoption("randomly_seed", 0)
    seed_torch(
        zlib.crc32(f"{seed} {item.nodeid}".encode()), torch.device("cuda" if torch.cuda.is_available() else "cpu")
    )


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """More would not help such small networks, and would take time from other processes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def files_of_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Windows has it: what is open for reading only cannot be flushed, and folders cannot be opened."""
    fcntl = pytest.importorskip("fcntl", reason="Windows needs no stand-in for itself")
    flush, open_ = os.fsync, os.open

    def fsync(file: Any) -> None:
        number = file if isinstance(file, int) else file.fileno()
        if fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        flush(file)

    def opened(path: Any, *arguments: Any, **keywords: Any) -> int:
        if os.path.isdir(path) and "dir_fd" not in keywords:  # rmtree has another way there
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return open_(path, *arguments, **keywords)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "open", opened)


class _OnApple(torch.Tensor):
    """A tensor that has of an Apple GPU what it lacks: float64, and pooling to sizes that do not divide its own."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func == torch.Tensor.device.__get__:
            return torch.device("mps")
        if func is torch.Tensor.cpu:
            return args[0].as_subclass(torch.Tensor)
        if func is torch.Tensor.double or any(given is torch.float64 for given in args):
            raise TypeError("Cannot convert a MPS Tensor to float64: MPS does not support it.")
        if func is torch.nn.functional.adaptive_avg_pool2d and args[0].shape[-1] % args[1]:
            raise RuntimeError("Adaptive pool MPS: input sizes must be divisible by output sizes.")
        return super().__torch_function__(func, types, args, kwargs or {})


@pytest.fixture(scope="session")
def on_apple() -> Callable[[torch.Tensor], torch.Tensor]:
    """The same tensor, refusing what an Apple GPU cannot do."""
    return lambda tensor: tensor.as_subclass(_OnApple)


_SIGNAL_AT: list[tuple[str, list[int]]] = []
"""A log, and what this process gets for its next lines; see `stop_at_line`."""


def _signal(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _SIGNAL_AT:
        log, numbers = _SIGNAL_AT[-1]
        if str(arguments[0]) == log and arguments[1] == "a" and numbers and (number := numbers.pop(0)):
            os.kill(os.getpid(), number)


@pytest.fixture(scope="session")
def _audited() -> None:
    sys.addaudithook(_signal)  # there is no way to take it back


@pytest.fixture
def stop_at_line(_audited: None) -> Iterator[Callable[..., None]]:
    """``stop_at_line(run, line, number=SIGTERM)``: this process gets the signal when it writes that line of the log.

    The interpreter itself tells when the log is opened, in the thread that does it. A thread that watches the log
    would come too late where the machine is busy, and its signal might then end the tests.
    """

    def stop(run: Path, line: int = 1, number: signal.Signals = signal.SIGTERM) -> None:
        _SIGNAL_AT.append((str(run / "metrics.jsonl"), [*[0] * (line - 1), number]))

    yield stop
    _SIGNAL_AT.clear()


@pytest.fixture
def own_code() -> Iterator[None]:
    """What a test imports of code of its own is forgotten after it: methods, networks, modules."""
    from viceversa import plugins

    before = {kind: dict(registry) for kind, registry in plugins._registries().items()}
    modules, path = set(sys.modules), list(sys.path)
    yield
    for kind, registry in plugins._registries().items():
        registry.clear()
        registry |= before[kind]
    plugins._FILES.clear()
    plugins._PACKAGES.clear()
    installed = (sys.prefix, sys.base_prefix, str(Path(plugins.__file__).parent))
    for name in set(sys.modules) - modules:
        file = getattr(sys.modules[name], "__file__", None)
        if file and not file.startswith(installed):  # what is installed stays: some modules cannot be imported twice
            del sys.modules[name]
    sys.path[:] = path


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images beside the repository; they are not ours to give away, so not everybody has them."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the real images in {folder}")
    return folder


@pytest.fixture(scope="session")
def shared_parity() -> Path:
    """Numbers of the published code; see ``shared_data``."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "parity"
    if not folder.is_dir():
        pytest.skip(f"needs the parity fixtures in {folder}")
    return folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a/ and b/: seven small images each, of equal names."""
    from viceversa.testing.runs import write_images

    folder = tmp_path_factory.mktemp("pictures")
    write_images(folder)
    return folder


@pytest.fixture(scope="session")
def small_vgg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as ``train vgg`` writes it, of untrained weights, 4 channels wide."""
    from viceversa.networks import vgg_file
    from viceversa.testing.runs import write_vgg

    path = tmp_path_factory.mktemp("vgg") / vgg_file.FILE
    write_vgg(path)
    return path


@pytest.fixture(scope="session")
def tiny(pictures: Path) -> Callable[..., TrainConfig[Any]]:
    """``tiny(method, out, **settings)``: a run of any method that takes a second; ``settings`` as of `configure`."""
    from viceversa.testing.runs import small_config

    def make(method: str, out: Path, **settings: Any) -> TrainConfig[Any]:
        return small_config(method, pictures, out, **settings)

    return make


@pytest.fixture(scope="session")
def make_trainer() -> Callable[[TrainConfig[Any]], Any]:
    """Makes the trainer of a config, as a run does, without a run folder."""
    from viceversa.testing.runs import make_trainer

    return make_trainer


@pytest.fixture(scope="session")
def checkpoint_tensors() -> Callable[[Path], dict[str, Any]]:
    """All tensors of a run's newest checkpoint, by file and name."""
    from viceversa.testing.runs import checkpoint_tensors

    return checkpoint_tensors


@pytest.fixture(scope="session")
def assert_same_run() -> Callable[[Path, Path], None]:
    """Two runs are equal to the last bit: weights, averages, optimizers, pools, the log."""
    from viceversa.testing import assert_same_run

    return assert_same_run


@pytest.fixture(scope="session")
def torchrun() -> Callable[..., None]:
    """``torchrun(*arguments)``: two processes on the CPU, as people start them; they must end well."""

    def run(*arguments: str | Path) -> None:
        command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        started = subprocess.Popen([*command, *map(str, arguments)], text=True, env=environment, **pipes)
        try:
            _, said = started.communicate(timeout=600)
        except subprocess.TimeoutExpired:  # two that wait for each other; torchrun ends them when it is told to end
            started.terminate()
            started.communicate()
            raise
        assert started.returncode == 0, said[-3000:]

    return run
