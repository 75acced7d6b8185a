"""Evaluation: metrics, protocols and benchmark folders. Numpy only; judges any function from image to image."""

from pocketsr.evaluate.benchmarks import BENCHMARKS, Report, Upscale, bicubic, evaluate, find_benchmarks
from pocketsr.evaluate.findings import Bounds, Check, Compared, Verification
from pocketsr.evaluate.metrics import psnr, ssim_gaussian, ssim_uniform
from pocketsr.evaluate.protocol import PROTOCOLS, Protocol, Scores, find_protocol
from pocketsr.evaluate.verify import verify

__all__ = [
    "BENCHMARKS",
    "PROTOCOLS",
    "Bounds",
    "Check",
    "Compared",
    "Protocol",
    "Report",
    "Scores",
    "Upscale",
    "Verification",
    "bicubic",
    "evaluate",
    "find_benchmarks",
    "find_protocol",
    "psnr",
    "ssim_gaussian",
    "ssim_uniform",
    "verify",
]
