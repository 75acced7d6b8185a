"""Weights: the models that come with pocketsr and those of the bank, the catalogues that name them, and their cards."""

from pocketsr.weights.card import Card, CardFile, Score, Speed, Training, TrainingData, read_card
from pocketsr.weights.card_text import card_text
from pocketsr.weights.catalogue import (
    DEFAULT_MODEL,
    STYLES,
    Entry,
    Style,
    bank_folder,
    bank_names,
    bundled,
    defaults,
    entries,
    find,
    find_float,
)

__all__ = [
    "DEFAULT_MODEL",
    "STYLES",
    "Card",
    "CardFile",
    "Entry",
    "Score",
    "Speed",
    "Style",
    "Training",
    "TrainingData",
    "bank_folder",
    "bank_names",
    "bundled",
    "card_text",
    "defaults",
    "entries",
    "find",
    "find_float",
    "read_card",
]
