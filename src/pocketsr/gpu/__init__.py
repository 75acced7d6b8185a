"""Networks in torch at their fastest: half precision, channels last, compiled, captured as a CUDA graph; and timed.

    forms ──> a network made ready for one size        timed_forward ──> its milliseconds as NTIRE 2023 takes them
    torch_contender ──> the same for `pocketsr bench`        peaks ──> what the device could do

Everything here runs on a processor, too, where what only a GPU has is refused with a word.
"""

from pocketsr.gpu.forms import FORMS, Form, Ready, make_ready
from pocketsr.gpu.peaks import DevicePeaks, device_peaks
from pocketsr.gpu.timed_forward import TIMED, WARM_UP, timed_forward

__all__ = [
    "FORMS",
    "TIMED",
    "WARM_UP",
    "DevicePeaks",
    "Form",
    "Ready",
    "device_peaks",
    "make_ready",
    "timed_forward",
]
