"""viceversa export."""

from pathlib import Path
from typing import Annotated, Literal

import tyro


def run(
    model: Annotated[Path, tyro.conf.Positional],
    /,
    out: Annotated[Path, tyro.conf.arg(metavar="FILE.onnx")],
    to: str | None = None,
    dtype: Literal["fp32", "fp16", "int8"] = "fp32",
    calibrate: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None,
    browser: Annotated[Path | None, tyro.conf.arg(metavar="DIST")] = None,
    overwrite: bool = False,
) -> int:
    """Writes one direction of a translator as an ONNX file that takes and gives images of any size.

    It is compared with torch first; if it differs too much, no file is written.

    Args:
        model: The folder of a run, or of a translator.
        out: The file to write.
        to: The domain to translate to: a, b, or its name. Left out: b, or the only one there is.
        dtype: fp16 has half the size of fp32. int8 has a quarter, and is fast on OpenVINO; it needs --calibrate.
        calibrate: Images of the kind that will be translated, 16 or more; 72 are used.
        browser: Write a web page beside the file too. DIST is node_modules/onnxruntime-web/dist, which comes by:
            npm install onnxruntime-web
        overwrite: Replace the file and the page also if they are none of this command.
    """
    from viceversa.inference.onnx.browser import check_page, read_runtime, write_page
    from viceversa.inference.onnx.export import export

    runtime = None if browser is None else read_runtime(browser)  # what is missing is said before the work
    if runtime is not None:
        check_page(out, overwrite=overwrite)
    done = export(model, out, to=to, dtype=dtype, calibrate=calibrate, overwrite=overwrite)
    size = done.file.stat().st_size / 1e6
    print(f"{done.file}: {done.source} -> {done.target}, {dtype}, {size:.1f} MB")
    print(f"Compared with torch: {done.parity}")
    if runtime is not None:
        page = write_page(done, runtime)
        print(f"{page}: open it in a browser; it takes {done.file.name} from beside itself, or asks for it")
    return 0
