"""Several processes that train one network together: what torchrun starts, with the words that the loop needs.

Every process draws its own part of each batch and has the whole network; gradients are averaged, so that all take the
same step. Only the main process writes and validates. One process alone is the same thing with nobody to talk to.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
import torch.distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pocketsr.errors import SettingError


@dataclasses.dataclass(frozen=True)
class Processes:
    """The group that trains, as one of its processes sees it.

    Attributes:
        rank: Number of this process, from 0.
        world: Number of processes.
        device: What this process computes on.
    """

    rank: int = 0
    world: int = 1
    device: torch.device = torch.device("cpu")

    @property
    def is_main(self) -> bool:
        """Whether this process writes and validates."""
        return self.rank == 0

    def joined(self, network: nn.Module, *, may_skip: bool = False) -> nn.Module:
        """Return the network with its gradients averaged over all processes in every backward pass.

        Args:
            network: The same weights in every process.
            may_skip: Whether a step may leave parameters without a gradient, as networks of several scales do.
        """
        if self.world == 1:
            return network
        # Buffers are not sent around: running statistics differ a little, and the main process's are kept.
        return DistributedDataParallel(network, find_unused_parameters=may_skip, broadcast_buffers=False)

    def mean(self, value: Tensor) -> Tensor:
        """Return the mean of a tensor over all processes, the same in each."""
        if self.world > 1:
            value = value.clone()
            torch.distributed.all_reduce(value)
            value /= self.world
        return value

    def any(self, wish: bool) -> bool:
        """Whether one process or more says yes; the same answer in each."""
        if self.world == 1:
            return wish
        count = torch.tensor(float(wish), device=self.device)
        torch.distributed.all_reduce(count)
        return bool(count > 0)

    def wait(self) -> None:
        """Go on when every process has come here."""
        if self.world > 1:
            torch.distributed.barrier()


@contextmanager
def join_processes(device: str = "auto") -> Iterator[Processes]:
    """Join the group that ``torchrun`` started, or be alone where it did not; leave it at the end.

    Args:
        device: ``cpu``, ``cuda``, or ``auto``: a GPU where there is one. Processes talk through gloo on the CPU and
            NCCL between GPUs, of which each takes its own.

    Raises:
        SettingError: There is no GPU, or fewer than processes on this machine.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise SettingError(f"the device is auto, cpu or cuda, not {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise SettingError("there is no GPU that PyTorch can use; train with --device cpu")
    on_gpu = device == "cuda" or (device == "auto" and torch.cuda.is_available())
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if on_gpu and local >= torch.cuda.device_count():
        raise SettingError(f"{torch.cuda.device_count()} GPUs are not enough for process {local + 1} on this machine")
    place = torch.device("cuda", local) if on_gpu else torch.device("cpu")
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Processes(device=place)
        return
    if on_gpu:
        torch.cuda.set_device(place)
    torch.distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield Processes(torch.distributed.get_rank(), world, place)
    finally:
        torch.distributed.destroy_process_group()


def exchange(network: nn.Module, *, now: bool) -> AbstractContextManager[None]:
    """Average gradients over processes in this context, or leave them where they are: for a batch in parts."""
    if now or not isinstance(network, DistributedDataParallel):
        return nullcontext()
    return network.no_sync()
