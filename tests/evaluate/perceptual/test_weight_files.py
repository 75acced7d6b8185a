import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pocketsr.errors import ModelFileError
from pocketsr.evaluate.perceptual.weight_files import read_weights

TYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.uint8, torch.bool)


def tensors() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    values = {str(kind).removeprefix("torch."): (10 * torch.randn(3, 4, 2)).abs().to(kind) for kind in TYPES}
    return {**values, "one": torch.tensor(3.0), "empty": torch.zeros(0, 2)}


def check(read: dict[str, np.ndarray], wanted: dict[str, torch.Tensor]) -> None:
    assert read.keys() == wanted.keys()
    for name, tensor in wanted.items():
        expected = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).detach().numpy()
        assert read[name].dtype == expected.dtype
        assert read[name].shape == expected.shape
        assert (read[name] == expected).all()


@pytest.mark.parametrize("is_zip", [True, False])
def test_torchs_files_are_read_in_both_forms(is_zip: bool, tmp_path: Path) -> None:
    torch.save(tensors(), tmp_path / "a.pth", _use_new_zipfile_serialization=is_zip)
    check(read_weights(tmp_path / "a.pth"), tensors())


@pytest.mark.parametrize("is_zip", [True, False])
def test_views_of_one_storage_and_turned_tensors_are_read(is_zip: bool, tmp_path: Path) -> None:
    whole = torch.arange(24.0).reshape(4, 6)
    views = {"whole": whole, "part": whole[1:3, 2:4], "turned": whole.T, "parameter": torch.nn.Parameter(whole[0])}
    torch.save(views, tmp_path / "a.pt", _use_new_zipfile_serialization=is_zip)
    check(read_weights(tmp_path / "a.pt"), views)


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_networks_state_dict_is_read_bare_or_wrapped(is_zip: bool, tmp_path: Path) -> None:
    state = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3)).state_dict()
    for content in (
        state,
        {"state_dict": state, "epoch": 3, "lr": [0.1]},
        {f"module.{key}": value for key, value in state.items()},
    ):
        torch.save(content, tmp_path / "a.pth", _use_new_zipfile_serialization=is_zip)
        check(read_weights(tmp_path / "a.pth"), state)


class Surprise:
    def __reduce__(self) -> tuple:
        return Path.touch, (Path("ran-code"),)


@pytest.mark.parametrize("is_zip", [True, False])
def test_objects_are_refused_and_nothing_runs(is_zip: bool, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for content in ({"a": torch.ones(2), "b": Surprise()}, torch.nn.Conv2d(1, 1, 1)):
        torch.save(content, "a.pth", _use_new_zipfile_serialization=is_zip)
        with pytest.raises(ModelFileError, match="can run code"):
            read_weights(Path("a.pth"))
    Path("bare.pth").write_bytes(pickle.dumps(Surprise()))
    with pytest.raises(ModelFileError, match="can run code"):
        read_weights(Path("bare.pth"))
    assert not Path("ran-code").exists()


def test_safetensors_are_read(tmp_path: Path) -> None:
    save_file({name: tensor.contiguous() for name, tensor in tensors().items()}, tmp_path / "a.safetensors", {"k": "v"})
    check(read_weights(tmp_path / "a.safetensors"), tensors())


def test_npz_is_read(tmp_path: Path) -> None:
    values = {name: tensor.numpy() for name, tensor in tensors().items() if tensor.dtype != torch.bfloat16}
    np.savez(tmp_path / "a.npz", **values)
    check(read_weights(tmp_path / "a.npz"), {name: torch.from_numpy(value) for name, value in values.items()})


@pytest.mark.parametrize("name", ["zip.pth", "legacy.pth", "a.safetensors", "a.npz"])
def test_files_cut_short_are_refused(name: str, tmp_path: Path) -> None:
    file, state = tmp_path / name, {"weight": torch.ones(40)}
    if file.suffix == ".npz":
        np.savez(file, weight=np.ones(40))
    elif file.suffix == ".safetensors":
        save_file(state, file)
    else:
        torch.save(state, file, _use_new_zipfile_serialization=name == "zip.pth")
    whole = file.read_bytes()
    for size in (0, 3, 20, len(whole) // 2, len(whole) - 100, len(whole) - 1):
        file.write_bytes(whole[:size])
        with pytest.raises(ModelFileError):
            read_weights(file)


@pytest.mark.parametrize("name", ["zip.pth", "a.safetensors", "a.npz"])
def test_files_with_other_bytes_are_read_or_refused(name: str, tmp_path: Path) -> None:
    file, state, random = tmp_path / name, {"weight": torch.ones(40)}, np.random.default_rng(0)
    if file.suffix == ".npz":
        np.savez(file, weight=np.ones(40))
    elif file.suffix == ".safetensors":
        save_file(state, file)
    else:
        torch.save(state, file)
    whole, refused = file.read_bytes(), 0
    for _ in range(150):
        damaged = bytearray(whole)
        damaged[random.integers(len(whole))] = random.integers(256)
        file.write_bytes(damaged)
        try:
            assert isinstance(read_weights(file), dict)
        except ModelFileError:
            refused += 1
    assert refused > 10


def test_missing_files_other_forms_and_files_without_tensors_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no file of weights"):
        read_weights(tmp_path / "none.npz")
    (tmp_path / "a.h5").write_bytes(b"")
    with pytest.raises(ModelFileError, match=r"\.safetensors"):
        read_weights(tmp_path / "a.h5")
    torch.save([torch.ones(2)], tmp_path / "list.pth")
    with pytest.raises(ModelFileError, match="no tensors by name"):
        read_weights(tmp_path / "list.pth")
    np.savez(tmp_path / "objects.npz", a=np.array([{}], dtype=object))
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_weights(tmp_path / "objects.npz")


def test_a_small_file_cannot_ask_for_a_large_tensor(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(1).expand(1 << 30)}, tmp_path / "a.pth")
    with pytest.raises(ModelFileError, match="outside its 1 numbers"):
        read_weights(tmp_path / "a.pth")


@pytest.mark.data
def test_the_linear_heads_of_lpips_are_read_as_torch_reads_them(data_folder: Path) -> None:
    for net in ("alex", "squeeze"):
        file = data_folder / "metric-weights" / f"v0.1__{net}.pth"
        check(read_weights(file), torch.load(file, map_location="cpu", weights_only=True))
