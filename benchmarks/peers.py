"""The bundled int8 model beside what OpenCV offers for the same job: FSRCNN ×3 through its dnn module.

    pip install opencv-python-headless onnx && python benchmarks/peers.py

OpenCV's dnn_superres reads trained files that are not here, so FSRCNN(56, 12, 4) is built with random weights, which
cost the same time, and is fed as dnn_superres feeds it: luma through the network, the colour differences by bicubic. A
frame is 360×640 to 1080×1920, uint8 array in and out. Each runs in processes of its own, in turn; medians over all.
"""

from __future__ import annotations

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


def fsrcnn(scale: int, height: int = speed.HEIGHT, width: int = speed.WIDTH) -> bytes:
    """Return FSRCNN(56, 12, 4) on luma as an ONNX file with random weights."""
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    nodes, constants, name = [], [], "luma"

    def constant(label: str, *shape: int) -> str:
        values = random.normal(0, 0.05, shape).astype(np.float32)
        constants.append(numpy_helper.from_array(values, label))
        return label

    layers = [(1, 56, 5), (56, 12, 1), *[(12, 12, 3)] * 4, (12, 56, 1)]
    for index, (inputs, outputs, side) in enumerate(layers):
        weights = [constant(f"w{index}", outputs, inputs, side, side), constant(f"b{index}", outputs)]
        nodes.append(helper.make_node("Conv", [name, *weights], [f"c{index}"], pads=[side // 2] * 4))
        nodes.append(helper.make_node("PRelu", [f"c{index}", constant(f"s{index}", outputs, 1, 1)], [f"p{index}"]))
        name = f"p{index}"
    # The 9×9 transposed convolution as its equal, a convolution to sub-pixels: OpenCV 5 takes 1.4 s for the former.
    side = 2 * -(-4 // scale) + 1
    weights = [constant("wt", scale**2, 56, side, side), constant("bt", scale**2)]
    nodes.append(helper.make_node("Conv", [name, *weights], ["subpixels"], pads=[side // 2] * 4))
    nodes.append(helper.make_node("DepthToSpace", ["subpixels"], ["large"], blocksize=scale, mode="CRD"))
    shapes = [
        helper.make_tensor_value_info("luma", TensorProto.FLOAT, [1, 1, height, width]),
        helper.make_tensor_value_info("large", TensorProto.FLOAT, [1, 1, height * scale, width * scale]),
    ]
    graph = helper.make_graph(nodes, "fsrcnn", shapes[:1], shapes[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()


def opencv_upscaler(
    threads: int, scale: int = 3, height: int = speed.HEIGHT, width: int = speed.WIDTH
) -> Callable[[np.ndarray], np.ndarray]:
    """Return FSRCNN as OpenCV runs it, from uint8 BGR to uint8 BGR."""
    import cv2

    cv2.setNumThreads(threads)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "fsrcnn.onnx"
        file.write_bytes(fsrcnn(scale, height, width))
        network = cv2.dnn.readNetFromONNX(str(file))

    def upscale(image: np.ndarray) -> np.ndarray:
        luma, red, blue = cv2.split(cv2.cvtColor(image, cv2.COLOR_BGR2YCrCb))
        network.setInput(cv2.dnn.blobFromImage(luma, 1 / 255))
        large = cv2.convertScaleAbs(network.forward()[0, 0], alpha=255)
        size = (image.shape[1] * scale, image.shape[0] * scale)
        sides = [cv2.resize(side, size, interpolation=cv2.INTER_CUBIC) for side in (red, blue)]
        return cv2.cvtColor(cv2.merge([large, *sides]), cv2.COLOR_YCrCb2BGR)

    return upscale


def time_opencv(threads: int) -> list[float]:
    """Return milliseconds of the frames, after three that are not counted."""
    upscale = opencv_upscaler(threads)
    frame = np.random.default_rng(0).integers(0, 256, (speed.HEIGHT, speed.WIDTH, 3), dtype=np.uint8)
    times = []
    for _ in range(speed.RUNS + 3):
        start = time.perf_counter()
        upscale(frame)
        times.append(1000 * (time.perf_counter() - start))
    return times[3:]


def main() -> None:
    import cv2

    cores = len(os.sched_getaffinity(0))
    cases = {
        "abpn-x3": [str(Path(speed.__file__)), "frames", "abpn-x3", str(cores)],
        "OpenCV dnn, FSRCNN x3": [__file__, "opencv", str(cores)],
    }
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(speed.ROUNDS):
        for name, command in cases.items():
            done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=True)
            times[name] += json.loads(done.stdout.strip().splitlines()[-1])
    medians = {name: round(median(all_), 2) for name, all_ in times.items()}
    ratio = medians["OpenCV dnn, FSRCNN x3"] / medians["abpn-x3"]
    results = {"opencv": cv2.__version__, "threads": cores, "median_ms": medians, "times_faster": round(ratio, 2)}
    print(json.dumps(results, indent=1))
    print(record.write("peers", results))


if __name__ == "__main__":
    if sys.argv[1:2] == ["opencv"]:
        print(json.dumps(time_opencv(int(sys.argv[2]))))
    else:
        main()
