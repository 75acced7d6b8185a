"""Bench: how fast a model file runs, on which machine, and whether it is still right. No torch."""

from pocketsr.bench.contender import Asked, Contender, LocalContender, ProcessContender
from pocketsr.bench.idle import Idleness, watch
from pocketsr.bench.latency import Timing, interleaved
from pocketsr.bench.machine import Machine, this_machine
from pocketsr.bench.measure import measure
from pocketsr.bench.record import Measured, Record, read_record, schema, write_record

__all__ = [
    "Asked",
    "Contender",
    "Idleness",
    "LocalContender",
    "Machine",
    "Measured",
    "ProcessContender",
    "Record",
    "Timing",
    "interleaved",
    "measure",
    "read_record",
    "schema",
    "this_machine",
    "watch",
    "write_record",
]
