"""How many images a second `viceversa serve` answers, against what the network alone can do, and how it stops.

.venv/bin/python benchmarks/serving.py
.venv/bin/python benchmarks/serving.py --seconds 20 --width 4 --blocks 1 --size 64

Clients in a process of their own send one image after the other over loopback, each as soon as it has its answer.
The network's own rate, in the same batches and with the same threads, is measured before and after, since machines are
shared and their speed changes; the nearer of the two is what counts. The clients compute on the same cores as the
server. Memory is the server's resident set, at each tenth of the time.

Printed last: SIGTERM while all clients wait (all that was accepted must be answered, exit code 0), and the time from
kill -9 to the first answer of a new server.
"""

import argparse
import concurrent.futures
import http.client
import io
import multiprocessing
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

_JOIN_SECONDS = 90


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "load"
        _write_model(run, options)
        before = _batch_rate(run, options)
        print(f"{options.threads} threads, {options.width} wide, {options.blocks} blocks, {options.size} px")
        print(f"network alone, batches of {options.batch}: {before:.2f} pictures/s", flush=True)
        server = _Server(run, options)
        _load(server, options)
        _stop(server, options)
        after = _batch_rate(run, options)
        print(f"network alone, afterwards: {after:.2f} pictures/s")
        rate = server.rate
        print(f"served / network alone: {rate / before:.1%} of before, {rate / after:.1%} of after (aim: 90 %)")
        _kill(run, options)


class _Server:
    rate = 0.0

    def __init__(self, run: Path, options: argparse.Namespace, port: int = 0):
        start = time.perf_counter()
        words = ["serve", run, "--port", port, "--no-page", "--batch", options.batch, "--queue", options.queue]
        command = [sys.executable, "-m", "viceversa", *map(str, words)]
        environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads)}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        self.port = int(said.split("127.0.0.1:")[1].split()[0])
        self.start_seconds = time.perf_counter() - start

    def memory_mib(self) -> float:
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0]) / 1024

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def accepted(self) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", "/metrics")
        return int(float(connection.getresponse().read().decode().split("\nviceversa_accepted ")[1].split()[0]))


def _write_model(run: Path, options: argparse.Namespace) -> None:
    import torch

    from viceversa.inference.translator import save_translator
    from viceversa.networks import ResNetConfig, ResNetGenerator, initialise

    network = ResNetGenerator(ResNetConfig(width=options.width, blocks=options.blocks)).eval()
    initialise(network, "normal", 0.02, torch.Generator().manual_seed(0))
    save_translator(
        run / "translator", {"a2b": network}, method="cyclegan", domains={"a": "a", "b": "b"},
        size_px=options.size, images=1,
    )  # fmt: skip


def _batch_rate(run: Path, options: argparse.Namespace) -> float:
    """Images a second of the network alone, in a process of its own, as the server is."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (run, options.size, options.batch, options.threads, options.rate_seconds))


def _measure(run: Path, size: int, batch: int, threads: int, seconds: float) -> float:
    import torch

    from viceversa.inference.translator import load

    torch.set_num_threads(threads)
    applied = load(run, "cpu").applied()
    x = torch.rand(batch, 3, size, size) * 2 - 1
    for _ in range(2):
        applied(x)
    times: list[float] = []
    while sum(times) < seconds or len(times) < 3:
        start = time.perf_counter()
        applied(x)
        times.append(time.perf_counter() - start)
    return batch / statistics.mean(times)


def _load(server: _Server, options: argparse.Namespace) -> None:
    """All clients for the time given; prints what they saw and what the server took."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        computed = server.cpu_seconds()
        running = pool.apply_async(_clients, (server.port, options.clients, options.seconds, options.size))
        memory: list[float] = []
        for _ in range(10):
            time.sleep(options.seconds / 10)
            memory.append(server.memory_mib())
        answers, seconds, of_clients = running.get()
        computed = server.cpu_seconds() - computed
    counted = Counter(status for status, _ in answers)
    times = sorted(taken for status, taken in answers if status == "200")
    server.rate = len(times) / seconds
    each = 1000 / len(times)
    shown = [f"{times[min(int(share * len(times)), len(times) - 1)]:.2f}" for share in (0.5, 0.9, 0.99)]
    print(f"served, {options.clients} clients for {options.seconds:g} s: {server.rate:.2f} pictures/s")
    print(f"answers: {dict(counted)}; without error but 429: {set(counted) <= {'200', '429'}}")
    print(f"seconds to the answer: median {shown[0]}, p90 {shown[1]}, p99 {shown[2]}, most {times[-1]:.2f}")
    print(f"processor time of an image: server {computed * each:.2f} ms, clients {of_clients * each:.2f} ms")
    print(f"memory, MiB: {' '.join(f'{one:.0f}' for one in memory)}", flush=True)


def _clients(port: int, clients: int, seconds: float, size: int) -> tuple[list[tuple[str, float]], float, float]:
    """Status and seconds of each answer, the time from the first request to the last answer, and the processor's."""
    import numpy as np
    from PIL import Image

    def file(seed: int) -> bytes:
        # A smooth image with a little grain: it is packed as a photograph is.
        small = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        saved = io.BytesIO()
        Image.fromarray(small).resize((size, size), Image.Resampling.BICUBIC).save(saved, "JPEG", quality=92)
        return saved.getvalue()

    computed = time.process_time()
    start = time.perf_counter()
    until = start + seconds

    def client(number: int) -> list[tuple[str, float]]:
        found: list[tuple[str, float]] = []
        connection = _Client(port, file(number))
        while time.perf_counter() < until:
            begun = time.perf_counter()
            status, wait = connection.post()
            found.append((status, time.perf_counter() - begun))
            time.sleep(wait)
        return found

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        answers = [answer for part in pool.map(client, range(clients)) for answer in part]
    return answers, time.perf_counter() - start, time.process_time() - computed


class _Client:
    """A connection that sends one image time and again; lean, since it computes on the server's cores."""

    def __init__(self, port: int, picture: bytes):
        head = f"POST /v1/translate HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(picture)}\r\n\r\n"
        self.request = head.encode() + picture
        self.port = port
        self.stream: Any = None

    def post(self) -> tuple[str, float]:
        """The status, or the error's name; and the seconds that the server asks to wait."""
        try:
            if self.stream is None:
                address = ("127.0.0.1", self.port)
                self.stream = socket.create_connection(address, timeout=_JOIN_SECONDS).makefile("rwb")
            self.stream.write(self.request)
            self.stream.flush()
            status = self.stream.readline().split()[1].decode()
            headers: dict[bytes, bytes] = {}
            while line := self.stream.readline().strip():
                name, _, value = line.partition(b":")
                headers[name.lower()] = value
            length = int(headers[b"content-length"])
            whole = len(self.stream.read(length)) == length > 0
        except (OSError, LookupError, ValueError) as error:
            self.stream = None
            return type(error).__name__, 0.0
        wait = float(headers.get(b"retry-after", 0)) if status == "429" else 0.0
        return (status if whole else "cut short"), wait


def _stop(server: _Server, options: argparse.Namespace) -> None:
    """SIGTERM while all clients wait."""
    found: list[str] = []
    threads = [threading.Thread(target=_one, args=(server.port, options.size, found)) for _ in range(options.clients)]
    for thread in threads:
        thread.start()
    accepted = 0
    until = time.perf_counter() + 10
    while accepted < options.clients // 2 and time.perf_counter() < until:
        accepted = server.accepted()
    start = time.perf_counter()
    server.process.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join()
    code = server.process.wait(_JOIN_SECONDS)
    print(
        f"SIGTERM with {accepted} accepted: {dict(Counter(found))}, exit code {code} "
        f"after {time.perf_counter() - start:.1f} s; none lost: {found.count('200') >= accepted and code == 0}"
    )


def _one(port: int, size: int, found: list[str]) -> None:
    from PIL import Image

    saved = io.BytesIO()
    Image.new("RGB", (size, size), "tan").save(saved, "JPEG")
    found.append(_Client(port, saved.getvalue()).post()[0])


def _kill(run: Path, options: argparse.Namespace) -> None:
    """Kill -9, and a new server on the same port."""
    server = _Server(run, options)
    server.process.kill()
    server.process.wait()
    start = time.perf_counter()
    again = _Server(run, options, server.port)
    found: list[str] = []
    _one(again.port, options.size, found)
    print(f"after kill -9: {found[0]} after {time.perf_counter() - start:.1f} s (aim: under 5)")
    again.process.terminate()
    again.process.wait(_JOIN_SECONDS)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--blocks", type=int, default=6)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--queue", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rate-seconds", type=float, default=15)
    return parser.parse_args()


if __name__ == "__main__":
    main()
