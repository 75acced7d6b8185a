"""What photos take, beside peers, and what is lost: the figures of docs/reference/photo-contract.md.

    python benchmarks/photos.py speed              a 12-megapixel JPEG ×2, beside Pillow and networks of another class
    python benchmarks/photos.py large              100 megapixels ×3 as whole processes: time and memory
    python benchmarks/photos.py quality FOLDER     16 bits, faithful colour on Set5, Set14, BSD100 in FOLDER; alpha

Leave the machine alone during the first two. Commands are whole cold processes, in turn; medians over the rounds, with
the operating system's own account of memory. Photographs are made here (``speed.photo_like``).

The networks of another class are those of Real-ESRGAN, whose tool is not here: RRDBNet with 23 blocks as in its ×2
model, and its compact network of 16 layers. They are built from their published sizes with random weights, which cost
the same time, and run by ONNX Runtime and OpenVINO on a part of the photograph; what the whole takes is that times the
number of parts, without overlap, decoding or encoding: an estimate, and one in their favour.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import record
import speed

HEIGHT, WIDTH = 3000, 4000
LARGE_HEIGHT, LARGE_WIDTH = 8660, 11548
ROUNDS = 3
#: Side of the part of a photograph that networks of another class are timed on, and how often.
SIDE, TIMES = 192, 3
#: As pocketsr writes JPEG: quality 95, full chroma.
PILLOW = """
import sys
from PIL import Image
with Image.open(sys.argv[1]) as image:
    larger = image.resize((image.width * 2, image.height * 2), Image.Resampling.LANCZOS)
    larger.save(sys.argv[2], quality=95, subsampling=0)
"""
MAKE = """
import sys
import speed
from PIL import Image
Image.fromarray(speed.photo_like(int(sys.argv[2]), int(sys.argv[3]))).save(sys.argv[1], quality=92)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("part", choices=("speed", "large", "quality"))
    parser.add_argument("folder", nargs="?", type=Path, help="Benchmarks, for quality.")
    parser.add_argument("--no-record", action="store_true", help="print only; for a try")
    options = parser.parse_args()
    load = round(os.getloadavg()[0], 2)
    parts: dict[str, Callable[[], dict[str, object]]] = {
        "speed": twelve_megapixels,
        "large": hundred_megapixels,
        "quality": lambda: quality(options.folder),
    }
    results = {"load_before": load, **parts[options.part]()}
    print(json.dumps(results, indent=1))
    if not options.no_record:
        print(record.write(f"photos-{options.part}", results))


def make_photo(path: Path, height: int, width: int) -> Path:
    """Write a photograph in a process of its own: what this one held at its most would count as its children's."""
    command = [sys.executable, "-c", MAKE, str(path), str(height), str(width)]
    subprocess.run(command, check=True, cwd=Path(__file__).parent)
    return path


def upscale(source: Path, target: Path, *words: str) -> list[str]:
    """Return the command that enlarges a file."""
    return [sys.executable, "-m", "pocketsr", "upscale", str(source), "-o", str(target), "--overwrite", *words]


# -- 12 megapixels ----------------------------------------------------------------------------------------------------


def twelve_megapixels() -> dict[str, object]:
    """Time ways to double a photograph."""
    from pocketsr.weights import defaults

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photo, target = make_photo(folder / "in.jpg", HEIGHT, WIDTH), folder / "out.jpg"
        model = defaults()[2].name
        ways = {
            "pocketsr upscale": upscale(photo, target, "-m", model, "-s", "2", "-q"),
            "Pillow Lanczos": [sys.executable, "-c", PILLOW, str(photo), str(target)],
        }
        runs: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        for number in range(ROUNDS + 1):
            for way, command in ways.items():
                run = speed.whole_process(command)
                if number:  # the first only warms the file cache
                    runs[way].append(run)
        alone = network_alone(model)
        class_ = {name: another_class(name, folder) for name in LAYERS}
    seconds = {way: median(wall for wall, _ in all_) for way, all_ in runs.items()}
    ours = seconds["pocketsr upscale"]
    return {
        "model": model,
        "megapixels": HEIGHT * WIDTH / 1e6,
        "rounds": ROUNDS,
        "ways": {
            way: {
                "median_s": round(seconds[way], 2),
                "min_s": round(min(wall for wall, _ in all_), 2),
                "max_s": round(max(wall for wall, _ in all_), 2),
                "peak_mb": round(max(peak for _, peak in all_)),
            }
            for way, all_ in runs.items()
        },
        "network_alone_s": round(alone, 2),
        "times_pillow": round(ours / seconds["Pillow Lanczos"], 2),
        "other_class": {
            name: {**found, "times_ours": round(found["estimated_s"] / ours, 1)} for name, found in class_.items()
        },
    }


def network_alone(model: str) -> float:
    """Return seconds of the network on the photograph's pixels, in memory, by a process of its own."""
    words = (
        "import sys, time, numpy as np, pocketsr\n"
        "upscale = pocketsr.load(sys.argv[1]); image = np.zeros((int(sys.argv[2]), int(sys.argv[3]), 3), np.uint8)\n"
        "for _ in upscale.strips(image[:600]): pass\n"
        "began = time.perf_counter()\n"
        "for _ in upscale.strips(image): pass\n"
        "print(time.perf_counter() - began)\n"
    )
    command = [sys.executable, "-c", words, model, str(HEIGHT), str(WIDTH)]
    return median(float(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(3))


#: Layers of a network: (inputs, outputs) of 3×3 convolutions, by how much larger than the photograph they are run.
Layers = dict[float, list[tuple[int, int]]]


def rrdb() -> Layers:
    """Return RRDBNet of 23 blocks of 64 features and 32 more a layer, ×2: it begins with pixels of 2×2 as channels."""
    dense = [(64 + 32 * number, 32) for number in range(4)] + [(64 + 32 * 4, 64)]
    return {0.5: [(12, 64), *dense * 3 * 23, (64, 64)], 1.0: [(64, 64)], 2.0: [(64, 64), (64, 64), (64, 3)]}


def compact() -> Layers:
    """Return the compact network of 64 features and 16 layers between its first and its last, ×2."""
    return {1.0: [(3, 64), *[(64, 64)] * 16, (64, 12)]}


LAYERS = {"RRDBNet ×2, 23 blocks": rrdb, "compact ×2, 16 layers": compact}


def another_class(name: str, folder: Path) -> dict[str, float]:
    """Time a network on a part of the photograph, in processes of their own, by the quicker of two runtimes."""
    layers = LAYERS[name]()
    macs = sum(9 * inputs * outputs * scale**2 for scale, row in layers.items() for inputs, outputs in row)
    file = folder / "other.onnx"
    file.write_bytes(as_onnx(name, layers))
    times = {}
    for runtime in ("onnxruntime", "openvino"):
        command = [sys.executable, __file__, "other", runtime, str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        times[runtime] = float(done.stdout.strip().splitlines()[-1])
    runtime = min(times, key=times.__getitem__)
    return {
        "runtime": runtime,
        "macs_per_input_pixel": round(macs),
        "part_s": round(times[runtime], 3),
        "gflops": round(2 * macs * SIDE**2 / times[runtime] / 1e9),
        "estimated_s": round(times[runtime] * HEIGHT * WIDTH / SIDE**2, 1),
    }


def as_onnx(name: str, layers: Layers) -> bytes:
    """Return a network as an ONNX file with random weights: the convolutions in a row, with what grows beside them."""
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    nodes, constants = [], []

    def convolution(source: str, inputs: int, outputs: int, *, has_slope: bool = True) -> str:
        number = len(nodes)
        weights = random.normal(0, 0.1 / inputs**0.5, (outputs, inputs, 3, 3)).astype(np.float32)
        constants.append(numpy_helper.from_array(weights, f"w{number}"))
        nodes.append(helper.make_node("Conv", [source, f"w{number}"], [f"c{number}"], pads=[1] * 4))
        if has_slope:
            nodes.append(helper.make_node("LeakyRelu", [f"c{number}"], [f"r{number}"], alpha=0.2))
        return f"r{number}" if has_slope else f"c{number}"

    def joined(kind: str, sources: list[str], **options: object) -> str:
        made = f"j{len(nodes)}"
        nodes.append(helper.make_node(kind, sources, [made], **options))
        return made

    at = "image"
    if name.startswith("RRDB"):
        constants.append(numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "twice"))
        at = convolution(joined("SpaceToDepth", [at], blocksize=2), 12, 64, has_slope=False)
        trunk = at
        for _ in range(23):
            block = at
            for _ in range(3):
                held, dense = [at], at
                for number in range(4):
                    held.append(convolution(dense, 64 + 32 * number, 32))
                    dense = joined("Concat", held, axis=1)
                at = joined("Add", [convolution(dense, 192, 64, has_slope=False), at])
            at = joined("Add", [at, block])
        at = joined("Add", [convolution(at, 64, 64, has_slope=False), trunk])
        for _ in range(2):
            larger = joined("Resize", [at, "", "twice"], mode="nearest", coordinate_transformation_mode="asymmetric")
            at = convolution(larger, 64, 64)
        at = convolution(convolution(at, 64, 64), 64, 3, has_slope=False)
    else:
        *most, (inputs, outputs) = layers[1.0]
        for row in most:
            at = convolution(at, *row)
        at = joined("DepthToSpace", [convolution(at, inputs, outputs, has_slope=False)], blocksize=2, mode="CRD")
    ends = [
        helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIDE, SIDE]),
        helper.make_tensor_value_info(at, TensorProto.FLOAT, [1, 3, 2 * SIDE, 2 * SIDE]),
    ]
    graph = helper.make_graph(nodes, "other", ends[:1], ends[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()


def time_other(runtime: str, file: str) -> float:
    """Return seconds that a network takes for one part, after one that is not counted."""
    image = np.random.default_rng(0).random((1, 3, SIDE, SIDE), dtype=np.float32)
    if runtime == "openvino":
        import openvino

        core = openvino.Core()
        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        request = core.compile_model(core.read_model(file), "CPU", settings).create_infer_request()
        run: Callable[[], object] = lambda: request.infer([image])  # noqa: E731
    else:
        import onnxruntime

        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        run = lambda: session.run(None, {"image": image})  # noqa: E731
    times = []
    for _ in range(TIMES + 1):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return median(times[1:])


# -- 100 megapixels ---------------------------------------------------------------------------------------------------


def hundred_megapixels() -> dict[str, object]:
    """Time 100 megapixels ×3 and ask what they took."""
    ways: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photo = make_photo(folder / "in.jpg", LARGE_HEIGHT, LARGE_WIDTH)
        for ending, words in (("jpg", []), ("jpg", ["--memory", "1200M"]), ("png", [])):
            target = folder / f"out.{ending}"
            wall, peak = speed.whole_process(upscale(photo, target, "-q", *words))
            label = " ".join(["JPEG to", {"jpg": "JPEG", "png": "PNG"}[ending], *words])
            ways[label] = {
                "wall_s": round(wall, 1),
                "peak_mb": round(peak),
                "output_mb": round(target.stat().st_size / 1e6),
            }
            target.unlink()
    return {"megapixels": round(LARGE_HEIGHT * LARGE_WIDTH / 1e6, 1), "scale": 3, "ways": ways}


# -- what is lost -----------------------------------------------------------------------------------------------------


def quality(folder: Path | None) -> dict[str, object]:
    """Return errors of 16 bits, and what faithful colour does to every image."""
    from pocketsr.image import list_images, read_image
    from pocketsr.runtime import Upscaler

    if folder is None:
        raise SystemExit("quality needs the folder of Set5, Set14 and BSD100")
    upscaler = Upscaler("abpn-x3")
    with tempfile.TemporaryDirectory() as name:
        mine = Path(name) / "mine.tflite"
        mine.write_bytes(upscaler.path.read_bytes())
        forms = {"with a float32 form": upscaler, "int8 only": Upscaler(mine)}
        bits = {path.stem.removesuffix("_GT"): sixteen_bits(forms, path) for path in list_images(folder / "Set5")}
    sets = {}
    for benchmark in ("Set5", "Set14", "BSD100"):
        gains = [faithful_gain(upscaler, read_image(path).pixels) for path in list_images(folder / benchmark)]
        sets[benchmark] = {
            "mean_db": round(float(np.mean(gains)), 6),
            "worst_db": round(min(gains), 6),
            "best_db": round(max(gains), 6),
            "images_better": sum(gain > 0 for gain in gains),
            "images": len(gains),
        }
    alpha = {f"{edge:g}": alpha_errors(upscaler, edge) for edge in (0.5, 1, 2, 4, 6, 9)}
    return {"sixteen_bits_error_levels": bits, "faithful_gain_psnr_rgb": sets, "alpha_rms_by_edge": alpha}


def alpha_errors(upscaler: object, edge: float, size: int = 192) -> dict[str, float]:
    """Return root-mean-square errors, in levels, of a star that fades out over so many pixels, shrunk and enlarged."""
    from pocketsr.image import downscale, resize_bicubic
    from pocketsr.runtime.alpha import alpha_strips

    rows, columns = np.mgrid[0 : 4 * size, 0 : 4 * size] / 4  # 4×4 samples a pixel
    down, right = rows - size / 2, columns - size / 2
    distance = np.hypot(down, right) - size * (0.32 + 0.08 * np.sin(9 * np.arctan2(down, right)))
    covered = np.clip(0.5 - distance / edge, 0, 1).reshape(size, 4, size, 4).mean(axis=(1, 3))
    truth = np.rint(255 * covered).astype(np.uint8)
    small = downscale(truth, 3)
    made = {
        "network": np.concatenate(list(alpha_strips(upscaler, small))),
        "bicubic": resize_bicubic(small, size, size),
    }
    return {way: round(float(np.sqrt(np.square(image.astype(float) - truth).mean())), 2) for way, image in made.items()}


def sixteen_bits(forms: dict[str, object], path: Path) -> dict[str, float]:
    """Return mean errors in levels of 8 bits against the float32 network, run by numpy on the samples themselves."""
    from pocketsr.graph.reference import execute
    from pocketsr.graph.tflite import read_model
    from pocketsr.image import downscale, read_image
    from pocketsr.runtime.deep import deep_strips
    from pocketsr.weights import find

    graph, _ = read_model(find("abpn-x3-float").path)
    small = downscale(read_image(path).pixels.astype(np.float64), 3)
    samples = np.rint(np.clip(small, 0, 255) * 257).astype(np.uint16)
    exact = np.clip(execute(graph, (samples / np.float32(257))[None])[0].astype(np.float64), 0, 255)
    made = {}
    for form, upscaler in forms.items():
        in_16 = np.concatenate(list(deep_strips(upscaler, samples))) / 257
        in_8 = upscaler(np.rint(samples / 257).astype(np.uint8))
        made[form] = round(float(np.abs(in_16 - exact).mean()), 4)
        made[f"{form}, in 8 bits"] = round(float(np.abs(in_8 - exact).mean()), 4)
    return made


def faithful_gain(upscaler: object, truth: np.ndarray) -> float:
    """Return by how many decibels faithful colour is better, RGB, no border."""
    from pocketsr.image import crop_to_multiple, downscale
    from pocketsr.runtime.faithful import correct_colour

    truth = crop_to_multiple(truth, 3)
    small = downscale(truth, 3)
    made = upscaler(small)
    errors = [np.square(image.astype(float) - truth).mean() for image in (made, correct_colour(made, small))]
    return float(10 * np.log10(errors[0] / errors[1]))


if __name__ == "__main__":
    if sys.argv[1:2] == ["other"]:
        print(time_other(*sys.argv[2:4]))
    else:
        main()
