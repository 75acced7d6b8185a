from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pocketsr.errors import ModelFileError, SettingError
from pocketsr.evaluate.perceptual.nima import nima, read_nima

#: Of a score of 1 to 10.
AGREEMENT = 1e-4
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)


def weights() -> dict[str, np.ndarray]:
    """A narrow MobileNet in Keras' names and layouts, with random weights that keep values at one size."""
    random = np.random.default_rng(0)
    found, widths = {}, [4, 8, 8, 8, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16]

    def normalisation(layer: str, width: int) -> None:
        found[f"{layer}_bn/gamma"], found[f"{layer}_bn/beta"] = (
            random.normal(1, 0.2, width),
            random.normal(1, 0.5, width),
        )
        found[f"{layer}_bn/moving_mean"] = random.normal(0, 0.2, width)
        found[f"{layer}_bn/moving_variance"] = random.uniform(0.5, 2, width)

    found["conv1/kernel"] = random.normal(0, 0.4, (3, 3, 3, widths[0]))
    normalisation("conv1", widths[0])
    for number in range(1, 14):
        inputs, outputs = widths[number - 1], widths[number]
        found[f"conv_dw_{number}/depthwise_kernel"] = random.normal(0, 0.4, (3, 3, inputs, 1))
        normalisation(f"conv_dw_{number}", inputs)
        found[f"conv_pw_{number}/kernel"] = random.normal(0, 0.4, (1, 1, inputs, outputs))
        normalisation(f"conv_pw_{number}", outputs)
    found["dense_1/kernel"], found["dense_1/bias"] = random.normal(0, 1, (widths[-1], 10)), random.normal(0, 1, 10)
    return {name: value.astype(np.float32) for name, value in found.items()}


def by_torch(image: np.ndarray) -> float:
    """The same layers with torch, the normalisation by itself."""
    values = {name: torch.from_numpy(value) for name, value in weights().items()}

    def normalised(x: torch.Tensor, layer: str) -> torch.Tensor:
        parts = (values[f"{layer}_bn/{part}"] for part in ("moving_mean", "moving_variance", "gamma", "beta"))
        return F.relu6(F.batch_norm(x, *parts, eps=1e-3))

    x = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 127.5 - 1
    x = normalised(F.conv2d(F.pad(x, (0, 1, 0, 1)), values["conv1/kernel"].permute(3, 2, 0, 1), stride=2), "conv1")
    for number, stride in enumerate(STRIDES, 1):
        kernel = values[f"conv_dw_{number}/depthwise_kernel"].permute(2, 3, 0, 1)
        x = F.pad(x, (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1))
        x = normalised(F.conv2d(x, kernel, stride=stride, groups=len(kernel)), f"conv_dw_{number}")
        x = normalised(F.conv2d(x, values[f"conv_pw_{number}/kernel"].permute(3, 2, 0, 1)), f"conv_pw_{number}")
    shares = torch.softmax(x.mean((2, 3)) @ values["dense_1/kernel"] + values["dense_1/bias"], 1)
    return float((shares * torch.arange(1, 11)).sum())


@pytest.mark.parametrize("size", [(64, 64), (75, 98), (224, 224)])
def test_it_agrees_with_torch(size: tuple[int, int], tmp_path: Path) -> None:
    np.savez(tmp_path / "nima.npz", **weights())
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    assert nima(image, read_nima(tmp_path / "nima.npz")) == pytest.approx(by_torch(image), abs=AGREEMENT)


def test_names_may_have_folders_before_and_numbers_behind(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **weights())
    np.savez(tmp_path / "b.npz", **{f"model/{name.split('/')[0]}/{name}:0": value for name, value in weights().items()})
    image = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    assert nima(image, read_nima(tmp_path / "a.npz")) == nima(image, read_nima(tmp_path / "b.npz"))


def test_equal_votes_give_the_middle(tmp_path: Path) -> None:
    values = weights()
    values["dense_1/kernel"][:] = 0
    values["dense_1/bias"][:] = 3
    np.savez(tmp_path / "nima.npz", **values)
    assert nima(np.zeros((64, 64, 3), np.uint8), read_nima(tmp_path / "nima.npz")) == 5.5


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("conv_pw_7/kernel", None, "lacks conv_pw_7/kernel"),
        ("dense_1/kernel", None, "0 kernels with ten"),
        ("dense_1/bias", None, "lacks dense_1/bias"),
        ("conv1/kernel", np.zeros((3, 3)), "do not fit"),
        ("conv_dw_3/depthwise_kernel", np.zeros((3, 3, 7, 1)), "block 3 takes 8 channels"),
        ("conv1_bn/gamma", np.ones(7), "do not fit"),
    ],
)
def test_incomplete_weights_are_refused(name: str, value, message: str, tmp_path: Path) -> None:
    values = weights()
    values.pop(name)
    if value is not None:
        values[name] = value
    np.savez(tmp_path / "nima.npz", **values)
    with pytest.raises(ModelFileError, match=message):
        read_nima(tmp_path / "nima.npz")


def test_the_smallest_image_is_what_the_docstring_says(tmp_path: Path) -> None:
    np.savez(tmp_path / "nima.npz", **weights())
    model = read_nima(tmp_path / "nima.npz")
    assert 1 <= nima(np.zeros((32, 32, 3), np.uint8), model) <= 10
    with pytest.raises(SettingError, match="too small"):
        nima(np.zeros((31, 40, 3), np.uint8), model)


def test_other_images_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "nima.npz", **weights())
    with pytest.raises(SettingError, match="uint8"):
        nima(np.zeros((64, 64)), read_nima(tmp_path / "nima.npz"))
