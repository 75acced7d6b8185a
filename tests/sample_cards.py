"""A model card with everything filled in."""

from __future__ import annotations

from pocketsr.weights import Card, CardFile, Score, Speed, Training, TrainingData

CARD = Card(
    name="tiny-x3",
    summary='A "tiny" network: it tests.',
    network="abpn",
    options={"scale": 3, "width": 6},
    scale=3,
    channels=3,
    style="clean",
    parameters=42_539,
    gmacs_720p=4.329,
    receptive_field=7,
    files=(
        CardFile(
            name="tiny-x3",
            file="tiny-x3.tflite",
            precision="int8",
            made_by="integer-domain training",
            sha256="0" * 64,
            bytes=53_232,
        ),
    ),
    training=Training(
        recipe="bank",
        readings=("jpeg",),
        recipe_sha256="1" * 64,
        command="pocketsr train bank --reading jpeg",
        commit="abcdef0",
        steps={"float": 16_000, "integer": 3_000},
        hours=0.5,
        hardware="AMD EPYC, 2 cores",
    ),
    data=TrainingData(
        description="582 free crops", images=582, manifest_sha256="2" * 64, licences={"CC BY-SA 4.0": 288, "CC0": 294}
    ),
    licence="CC-BY-SA-4.0",
    scores=(
        Score(
            data="Set5",
            images=5,
            protocol="scsrn",
            bicubic_db=28.627,
            float32_db=31.366,
            int8_db=31.354,
            ptq_db=31.278,
            paper_db=31.29,
            paper="scsrn-table2",
        ),
    ),
    int8_drop_db=0.012,
    speed=(Speed(name="tiny-x3", width=640, height=360, threads=2, median_ms=36.5, processor="AMD EPYC, 2 cores"),),
    intended_use=("Testing.",),
    known_failures=("Everything else: it is tiny.",),
    curve="docs/results/bank/tiny-x3.json",
)
