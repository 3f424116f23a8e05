"""The trainer alone takes steps; methods and networks know nothing of optimizers, processes or files."""

import ast
from pathlib import Path

import viceversa

SOURCE = Path(viceversa.__file__).parent
TRAINER = SOURCE / "training" / "trainer.py"
JUDGE = SOURCE / "evaluation" / "classifier.py"  # no method: nothing that it trains is part of a run
STEPS = {"backward", "zero_grad", "all_reduce", "step"}


def steps_taken(path: Path) -> list[str]:
    """Calls of ``x.backward(...)`` and the like. ``method.step(batch, iteration)`` is none: an optimizer's step takes
    no arguments.
    """
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    found = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr in STEPS]
    return [
        f"{path.name}:{call.lineno} {call.func.attr}" for call in found if call.func.attr != "step" or not call.args
    ]


def test_only_the_trainer_takes_steps():
    elsewhere = [call for path in SOURCE.rglob("*.py") if path not in (TRAINER, JUDGE) for call in steps_taken(path)]
    assert not elsewhere
    there = {call.split()[1] for call in steps_taken(TRAINER)}
    assert there == STEPS, "the search finds what it is to find"


def test_methods_and_networks_know_nothing_of_how_a_run_is_carried_out():
    outer = ("training", "inference", "cli", "config", "commands", "evaluation", "serving")
    forbidden = ("lightning_fabric", *(f"viceversa.{part}" for part in outer))
    for path in [*(SOURCE / "methods").glob("*.py"), *(SOURCE / "networks").glob("*.py"), SOURCE / "losses.py"]:
        wrong = [name for name in imported(path) if name.startswith(forbidden)]
        assert not wrong, f"{path.name} imports {wrong}"
    assert "viceversa.training.log" in imported(SOURCE / "training" / "session.py"), "the search finds imports"


def test_losses_and_networks_know_no_method():
    for path in [*(SOURCE / "networks").glob("*.py"), SOURCE / "losses.py"]:
        wrong = [name for name in imported(path) if name.startswith("viceversa.methods")]
        assert not wrong, f"{path.name} imports {wrong}"


def imported(path: Path) -> list[str]:
    """What a file imports, wherever in it and however: ``from a import b`` may be of ``a`` or the module ``a.b``."""
    found = list[str]()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            found += [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    return found


def test_no_method_yields_inside_a_context():
    """``with torch.no_grad(): yield`` would leak the context into the trainer."""
    for path in (SOURCE / "methods").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.With):
                inside = [inner for inner in ast.walk(node) if isinstance(inner, ast.Yield | ast.YieldFrom)]
                assert not inside, f"{path.name}:{node.lineno}"
