"""What schemathesis finds when it makes requests of every kind that the OpenAPI schema allows, and others."""

import subprocess
import sys

import pytest

pytest.importorskip("schemathesis", reason="needs pip install 'viceversa[dev]'")

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "negative_data_rejection,unsupported_method,allow_header_conformance"
)


def test_no_request_makes_the_server_fail(serve_here, translator, tmp_path):
    client = serve_here(translator.networks)
    # In a process of its own: it brings a plugin for pytest, settings and warnings with it.
    done = subprocess.run(
        [
            sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()",
            "run", f"{client.base_url}/openapi.json", "--phases", "coverage,fuzzing", "--max-examples", "5",
            "--checks", CHECKS, "--generation-deterministic", "--suppress-health-check", "all",
        ],
        capture_output=True, text=True, cwd=tmp_path, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    text = client.get("/metrics").text
    assert 'route="/v1/translate",status="415"' in text  # it did reach the decoder
    assert 'route="/v1/translate",status="422"' in text
    assert 'status="5' not in text
