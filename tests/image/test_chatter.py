"""Lines of libraries below Python are taken from the error stream; everybody else is still heard."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

START = "import os, sys, threading, time\nfrom pocketsr.image.chatter import without_chatter\n"


def heard(program: str) -> str:
    return subprocess.run([sys.executable, "-c", START + program], capture_output=True, text=True, check=True).stderr


@pytest.mark.parametrize(
    "line",
    [
        "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.",
        "TIFFReadDirectory: Warning, Unknown field with tag 40000 (0x9c40) encountered.",
        '_TIFFVSetField: tempfile.tif: Bad value 0 for \\"PlanarConfiguration\\" tag.',
        "ZIPDecode: Decoding error at scanline 0, incorrect data check.",
        "Fax4Decode: Bad code word at line 2 of strip 0 (x 16).",
        'MissingRequired: TIFF directory is missing required \\"StripOffsets\\" field.',
    ],
)
def test_lines_of_libraries_are_kept_back(line: str) -> None:
    assert heard(f'with without_chatter():\n    os.write(2, b"{line}\\nWARNING: heard\\n")\n') == "WARNING: heard\n"


def test_threads_that_overlap_leave_the_stream_as_it_was() -> None:
    program = (
        "def first():\n"
        "    with without_chatter(): time.sleep(0.2)\n"
        "def second():\n"
        "    time.sleep(0.1)\n"
        "    with without_chatter(): time.sleep(0.2)\n"
        "threads = [threading.Thread(target=work) for work in (first, second)]\n"
        "[thread.start() for thread in threads], [thread.join() for thread in threads]\n"
        "os.write(2, b'INFO: heard again\\n')\n"
    )
    assert heard(program) == "INFO: heard again\n"


def test_a_process_without_an_error_stream_goes_on() -> None:
    assert heard("os.close(2)\nwith without_chatter():\n    pass\n") == ""


def test_a_damaged_tiff_is_refused_without_noise(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    Image.new("RGB", (40, 30)).save(path, compression="tiff_adobe_deflate")
    data = bytearray(path.read_bytes())
    data[12:20] = b"\xff" * 8  # in the compressed rows
    path.write_bytes(data)
    program = (
        "from pocketsr.image import read_image\n"
        f"try:\n    read_image({str(path)!r})\n"
        "except Exception as error:\n    print(type(error).__name__, error, file=sys.stderr)\n"
    )
    assert heard(program).startswith(f"ImageFileError cannot read {path}: this TIFF file is damaged")
    assert heard(program).count("\n") == 1
